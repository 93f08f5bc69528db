//! An adjustment as its sender means it, read from parameters.

use serde_json::Value;

use super::{
    adjustment::{Change, LONGEST_ADJUSTMENT_ID_BYTES, LONGEST_NOTE_BYTES, check_amount},
    code::Code,
    conversion::{AdjustmentKind, Reason},
    flags,
    ids::{AdvertiserId, ConversionId, Id, Reference},
    parameters::Parameters,
    personal_data::{is_email, is_phone},
    postback::{self, Faults, Form, Intent},
    refusal::Refusal,
};

/// The parameters that only adjustments have.
pub const OWN_PARAMETERS: [&str; 5] = ["conversion_id", "adjustment_id", "kind", "reason", "note"];

/// The report of one adjustment.
#[derive(Clone, PartialEq, Debug)]
pub struct AdjustmentReport {
    /// Whose conversion, when the key covers several advertisers.
    pub advertiser: Option<Reference<AdvertiserId>>,
    /// Which conversion.
    pub conversion: Named,
    /// The order that it has to have, where that is named beside its id.
    pub order_id: Option<String>,
    /// The sender's name for the adjustment.
    pub adjustment_id: String,
    /// What to do.
    pub change: Change,
    /// Whether to make it.
    pub intent: Intent,
}

/// How a report names its conversion.
#[derive(Clone, PartialEq, Debug)]
pub enum Named {
    /// By its id.
    Id(ConversionId),
    /// By what it was reported with.
    Order {
        /// The goal's event name.
        goal: String,
        /// The order.
        order_id: String,
    },
}

impl AdjustmentReport {
    /// Reads a report, and says everything that cannot be read.
    pub fn parse(parameters: &Parameters) -> Result<Self, Refusal> {
        let mut faults = Faults::default();
        faults.note(postback::check_shapes(parameters, Form::Json));
        faults.note(postback::check_macros(parameters));
        let conversion = faults.value(named(parameters).map(Some));
        let adjustment_id = faults.value(adjustment_id(parameters).map(Some));
        let kind = faults.value(kind(parameters).map(Some));
        let reason = faults.value(word(parameters, "reason", Reason::ALL, Reason::parse));
        let note = faults.value(note(parameters));
        let advertiser = faults.value(postback::reference(parameters, "advertiser"));
        let amount = faults.value(postback::amount(parameters));
        let currency = faults.value(postback::currency(parameters));
        let intent = faults.value(postback::intent(parameters).map(Some));
        let sum = kind.map(|kind| check_amount(kind, amount, currency)).transpose();
        let amount = faults.value(sum.map(Option::flatten));
        faults.finish()?;
        let complete = || {
            let reason = reason.or(Some(Reason::OrderUpdate));
            let change = Change { kind: kind?, reason, amount, note };
            let (conversion, adjustment_id) = (conversion?, adjustment_id?);
            let order_id = parameters.text("order_id").map(str::to_owned);
            Some(Self { advertiser, conversion, order_id, adjustment_id, change, intent: intent? })
        };
        complete().ok_or_else(|| Refusal::of(Code::Malformed))
    }
}

/// A parameter that only adjustments have; empty counts as absent.
fn own<'a>(parameters: &'a Parameters, name: &str) -> Result<Option<&'a str>, Refusal> {
    match parameters.unknown.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(postback::refuse(Code::Malformed, name, "must be a string")),
    }
}

fn named(parameters: &Parameters) -> Result<Named, Refusal> {
    let id = own(parameters, "conversion_id")?;
    match (id, parameters.text("goal"), parameters.text("order_id")) {
        (Some(id), _, _) if let Some(error) = postback::placeholder_error("conversion_id", id) => {
            Err(Refusal::fields(Code::UnresolvedMacro, vec![error]))
        }
        (Some(id), _, _) => ConversionId::parse(id).map(Named::Id).ok_or_else(|| {
            postback::refuse(
                Code::Malformed,
                "conversion_id",
                "is not a conversion id: cnv_ and 26 characters",
            )
        }),
        (None, Some(goal), Some(order)) => {
            Ok(Named::Order { goal: goal.to_owned(), order_id: order.to_owned() })
        }
        (None, None, None) => {
            Err(postback::refuse(Code::Malformed, "conversion_id", "is needed, or `goal` and `order_id`"))
        }
        (None, Some(_), None) => {
            Err(postback::refuse(Code::Malformed, "order_id", "is needed beside `goal`"))
        }
        (None, None, Some(_)) => {
            Err(postback::refuse(Code::Malformed, "goal", "is needed beside `order_id`"))
        }
    }
}

fn adjustment_id(parameters: &Parameters) -> Result<String, Refusal> {
    let Some(text) = own(parameters, "adjustment_id")? else {
        let detail = "is needed: your own name for this adjustment, which is made once";
        return Err(postback::refuse(Code::Malformed, "adjustment_id", detail));
    };
    if let Some(error) = postback::placeholder_error("adjustment_id", text) {
        // All refunds would be one.
        return Err(Refusal::fields(Code::UnresolvedMacro, vec![error]));
    }
    check_adjustment_id(text).map_err(|detail| postback::refuse(Code::Malformed, "adjustment_id", detail))?;
    Ok(text.to_owned())
}

