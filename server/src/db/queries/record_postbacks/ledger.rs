//! What is known of the clicks and orders of a batch: loaded in one statement each per partner or goal.

use std::collections::BTreeMap;

use diesel::{dsl::sql, prelude::*, sql_types::Bool};

use super::{
    super::{Conn, adjustments},
    key_of,
};
use crate::{
    db::{
        received::Incoming,
        rows::records::Conversion,
        schema::{clicks, conversions, impressions},
        scope::PartnerScope,
        sql_types::VisitCountry,
    },
    domain::{
        attribution::{self, ClickFacts, Credit, CreditedClick, Previous},
        click_id::{ClickId, ClickIdError, Touch},
        country::Country,
        ids::{AdvertiserId, CampaignId, CreativeId, GoalId, LinkId, PartnerId, PublisherId},
        visitor::ClickClass,
    },
    error::Result,
};

/// Quick, and seeded with chance: orders are named by strangers.
type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;
/// A goal of an advertiser, of a partner: within it, orders and keys are unique.
type Place = (PartnerId, AdvertiserId, GoalId);
/// The columns of a click or an impression that matter to a conversion of it.
type ClickRow = (
    ClickId,
    ClickClass,
    AdvertiserId,
    CampaignId,
    Option<CreativeId>,
    LinkId,
    Option<PublisherId>,
    Option<VisitCountry>,
);

/// What is known. What a batch counts itself is added while it is judged.
#[derive(Default)]
pub struct Ledger {
    clicks: HashMap<(PartnerId, ClickId), (ClickClass, Credit, Option<Country>)>,
    /// By keys that are no orders: those are found with the orders.
    by_key: HashMap<(Place, String), Previous>,
    by_order: HashMap<(Place, String), Previous>,
}

/// What a batch asks for. A key that is an order is found with the orders.
#[derive(Default)]
struct Wanted {
    touches: BTreeMap<(Touch, PartnerId), Vec<ClickId>>,
    keys: BTreeMap<Place, Vec<String>>,
    orders: BTreeMap<Place, Vec<String>>,
}

impl Wanted {
    fn of(batch: &[&Incoming], with_earlier: bool) -> Self {
        let mut wanted = Self::default();
        for incoming in batch {
            let (Ok(report), Ok(advertiser)) = (&incoming.received.report, &incoming.set_up.advertiser)
            else {
                continue;
            };
            let partner = incoming.received.scope.id();
            if let Some(Ok(click)) = incoming.received.click {
                wanted.touches.entry((incoming.received.touch, partner)).or_default().push(click);
            }
            if !with_earlier {
                continue;
            }
            let Some((goal, key)) = key_of(incoming, report) else { continue };
            let place = (partner, *advertiser, goal);
            wanted.orders.entry(place).or_default().extend(report.order_id.clone());
            if !attribution::is_order(&key) {
                wanted.keys.entry(place).or_default().push(key);
            }
        }
        wanted
    }
}

impl Ledger {
    /// Loads what a batch asks for: its clicks, and, if wanted, the conversions with the same keys and orders.
    pub fn load(conn: &mut Conn, batch: &[&Incoming], with_earlier: bool) -> Result<Self> {
        let (wanted, mut ledger) = (Wanted::of(batch, with_earlier), Self::default());
        for ((touch, partner), ids) in wanted.touches {
            for row in load(touch)(conn, &PartnerScope::established(partner), ids)? {
                let (id, class, advertiser_id, campaign_id, creative_id, link_id, publisher_id, country) =
                    row;
                let credit = Credit { advertiser_id, campaign_id, creative_id, link_id, publisher_id };
                let country = country.and_then(|VisitCountry(country)| country);
                ledger.clicks.insert((partner, id), (class, credit, country));
            }
        }
        for (place, keys) in wanted.keys {
            let rows = load_by_key(conn, place, keys)?;
            as_reported(conn, place, rows)?.iter().for_each(|row| ledger.remember(row));
        }
        for (place, orders) in wanted.orders.into_iter().filter(|(_, orders)| !orders.is_empty()) {
            let rows = load_by_order(conn, place, orders)?;
            as_reported(conn, place, rows)?.iter().for_each(|row| ledger.remember(row));
        }
        Ok(ledger)
    }

    /// Takes note of a conversion.
    pub fn remember(&mut self, row: &Conversion) {
        let place = (row.partner_id, row.advertiser_id, row.goal_id);
        if !attribution::is_order(&row.count_key) {
            self.by_key.insert((place, row.count_key.clone()), row.previous());
        }
        if let Some(order) = &row.order_id {
            self.by_order.insert((place, order.clone()), row.previous());
        }
    }

