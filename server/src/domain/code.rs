//! The closed table of codes: everything the server can say about a request, in one list.
//! A code that is not here cannot be answered; what it means to a caller is said here and nowhere else.

/// Whether, and when, sending the same thing again makes sense.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retry {
    /// Never: the answer will be the same.
    No,
    /// Yes, after the time in `Retry-After`.
    Yes,
    /// Once the set-up has been mended.
    AfterFix,
    /// With a fresh timestamp and signature.
    ReSign,
}

impl Retry {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Yes => "yes",
            Self::AfterFix => "after_fix",
            Self::ReSign => "re_sign",
        }
    }
}

macro_rules! codes {
    ($($variant:ident $text:literal $status:literal $retry:ident $title:literal $todo:literal)*) => {
        /// A stable, machine-readable code. Names never change; new ones may be added.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Code { $(#[doc = $title] $variant),* }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [Code] = &[$(Code::$variant),*];

            /// The code on the wire.
            pub fn as_str(self) -> &'static str { match self { $(Self::$variant => $text),* } }

            /// The HTTP status that always goes with it.
            pub fn status(self) -> u16 { match self { $(Self::$variant => $status),* } }

            /// Whether sending the same again makes sense.
            pub fn retry(self) -> Retry { match self { $(Self::$variant => Retry::$retry),* } }

            /// A short sentence that is the same for every occurrence.
            pub fn title(self) -> &'static str { match self { $(Self::$variant => $title),* } }

            /// Who has to do what about it.
            pub fn what_to_do(self) -> &'static str { match self { $(Self::$variant => $todo),* } }
        }
    };
}

