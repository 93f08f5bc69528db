//! The macros of landing-page templates: their names, their aliases and how a template is cut at them.
//! What a macro stands for in one click is not known here.

/// A placeholder of a landing-page template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Macro {
    /// The click id.
    ClickId,
    /// The advertiser's id.
    AdvertiserId,
    /// The campaign's id.
    CampaignId,
    /// The creative's id.
    CreativeId,
    /// The link's id.
    LinkId,
    /// The publisher's id.
    PublisherId,
    /// The publisher's site.
    Site,
    /// One of the publisher's sub ids, 1 to 10.
    Sub(u8),
    /// The traffic source within the publisher.
    SourceId,
    /// The publisher's own click id.
    ExtClickId,
    /// The visitor's country, ISO 3166-1 alpha-2.
    Country,
    /// The visitor's region.
    Region,
    /// The kind of device.
    DeviceType,
    /// The operating system.
    Os,
    /// The operating system's version.
    OsVersion,
    /// The browser.
    Browser,
    /// The visitor's preferred language.
    Language,
    /// The visitor's internet provider.
    Isp,
    /// Apple's advertising id.
    Idfa,
    /// Google's advertising id.
    Gaid,
    /// Google's click id.
    Gclid,
    /// Facebook's click id.
    Fbclid,
    /// TikTok's click id.
    Ttclid,
    /// The time of the click, in Unix seconds.
    Timestamp,
    /// The date of the click in UTC.
    Date,
    /// A random number against caches.
    Random,
}

/// All names but those of the sub ids; the first of each macro is the one we document.
const NAMES: [(&str, Macro); 32] = [
    ("click_id", Macro::ClickId),
    ("kcid", Macro::ClickId),
    ("transaction_id", Macro::ClickId),
    ("clickid", Macro::ClickId),
    ("advertiser_id", Macro::AdvertiserId),
    ("campaign_id", Macro::CampaignId),
    ("creative_id", Macro::CreativeId),
    ("link_id", Macro::LinkId),
    ("publisher_id", Macro::PublisherId),
    ("affiliate_id", Macro::PublisherId),
    ("site", Macro::Site),
    ("source_id", Macro::SourceId),
    ("ext_click_id", Macro::ExtClickId),
    ("aff_click_id", Macro::ExtClickId),
    ("externalid", Macro::ExtClickId),
    ("country", Macro::Country),
    ("region", Macro::Region),
    ("device_type", Macro::DeviceType),
    ("os", Macro::Os),
    ("os_version", Macro::OsVersion),
    ("browser", Macro::Browser),
    ("language", Macro::Language),
    ("isp", Macro::Isp),
    ("idfa", Macro::Idfa),
    ("gaid", Macro::Gaid),
    ("gclid", Macro::Gclid),
    ("fbclid", Macro::Fbclid),
    ("ttclid", Macro::Ttclid),
    ("timestamp", Macro::Timestamp),
    ("date", Macro::Date),
    ("random", Macro::Random),
    ("aff_sub", Macro::Sub(1)),
];

/// The sub ids by number, ours before the trade's.
const SUB_NAMES: [[&str; 2]; 10] = [
    ["sub1", "aff_sub1"],
    ["sub2", "aff_sub2"],
    ["sub3", "aff_sub3"],
    ["sub4", "aff_sub4"],
    ["sub5", "aff_sub5"],
    ["sub6", "aff_sub6"],
    ["sub7", "aff_sub7"],
    ["sub8", "aff_sub8"],
    ["sub9", "aff_sub9"],
    ["sub10", "aff_sub10"],
];

impl Macro {
    /// Reads a name or an alias, without the braces; case matters.
    pub fn parse(name: &str) -> Option<Self> {
        let plain = NAMES.iter().find(|(known, _)| *known == name).map(|(_, found)| *found);
        plain.or_else(|| {
            let position = SUB_NAMES.iter().position(|names| names.contains(&name))?;
            Some(Self::Sub(position as u8 + 1))
        })
    }

    /// Lists each macro under the name that we document.
    pub fn documented() -> impl Iterator<Item = (&'static str, Self)> {
        let is_first =
            |position: usize| NAMES[..position].iter().all(|(_, other)| *other != NAMES[position].1);
        let plain = NAMES.iter().enumerate().filter(move |(position, _)| is_first(*position));
        let plain = plain.map(|(_, found)| *found).filter(|(_, found)| !matches!(found, Self::Sub(_)));
        plain.chain((1..).zip(SUB_NAMES).map(|(number, names)| (names[0], Self::Sub(number))))
    }

