//! A click or an impression that a back end tells of: an app, an ad server, a page that links directly.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    cache::KnownRoute,
    db::scope::PartnerScope,
    domain::{
        click_id::Touch,
        click_parameters::ClickParameters,
        ids::{LinkId, Reference},
    },
    error::Result,
    http::{
        State,
        fields::{Fields, named},
        track::{
            hints::Hints,
            visit::{Visit, known_link},
        },
    },
};

/// A visit to tell of.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"link": "lnk_01kayw5m8hfz2v6y0t3n7r9q4c", "parameters": {"sub1": "newsletter", "ext_click_id": "E-1"}, "ip": "198.51.100.7", "user_agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X)", "language": "de-CH"})))]
pub struct RecordVisit {
    /// The link: its id, its code as in its `click_url`, or `ext:` and your own.
    #[schema(required, value_type = String)]
    link: Option<String>,
    /// What the tracking URL would say: `sub1`, `source_id`, `url` and the others, not encoded. Values are cut to 500
    /// bytes; names that mean nothing are refused.
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    /// The visitor's address.
    ip: Option<String>,
    /// The visitor's `User-Agent`.
    user_agent: Option<String>,
    /// The page that the visitor came from.
    referrer: Option<String>,
    /// The visitor's language, or `Accept-Language`.
    language: Option<String>,
}

/// A visit that has been read: its link, and what its URL would have said.
pub struct Told {
    known: Arc<KnownRoute>,
    parameters: ClickParameters,
    address: Option<IpAddr>,
    body: RecordVisit,
}

impl Told {
    /// Reads what a caller tells.
    pub async fn read(state: &State, scope: PartnerScope, mut body: RecordVisit) -> Result<Self> {
        let mut fields = Fields::default();
        let link = fields.required("/link", body.link.take(), Ok);
        let address = fields.optional("/ip", body.ip.take(), address);
        let pairs = body.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let parameters = ClickParameters::from_pairs(pairs);
        for name in parameters.as_ref().err().into_iter().flatten() {
            let pointer = format!("/parameters/{}", name.replace('~', "~0").replace('/', "~1"));
            fields.error(&pointer, "is not a parameter of tracking URLs");
        }
        let (link, parameters) = fields.finish(|| Some((link?, parameters.ok()?)))?;
        let known = named(own_link(state, scope, &link).await?, "/link")?;
        Ok(Self { known, parameters, address, body })
    }

    /// Puts the visit together.
    pub async fn visit(&self, state: &State, touch: Touch) -> Result<Visit<'_>> {
        let hints = Hints {
            address: self.address,
            user_agent: self.body.user_agent.as_deref(),
            purpose: None,
            language: self.body.language.as_deref(),
            referrer: self.body.referrer.as_deref(),
        };
        Visit::prepare(state, &self.known, touch, hints, self.parameters.clone()).await
    }
}

fn address(text: String) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("`{text}` is not an IP address"))
}

/// The caller's link that a text names.
async fn own_link(state: &State, scope: PartnerScope, name: &str) -> Result<Option<Arc<KnownRoute>>> {
    let known = match Reference::<LinkId>::parse(name) {
        Ok(Reference::External(external)) => {
            match state.cache.link(scope, Reference::External(external)).await? {
                Some(id) => known_link(state, &id.to_string()).await?,
                None => None,
            }
        }
        _ => known_link(state, name).await?,
    };
    Ok(known.filter(|known| known.route.scope == scope))
}
