//! What the OpenAPI document says about the domain's types and about answers; here, so that the domain knows
//! nothing of OpenAPI. No rule is decided here: patterns and words come from the domain.

use std::borrow::Cow;

use serde_json::{Value, json};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Array, KnownFormat, ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema, SchemaFormat, Type,
        schema::{AdditionalProperties, SchemaType},
    },
};

use crate::domain::{
    answer::Outcome,
    audit::AuditAction,
    click_id::ClickId,
    code::Code,
    consent::Consent,
    conversion::{Actor, AdjustmentKind, ConversionStatus, MatchMode, Reason},
    currency::Currency,
    explanation::Passed,
    goal::{Counting, DefaultStatus, HoldEnd, MoneyKind},
    ids::*,
    postback::{About, Form},
    report::Dimension,
    rerun::WhyNot,
    scopes::Scope,
    setup::{DeepLinks, Status},
    signing::{KeyKind, SigningMode, StaticToken},
    targeting::{DeviceType, OperatingSystem},
    time::Timestamp,
    trace::Check,
    visitor::{ClickClass, IpStorage},
};

/// What an id in an example ends with.
const ID_TAIL: &str = "01kayw5m8hfz2v6y0t3n7r9q4c";
/// What every example of a click id says.
pub const CLICK_ID: &str = "101m2k3n4p5q6r7s8t9v0w1x2y3z4a5b6c7";
/// What every example of a time says.
pub const TIME: &str = "2026-11-22T10:00:00Z";

/// A schema under the name that the document refers to it by.
type Named = (String, RefOr<Schema>);

/// Gives types a schema, and lists them all.
macro_rules! schemas {
    ($($name:ident => $schema:expr,)+) => {
        $(
            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    $schema.into()
                }
            }

            impl ToSchema for $name {
                fn name() -> Cow<'static, str> {
                    Cow::Borrowed(stringify!($name))
                }
            }
        )+

        /// All schemas of this file. utoipa does not collect those that only a query parameter refers to.
        pub fn all() -> Vec<Named> {
            vec![$((stringify!($name).to_owned(), $name::schema()),)+]
        }
    };
}

/// A problem document: what every refusal of the API looks like. Only a schema, never a value.
pub enum Problem {}

/// The answer to a postback, counted or refused. Only a schema, never a value.
pub enum PostbackAnswer {}

