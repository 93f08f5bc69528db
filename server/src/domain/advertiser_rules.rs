//! What an advertiser's set-up says about reports of its conversions.

use super::{currency::Currency, goal::GoalRules, ids::PublisherId, signing::SigningMode};

/// Signing, goals, currency and publishers of one advertiser.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AdvertiserRules {
    /// Whether signatures are enforced.
    pub signing: SigningMode,
    /// The goals that serve it: its own first, then the partner's.
    pub goals: Vec<GoalRules>,
    /// The currency that its conversions are in; none: the one they are reported in.
    pub currency: Option<Currency>,
    /// The only publishers that work for it; none: all.
    pub publishers: Option<Vec<PublisherId>>,
    /// Publishers that do not work for it.
    pub blocked_publishers: Vec<PublisherId>,
}

impl AdvertiserRules {
    /// Whether a publisher works for the advertiser.
    pub fn permits(&self, publisher: PublisherId) -> bool {
        let is_listed = self.publishers.as_ref().is_none_or(|listed| listed.contains(&publisher));
        is_listed && !self.blocked_publishers.contains(&publisher)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Id;

    #[test]
    fn a_publisher_is_permitted_when_it_is_listed_and_not_blocked() {
        let [one, two] = [1, 2].map(|number| PublisherId::from_bytes([number; 16]));
        let mut rules = AdvertiserRules::default();
        assert!(rules.permits(one));
        rules.blocked_publishers = vec![one];
        assert!(!rules.permits(one) && rules.permits(two));
        rules.publishers = Some(vec![one]);
        assert!(!rules.permits(one) && !rules.permits(two));
        rules.blocked_publishers.clear();
        assert!(rules.permits(one) && !rules.permits(two));
    }
}