    /// Lists all names and aliases, for hints.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name).chain(SUB_NAMES.into_iter().flatten())
    }
}

/// A stretch of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Kept as it is.
    Text(String),
    /// `{name}`: the value, percent-encoded.
    Encoded(Macro),
    /// `{!name}`: the value as it is, but for what would break a URL.
    Raw(Macro),
}

/// Tells why a template could not be cut.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CutError<'a> {
    /// A brace has no partner.
    Unbalanced,
    /// No macro has this name.
    Unknown(&'a str),
}

/// Cuts a template at its macros.
pub(super) fn cut(template: &str) -> Result<Vec<Piece>, CutError<'_>> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some(start) = rest.find(['{', '}']) {
        let (text, from_brace) = rest.split_at(start);
        let inner = from_brace.strip_prefix('{').ok_or(CutError::Unbalanced)?;
        let (name, after) = inner.split_once('}').ok_or(CutError::Unbalanced)?;
        if !text.is_empty() {
            pieces.push(Piece::Text(text.to_owned()));
        }
        pieces.push(placeholder(name)?);
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Ok(pieces)
}

fn placeholder(inner: &str) -> Result<Piece, CutError<'_>> {
    let (name, piece): (_, fn(Macro) -> Piece) = match inner.strip_prefix('!') {
        Some(name) => (name, Piece::Raw),
        None => (inner, Piece::Encoded),
    };
    Macro::parse(name).map(piece).ok_or(CutError::Unknown(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_mean_the_same_macro() {
        for names in [
            &["click_id", "kcid", "transaction_id", "clickid"][..],
            &["publisher_id", "affiliate_id"],
            &["ext_click_id", "aff_click_id", "externalid"],
            &["sub1", "aff_sub", "aff_sub1"],
            &["sub10", "aff_sub10"],
        ] {
            let first = Macro::parse(names[0]);
            assert!(first.is_some() && names.iter().all(|name| Macro::parse(name) == first), "{names:?}");
        }
        assert_eq!(Macro::parse("sub10"), Some(Macro::Sub(10)));
    }

    #[test]
    fn other_names_are_unknown() {
        for name in ["", "sub", "sub0", "sub11", "sub01", "CLICK_ID", "click id", "!click_id", "payout"] {
            assert_eq!(Macro::parse(name), None, "{name}");
        }
    }

    #[test]
    fn each_listed_name_is_read_once() {
        let mut names: Vec<_> = Macro::names().collect();
        assert!(names.iter().all(|name| Macro::parse(name).is_some()));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn each_macro_is_documented_once() {
        let documented: Vec<_> = Macro::documented().collect();
        let macros: std::collections::HashSet<_> = documented.iter().map(|(_, found)| *found).collect();
        assert_eq!((documented.len(), macros.len()), (35, 35));
        assert!(documented.iter().all(|(name, found)| Macro::parse(name) == Some(*found)));
        assert_eq!(documented[0].0, "click_id");
        assert!(documented.contains(&("sub1", Macro::Sub(1))));
    }

    #[test]
    fn a_template_is_cut_at_its_macros() {
        let text = |text: &str| Piece::Text(text.to_owned());
        assert_eq!(
            cut("a{sub1}{!os}b"),
            Ok(vec![text("a"), Piece::Encoded(Macro::Sub(1)), Piece::Raw(Macro::Os), text("b")])
        );
        assert_eq!(cut("plain"), Ok(vec![text("plain")]));
        assert_eq!(cut(""), Ok(vec![]));
    }

    #[test]
    fn bad_braces_and_names_are_refused() {
        for template in ["a{", "a}", "{sub1", "sub1}", "}{"] {
            assert_eq!(cut(template), Err(CutError::Unbalanced), "{template}");
        }
        for (template, name) in
            [("{payout}", "payout"), ("{}", ""), ("{{sub1}}", "{sub1"), ("{!}", ""), ("{!!os}", "!os")]
        {
            assert_eq!(cut(template), Err(CutError::Unknown(name)), "{template}");
        }
    }
}