schemas! {
    PartnerId => id::<PartnerId>(),
    UserId => id::<UserId>(),
    ApiKeyId => id::<ApiKeyId>(),
    KeyId => id::<KeyId>(),
    AdvertiserId => id::<AdvertiserId>(),
    PublisherId => id::<PublisherId>(),
    CampaignId => id::<CampaignId>(),
    CreativeId => id::<CreativeId>(),
    LinkId => id::<LinkId>(),
    GoalId => id::<GoalId>(),
    PostbackId => id::<PostbackId>(),
    ConversionId => id::<ConversionId>(),
    AdjustmentId => id::<AdjustmentId>(),
    AuditEventId => id::<AuditEventId>(),
    ClickId => text(
        "The id of one click, as the landing page got it, or of one impression: 35 characters, read in either case. The \
         first one is 1 for a click and 2 for an impression.",
    )
        .pattern(Some("^[12][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{34}$"))
        .examples([CLICK_ID]),
    Timestamp => text("A point in time: RFC 3339, UTC.")
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .examples([TIME]),
    Currency => text("An active currency of ISO 4217.").pattern(Some("^[A-Z]{3}$")).examples(["EUR"]),
    Status => words(
        "Whether a thing takes part. `paused` switches it off for now; `archived` also takes it out of lists. \
         Both can be undone.",
        Status::ALL,
    ),
    DeepLinks => words("Whether `url=` of a tracking link is followed to the advertiser's hosts.", DeepLinks::ALL),
    Consent => words(
        "What a link does about consent. `restrictive`: where the URL says that the GDPR applies (`gdpr=1`), only those are \
         tracked whose `gdpr_consent` (IAB TCF v2) grants purpose 1; of the others, nothing is stored but a number.",
        Consent::ALL,
    ),
    DeviceType => words("A kind of device.", DeviceType::ALL),
    OperatingSystem => words("An operating system, in any version.", OperatingSystem::ALL),
    IpStorage => words(
        "How much of a visitor's address is kept: all of it, the network (/24 of IPv4, /48 of IPv6), or nothing.",
        IpStorage::ALL,
    ),
    Counting => words(
        "How often a click can convert: `once`, or once for each order id (`per_order`).",
        Counting::ALL,
    ),
    DefaultStatus => words(
        "What a conversion starts as: `approved` is final (after its hold, if there is one), `pending` waits for \
         a decision.",
        DefaultStatus::ALL,
    ),
    HoldEnd => words(
        "What the end of the hold does with a conversion that nobody has decided.",
        HoldEnd::ALL,
    ),
    MoneyKind => words("How a sum is found: always the same, a share of the amount, or the amount.", MoneyKind::ALL),
    ConversionStatus => words(
        "Where a conversion stands. `pending`: waits for a decision; `on_hold`: in its refund period; `approved`: \
         payable; `rejected`: never payable; `reversed`: approved and taken back.",
        ConversionStatus::ALL,
    ),
    AdjustmentKind => words(
        "What is done to a conversion. `retraction`: a full refund, which rejects what was never payable and reverses \
         what was; `restatement`: a new amount; `approve` and `reject`: a decision; `reopen`: takes a rejection back. \
         `hold_end` cannot be asked for: it is the end of the refund period.",
        AdjustmentKind::ALL,
    ),
    Reason => words("Why a conversion is changed.", Reason::ALL),
    Actor => words(
        "Who changed a conversion: the `system` at the end of a hold, the `partner` by an API key, an `advertiser` by a \
         signing key.",
        Actor::ALL,
    ),
    About => words("What a line of the log reports: a conversion, or an adjustment of one.", About::ALL),
    MatchMode => words(
        "How a conversion was matched; `transaction`: by its click id.",
        MatchMode::ALL,
    ),
    ClickClass => words(
        "What kind of click or impression it is. `human` counts; `bot`, `prefetch` (by a browser) and `invalid` (on something \
         paused or over, beyond a cap, or not for this visitor) are counted apart.",
        ClickClass::ALL,
    ),
    Form => words(
        "The form a postback came in: the `query` of a GET, a POSTed `form`, or a POSTed `json` object.",
        Form::ALL,
    ),
    Scope => words(
        "One power of a signing key. `conversions:write`: report conversions; `status:write`: decide their status; \
         `adjustments:write`: report refunds and restated amounts, and with `status:write` decisions. `logs:read` can \
         be given, and opens nothing yet.",
        Scope::ALL,
    ),
    KeyKind => words(
        "How a key proves that a postback is its owner's: it signs (`signature`), or it is sent as it is (`token`).",
        KeyKind::ALL,
    ),
    SigningMode => words(
        "What becomes of a postback whose signature is missing, wrong or out of its time. `enforce`: it is refused. \
         `observe`: it is taken, with the flag `signature_not_enforced`, and the log says what enforcing would have \
         answered; for the time in which senders learn to sign, because whoever knows a key's id can then report. \
         Adjustments are always enforced.",
        SigningMode::ALL,
    ),
    StaticToken => words("Whether postbacks may come with a static token.", StaticToken::ALL),
    WhyNot => words("Why a postback cannot be run again.", WhyNot::ALL),
    AuditAction => words("What was done.", AuditAction::ALL),
    Dimension => words("What a report is grouped by.", Dimension::ALL),
    Problem => problem(),
    Outcome => words("Whether a postback was taken or refused.", Outcome::ALL),
    Check => words(
        "A check of the decision about a postback. They are made in this order.",
        Check::ALL,
    ),
    Passed => words(
        "How a check ended: it holds, it does not, or the decision did not come to it. A conversion that waits for a \
         decision has failed `caps_and_flags`, and is written all the same.",
        Passed::ALL,
    ),
    PostbackAnswer => postback_answer(),
}

