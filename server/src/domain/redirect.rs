//! Where a click goes: the landing page, a deep link that is allowed, a fallback, or nowhere.
//! Never to an address that only the URL names.

use std::borrow::Cow;

use super::{
    landing::{LandingPage, deep_link},
    setup::{DeepLinks, Status},
    time::Timestamp,
};

/// Why a click is `invalid` whose visitor the campaign is not for.
pub const TARGETING_MISSED: &str = "targeting_missed";

/// What a link, its campaign and its advertiser say about where clicks go.
#[derive(Clone, Copy, Debug)]
pub struct Way<'a> {
    /// Whether link, campaign, advertiser and publisher are in use, with the reason that a click is given otherwise.
    pub statuses: [(Status, &'static str); 4],
    /// Whether the visitor is one of those whom the campaign is for.
    pub is_for_visitor: bool,
    /// When the campaign starts.
    pub starts_at: Option<Timestamp>,
    /// When it ends.
    pub ends_at: Option<Timestamp>,
    /// The pages.
    pub pages: &'a Pages,
    /// Whether `url=` is looked at.
    pub deep_links: DeepLinks,
    /// Hosts that `url=` may lead to.
    pub deep_link_hosts: &'a [String],
}

/// The pages that a link knows, compiled once.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Pages {
    landing: Option<LandingPage>,
    fallback: Option<LandingPage>,
}

impl Pages {
    /// Compiles the landing page, and the first of the fallbacks of link, campaign and advertiser. What was stored
    /// and cannot be used (any more) is no page.
    pub fn compile(landing_url: &str, fallbacks: [Option<&str>; 3]) -> Self {
        let page = |url: &str| LandingPage::parse(url).ok();
        Self { landing: page(landing_url), fallback: fallbacks.into_iter().flatten().find_map(page) }
    }
}

/// Where one click goes.
#[derive(Clone, PartialEq, Debug)]
pub struct Destination<'a> {
    /// The page; none: there is no page to show (any more).
    pub page: Option<Cow<'a, LandingPage>>,
    /// Why the click does not count.
    pub invalid: Option<&'static str>,
    /// True when `url=` was there and was not followed.
    pub deep_link_refused: bool,
}

impl<'a> Way<'a> {
    /// Decides for a click at `now` that asks for `wanted` (`url=`).
    pub fn destination(&self, now: Timestamp, wanted: Option<&str>) -> Destination<'a> {
        if let Some(reason) = self.out_of_use(now) {
            return self.fallback(reason);
        }
        if !self.is_for_visitor {
            return self.fallback(TARGETING_MISSED);
        }
        let deep = wanted.and_then(|url| match self.deep_links {
            DeepLinks::Allowed => deep_link(url, self.deep_link_hosts),
            DeepLinks::Refused => None,
        });
        let deep_link_refused = wanted.is_some() && deep.is_none();
        let page = deep.map(Cow::Owned).or_else(|| stored(&self.pages.landing));
        Destination { page, invalid: None, deep_link_refused }
    }

    /// Where a click goes that does not count.
    pub fn fallback(&self, reason: &'static str) -> Destination<'a> {
        let page = stored(&self.pages.fallback);
        Destination { page, invalid: Some(reason), deep_link_refused: false }
    }

    fn out_of_use(&self, now: Timestamp) -> Option<&'static str> {
        let paused = self.statuses.iter().find(|(status, _)| *status != Status::Active);
        if let Some((_, reason)) = paused {
            return Some(reason);
        }
        if self.starts_at.is_some_and(|start| now < start) {
            return Some("campaign_not_started");
        }
        self.ends_at.is_some_and(|end| now >= end).then_some("campaign_ended")
    }
}

fn stored(page: &Option<LandingPage>) -> Option<Cow<'_, LandingPage>> {
    page.as_ref().map(Cow::Borrowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

    fn pages(fallbacks: [Option<&str>; 3]) -> Pages {
        Pages::compile("https://shop.example/", fallbacks)
    }

    fn way<'a>(hosts: &'a [String], pages: &'a Pages) -> Way<'a> {
        Way {
            statuses: [
                (Status::Active, "link_paused"),
                (Status::Active, "campaign_paused"),
                (Status::Active, "advertiser_paused"),
                (Status::Active, "publisher_paused"),
            ],
            is_for_visitor: true,
            starts_at: None,
            ends_at: None,
            pages,
            deep_links: DeepLinks::Allowed,
            deep_link_hosts: hosts,
        }
    }

    fn url(destination: &Destination) -> String {
        destination.page.as_ref().unwrap().render(None, "kcid", |_| None).unwrap()
    }

    #[test]
    fn a_deep_link_is_followed_only_to_a_listed_host() {
        let hosts = ["shop.example".to_owned()];
        let pages = pages([None; 3]);
        let allowed = way(&hosts, &pages).destination(NOW, Some("https://shop.example/shoes"));
        assert_eq!(url(&allowed), "https://shop.example/shoes");
        let refused = way(&hosts, &pages).destination(NOW, Some("https://evil.example/"));
        assert!(refused.deep_link_refused);
        assert_eq!(url(&refused), "https://shop.example/");
    }

    #[test]
    fn what_is_out_of_use_leads_to_the_nearest_fallback() {
        let (none, some) =
            (pages([None; 3]), pages([None, Some("https://a.example/"), Some("https://b.example/")]));
        let mut way = way(&[], &none);
        way.statuses[1].0 = Status::Paused;
        assert_eq!(way.destination(NOW, None).page, None);
        way.pages = &some;
        let destination = way.destination(NOW, None);
        assert_eq!(destination.invalid, Some("campaign_paused"));
        assert_eq!(url(&destination), "https://a.example/");
    }

    #[test]
    fn a_visitor_whom_the_campaign_is_not_for_goes_to_the_fallback() {
        let pages = pages([None, None, Some("https://b.example/")]);
        let mut way = way(&[], &pages);
        way.is_for_visitor = false;
        let destination = way.destination(NOW, None);
        assert_eq!(destination.invalid, Some(TARGETING_MISSED));
        assert_eq!(url(&destination), "https://b.example/");
        way.statuses[0].0 = Status::Paused;
        assert_eq!(
            way.destination(NOW, None).invalid,
            Some("link_paused"),
            "what is out of use is for nobody"
        );
    }

    #[test]
    fn a_campaign_runs_from_its_start_until_before_its_end() {
        let pages = pages([None; 3]);
        let mut way = way(&[], &pages);
        (way.starts_at, way.ends_at) = (Some(NOW), Some(NOW.plus_seconds(10)));
        assert_eq!(way.destination(NOW.plus_seconds(-1), None).invalid, Some("campaign_not_started"));
        assert_eq!(way.destination(NOW, None).invalid, None);
        assert_eq!(way.destination(NOW.plus_seconds(10), None).invalid, Some("campaign_ended"));
    }
}
