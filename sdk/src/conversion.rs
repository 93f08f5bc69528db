//! The report of one conversion, as the caller describes it.
//! Judges nothing that the server judges; it only refuses what could not be written down.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::{ConversionStatus, EventTime};

/// Describes one conversion to report.
///
/// At least one of [`click_id`](Self::click_id), [`customer_id`](Self::customer_id) and
/// [`publisher_id`](Self::publisher_id) says whom it is attributed to. Fields that are not set are not
/// sent; the server then takes the goal's defaults.
#[must_use = "nothing is reported before `Client::record` is called"]
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Conversion {
    goal: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advertiser: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    click_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    publisher_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<ConversionStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_time: Option<EventTime>,
    #[serde(flatten)]
    adv_subs: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    coupon: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lead_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Value>,
    #[serde(skip)]
    mistakes: Vec<String>,
}

impl Conversion {
    /// Starts a report for the goal with this event name, which must equal the goal's byte for byte.
    pub fn new(goal: impl Into<String>) -> Self {
        Self {
            goal: goal.into(),
            advertiser: None,
            click_id: None,
            customer_id: None,
            publisher_id: None,
            order_id: None,
            amount: None,
            currency: None,
            status: None,
            event_time: None,
            adv_subs: BTreeMap::new(),
            coupon: None,
            lead_id: None,
            email_sha256: None,
            metadata: None,
            mistakes: Vec::new(),
        }
    }

    /// Names the click that led to the conversion: the id that came with the visitor to the landing page.
    pub fn click_id(mut self, id: impl Into<String>) -> Self {
        self.click_id = Some(id.into());
        self
    }

    /// Names the customer: an opaque id or a hash that an earlier conversion bound to a click. Never an
    /// e-mail address.
    pub fn customer_id(mut self, id: impl Into<String>) -> Self {
        self.customer_id = Some(id.into());
        self
    }

    /// Names the publisher, for goals that are attributed without a click.
    pub fn publisher_id(mut self, id: impl Into<String>) -> Self {
        self.publisher_id = Some(id.into());
        self
    }

    /// Names the advertiser, by its id or external id. Needed if the key covers several.
    pub fn advertiser(mut self, id: impl Into<String>) -> Self {
        self.advertiser = Some(id.into());
        self
    }

    /// Names the order, at most 128 bytes. What a `per_order` goal counts by, and what a later refund names.
    pub fn order_id(mut self, id: impl Into<String>) -> Self {
        self.order_id = Some(id.into());
        self
    }

    /// Sets the money: a decimal with a dot and at most four places, and an ISO 4217 code.
    ///
    /// The amount is text because a float would not arrive as it was written.
    pub fn amount(mut self, amount: impl Into<String>, currency: impl Into<String>) -> Self {
        self.amount = Some(amount.into());
        self.currency = Some(currency.into());
        self
    }

