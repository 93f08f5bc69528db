//! How many clicks of people a campaign takes, in a day (UTC) and ever.

use super::time::Timestamp;

/// Why a click is `invalid` that comes when a cap is reached.
pub const CAP_REACHED: &str = "cap_reached";
const SECONDS_PER_DAY: i64 = 86_400;
/// Stands for all days in the table of counts.
pub const EVER: Timestamp = Timestamp::from_seconds(0);

/// When the period ends that is named by its first day.
pub fn end(day: Timestamp) -> Timestamp {
    if day == EVER { Timestamp::MAX } else { day.plus_seconds(SECONDS_PER_DAY) }
}

/// A campaign's caps; at least one of them is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caps {
    daily: Option<i64>,
    total: Option<i64>,
}

impl Caps {
    /// The caps of a campaign that has any.
    pub fn of(daily: Option<i64>, total: Option<i64>) -> Option<Self> {
        (daily.is_some() || total.is_some()).then_some(Self { daily, total })
    }

    /// The periods in which a click at `time` counts, each with its cap. A period is named by its first day.
    pub fn periods(self, time: Timestamp) -> impl Iterator<Item = (Timestamp, i64)> {
        let daily = self.daily.map(|cap| (time.start_of_day(), cap));
        [self.total.map(|cap| (EVER, cap)), daily].into_iter().flatten()
    }
}

/// What became of a click on a campaign with caps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    /// It is one of those that the campaign takes.
    Admitted,
    /// It came too late.
    CapReached,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_click_counts_in_its_day_and_ever() {
        let noon = Timestamp::parse("2026-11-22T12:00:00Z").unwrap();
        let day = Timestamp::parse("2026-11-22T00:00:00Z").unwrap();
        let periods = |caps: Option<Caps>| caps.unwrap().periods(noon).collect::<Vec<_>>();
        assert_eq!(periods(Caps::of(Some(3), Some(9))), [(EVER, 9), (day, 3)]);
        assert_eq!(periods(Caps::of(Some(3), None)), [(day, 3)]);
        assert_eq!(Caps::of(None, None), None);
        assert_eq!(end(day), Timestamp::parse("2026-11-23T00:00:00Z").unwrap());
        assert_eq!(end(EVER), Timestamp::MAX);
    }
}