    /// The conversions that have the key and the order of a report.
    pub fn earlier(
        &self,
        incoming: &Incoming,
        (advertiser, goal): (AdvertiserId, GoalId),
        key: String,
        order: Option<String>,
    ) -> (Option<Previous>, Option<Previous>) {
        let place = (incoming.received.scope.id(), advertiser, goal);
        let same_order = order.and_then(|order| self.by_order.get(&(place, order))).cloned();
        if attribution::is_order(&key) {
            return (same_order.clone(), same_order);
        }
        (self.by_key.get(&(place, key)).cloned(), same_order)
    }

    /// The click that a report names. A genuine id is credited from its row, or, where the row is not there, from the
    /// link that is part of the id.
    pub fn click(&self, incoming: &Incoming) -> ClickFacts {
        let id = match &incoming.received.click {
            None => return ClickFacts::NotSent,
            Some(Err(error)) => return ClickFacts::NotOurs(*error),
            Some(Ok(id)) => *id,
        };
        let Some((of_link, campaign_status)) = &incoming.set_up.link else {
            return ClickFacts::NotOurs(ClickIdError::NotGenuine);
        };
        let row = self.clicks.get(&(incoming.received.scope.id(), id));
        ClickFacts::Genuine(CreditedClick {
            touch: incoming.received.touch,
            id,
            row: row.map(|(class, ..)| *class),
            credit: row.map_or(of_link, |(_, credit, _)| credit).clone(),
            country: row.and_then(|(.., country)| *country),
            campaign_status: *campaign_status,
        })
    }
}

/// The look-up of clicks, or of impressions.
fn load(touch: Touch) -> fn(&mut Conn, &PartnerScope, Vec<ClickId>) -> QueryResult<Vec<ClickRow>> {
    match touch {
        Touch::Click => load_clicks,
        Touch::Impression => load_impressions,
    }
}

fn load_impressions(conn: &mut Conn, scope: &PartnerScope, ids: Vec<ClickId>) -> QueryResult<Vec<ClickRow>> {
    use impressions::*;
    table
        .filter(partner_id.eq(scope.id()).and(id.eq_any(ids)))
        .select((id, class, advertiser_id, campaign_id, creative_id, link_id, publisher_id, country))
        .load(conn)
}

fn load_clicks(conn: &mut Conn, scope: &PartnerScope, ids: Vec<ClickId>) -> QueryResult<Vec<ClickRow>> {
    use clicks::*;
    table
        .filter(partner_id.eq(scope.id()).and(id.eq_any(ids)))
        .select((id, class, advertiser_id, campaign_id, creative_id, link_id, publisher_id, country))
        .load(conn)
}

/// Conversions with the amounts that they were reported with: a report that comes again repeats those, whatever was restated
/// since.
fn as_reported(conn: &mut Conn, place: Place, rows: Vec<Conversion>) -> QueryResult<Vec<Conversion>> {
    if rows.is_empty() {
        return Ok(rows);
    }
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let first = adjustments::amounts_at_first(conn, &PartnerScope::established(place.0), &ids)?;
    let reported = |row: Conversion| match first.get(&row.id) {
        Some(amount) => Conversion { amount_micros: *amount, ..row },
        None => row,
    };
    Ok(rows.into_iter().map(reported).collect())
}

/// Of keys that are no orders; the condition is the index's own, to the letter.
fn load_by_key(conn: &mut Conn, place: Place, keys: Vec<String>) -> QueryResult<Vec<Conversion>> {
    use conversions::*;
    let (partner, advertiser, goal) = place;
    table
        .filter(partner_id.eq(partner).and(advertiser_id.eq(advertiser)))
        .filter(goal_id.eq(goal).and(count_key.eq_any(keys)))
        .filter(sql::<Bool>("substr(count_key, 1, 6) <> 'order:'"))
        .select(Conversion::as_select())
        .load(conn)
}

fn load_by_order(conn: &mut Conn, place: Place, orders: Vec<String>) -> QueryResult<Vec<Conversion>> {
    use conversions::*;
    let (partner, advertiser, goal) = place;
    table
        .filter(partner_id.eq(partner).and(advertiser_id.eq(advertiser)))
        .filter(goal_id.eq(goal).and(order_id.eq_any(orders)))
        .select(Conversion::as_select())
        .load(conn)
}
