//! Which postbacks can be judged again once the set-up is mended, and what of them is still known then.

use serde_json::{Map, Value};

use super::{
    code::Code,
    masking::REDACTED,
    parameters::Parameters,
    postback::{self, About, Intent},
    words::words,
};

/// What a change of the set-up can mend: no conversion was counted, and the report itself was sound.
pub const MENDABLE: &[Code] = &[
    Code::GoalMismatch,
    Code::GoalInactive,
    Code::GoalNotInCampaign,
    Code::ModeNotAllowed,
    Code::CustomerNotFound,
    Code::PublisherNotPermitted,
    Code::ClickExpired,
    Code::CurrencyInvalid,
    Code::UnresolvedMacro,
];
/// Parameters that are only stored: a report means the same without them.
const ONLY_STORED: &[&str] =
    &["adv_sub1", "adv_sub2", "adv_sub3", "adv_sub4", "adv_sub5", "coupon", "lead_id", "metadata"];

words! {
    /// Why a postback cannot be judged again.
    WhyNot {
        /// It reports an adjustment.
        Adjustment = "adjustment",
        /// It was taken.
        Accepted = "accepted",
        /// A test key signed it.
        TestKey = "test_key",
        /// It was to be validated only.
        DryRun = "dry_run",
        /// A placeholder came in place of a value that decides, which nobody knows.
        UnresolvedMacro = "unresolved_macro",
        /// No change of the set-up makes it count.
        NotMendable = "not_mendable",
        /// What decides about it was taken out of the log, because it looked like personal data.
        PersonalDataRemoved = "personal_data_removed",
        /// It was logged by a version that did not tell dry runs apart.
        LoggedByEarlierVersion = "logged_by_earlier_version",
        /// It was judged again, and has a conversion since.
        RerunCounted = "rerun_counted",
    }
}

impl WhyNot {
    /// The reason in a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Adjustment => "It reports an adjustment: send that again.",
            Self::Accepted => "It was accepted.",
            Self::TestKey => "A test key signed it.",
            Self::DryRun => "It was a dry run.",
            Self::UnresolvedMacro => {
                "A placeholder came in place of a value that decides: the sender has to send it again."
            }
            Self::NotMendable => "It was refused for a reason that no change of the set-up mends.",
            Self::PersonalDataRemoved => {
                "What decides about it looked like personal data and was not kept: the sender has to send it again."
            }
            Self::LoggedByEarlierVersion => {
                "It was logged by an earlier version, and may have been a dry run: the sender has to send it again."
            }
            Self::RerunCounted => "It was run again, and has a conversion since.",
        }
    }
}

/// Whether a line of the log, by what stands in it, can be judged again.
///
/// # Errors
/// Why not.
pub fn check(
    about: About,
    is_test: bool,
    code: Option<Code>,
    request: impl FnOnce() -> Map<String, Value>,
) -> Result<(), WhyNot> {
    match code {
        _ if about == About::Adjustment => return Err(WhyNot::Adjustment),
        _ if is_test => return Err(WhyNot::TestKey),
        Some(Code::Validated) => return Err(WhyNot::DryRun),
        Some(code) if code.is_success() => return Err(WhyNot::Accepted),
        Some(code) if MENDABLE.contains(&code) => {}
        _ => return Err(WhyNot::NotMendable),
    }
    let (parameters, _) = restored(&request());
    if postback::currency(&parameters).is_err() {
        return Err(WhyNot::NotMendable);
    }
    if postback::intent(&parameters) != Ok(Intent::Count) {
        return Err(WhyNot::DryRun);
    }
    if parameters.iter().any(|(_, value)| is_redacted(value)) {
        return Err(WhyNot::PersonalDataRemoved);
    }
    postback::check_macros(&parameters).map_err(|_| WhyNot::UnresolvedMacro)
}

