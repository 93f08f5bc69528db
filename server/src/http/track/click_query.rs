//! The query of a tracking URL, for the API reference. They are read by `ClickParameters`, which never fails:
//! a visitor is not to blame for the URL.

use utoipa::IntoParams;

/// What a tracking URL may say.
#[derive(IntoParams)]
#[expect(dead_code, reason = "only its description is used")]
#[into_params(parameter_in = Query)]
pub struct ClickQuery {
    /// The publisher's first sub id. There are ten, `sub1` to `sub10`. Aliases: `aff_sub`, `aff_sub2` to `aff_sub10`,
    /// `s1` to `s10`.
    #[param(example = "newsletter")]
    sub1: Option<String>,
    /// The traffic source within the publisher.
    source_id: Option<String>,
    /// The publisher, where the link does not name one: its id, or `ext:` and the partner's own. An unknown one is
    /// ignored. Aliases: `partner_id`, `aff_id`, `pid`.
    publisher_id: Option<String>,
    /// The creative, where the link does not name one: its id, or `ext:` and the partner's own. An unknown one is
    /// ignored.
    creative_id: Option<String>,
    /// Where the publisher showed the link.
    site: Option<String>,
    /// The publisher's own click id. Alias: `aff_click_id`.
    ext_click_id: Option<String>,
    /// What the click cost the publisher; only stored.
    cost: Option<String>,
    /// The iOS advertising id. Alias: `ios_ifa`.
    idfa: Option<String>,
    /// The Android advertising id. Alias: `google_aid`.
    gaid: Option<String>,
    /// Google's click id. `gbraid`, `wbraid`, `fbclid`, `ttclid` and `msclkid` are kept in the same way, and so are
    /// the consent signals `gdpr`, `gdpr_consent`, `gpp` and `gpp_sid`.
    gclid: Option<String>,
    /// A deep link, at most 2,048 bytes. It is followed only if the link allows deep links and the host is on the
    /// advertiser's list; otherwise the landing page is shown and the click has the flag `deep_link_refused`.
    #[param(example = "https://shop.example/shoes")]
    url: Option<String>,
    /// With `1` and an API key: tells what the click would come to, and records nothing.
    preview: Option<String>,
}
