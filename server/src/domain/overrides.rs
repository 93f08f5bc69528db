//! Money of a goal that is another one for some publishers or some countries: the most specific wins.

use serde::{Deserialize, Serialize};

use super::{country::Country, goal::MoneyRule, ids::PublisherId};

/// Most overrides of one goal.
pub const MOST_OVERRIDES: usize = 1_000;

/// Whose conversion it is, and where it was clicked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Place {
    /// Who is credited.
    pub publisher: Option<PublisherId>,
    /// The country of the click, where it is known.
    pub country: Option<Country>,
}

/// Other money for a publisher, for a country, or for a publisher in a country.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Override {
    /// Only for this publisher.
    pub publisher_id: Option<PublisherId>,
    /// Only for clicks from this country.
    pub country: Option<Country>,
    /// What the publisher earns instead; none: what the next less specific rule says.
    pub payout: Option<MoneyRule>,
    /// What the partner earns instead; none: what the next less specific rule says.
    pub revenue: Option<MoneyRule>,
}

impl Override {
    fn fits(&self, place: Place) -> bool {
        let publisher = self.publisher_id.is_none() || self.publisher_id == place.publisher;
        publisher && (self.country.is_none() || self.country == place.country)
    }

    /// A publisher weighs more than a country, both together more than each.
    fn weight(&self) -> u8 {
        2 * u8::from(self.publisher_id.is_some()) + u8::from(self.country.is_some())
    }

    /// How answers and conversions name it: `publisher:pub_...`, `country:DE`, or both with a `+` between.
    pub fn name(&self) -> String {
        let publisher = self.publisher_id.map(|id| format!("publisher:{id}"));
        let country = self.country.map(|country| format!("country:{country}"));
        publisher.into_iter().chain(country).collect::<Vec<_>>().join("+")
    }
}

/// A rule, and where it comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Applied {
    /// The rule.
    pub rule: MoneyRule,
    /// The override's name; none: the goal's own.
    pub name: Option<String>,
}

/// The rule for a place: of the overrides that fit and say something, the most specific; else the goal's own.
pub fn applied(
    own: MoneyRule,
    overrides: &[Override],
    place: Place,
    says: fn(&Override) -> Option<MoneyRule>,
) -> Applied {
    let fitting = overrides.iter().filter(|one| one.fits(place) && says(one).is_some());
    let best = fitting.max_by_key(|one| one.weight());
    match best.and_then(|one| Some((says(one)?, one.name()))) {
        Some((rule, name)) => Applied { rule, name: Some(name) },
        None => Applied { rule: own, name: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ids::Id, money::Micros};

    fn publisher(number: u8) -> Option<PublisherId> {
        Some(PublisherId::from_bytes([number; 16]))
    }

    fn place(number: u8, country: &str) -> Place {
        Place { publisher: publisher(number), country: Country::parse(country) }
    }

    fn paying(publisher_id: Option<PublisherId>, country: &str, payout: i64) -> Override {
        let payout = Some(MoneyRule::Fixed(Micros(payout)));
        Override { publisher_id, country: Country::parse(country), payout, revenue: None }
    }

    #[test]
    fn the_most_specific_wins_whatever_the_order() {
        let mut overrides = vec![
            paying(None, "DE", 1),
            paying(publisher(1), "", 2),
            paying(publisher(1), "DE", 3),
            paying(publisher(2), "AT", 9),
        ];
        for _ in 0..overrides.len() {
            overrides.rotate_left(1);
            let payout = |place| {
                let applied = applied(MoneyRule::Fixed(Micros(0)), &overrides, place, |one| one.payout);
                (applied.rule.micros().0, applied.name)
            };
            let one = publisher(1).unwrap();
            assert_eq!(payout(place(1, "DE")), (3, Some(format!("publisher:{one}+country:DE"))));
            assert_eq!(payout(place(1, "FR")), (2, Some(format!("publisher:{one}"))));
            assert_eq!(payout(place(2, "DE")), (1, Some("country:DE".to_owned())));
            assert_eq!(payout(place(2, "FR")), (0, None));
            assert_eq!(payout(Place::default()), (0, None));
        }
    }

    #[test]
    fn what_an_override_does_not_say_comes_from_the_next() {
        let overrides = [paying(publisher(1), "DE", 3), paying(publisher(1), "", 2)];
        let own = MoneyRule::Fixed(Micros(7));
        let revenue = applied(own, &overrides, place(1, "DE"), |one| one.revenue);
        assert_eq!((revenue.rule, revenue.name), (own, None));
    }
}