    /// Asks for a status other than the goal's default: `Approved`, `Pending` or `Rejected`. Skipping a
    /// hold needs a key with the scope `status:write`.
    pub fn status(mut self, status: ConversionStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// Says when the event happened; the server takes the time of arrival otherwise. Takes a
    /// [`SystemTime`](std::time::SystemTime), RFC 3339 text, or Unix seconds as an `i64`.
    pub fn event_time(mut self, time: impl Into<EventTime>) -> Self {
        self.event_time = Some(time.into());
        self
    }

    /// Stores the coupon that was used.
    pub fn coupon(mut self, coupon: impl Into<String>) -> Self {
        self.coupon = Some(coupon.into());
        self
    }

    /// Stores the advertiser's id of the lead.
    pub fn lead_id(mut self, id: impl Into<String>) -> Self {
        self.lead_id = Some(id.into());
        self
    }

    /// Stores the SHA-256 of the trimmed, lower-case e-mail address, in hexadecimal.
    pub fn email_sha256(mut self, hash: impl Into<String>) -> Self {
        self.email_sha256 = Some(hash.into());
        self
    }

    /// Stores one of the advertiser's five free values, `adv_sub1` to `adv_sub5`.
    ///
    /// Another number is a mistake that stops the report before it is sent
    /// ([`Error::NotSent`](crate::Error::NotSent)).
    pub fn adv_sub(mut self, number: u8, value: impl Into<String>) -> Self {
        if !(1..=5).contains(&number) {
            self.mistakes.push(format!("adv_sub{number} does not exist, use adv_sub1 to adv_sub5"));
        }
        self.adv_subs.insert(format!("adv_sub{number}"), value.into());
        self
    }

    /// Stores a JSON object with the report.
    ///
    /// Any other JSON value is a mistake that stops the report before it is sent
    /// ([`Error::NotSent`](crate::Error::NotSent)).
    pub fn metadata(mut self, object: Value) -> Self {
        if !object.is_object() {
            self.mistakes
                .push("metadata is not a JSON object, pass one such as json!({\"cart\": 3})".to_owned());
        }
        self.metadata = Some(object);
        self
    }

    /// Returns what makes the report impossible to write down, if anything does.
    pub(crate) fn mistake(&self) -> Option<String> {
        (!self.mistakes.is_empty()).then(|| self.mistakes.join("; "))
    }
}

/// Says whether a report is to be recorded or only judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intent {
    Record,
    Validate,
}

/// Writes the body of the request. Made once per report: every attempt sends the same bytes.
pub(crate) fn body(conversion: &Conversion, intent: Intent) -> serde_json::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Body<'a> {
        #[serde(flatten)]
        conversion: &'a Conversion,
        #[serde(skip_serializing_if = "Option::is_none")]
        validate_only: Option<bool>,
    }
    let validate_only = (intent == Intent::Validate).then_some(true);
    serde_json::to_vec(&Body { conversion, validate_only })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Conversion, Intent, body};
    use crate::ConversionStatus;

    fn sent(conversion: &Conversion, intent: Intent) -> Value {
        serde_json::from_slice(&body(conversion, intent).unwrap()).unwrap()
    }

    #[test]
    fn what_is_not_set_is_not_sent() {
        let body = body(&Conversion::new("lead").click_id("1abc"), Intent::Record).unwrap();
        assert_eq!(String::from_utf8(body).unwrap(), r#"{"goal":"lead","click_id":"1abc"}"#);
    }

    #[test]
    fn everything_that_is_set_is_sent() {
        let full = Conversion::new("purchase")
            .advertiser("adv_1")
            .click_id("1abc")
            .customer_id("c-1")
            .publisher_id("pub_1")
            .order_id("A-1001")
            .amount("49.90", "EUR")
            .status(ConversionStatus::Pending)
            .event_time(1_700_000_000)
            .adv_sub(1, "red")
            .adv_sub(5, "xl")
            .coupon("SPRING")
            .lead_id("l-1")
            .email_sha256("ab")
            .metadata(json!({"cart": 3}));
        let expected = json!({
            "goal": "purchase", "advertiser": "adv_1", "click_id": "1abc", "customer_id": "c-1",
            "publisher_id": "pub_1", "order_id": "A-1001", "amount": "49.90", "currency": "EUR",
            "status": "pending", "event_time": 1_700_000_000, "adv_sub1": "red", "adv_sub5": "xl",
            "coupon": "SPRING", "lead_id": "l-1", "email_sha256": "ab", "metadata": {"cart": 3},
        });
        assert_eq!(sent(&full, Intent::Record), expected);
    }

    #[test]
    fn a_dry_run_says_so() {
        let lead = Conversion::new("lead").click_id("1abc");
        assert_eq!(sent(&lead, Intent::Validate)["validate_only"], true);
        assert_eq!(sent(&lead, Intent::Record).get("validate_only"), None);
    }

    #[test]
    fn mistakes_are_remembered() {
        let lead = Conversion::new("lead").adv_sub(6, "x").metadata(json!([1]));
        let mistake = lead.mistake().unwrap();
        assert!(mistake.contains("adv_sub6") && mistake.contains("metadata"), "{mistake}");
        assert_eq!(Conversion::new("lead").mistake(), None);
    }
}