/// Refuses a name that is too long or cannot be read.
pub fn check_adjustment_id(text: &str) -> Result<(), String> {
    let fits = (1..=LONGEST_ADJUSTMENT_ID_BYTES).contains(&text.len()) && !text.chars().any(char::is_control);
    if fits {
        Ok(())
    } else {
        Err(format!("use 1 to {LONGEST_ADJUSTMENT_ID_BYTES} bytes without control characters"))
    }
}

/// What is to be done.
///
/// # Errors
/// `malformed` where that is not said, or is none of the kinds.
pub fn kind(parameters: &Parameters) -> Result<AdjustmentKind, Refusal> {
    let kind = word(parameters, "kind", AdjustmentKind::ASKED, AdjustmentKind::parse_asked)?;
    kind.ok_or_else(|| {
        let detail = format!("is needed: one of {}", words(AdjustmentKind::ASKED));
        postback::refuse(Code::Malformed, "kind", detail)
    })
}

fn word<T: Copy + ToString>(
    parameters: &Parameters,
    name: &str,
    all: &[T],
    parse: fn(&str) -> Option<T>,
) -> Result<Option<T>, Refusal> {
    let Some(text) = own(parameters, name)? else { return Ok(None) };
    let shown: String = text.chars().take(40).collect();
    let unknown =
        || postback::refuse(Code::Malformed, name, format!("`{shown}` is not one of {}", words(all)));
    parse(text).map(Some).ok_or_else(unknown)
}

fn words<T: ToString>(all: &[T]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn note(parameters: &Parameters) -> Result<Option<String>, Refusal> {
    let Some(text) = own(parameters, "note")? else { return Ok(None) };
    check_note(text).map_err(|detail| postback::refuse(Code::Malformed, "note", detail))?;
    Ok(Some(text.to_owned()))
}

/// Refuses a note that is too long, cannot be read, or names a person.
pub fn check_note(text: &str) -> Result<(), String> {
    if text.len() > LONGEST_NOTE_BYTES {
        return Err(format!("is {} bytes long; at most {LONGEST_NOTE_BYTES} are taken", text.len()));
    }
    if text.chars().any(|character| character.is_control() && character != '\n') {
        return Err("contains control characters".to_owned());
    }
    if text.split_whitespace().any(is_email) || is_phone(text.trim()) {
        return Err("has an e-mail address or a phone number in it; leave it out".to_owned());
    }
    Ok(())
}

/// What is noteworthy about how an adjustment is asked for.
pub fn flags(parameters: &Parameters) -> Vec<String> {
    let has_unknown = parameters.unknown.keys().any(|name| !OWN_PARAMETERS.contains(&name.as_str()));
    has_unknown.then(|| flags::UNKNOWN_PARAMETER.to_owned()).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: serde_json::Value) -> Result<AdjustmentReport, Refusal> {
        AdjustmentReport::parse(&Parameters::from_json(body.to_string().as_bytes()).unwrap())
    }

    #[test]
    fn a_conversion_is_named_by_its_id_or_by_its_order() {
        let by_order = serde_json::json!({"adjustment_id": "R-1", "kind": "retraction", "goal": "sale", "order_id": "A-1"});
        let named = parse(by_order).unwrap().conversion;
        assert_eq!(named, Named::Order { goal: "sale".to_owned(), order_id: "A-1".to_owned() });
        let id = "cnv_01kayw5m8hfz2v6y0t3n7r9q4c";
        let by_id = serde_json::json!({"adjustment_id": "R-1", "kind": "retraction", "conversion_id": id});
        assert_eq!(parse(by_id).unwrap().conversion, Named::Id(ConversionId::parse(id).unwrap()));
    }

    #[test]
    fn everything_that_cannot_be_read_is_said_at_once() {
        let body = serde_json::json!({"kind": "refund", "reason": "because", "note": "ask jo@shop.example", "goal": "sale"});
        let refusal = parse(body).unwrap_err();
        let pointers: Vec<_> = refusal.errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(pointers, ["order_id", "adjustment_id", "kind", "reason", "note"]);
        assert_eq!(refusal.code, Code::Malformed);
    }

    #[test]
    fn the_end_of_a_hold_cannot_be_asked_for() {
        let body = serde_json::json!({"adjustment_id": "R-1", "kind": "hold_end", "goal": "sale", "order_id": "A-1"});
        assert_eq!(parse(body).unwrap_err().errors[0].pointer, "kind");
    }

    #[test]
    fn a_restatement_without_its_money_is_told_so() {
        let body = serde_json::json!({"adjustment_id": "R-1", "kind": "restatement", "goal": "sale", "order_id": "A-1"});
        assert_eq!(parse(body).unwrap_err().code, Code::AmountRequired);
    }
}