/// The reference to a schema of this file.
pub fn reference<T: ToSchema>() -> RefOr<Schema> {
    Ref::from_schema_name(T::name()).into()
}

/// An id as examples show it.
pub fn example_id<I: Id>() -> String {
    format!("{}{ID_TAIL}", I::PREFIX)
}

fn id<I: Id>() -> ObjectBuilder {
    text(format!("{}: `{}` and 26 characters.", capitalised(I::NOUN), I::PREFIX))
        .pattern(Some(format!("^{}[0-9a-hjkmnp-tv-z]{{26}}$", I::PREFIX)))
        .examples([example_id::<I>()])
}

fn capitalised(text: &str) -> String {
    let (first, rest) = text.split_at(1);
    first.to_uppercase() + rest
}

fn words<T: ToString>(description: &str, all: &[T]) -> ObjectBuilder {
    let words: Vec<_> = all.iter().map(ToString::to_string).collect();
    text(description).examples(words.first().cloned()).enum_values(Some(words))
}

fn problem() -> ObjectBuilder {
    ObjectBuilder::new()
        .description(Some("A problem document (RFC 9457). Some codes add members of their own."))
        .property(
            "type",
            text("Where the code is explained: `/docs/outcomes#` and the code.").format(uri_reference()),
        )
        .property("title", text("What the code means; the same for every occurrence."))
        .property("status", whole_number("The HTTP status."))
        .property("detail", text("What is wrong with this request."))
        .property("code", code("The stable code. Names never change; new ones may be added.", Code::ALL))
        .property("hint", text("What to do about it."))
        .property("request_id", request_id())
        .property("errors", field_errors())
        .required("type")
        .required("title")
        .required("status")
        .required("detail")
        .required("code")
        .additional_properties(Some(AdditionalProperties::FreeForm(true)))
}

fn postback_answer() -> ObjectBuilder {
    let standing = OneOfBuilder::new()
        .item(reference::<ConversionStatus>())
        .item(whole_number("The HTTP status of a refusal."))
        .item(ObjectBuilder::new().schema_type(Type::Null))
        .description(Some(
            "Where the conversion stands; null where there is none. In a refusal, the HTTP status.",
        ));
    ObjectBuilder::new()
        .description(Some(
            "The answer to a postback. A refusal is a problem document at the same time. \
             Some codes add members of their own.",
        ))
        .property("result", text("Whether it is recorded.").enum_values(Some(["accepted", "rejected"])))
        .property("code", code("The outcome. Names never change; new ones may be added.", Code::ALL))
        .property("message", text("The outcome in a sentence."))
        .property("postback_id", or_null(reference::<PostbackId>(), "The line of the postback log."))
        .property(
            "conversion_id",
            or_null(
                reference::<ConversionId>(),
                "The conversion: the new one, or the first one of a repetition.",
            ),
        )
        .property("status", standing)
        .property("hold_until", or_null(reference::<Timestamp>(), "When the hold ends."))
        .property("retry", retry())
        .property("hint", nullable_text("What to do, if there is anything to do."))
        .property(
            "flags",
            list(
                text("A word."),
                "Why the conversion waits for a decision: `goal_needs_approval`, `requested_pending`, \
                 `campaign_paused`, `bot_click`, `prefetch_click`, `invalid_click`, `click_row_missing`, \
                 `publisher_blocked`, `over_max_rebills`, `over_cap` (with `cap:` and the cap's name), `weak_token`. \
                 What else is noteworthy: `unknown_parameter`, `status_not_permitted`, `too_fast`, \
                 `publisher_mismatch`, `customer_mismatch`, `lead_id_mismatch`, `email_mismatch`, \
                 `signature_not_enforced`. New words may be added.",
            ),
        )
        .property("payout_rule", text("Of a conversion, and of one that a dry run would count: where its payout comes from. `goal`, or the goal's override: \
             `publisher:pub_...`, `country:DE`, or both with a `+` between."))
        .property("revenue_rule", text("Of a conversion: where its revenue comes from, likewise."))
        .property("type", text("Of a refusal: where the code is explained.").format(uri_reference()))
        .property("title", text("Of a refusal: what the code means."))
        .property("detail", text("Of a refusal: what is wrong with this request."))
        .property("request_id", request_id())
        .property("errors", field_errors())
        .required("code")
        .additional_properties(Some(AdditionalProperties::FreeForm(true)))
        .examples([accepted()])
}

