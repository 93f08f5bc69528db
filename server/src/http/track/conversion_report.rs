//! The parameters of a report in its forms, for the API reference. All forms are read as `Parameters`, so that a
//! repeated key is found and every error is said at once.

use std::collections::HashMap;

use utoipa::{IntoParams, ToSchema};

use crate::{
    domain::{click_id::ClickId, currency::Currency, ids::KeyId},
    http::schemas::{self, PostbackAnswer},
};

/// The report of one conversion. An empty value counts as absent. The aliases of the URL form are taken too. Members
/// that are not listed are ignored, and the answer has the flag `unknown_parameter`. Texts have at most 500 bytes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
#[schema(examples(json!({"goal": "purchase", "click_id": "101m2k3n4p5q6r7s8t9v0w1x2y3z4a5b6c7", "order_id": "A-1001", "amount": "49.90", "currency": "EUR", "event_time": "2026-11-22T10:05:00Z"})))]
pub struct ConversionReport {
    /// The goal's event name, byte for byte.
    goal: String,
    /// The id that came with the landing URL. One of `click_id`, `customer_id` and `publisher_id` is needed; the first of
    /// them that is there decides who is credited.
    #[schema(value_type = Option<ClickId>)]
    click_id: Option<String>,
    /// The advertiser's id, or `ext:` and the partner's own; needed if the key covers several.
    advertiser: Option<String>,
    /// The advertiser's opaque id of the customer; never an e-mail address or a phone number. The first accepted event with
    /// both `click_id` and `customer_id` binds the two. Later events may carry the customer alone, with an `order_id`: they
    /// are credited to that click within the goal's `rebill_window_seconds` and count as rebills.
    customer_id: Option<String>,
    /// The publisher: its id, or the partner's own. Without click and customer it is credited alone: the
    /// goal must allow the mode `partner`, an `order_id` is needed, and a token does not do. Beside a click it is compared
    /// (`publisher_mismatch`), and has to be one of the advertiser's publishers all the same.
    publisher_id: Option<String>,
    /// The advertiser's id of the sale, at most 128 bytes; needed for goals that count per order, and without `click_id`.
    #[schema(max_length = 128)]
    order_id: Option<String>,
    /// A decimal string with a dot, at most 4 decimals, not negative; needed if the goal's money depends on it. A JSON
    /// number is `amount_invalid`.
    amount: Option<String>,
    /// ISO 4217, such as EUR; needed with an amount. What is not in the advertiser's currency is converted.
    #[schema(value_type = Option<Currency>)]
    currency: Option<String>,
    #[schema(schema_with = schemas::requested_status, required = false)]
    status: Option<String>,
    #[schema(schema_with = schemas::event_time, required = false)]
    event_time: Option<String>,
    /// Stored with the conversion.
    adv_sub1: Option<String>,
    /// Stored with the conversion.
    adv_sub2: Option<String>,
    /// Stored with the conversion.
    adv_sub3: Option<String>,
    /// Stored with the conversion.
    adv_sub4: Option<String>,
    /// Stored with the conversion.
    adv_sub5: Option<String>,
    /// A voucher code, stored with the conversion.
    coupon: Option<String>,
    /// The advertiser's id of the lead, stored with the conversion. Another one than the click's or the customer's first is
    /// flagged `lead_id_mismatch`.
    lead_id: Option<String>,
    /// The 64 hexadecimal digits of the SHA-256 of the customer's e-mail address, stored with the conversion. Another
    /// one than the click's or the customer's first is flagged `email_mismatch`.
    #[schema(pattern = "^[0-9A-Fa-f]{64}$")]
    email_sha256: Option<String>,
    /// An object of your own, at most 8 KiB, stored with the conversion.
    #[schema(value_type = Option<HashMap<String, serde_json::Value>>)]
    metadata: Option<HashMap<String, String>>,
    /// true: make the whole decision, count nothing. false by default.
    validate_only: Option<bool>,
}

