//! What the set-up says about one postback: whose it is, which goals there are, who is credited by its link.

use super::Cache;
use crate::{
    db::{
        received::{Received, SetUp},
        scope::PartnerScope,
    },
    domain::{
        advertiser_rules::AdvertiserRules,
        attribution::{self, Credit, KeyPowers, NamedPublisher},
        click_id::ClickId,
        code::Code,
        currency::Currency,
        ids::{AdvertiserId, Reference},
        link_name::LinkName,
        postback::Report,
        rate::Rates,
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
            Err(refusal) => return Ok(SetUp::refused(refusal.clone())),
        };
        let whose = self.whose(received.scope, &received.powers, report.advertiser.as_ref()).await?;
        let advertiser = match whose {
            Ok(advertiser) => advertiser,
            Err(refusal) => return Ok(SetUp::refused(refusal.pointing_into(received.form))),
        };
        let rules = self.rules(received.scope, advertiser).await?;
        let link = match &received.click {
            Some(Ok(click)) => self.credited(received, *click).await?,
            _ => None,
        };
        let publisher = self.named_publisher(received.scope, report, &rules).await?;
        let rates = match rules.currency {
            Some(target) => self.rates(received.scope, report, (&rules, target)).await?,
            None => Rates::default(),
        };
        Ok(SetUp { advertiser: Ok(advertiser), rules, publisher, rates, link })
    }

    async fn named_publisher(
        &self,
        scope: PartnerScope,
        report: &Report,
        rules: &AdvertiserRules,
    ) -> Result<NamedPublisher> {
        let Some(name) = &report.publisher else { return Ok(NamedPublisher::NotNamed) };
        Ok(match self.publisher(scope, name.clone()).await? {
            Some((publisher, Status::Active)) if rules.permits(publisher) => {
                NamedPublisher::Permitted(publisher)
            }
            known => NamedPublisher::NotPermitted(known.map(|(publisher, _)| publisher)),
        })
    }

    /// The rates that the report's amount and the goal's own sums need.
    async fn rates(
        &self,
        scope: PartnerScope,
        report: &Report,
        (rules, target): (&AdvertiserRules, Currency),
    ) -> Result<Rates> {
        let of_goal = attribution::goal_for(report, &rules.goals).ok().and_then(|goal| goal.currency);
        let mut rates = Rates::default();
        for from in [report.currency, of_goal].into_iter().flatten().filter(|from| *from != target) {
            let rate = self.rate(scope, (from, target), report.event_time).await?;
            rates.0.extend(rate.map(|rate| (from, rate)));
        }
        Ok(rates)
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