/// A postback that was counted.
fn accepted() -> Value {
    json!({
        "result": "accepted", "code": Code::Accepted.as_str(), "message": Code::Accepted.title(),
        "postback_id": example_id::<PostbackId>(), "conversion_id": example_id::<ConversionId>(),
        "status": ConversionStatus::Approved.as_str(), "hold_until": null,
        "retry": Code::Accepted.retry().as_str(), "hint": null, "flags": [], "payout_rule": "goal", "revenue_rule": "goal",
    })
}

/// When something happened, as a report says it.
pub fn event_time() -> OneOfBuilder {
    OneOfBuilder::new()
        .item(reference::<Timestamp>())
        .item(whole_number("Unix seconds; also taken as text."))
        .description(Some(
            "When it happened: RFC 3339 or Unix seconds, not milliseconds; the time of receipt by default. At most \
             300 seconds in the future.",
        ))
}

/// The status that a report may ask for.
pub fn requested_status() -> ObjectBuilder {
    words(
        "The status that the conversion should start with; by default the goal decides. `approved` skips the goal's \
         hold and approval only if the key has the scope `status:write`; without it the flag \
         `status_not_permitted` says that it did not.",
        &[ConversionStatus::Approved, ConversionStatus::Pending, ConversionStatus::Rejected],
    )
}

fn code(description: &str, codes: &[Code]) -> ObjectBuilder {
    text(description).enum_values(Some(codes.iter().map(|code| code.as_str())))
}

fn retry() -> ObjectBuilder {
    let mut words: Vec<_> = Code::ALL.iter().map(|code| code.retry().as_str()).collect();
    words.sort_unstable();
    words.dedup();
    text(
        "Whether sending the same again makes sense: `no`; `yes`, after the time in `Retry-After`; `after_fix`, once the \
         set-up has been mended; `re_sign`, with a fresh timestamp and signature.",
    ).enum_values(Some(words))
}

fn field_errors() -> Array {
    let error = ObjectBuilder::new()
        .property("pointer", text("JSON pointer into the body, or the name of a query parameter."))
        .property("detail", text("What is wrong, and what would be right."))
        .required("pointer")
        .required("detail");
    list(error, "Every field that is wrong.")
}

fn request_id() -> ObjectBuilder {
    nullable_text("The request, as in the header `X-Request-Id` and in the operator's log.")
}

fn list(items: ObjectBuilder, description: &str) -> Array {
    utoipa::openapi::ArrayBuilder::new().items(items).description(Some(description)).build()
}

fn or_null(schema: RefOr<Schema>, description: &str) -> OneOfBuilder {
    let null = ObjectBuilder::new().schema_type(Type::Null);
    OneOfBuilder::new().item(null).item(schema).description(Some(description))
}

fn text(description: impl Into<String>) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description))
}

fn nullable_text(description: &str) -> ObjectBuilder {
    text(description).schema_type(SchemaType::from_iter([Type::String, Type::Null]))
}

fn whole_number(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).description(Some(description))
}

fn uri_reference() -> Option<SchemaFormat> {
    Some(SchemaFormat::Custom("uri-reference".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_the_examples_is_an_id() {
        assert_eq!(
            AdvertiserId::parse(&example_id::<AdvertiserId>()).unwrap().to_string(),
            example_id::<AdvertiserId>()
        );
    }

    #[test]
    fn every_schema_has_a_name_of_its_own() {
        let names: std::collections::HashSet<_> = all().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), all().len());
    }
}
