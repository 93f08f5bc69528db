//! What the set-up says about one postback: whose it is, which goals there are, who is credited by its link.

use std::sync::Arc;

use super::Cache;
use crate::{
    db::{
        received::{Received, SetUp},
        scope::PartnerScope,
    },
    domain::{
        attribution::{Credit, KeyPowers},
        click_id::ClickId,
        code::Code,
        ids::{AdvertiserId, Reference},
        link_name::LinkName,
        refusal::{FieldError, Refusal},
        setup::Status,
    },
    error::Result,
};

impl Cache {
    /// The facts that the decision about a postback needs of the set-up.
    pub async fn set_up_for(&self, received: &Received) -> Result<SetUp> {
        let report = match &received.report {
            Ok(report) => report,
            Err(refusal) => {
                let (advertiser, goals) = (Err(refusal.clone()), Arc::default());
                return Ok(SetUp { advertiser, goals, publisher_is_permitted: true, link: None });
            }
        };
        let advertiser = self.whose(received.scope, &received.powers, report.advertiser.as_ref()).await?;
        let advertiser = advertiser.map_err(|refusal| refusal.pointing_into(received.form));
        let goals = match &advertiser {
            Ok(advertiser) => self.goals(received.scope, *advertiser).await?,
            Err(_) => Arc::default(),
        };
        let link = match &received.click {
            Some(Ok(click)) => self.credited(received, *click).await?,
            _ => None,
        };
        let publisher_is_permitted = match &report.publisher {
            Some(name) => self.publisher(received.scope, name.clone()).await?.is_some(),
            None => true,
        };
        Ok(SetUp { advertiser, goals, publisher_is_permitted, link })
    }

    /// Whose conversion it is: the report says it, or the key leaves no choice.
    pub async fn whose(
        &self,
        scope: PartnerScope,
        powers: &KeyPowers,
        named: Option<&Reference<AdvertiserId>>,
    ) -> Result<Result<AdvertiserId, Refusal>> {
        if let Some(name) = named {
            let found = self.advertiser(scope, name.clone()).await?.map(|known| known.id);
            return Ok(found.filter(|id| powers.covers(*id)).ok_or_else(|| unknown(name)));
        }
        let some = match powers.advertisers.as_slice() {
            [] => self.some_advertisers(scope).await?.to_vec(),
            narrowed => narrowed.to_vec(),
        };
        Ok(match some.as_slice() {
            [only] => Ok(*only),
            _ => Err(needed()),
        })
    }

    /// A genuine id names its link, which says who is credited where the click's row is not there.
    async fn credited(&self, received: &Received, click: ClickId) -> Result<Option<(Credit, Status)>> {
        let known = self.route(LinkName::Number(click.link())).await?;
        let own = known.filter(|known| known.route.scope == received.scope);
        Ok(own.map(|known| {
            let link = &known.route.link;
            let credit = Credit {
                advertiser_id: link.advertiser_id,
                campaign_id: link.campaign_id,
                creative_id: link.creative_id,
                link_id: link.id,
                publisher_id: link.publisher_id,
            };
            (credit, known.route.campaign.status)
        }))
    }
}

fn needed() -> Refusal {
    let detail = "is needed, because the key covers several advertisers: an id or an ext:... of yours";
    Refusal::fields(Code::Malformed, vec![FieldError::new("advertiser", detail)])
}

fn unknown(name: &Reference<AdvertiserId>) -> Refusal {
    let detail = format!("there is no advertiser `{name}` that this key covers");
    Refusal::fields(Code::NotFound, vec![FieldError::new("advertiser", detail)])
}