/// A report as a signed query, but for the signature.
#[derive(IntoParams)]
#[expect(dead_code, reason = "only its description is used")]
#[into_params(parameter_in = Query)]
pub struct ConversionQuery {
    /// The goal's event name, byte for byte after percent-decoding. Aliases: `event`, `et`, `goal_ref`.
    #[param(example = "purchase")]
    goal: String,
    /// The id that came with the landing URL. One of `click_id`, `customer_id` and `publisher_id` is needed; the first of
    /// them that is there decides who is credited. Aliases: `kcid`, `transaction_id`, `tid`, `cid`, `clickid`, `subid`.
    #[param(value_type = Option<ClickId>)]
    click_id: Option<String>,
    /// The advertiser's id, or `ext:` and the partner's own; needed if the key covers several.
    advertiser: Option<String>,
    /// The advertiser's opaque id of the customer; never an e-mail address or a phone number. The first accepted event with
    /// both `click_id` and `customer_id` binds the two. Later events may carry the customer alone, with an `order_id`: they
    /// are credited to that click within the goal's `rebill_window_seconds` and count as rebills.
    customer_id: Option<String>,
    /// The publisher: its id, or the partner's own. Aliases: `partner_id`, `aff_id`, `pid`. Without click and customer it is credited alone: the
    /// goal must allow the mode `partner`, an `order_id` is needed, and a token does not do. Beside a click it is compared
    /// (`publisher_mismatch`), and has to be one of the advertiser's publishers all the same.
    publisher_id: Option<String>,
    /// The advertiser's id of the sale, at most 128 bytes; needed for goals that count per order, and without `click_id`. Aliases: `txid`,
    /// `action_id`, `invoice_id`.
    #[param(example = "A-1001", max_length = 128)]
    order_id: Option<String>,
    /// A decimal string with a dot, at most 4 decimals, not negative; needed if the goal's money depends on it.
    #[param(example = "49.90")]
    amount: Option<String>,
    /// ISO 4217, such as EUR; needed with an amount. What is not in the advertiser's currency is converted.
    #[param(value_type = Option<Currency>)]
    currency: Option<String>,
    /// `approved`, `pending` or `rejected`; by default the goal decides. `approved` skips the goal's hold and approval
    /// only if the key has the scope `status:write`.
    status: Option<String>,
    /// RFC 3339 or Unix seconds, not milliseconds; the time of receipt by default. At most 300 seconds in the future.
    #[param(example = "2026-11-22T10:05:00Z")]
    event_time: Option<String>,
    /// Stored with the conversion. There are five, `adv_sub1` to `adv_sub5`.
    adv_sub1: Option<String>,
    /// A voucher code, stored with the conversion.
    coupon: Option<String>,
    /// The advertiser's id of the lead, stored with the conversion. Another one than the click's or the customer's first is
    /// flagged `lead_id_mismatch`.
    lead_id: Option<String>,
    /// `true` or `1`: make the whole decision, count nothing. `false` by default.
    validate_only: Option<bool>,
    /// `text`: a plain-text answer for simple senders. JSON by default.
    format: Option<String>,
    /// The signing key's id. `key_id`, `ts` and `sig` are the last three parameters, in this order.
    #[param(value_type = KeyId)]
    key_id: String,
    /// The time of signing in Unix seconds; 300 seconds are tolerated.
    #[param(example = "1795341600")]
    ts: String,
}

/// Up to 1,000 reports.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
#[schema(max_items = 1000, examples(json!([{"goal": "purchase", "click_id": "101m2k3n4p5q6r7s8t9v0w1x2y3z4a5b6c7", "order_id": "A-1001", "amount": "49.90", "currency": "EUR"}])))]
pub struct BatchBody(Vec<ConversionReport>);

/// The verdicts on a batch.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
#[schema(examples(json!({"message": "The batch itself is not recorded: each item has its own verdict.", "counts": {"accepted": 1, "rejected": 0, "by_code": {"accepted": 1}}, "results": [{"index": 0, "result": "accepted", "code": "accepted", "message": "Counted.", "postback_id": "pbk_01kayw5m8hfz2v6y0t3n7r9q4c", "conversion_id": "cnv_01kayw5m8hfz2v6y0t3n7r9q4c", "status": "approved", "hold_until": null, "retry": "no", "hint": null, "flags": []}]})))]
pub struct BatchVerdicts {
    /// That the batch itself is not recorded.
    message: String,
    /// How many items came to what.
    counts: BatchCounts,
    /// The answer to each item, in the order of the batch, with its place from 0 as `index`.
    #[schema(value_type = Vec<PostbackAnswer>)]
    results: Vec<String>,
}

/// How many items of a batch came to what.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
#[schema(examples(json!({"accepted": 1, "rejected": 0, "by_code": {"accepted": 1}})))]
pub struct BatchCounts {
    /// Items whose `result` is `accepted`.
    accepted: u64,
    /// Items whose `result` is `rejected`.
    rejected: u64,
    /// Items by their code.
    by_code: HashMap<String, u64>,
}

/// What the query of a report by POST may ask for.
#[derive(IntoParams)]
#[expect(dead_code, reason = "only its description is used")]
#[into_params(parameter_in = Query)]
pub struct MessageQuery {
    /// `true` or `1`: make the whole decision, count nothing. `false` by default.
    validate_only: Option<bool>,
}

/// The headers of a signed message, but for the signature.
#[derive(IntoParams)]
#[expect(dead_code, reason = "only its description is used")]
#[into_params(parameter_in = Header)]
pub struct SignatureHeaders {
    /// The signing key's id.
    #[param(rename = "X-Key-Id", value_type = KeyId)]
    key_id: String,
    /// An id of your own for the message, at most 256 bytes without a dot; the same for each retry.
    #[param(rename = "webhook-id", example = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W")]
    id: String,
    /// The time of signing in Unix seconds; 300 seconds are tolerated.
    #[param(rename = "webhook-timestamp", example = "1795341600")]
    timestamp: String,
}
