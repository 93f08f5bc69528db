//! The JSON body of a report, for the API reference. It is read as parameters, like every other form, so that a
//! repeated key is found and every error is said at once.

use std::collections::HashMap;

use utoipa::ToSchema;

/// The report of one conversion. An empty value counts as absent; the aliases of the URL form are taken too.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
#[schema(example = json!({"goal": "purchase", "click_id": "101m2k3n4p5q6r7s8t9v0w1x2y3z4a5b6c7", "order_id": "A-1001", "amount": "49.90", "currency": "EUR", "event_time": "2026-11-22T10:05:00Z"}))]
pub struct ConversionReport {
    /// The goal's event name, byte for byte.
    goal: String,
    /// The id that came with the landing URL.
    click_id: Option<String>,
    /// The advertiser's id, or `ext:` and the partner's own; needed if the key covers several.
    advertiser: Option<String>,
    /// The advertiser's opaque id of the customer; never an e-mail address.
    customer_id: Option<String>,
    /// The publisher's id, for goals that are matched without a click.
    publisher_id: Option<String>,
    /// The advertiser's id of the sale, at most 128 bytes; needed for goals that count per order.
    order_id: Option<String>,
    /// A decimal string with a dot, at most 4 decimals; needed if the goal's money depends on it.
    amount: Option<String>,
    /// ISO 4217, such as EUR; needed with an amount.
    currency: Option<String>,
    /// `approved`, `pending` or `rejected`; the goal's default otherwise.
    status: Option<String>,
    /// RFC 3339, or Unix seconds as text or number; the time of receipt by default.
    event_time: Option<String>,
    /// Stored with the conversion; `adv_sub1` to `adv_sub5`.
    adv_sub1: Option<String>,
    /// Stored with the conversion.
    coupon: Option<String>,
    /// Stored with the conversion.
    lead_id: Option<String>,
    /// The 64 hexadecimal digits of the SHA-256 of the customer's e-mail address.
    email_sha256: Option<String>,
    /// An object of your own, at most 8 KiB.
    #[schema(value_type = Option<HashMap<String, serde_json::Value>>)]
    metadata: Option<HashMap<String, String>>,
    /// true: make the whole decision, count nothing.
    validate_only: Option<bool>,
}
