//! Adjusting conversions: lock them, let the domain say what becomes of each, write the rows, their history and their
//! totals. All of it happens in the transaction it is called in.

use std::collections::{BTreeMap, HashMap};

use super::{Conn, adjustments, advertisers, conversions, currency_rates, goals, totals};
use crate::{
    db::{
        received::{Asked, Hand, Made, Occasion, Target, Tried},
        rows::records::{Adjustment, Conversion},
        scope::PartnerScope,
    },
    domain::{
        adjustment::{self, Standing},
        ids::{AdjustmentId, AdvertiserId, ConversionId, GoalId, Reference},
        postback::Intent,
        rate::{self, Rate},
        refusal::Refusal,
        time::Timestamp,
        totals::Changes,
    },
    error::{Error, Result},
};

/// Makes adjustments, one after the other. What is refused changes nothing, and keeps no other from being made.
pub fn make(
    conn: &mut Conn,
    scope: &PartnerScope,
    asked: &[Asked],
    hand: &Hand,
    occasion: &Occasion<impl Fn() -> AdjustmentId>,
) -> Result<Vec<Tried>> {
    let mut book = Book::open(conn, scope, asked)?;
    let mut outcomes = Vec::with_capacity(asked.len());
    for asked in asked {
        let found = book.find(&asked.target, hand).cloned();
        let seen = found.clone();
        let made = match found {
            Some(conversion) => book.adjust(conn, scope, conversion, asked, (hand, occasion))?,
            None => Err(adjustment::no_conversion()),
        };
        outcomes.push(Tried { seen, made });
    }
    totals::add(conn, scope, occasion.delta_id, book.changes)?;
    Ok(outcomes)
}

/// What is known of the conversions at hand, which are locked.
struct Book {
    conversions: HashMap<ConversionId, Conversion>,
    by_order: HashMap<(AdvertiserId, GoalId, String), ConversionId>,
    positions: HashMap<ConversionId, i64>,
    named: HashMap<(AdvertiserId, String), Adjustment>,
    changes: Changes,
}

impl Book {
    fn open(conn: &mut Conn, scope: &PartnerScope, asked: &[Asked]) -> Result<Self> {
        let by_order = find_orders(conn, scope, asked)?;
        let named = asked.iter().filter_map(|asked| match &asked.target {
            Target::Conversion(id) => Some(*id),
            Target::Order { .. } => None,
        });
        let mut ids: Vec<ConversionId> = named.chain(by_order.values().copied()).collect();
        ids.sort_unstable();
        ids.dedup();
        let rows = conversions::lock(conn, scope, &ids)?;
        let mut advertisers: Vec<_> = rows.iter().map(|row| row.advertiser_id).collect();
        advertisers.sort_unstable();
        advertisers.dedup();
        let names: Vec<&str> = asked.iter().filter_map(|asked| asked.adjustment_id.as_deref()).collect();
        let named = adjustments::named(conn, scope, &advertisers, &names)?;
        let named = named.into_iter().filter_map(|row| Some((name_of(&row)?, row))).collect();
        let positions = adjustments::positions(conn, scope, &ids)?;
        let conversions = rows.into_iter().map(|row| (row.id, row)).collect();
        Ok(Self { conversions, by_order, positions, named, changes: Changes::default() })
    }

    fn find(&self, target: &Target, hand: &Hand) -> Option<&Conversion> {
        let id = match target {
            Target::Conversion(id) => Some(*id),
            Target::Order { advertiser, goals, order_id } => goals
                .iter()
                .find_map(|goal| self.by_order.get(&(*advertiser, *goal, order_id.clone())).copied()),
        };
        self.conversions.get(&id?).filter(|conversion| hand.reaches(conversion.advertiser_id))
    }