/// The parameters of a report as the log holds them, and which of those that are only stored were left out: because the
/// log holds them no more, or because a placeholder came in their place.
pub fn restored(request: &Map<String, Value>) -> (Parameters, Vec<String>) {
    let is_placeholder =
        |name: &str, value: &Value| value.as_str().is_some_and(|text| postback::is_unfilled(name, text));
    let is_lost = |name: &str, value: &Value| {
        ONLY_STORED.contains(&name) && (is_redacted(value) || is_placeholder(name, value))
    };
    let (lost, kept): (Vec<_>, Vec<_>) = request.iter().partition(|(name, value)| is_lost(name, value));
    let kept = kept.into_iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    (Parameters::from_document(kept), lost.into_iter().map(|(name, _)| name.clone()).collect())
}

/// Whether something was taken out of a value. A report cannot say so itself: that would be a placeholder.
fn is_redacted(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(REDACTED),
        Value::Array(items) => items.iter().any(is_redacted),
        Value::Object(members) => {
            members.iter().any(|(name, value)| name.contains(REDACTED) || is_redacted(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn members(request: &Value) -> Map<String, Value> {
        request.as_object().unwrap().clone()
    }

    fn checked(code: Code, request: Value) -> Result<(), WhyNot> {
        check(About::Conversion, false, Some(code), || members(&request))
    }

    #[test]
    fn only_what_the_set_up_can_mend_is_judged_again() {
        let request = json!({"goal": "sale", "click_id": "abc", "order_id": "A-1"});
        for code in Code::ALL {
            let wanted = match code {
                code if MENDABLE.contains(code) => Ok(()),
                Code::Validated => Err(WhyNot::DryRun),
                Code::UnresolvedMacro => Err(WhyNot::UnresolvedMacro),
                code if code.is_success() => Err(WhyNot::Accepted),
                _ => Err(WhyNot::NotMendable),
            };
            assert_eq!(checked(*code, request.clone()), wanted, "{}", code.as_str());
        }
        let checked = |about, is_test, code| check(about, is_test, code, || members(&request));
        assert_eq!(checked(About::Adjustment, false, Some(Code::GoalMismatch)), Err(WhyNot::Adjustment));
        assert_eq!(checked(About::Conversion, true, Some(Code::GoalMismatch)), Err(WhyNot::TestKey));
        assert_eq!(checked(About::Conversion, false, None), Err(WhyNot::NotMendable));
    }

    #[test]
    fn no_set_up_makes_a_currency_of_what_is_none() {
        for (currency, wanted) in [("USD", Ok(())), ("EURO", Err(WhyNot::NotMendable))] {
            let request = json!({"goal": "sale", "click_id": "abc", "amount": "1", "currency": currency});
            assert_eq!(checked(Code::CurrencyInvalid, request), wanted, "{currency}");
        }
    }

    #[test]
    fn a_dry_run_stays_one() {
        for said in [json!(true), json!("true"), json!("1")] {
            let request = json!({"goal": "sale", "click_id": "abc", "validate_only": said});
            assert_eq!(checked(Code::GoalMismatch, request), Err(WhyNot::DryRun));
        }
        let request = json!({"goal": "sale", "click_id": "abc", "validate_only": "false"});
        assert_eq!(checked(Code::GoalMismatch, request), Ok(()));
    }

    #[test]
    fn what_was_taken_out_is_left_out_or_stops_it() {
        let request =
            json!({"goal": "sale", "click_id": "abc", "coupon": REDACTED, "metadata": {"a": [REDACTED]}});
        assert_eq!(checked(Code::GoalMismatch, request.clone()), Ok(()));
        let (parameters, lost) = restored(request.as_object().unwrap());
        assert_eq!(lost, ["coupon", "metadata"]);
        assert_eq!((parameters.get("coupon"), parameters.text("goal")), (None, Some("sale")));
        for name in ["order_id", "customer_id", "goal", "advertiser"] {
            let mut request = json!({"goal": "sale", "click_id": "abc"});
            request[name] = json!(REDACTED);
            assert_eq!(checked(Code::GoalMismatch, request), Err(WhyNot::PersonalDataRemoved), "{name}");
        }
    }
}
