//! The counts of goals that take only so much: held for as long as the transaction lasts, so that no cap leaks, whatever
//! races. Reports of goals without caps need none of it.

use std::collections::BTreeMap;

use super::{super::Conn, super::goal_counts, goal_of};
use crate::{
    db::{received::Incoming, scope::PartnerScope},
    domain::{
        conversion::ConversionStatus,
        counted::Counted,
        goal_caps::{Limit, Taken},
        ids::{GoalId, PartnerId},
        money::Micros,
        trace::CapSeen,
    },
    error::Result,
};

/// A goal in a period.
type Place = (PartnerId, GoalId, String);

/// The counts that a batch needs, in the order in which everybody holds them.
#[derive(Default)]
pub struct Counts(BTreeMap<Place, Count>);

struct Count {
    taken: Taken,
    is_changed: bool,
}

/// What a conversion was counted as.
pub struct Admission {
    places: Vec<Place>,
    payout: Micros,
}

impl Counts {
    /// Holds every count that the batch needs, always in the same order: two writers cannot wait for each other.
    pub fn hold(conn: &mut Conn, batch: &[Incoming]) -> Result<Self> {
        let wanted: BTreeMap<Place, Limit> = batch.iter().flat_map(limits).collect();
        let mut counts = BTreeMap::new();
        for (place, limit) in wanted {
            let scope = PartnerScope::established(place.0);
            let taken = goal_counts::hold(conn, &scope, place.1, &limit)?;
            counts.insert(place, Count { taken, is_changed: false });
        }
        Ok(Self(counts))
    }

    /// The caps of a report's goal, and what is taken of each.
    pub fn seen(&self, incoming: &Incoming) -> Vec<CapSeen> {
        let taken = |place: &Place| self.0.get(place).map(|count| count.taken).unwrap_or_default();
        limits(incoming).flat_map(|(place, limit)| CapSeen::of(&limit, taken(&place))).collect()
    }

    /// Counts a conversion if every cap has room for it; else it becomes one that waits for a decision.
    pub fn admit(&mut self, incoming: &Incoming, counted: &mut Counted) -> Option<Admission> {
        let limits: Vec<(Place, Limit)> = limits(incoming).collect();
        if limits.is_empty() || counted.status == ConversionStatus::Rejected {
            return None;
        }
        let payout = counted.price.payout_for_caps;
        let taken = |place: &Place| self.0.get(place).map(|count| count.taken).unwrap_or_default();
        if let Some(cap) = limits.iter().find_map(|(place, limit)| limit.exceeded_by(payout, taken(place))) {
            counted.put_over(cap);
            return None;
        }
        let places: Vec<Place> = limits.into_iter().map(|(place, _)| place).collect();
        self.change(&places, |taken| taken.add(payout));
        Some(Admission { places, payout })
    }

    /// Takes a conversion out again that was not written.
    pub fn take_back(&mut self, admission: &Admission) {
        self.change(&admission.places, |taken| {
            taken.conversions -= 1;
            taken.payout -= i128::from(admission.payout.0);
        });
    }

    fn change(&mut self, places: &[Place], change: impl Fn(&mut Taken)) {
        for place in places {
            if let Some(count) = self.0.get_mut(place) {
                change(&mut count.taken);
                count.is_changed = true;
            }
        }
    }

    /// Writes what has changed.
    pub fn write(&self, conn: &mut Conn) -> Result<()> {
        for ((partner, goal, period), count) in self.0.iter().filter(|(_, count)| count.is_changed) {
            goal_counts::set(conn, &PartnerScope::established(*partner), (*goal, period), count.taken)?;
        }
        Ok(())
    }
}

/// What the goal of a report takes in the periods that it is received in.
fn limits(incoming: &Incoming) -> impl Iterator<Item = (Place, Limit)> + use<> {
    let goal = goal_of(incoming).filter(|goal| goal.caps.is_some());
    let (partner, received_at) = (incoming.received.scope.id(), incoming.received.received_at);
    let of_goal = goal.and_then(|goal| goal.caps.map(|caps| (goal.id, caps.limits(received_at))));
    of_goal.into_iter().flat_map(move |(goal, limits)| {
        limits.into_iter().map(move |limit| ((partner, goal, limit.period.clone()), limit))
    })
}