    fn adjust(
        &mut self,
        conn: &mut Conn,
        scope: &PartnerScope,
        conversion: Conversion,
        asked: &Asked,
        (hand, occasion): (&Hand, &Occasion<impl Fn() -> AdjustmentId>),
    ) -> Result<Result<Made, Refusal>> {
        if let Some(first) = self.first(&conversion, asked) {
            return Ok(repeated(first.clone(), conversion, asked));
        }
        let after = match self.judge(conn, scope, &conversion, asked)? {
            Ok(after) => after,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let adjustment = self.line(&conversion, after, asked, hand, occasion);
        if asked.intent == Intent::Validate {
            let conversion = standing_at(conversion, after);
            return Ok(Ok(Made { adjustment, conversion, is_repeated: false }));
        }
        if !adjustments::append(conn, &adjustment)? {
            let first = first_named(conn, scope, &adjustment)?;
            return Ok(repeated(first, conversion, asked));
        }
        let conversion = self.write(conn, scope, conversion, &adjustment, after, occasion.now)?;
        Ok(Ok(Made { adjustment, conversion, is_repeated: false }))
    }

    fn first(&self, conversion: &Conversion, asked: &Asked) -> Option<&Adjustment> {
        self.named.get(&(conversion.advertiser_id, asked.adjustment_id.clone()?))
    }

    /// What becomes of a conversion. One without money is in its advertiser's currency, where that has one.
    fn judge(
        &self,
        conn: &mut Conn,
        scope: &PartnerScope,
        conversion: &Conversion,
        asked: &Asked,
    ) -> Result<Result<Standing, Refusal>> {
        if let Some(order_id) = &asked.only_of
            && conversion.order_id.as_ref() != Some(order_id)
        {
            return Ok(Err(adjustment::of_other_order(order_id)));
        }
        let named = |refusal: Refusal| refusal.fact("conversion_id", conversion.id.to_string());
        if asked.only_from.is_some_and(|status| status != conversion.status) {
            return Ok(Err(named(adjustment::not_allowed(conversion.status, asked.change.kind))));
        }
        let mut terms = conversion.terms();
        if terms.currency.is_none() && asked.change.amount.is_some() {
            let owner = Reference::Id(conversion.advertiser_id);
            terms.currency = advertisers::get(conn, scope, &owner)?.currency;
        }
        let of_goal = match asked.change.amount {
            Some(_) => rate_of_goal(conn, scope, conversion)?,
            None => None,
        };
        let after =
            adjustment::adjust(conversion.standing(), terms, conversion.hold_end, &asked.change, of_goal);
        Ok(after.map_err(named))
    }

    fn line(
        &self,
        before: &Conversion,
        after: Standing,
        asked: &Asked,
        hand: &Hand,
        occasion: &Occasion<impl Fn() -> AdjustmentId>,
    ) -> Adjustment {
        Adjustment {
            partner_id: before.partner_id,
            id: (occasion.new_id)(),
            conversion_id: before.id,
            position: self.positions.get(&before.id).copied().unwrap_or(0) + 1,
            advertiser_id: before.advertiser_id,
            adjustment_id: asked.adjustment_id.clone(),
            kind: asked.change.kind,
            actor: hand.actor,
            api_key_id: hand.api_key_id,
            key_id: hand.key_id,
            postback_id: asked.postback_id,
            reason: asked.change.reason,
            note: asked.change.note.clone(),
            requested_amount_micros: asked.change.amount.map(|(amount, _)| amount),
            requested_currency: asked.change.amount.map(|(_, currency)| currency),
            status_before: before.status,
            status_after: after.status,
            currency: after.currency,
            amount_before_micros: before.amount_micros,
            amount_after_micros: after.amount,
            payout_before_micros: before.payout_micros,
            payout_after_micros: after.payout,
            revenue_before_micros: before.revenue_micros,
            revenue_after_micros: after.revenue,
            created_at: occasion.now,
        }
    }

    /// Writes what has changed: the row, and both cells of the totals.
    fn write(
        &mut self,
        conn: &mut Conn,
        scope: &PartnerScope,
        before: Conversion,
        adjustment: &Adjustment,
        after: Standing,
        now: Timestamp,
    ) -> Result<Conversion> {
        self.positions.insert(before.id, adjustment.position);
        if let Some(name) = name_of(adjustment) {
            self.named.insert(name, adjustment.clone());
        }
        if after == before.standing() {
            return Ok(before);
        }
        conversions::restand(conn, scope, before.id, after, now)?;
        let (cell, sums) = before.total();
        self.changes.add(cell, sums.negated());
        let row = Conversion { updated_at: now, ..standing_at(before, after) };
        let (cell, sums) = row.total();
        self.changes.add(cell, sums);
        self.conversions.insert(row.id, row.clone());
        Ok(row)
    }
}

/// The rate from the goal's currency to the conversion's, where that is another one: the one that the report came with,
/// or the one of the event's day.
fn rate_of_goal(conn: &mut Conn, scope: &PartnerScope, conversion: &Conversion) -> Result<Option<Rate>> {
    let goal = goals::get(conn, scope, &Reference::Id(conversion.goal_id))?;
    let Some(pair @ (own, of_conversion)) = goal.currency.zip(conversion.currency) else { return Ok(None) };
    if own == of_conversion {
        return Ok(None);
    }
    match conversion.terms().exchange {
        Some(exchange) if exchange.from == own => Ok(Some(exchange.rate)),
        _ => {
            let dated = currency_rates::of_pair(conn, scope, pair)?;
            Ok(rate::valid_at(&dated, conversion.event_time))
        }
    }
}

fn standing_at(row: Conversion, standing: Standing) -> Conversion {
    Conversion {
        status: standing.status,
        amount_micros: standing.amount,
        currency: standing.currency,
        payout_micros: standing.payout,
        revenue_micros: standing.revenue,
        capped_payout_micros: standing.capped_payout,
        ..row
    }
}

fn name_of(row: &Adjustment) -> Option<(AdvertiserId, String)> {
    Some((row.advertiser_id, row.adjustment_id.clone()?))
}

/// The same again is answered as the first time; anything else under its name is refused.
fn repeated(first: Adjustment, conversion: Conversion, asked: &Asked) -> Result<Made, Refusal> {
    let is_same = first.conversion_id == conversion.id && first.change() == asked.change;
    let name = first.adjustment_id.clone().unwrap_or_default();
    if is_same {
        Ok(Made { adjustment: first, conversion, is_repeated: true })
    } else {
        Err(adjustment::conflict(&name, first.conversion_id))
    }
}

/// The adjustment that another transaction has given this name while this one ran.
fn first_named(conn: &mut Conn, scope: &PartnerScope, row: &Adjustment) -> Result<Adjustment> {
    let name = row.adjustment_id.as_deref().unwrap_or_default();
    let found = adjustments::named(conn, scope, &[row.advertiser_id], &[name])?;
    found.into_iter().next().ok_or_else(|| Error::Contended("another adjustment was in the way".into()))
}

type Orders = HashMap<(AdvertiserId, GoalId, String), ConversionId>;

fn find_orders(conn: &mut Conn, scope: &PartnerScope, asked: &[Asked]) -> Result<Orders> {
    let mut wanted: BTreeMap<(AdvertiserId, &[GoalId]), Vec<&str>> = BTreeMap::new();
    for asked in asked {
        if let Target::Order { advertiser, goals, order_id } = &asked.target {
            wanted.entry((*advertiser, goals)).or_default().push(order_id);
        }
    }
    let mut found = Orders::new();
    for ((advertiser, goals), orders) in wanted {
        for (id, goal, order) in conversions::of_orders(conn, scope, advertiser, goals, &orders)? {
            found.extend(order.map(|order| ((advertiser, goal, order), id)));
        }
    }
    Ok(found)
}
