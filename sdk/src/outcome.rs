//! What the server recorded: the good outcomes and their content.
//! Refusals live in `refusal`.

use crate::Code;
use crate::words::words;

words! {
    /// Says where a conversion stands in its life.
    ///
    /// A report may ask for `Approved`, `Pending` or `Rejected`; the server answers with any of them.
    ConversionStatus {
        /// Counts and is payable.
        Approved = "approved",
        /// Counts and waits for a decision.
        Pending = "pending",
        /// Counts and waits for the end of its hold.
        OnHold = "on_hold",
        /// Was never payable.
        Rejected = "rejected",
        /// Was approved and taken back.
        Reversed = "reversed",
    }
}

/// Says what became of a report that the server took.
///
/// Every outcome but [`Outcome::Validated`] means that the conversion is durably recorded.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Counted and final.
    Accepted,
    /// Counted; somebody has to decide about it. [`Recorded::flags`] says why.
    Pending,
    /// Counted; becomes final at [`Recorded::hold_until`].
    OnHold,
    /// Stored durably while the server's database is away, and decided about once it is back. Delivered: the same
    /// report must not be sent again. [`Recorded::postback_id`] names the line of the log that will show the outcome;
    /// there is no conversion yet.
    Spooled,
    /// Would be recorded. Answers a dry run.
    Validated,
    /// Was counted before; [`Recorded::conversion_id`] is the first conversion's. What a retry gets if
    /// the first attempt had arrived after all.
    Duplicate,
    /// Recorded, under a code that this version of the crate does not list.
    Unknown(String),
}

impl Outcome {
    /// Returns the code as the server sent it.
    pub fn code(&self) -> Code {
        match self {
            Self::Accepted => Code::Accepted,
            Self::Pending => Code::AcceptedPending,
            Self::OnHold => Code::AcceptedOnHold,
            Self::Spooled => Code::AcceptedSpooled,
            Self::Validated => Code::Validated,
            Self::Duplicate => Code::Duplicate,
            Self::Unknown(word) => Code::parse(word),
        }
    }

    /// Returns the outcome of a good answer, or `None` if the code is a refusal's.
    pub(crate) fn from_code(code: Code) -> Option<Self> {
        match code {
            Code::Accepted => Some(Self::Accepted),
            Code::AcceptedPending => Some(Self::Pending),
            Code::AcceptedOnHold => Some(Self::OnHold),
            Code::AcceptedSpooled => Some(Self::Spooled),
            Code::Validated => Some(Self::Validated),
            Code::Duplicate => Some(Self::Duplicate),
            Code::Unknown(word) => Some(Self::Unknown(word)),
            _ => None,
        }
    }
}

/// Carries what the server said about a report that it took.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recorded {
    /// Says what became of the report.
    pub outcome: Outcome,
    /// Names the conversion; the first one's for a duplicate, absent for a dry run and for what is spooled.
    pub conversion_id: Option<String>,
    /// Names this report in the server's log: the id to quote to support.
    pub postback_id: Option<String>,
    /// Says where the conversion stands now.
    pub status: Option<ConversionStatus>,
    /// Says when a running hold ends, as RFC 3339 text.
    pub hold_until: Option<String>,
    /// Names what the server noticed, such as `click_row_missing`.
    pub flags: Vec<String>,
    /// Explains the outcome to a person.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::{ConversionStatus, Outcome};
    use crate::Code;

    #[test]
    fn every_outcome_keeps_its_code() {
        for code in
            ["accepted", "accepted_pending", "accepted_on_hold", "accepted_spooled", "validated", "duplicate"]
        {
            let outcome = Outcome::from_code(Code::parse(code)).unwrap();
            assert_eq!(outcome.code(), code);
            assert!(!matches!(outcome, Outcome::Unknown(_)), "{code}");
        }
    }

    #[test]
    fn a_refusal_is_no_outcome() {
        assert_eq!(Outcome::from_code(Code::ClickExpired), None);
    }

    #[test]
    fn a_status_travels_as_its_word() {
        assert_eq!(serde_json::to_value(ConversionStatus::OnHold).unwrap(), "on_hold");
        assert_eq!(
            serde_json::from_str::<ConversionStatus>(r#""frozen""#).unwrap(),
            ConversionStatus::Unknown("frozen".to_owned())
        );
    }
}