codes! {
    Accepted "accepted" 201 No "Counted." "Nothing."
    AcceptedPending "accepted_pending" 202 No "Counted, waiting for a decision." "The partner approves or rejects it; `flags` says why it waits."
    AcceptedOnHold "accepted_on_hold" 202 No "Counted, on hold until the refund period ends." "Nothing: `hold_until` says when it is settled."
    AcceptedSpooled "accepted_spooled" 202 No "Stored safely; it is decided about as soon as the database is back." "Nothing, and do not send it again: the log shows the outcome under `postback_id`."
    Validated "validated" 200 No "Valid; nothing was recorded but this line of the log." "Send it again without `validate_only` to count it."
    Duplicate "duplicate" 200 No "Already counted." "Nothing: `conversion_id` is the first one's."

    Adjusted "adjusted" 200 No "The conversion is changed." "Nothing."
    AdjustedNothing "adjusted_nothing" 200 No "Recorded; the conversion stood there already." "Nothing."

    DuplicateConflict "duplicate_conflict" 409 No "Already counted, with another amount or currency." "To change an amount, adjust the first conversion; to report another sale, use another order id or a goal that counts per order."
    NotRerunnable "not_rerunnable" 409 No "This postback cannot be run again." "`why_not` says why. What was accepted counts already; anything else has to be sent again."
    OrderAttributedElsewhere "order_attributed_elsewhere" 409 No "This order already belongs to another click." "The first attribution stands. Send each order once."
    ConversionNotFound "conversion_not_found" 404 No "No such conversion." "Send the id that the conversion was answered with, or the goal and the order id that it was reported with, by a key that covers its advertiser."
    TransitionNotAllowed "transition_not_allowed" 409 No "The conversion's status does not allow this." "`conversion_status` says where it stands, the hint what is possible from there."
    AdjustmentConflict "adjustment_conflict" 409 No "This adjustment id was used for something else." "Use another `adjustment_id`; the first adjustment stands."
    ClickIdMalformed "click_id_malformed" 400 No "The click id has the wrong shape." "Pass the click id on unchanged: check the length of the field it is kept in."
    ClickNotFound "click_not_found" 404 No "No such click." "Send back exactly the id that came with the landing URL."
    CustomerNotFound "customer_not_found" 404 AfterFix "No click is known for this customer." "First report an event of the customer with both `click_id` and `customer_id`: that binds the two."
    AdvertiserMismatch "advertiser_mismatch" 422 No "The click belongs to another advertiser." "Name the advertiser whose link was clicked."
    ClickPurged "click_purged" 410 No "The click is too old: its record has been deleted." "Report sales sooner."
    ClickExpired "click_expired" 410 No "The click is older than the goal's window." "The partner may widen the goal's `click_window_seconds`."
    ConversionPrecedesClick "conversion_precedes_click" 422 No "The event is older than the click." "Check `event_time` and the clock that made it."
    ReportingDelayExceeded "reporting_delay_exceeded" 422 No "Reported too long after the event." "Report sooner, or have the partner raise the goal's `reporting_delay_seconds`."
    GoalMismatch "goal_mismatch" 422 AfterFix "No goal has this name." "Send the goal's event name byte for byte; `nearest` lists what is close."
    GoalInactive "goal_inactive" 422 AfterFix "The goal is paused or archived." "The partner activates the goal."
    GoalNotInCampaign "goal_not_in_campaign" 422 AfterFix "The goal is not for this campaign." "The partner adds the campaign to the goal's `campaign_ids`, or has another goal for it."
    ModeNotAllowed "mode_not_allowed" 422 AfterFix "The goal does not allow this way to match." "Send what the goal is matched by, or have the partner add the way to its `modes`."
    PublisherNotPermitted "publisher_not_permitted" 422 No "The publisher is unknown, out of use or blocked for this advertiser." "Leave `publisher_id` out, or send the id of a publisher that is in use."
    OrderIdRequired "order_id_required" 422 No "An order id is needed: the goal counts per order, or there is no click id." "Send `order_id`."
    AmountRequired "amount_required" 422 No "The goal's money depends on the amount, and there is none." "Send `amount`, a decimal string, with `currency`."
    CurrencyRequired "currency_required" 422 No "An amount came without its currency." "Send `currency`, an ISO 4217 code such as EUR."
    AmountInvalid "amount_invalid" 422 No "The amount cannot be read." "Send a decimal string with a dot, not negative, at most 4 decimals, such as 49.90."
    CurrencyInvalid "currency_invalid" 422 No "The currency is unknown, not the goal's, or has no rate into the advertiser's." "Send an ISO 4217 code in capitals; a goal with a currency takes that one only, unless the advertiser has a currency and the partner a rate."
    TimestampInMilliseconds "timestamp_in_milliseconds" 422 No "The event time is in milliseconds." "Send Unix seconds (10 digits) or RFC 3339."
    EventInFuture "event_in_future" 422 No "The event time is in the future." "Check the clock that made it: more than 5 minutes ahead is refused."
    Malformed "malformed" 400 No "The request cannot be read." "Mend what `detail` says; `errors` names each field."
    UnresolvedMacro "unresolved_macro" 400 AfterFix "A placeholder arrived instead of its value." "Have the sending system fill the placeholder in that `errors` names."
    PiiInUrl "pii_in_url" 400 No "Personal data in a URL." "Never put e-mail addresses or phone numbers into a URL; send a hash by POST."
    SignatureMissing "signature_missing" 401 No "The request is not signed." "Send `X-Key-Id`, `webhook-id`, `webhook-timestamp` and `webhook-signature`, or `key_id`, `ts` and `sig` at the end of the query."
    SignatureInvalid "signature_invalid" 401 No "The signature does not fit, or the key is unknown or revoked." "Sign the exact bytes that are sent, with the secret that belongs to the key id."
    TimestampOutOfTolerance "timestamp_out_of_tolerance" 401 ReSign "The signature's timestamp is too far from the server's clock." "Set the clock, use Unix seconds, and sign again: 300 seconds are tolerated."
    ScopeMissing "scope_missing" 403 No "The key may not do this." "Use a key with the scope that `detail` names."
    SourceIpNotAllowed "source_ip_not_allowed" 403 No "The key does not work from this address." "Send it from an address of the key's `allowed_ips`, or have the partner add this one."
    TokenNotAllowed "token_not_allowed" 403 AfterFix "The advertiser takes no static tokens." "Sign the postback, or have the partner set the advertiser's `static_token` to `allowed`."
    HttpsRequired "https_required" 403 No "Plain HTTP is refused." "Use https. Plain HTTP is for loopback, and for a trusted proxy that sends `X-Forwarded-Proto: https`."
    PayloadTooLarge "payload_too_large" 413 No "The body is too large." "Send at most 64 KiB; a batch at most 1 MiB and 1,000 items."
    UriTooLong "uri_too_long" 414 No "The address is too long." "Send path and query in at most 32 KiB."
    HeadersTooLarge "headers_too_large" 431 No "The headers are too large." "Send at most 64 headers with at most 48 KiB together."
    RateLimited "rate_limited" 429 Yes "More than the rate limit allows." "Send it again after `Retry-After`; the `RateLimit` header says what is left."
    RequestTimeout "request_timeout" 408 Yes "The body did not arrive in time." "Send it again; a body has 15 seconds to arrive."
    UnsupportedMediaType "unsupported_media_type" 415 No "The content type is not the one expected." "Send the content type that the reference names."
    MethodNotAllowed "method_not_allowed" 405 No "The address exists, the method does not." "Use a method that the `Allow` header names."
    Unavailable "unavailable" 503 Yes "This cannot be written durably right now." "Send it again after `Retry-After`: the same message is counted once."
    StorageFull "storage_full" 503 Yes "There is no room left to store this." "Send it again after `Retry-After`: the same message is counted once. The operator makes room, or brings the database back."

    ApiKeyMissing "api_key_missing" 401 No "There is no API key." "Send `Authorization: Bearer tbk_...`."
    ApiKeyInvalid "api_key_invalid" 401 No "The API key is unknown or revoked." "Check the key; a partner's keys are shown once, when they are made."
    NotFound "not_found" 404 No "There is no such thing, or it is not yours." "Check the id."
    ValidationFailed "validation_failed" 422 AfterFix "Some fields are wrong." "Mend every field that `errors` names."
    ExternalIdTaken "external_id_taken" 409 No "Another one of yours has this external id." "Use another `external_id`."
    EventNameTaken "event_name_taken" 409 No "Another goal in this scope has this event name." "Use another `event_name`, or change the goal that has it."
    CursorInvalid "cursor_invalid" 400 No "The cursor does not belong to this list." "Take `cursor` from `next_cursor` of the same list with the same filters."
    Internal "internal" 500 Yes "Something went wrong on our side." "Tell the operator the `request_id`."
}

impl Code {
    /// The code that is spelled so.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }

    /// True for the codes that say "this is recorded" (or would be): the 2xx ones.
    pub fn is_success(self) -> bool {
        self.status() < 300
    }

    /// True for the codes that say "this is a new conversion".
    pub fn counts(self) -> bool {
        matches!(self, Self::Accepted | Self::AcceptedOnHold | Self::AcceptedPending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_code_is_a_distinct_word() {
        let words: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        assert!(words.iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
    }
}
