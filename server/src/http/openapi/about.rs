//! What the document says about the API as a whole.

use utoipa::openapi::{
    InfoBuilder, OpenApi, ServerBuilder,
    info::LicenseBuilder,
    tag::{Tag, TagBuilder},
};

/// The tags, in the order in which a reader needs them.
const TAGS: [(&str, &str); 16] = [
    ("Partner", "You: the agency or network that everything else belongs to."),
    ("Advertisers", "The companies whose conversions are tracked."),
    ("Publishers", "Those who send visitors: affiliates, sites, ad channels."),
    ("Campaigns", "What an advertiser promotes: a landing page and its links."),
    ("Creatives", "Banners and texts, to tell their clicks apart."),
    ("Links", "Tracking links: the URLs that publishers use."),
    ("Goals", "What counts as a conversion, what it is worth, and when it is final."),
    ("Currency rates", "What amounts are converted with into an advertiser's currency."),
    ("Signing keys", "The keys that advertisers sign their postbacks with."),
    ("Clicks", "The clicks that were recorded; clicks without a redirect."),
    ("Impressions", "What was shown."),
    ("Postbacks", "The log of every postback, whatever its outcome: where to look when one did not count."),
    ("Conversions", "What counts: who is credited, what it is worth, and where it stands."),
    ("Reports", "Clicks, conversions and money, grouped as you ask."),
    ("Tracking", "What the outside calls: visitors follow links, advertisers report conversions."),
    ("Health", "Whether the server works. For load balancers and monitoring."),
];

/// Fills in title, description, licence, servers and tags.
pub fn describe(document: &mut OpenApi) {
    document.info = InfoBuilder::new()
        .title("Tallyback API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(include_str!("description.md")))
        .license(Some(
            LicenseBuilder::new().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0")).build(),
        ))
        .build();
    document.servers = Some(vec![ServerBuilder::new().url("/").description(Some("This server.")).build()]);
    document.tags = Some(TAGS.map(tag).to_vec());
}

fn tag((name, description): (&str, &str)) -> Tag {
    TagBuilder::new().name(name).description(Some(description)).build()
}
