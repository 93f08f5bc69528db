//! What is said of the checks that only adjustments have, or that ask for something else there.

use super::{Line, Passed, list};
use crate::domain::{
    code::Code,
    conversion::{AdjustmentKind, ConversionStatus, transition},
    goal::HoldEnd,
    signature::TOLERANCE_SECONDS,
    trace::Check,
};

/// The checks of an adjustment, in their order.
pub(super) const CHECKS: [Check; 11] = [
    Check::Transport,
    Check::SizeAndType,
    Check::Authenticate,
    Check::RateLimit,
    Check::Parse,
    Check::Parameters,
    Check::Target,
    Check::Duplicates,
    Check::Transition,
    Check::Amount,
    Check::Write,
];

impl Line<'_> {
    pub(super) fn adjustment_rule(&self, check: Check) -> String {
        match check {
            Check::Authenticate => format!(
                "a signature of the key that is named, at most {TOLERANCE_SECONDS} s from the server's time, from an \
                 address that the key has, with its scope `adjustments:write`, and `status:write` for a decision"
            ),
            Check::Parameters => {
                "values that can be read, no placeholders; an amount with its currency for a \
                                  `restatement`, and for nothing else"
                    .to_owned()
            }
            Check::Target => self.target_rule(),
            Check::Duplicates => match self.sent("adjustment_id") {
                "" => "once under its name".to_owned(),
                name => format!("`{name}` once for an advertiser"),
            },
            Check::Transition => self.transition_rule(),
            Check::Amount => self.amount_rule(),
            _ => "the adjustment is committed with its line of the log".to_owned(),
        }
    }

    pub(super) fn adjustment_found(&self, check: Check, outcome: Passed) -> Option<String> {
        let seen = self.trace.adjusted;
        match (check, outcome) {
            (Check::Duplicates, Passed::Failed) if self.code != Code::AdjustmentConflict.as_str() => {
                self.conversion_id.map(|id| format!("made before, of {id}"))
            }
            (_, Passed::Failed) => self.text("message").map(str::to_owned),
            (Check::Target, _) => seen.map(|seen| seen.id.to_string()),
            (Check::Duplicates, _) => Some("not made before".to_owned()),
            (Check::Transition, _) => seen.map(|seen| format!("`{}`", seen.status)),
            _ => Some(format!("{} {}", self.sent("amount"), self.sent("currency"))),
        }
    }

    pub(super) fn is_restatement(&self) -> bool {
        self.sent("kind") == AdjustmentKind::Restatement.as_str()
    }

    fn target_rule(&self) -> String {
        match (self.sent("conversion_id"), self.sent("order_id")) {
            ("", "") => "a conversion that the key reaches".to_owned(),
            ("", order) => {
                let whose = self.advertiser_id.map(|id| format!(" of {id}")).unwrap_or_default();
                format!("the conversion of order `{order}` for the goal `{}`{whose}", self.sent("goal"))
            }
            (id, _) => format!("the conversion {id}, which the key reaches"),
        }
    }

    fn transition_rule(&self) -> String {
        let Some(kind) = AdjustmentKind::parse_asked(self.sent("kind")) else {
            return "a kind that the conversion's status allows".to_owned();
        };
        let from = ConversionStatus::ALL.iter().copied();
        let from = from.filter(|status| transition(*status, kind, HoldEnd::Approve).is_some());
        format!("`{kind}` of a conversion that is one of {}", list(from.map(ConversionStatus::as_str)))
    }

    fn amount_rule(&self) -> String {
        let currencies = self.trace.adjusted.map(|seen| (seen.currency, seen.reported_in));
        match currencies {
            _ if !self.is_restatement() => "only of a `restatement`".to_owned(),
            Some((Some(own), Some(reported))) => {
                format!("an amount in {own}, the conversion's currency, or in {reported}, that of its report")
            }
            Some((Some(own), None)) => format!("an amount in {own}, the conversion's currency"),
            Some((None, _)) => "an amount in the advertiser's currency, where it has one".to_owned(),
            None => "an amount in the currency of the conversion or of its report".to_owned(),
        }
    }
}
