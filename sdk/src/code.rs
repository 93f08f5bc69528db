//! Every outcome code of the server, once.
//! What a code means for the caller is decided in `answer` and `outcome`, not here.

use crate::words::words;

words! {
    /// Names the outcome of one report, the same word for the same case on every endpoint.
    ///
    /// `Code::parse(code.as_str()) == code` holds for every code, known or not.
    Code {
        /// Says the conversion is counted and final (201).
        Accepted = "accepted",
        /// Says the conversion is counted and needs a decision; the flags say why (202).
        AcceptedPending = "accepted_pending",
        /// Says the conversion is counted and its hold is running (202).
        AcceptedOnHold = "accepted_on_hold",
        /// Says the report is stored durably and decided about once the server's database is back (202).
        AcceptedSpooled = "accepted_spooled",
        /// Says the report would be accepted; nothing was recorded (200).
        Validated = "validated",
        /// Says the same conversion was counted before (200).
        Duplicate = "duplicate",
        /// Says the conversion is changed (200).
        Adjusted = "adjusted",
        /// Says the adjustment is recorded and the conversion stood there already (200).
        AdjustedNothing = "adjusted_nothing",
        /// Says there is no such conversion that the key reaches (404).
        ConversionNotFound = "conversion_not_found",
        /// Says the conversion's status does not allow the adjustment (409).
        TransitionNotAllowed = "transition_not_allowed",
        /// Says the adjustment id was used for something else (409).
        AdjustmentConflict = "adjustment_conflict",
        /// Says the same key was counted with another amount, currency or goal (409).
        DuplicateConflict = "duplicate_conflict",
        /// Says the postback cannot be run again (409).
        NotRerunnable = "not_rerunnable",
        /// Says the order is already attributed to another click (409).
        OrderAttributedElsewhere = "order_attributed_elsewhere",
        /// Says the click id was cut, padded or is no click id (400).
        ClickIdMalformed = "click_id_malformed",
        /// Says the click id is altered, invented or not visible to this key (404).
        ClickNotFound = "click_not_found",
        /// Says no click is bound to the customer that the report names (404).
        CustomerNotFound = "customer_not_found",
        /// Says the click belongs to another advertiser of the partner (422).
        AdvertiserMismatch = "advertiser_mismatch",
        /// Says the publisher that the report names is unknown or blocked (422).
        PublisherNotPermitted = "publisher_not_permitted",
        /// Says the click was removed by retention (410).
        ClickPurged = "click_purged",
        /// Says the event came after the goal's window (410).
        ClickExpired = "click_expired",
        /// Says the event time is before the click (422).
        ConversionPrecedesClick = "conversion_precedes_click",
        /// Says the event was reported too late (422).
        ReportingDelayExceeded = "reporting_delay_exceeded",
        /// Says no goal has that event name, byte for byte (422).
        GoalMismatch = "goal_mismatch",
        /// Says the goal is paused (422).
        GoalInactive = "goal_inactive",
        /// Says the goal is not for the click's campaign (422).
        GoalNotInCampaign = "goal_not_in_campaign",
        /// Says the goal does not allow this way of matching (422).
        ModeNotAllowed = "mode_not_allowed",
        /// Says the goal needs an order id (422).
        OrderIdRequired = "order_id_required",
        /// Says the goal needs an amount (422).
        AmountRequired = "amount_required",
        /// Says the amount needs a currency (422).
        CurrencyRequired = "currency_required",
        /// Says the amount is no decimal with at most four places (422).
        AmountInvalid = "amount_invalid",
        /// Says the currency is no ISO 4217 code (422).
        CurrencyInvalid = "currency_invalid",
        /// Says the event time came in milliseconds instead of seconds (422).
        TimestampInMilliseconds = "timestamp_in_milliseconds",
        /// Says the event time is in the future (422).
        EventInFuture = "event_in_future",
        /// Says the request could not be read; each error names its field (400).
        Malformed = "malformed",
        /// Says a macro arrived instead of its value (400).
        UnresolvedMacro = "unresolved_macro",
        /// Says an e-mail address or phone number stood in a URL (400).
        PiiInUrl = "pii_in_url",
        /// Says the request carried no credentials (401).
        SignatureMissing = "signature_missing",
        /// Says the signature is wrong, or the key unknown or revoked (401).
        SignatureInvalid = "signature_invalid",
        /// Says the sender's clock differs too much from the server's (401).
        TimestampOutOfTolerance = "timestamp_out_of_tolerance",
        /// Says the key lacks a scope (403).
        ScopeMissing = "scope_missing",
        /// Says the key does not work from this address (403).
        SourceIpNotAllowed = "source_ip_not_allowed",
        /// Says the advertiser takes no static tokens (403).
        TokenNotAllowed = "token_not_allowed",
        /// Says that more came than the rate limit allows (429).
        RateLimited = "rate_limited",
        /// Says the request came over plain HTTP (403).
        HttpsRequired = "https_required",
        /// Says the body is too large (413).
        PayloadTooLarge = "payload_too_large",
        /// Says path and query are too long (414).
        UriTooLong = "uri_too_long",
        /// Says the headers are too many or too large (431).
        HeadersTooLarge = "headers_too_large",
        /// Says the body did not arrive in time (408).
        RequestTimeout = "request_timeout",
        /// Says the body is of the wrong type (415).
        UnsupportedMediaType = "unsupported_media_type",
        /// Says the endpoint does not answer this method (405).
        MethodNotAllowed = "method_not_allowed",
        /// Says the server cannot write durably now (503).
        Unavailable = "unavailable",
        /// Says the server has no room left to store the report (503).
        StorageFull = "storage_full",
        /// Says something went wrong in the server (500).
        Internal = "internal",
        /// Says the report names an advertiser that the key does not cover (404).
        NotFound = "not_found",
        /// Says, at the management API, that there is no API key (401).
        ApiKeyMissing = "api_key_missing",
        /// Says, at the management API, that the API key is unknown or revoked (401).
        ApiKeyInvalid = "api_key_invalid",
        /// Says, at the management API, that some fields are wrong (422).
        ValidationFailed = "validation_failed",
        /// Says, at the management API, that another record has the external id (409).
        ExternalIdTaken = "external_id_taken",
        /// Says, at the management API, that another goal has the event name (409).
        EventNameTaken = "event_name_taken",
        /// Says, at the management API, that the cursor belongs to another list (400).
        CursorInvalid = "cursor_invalid",
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn every_known_code_reads_back_as_itself() {
        for word in Code::KNOWN {
            let code = Code::parse(word);
            assert_eq!(code.as_str(), *word);
            assert!(!matches!(code, Code::Unknown(_)), "{word}");
        }
    }

    #[test]
    fn no_code_is_listed_twice() {
        let distinct: std::collections::HashSet<_> = Code::KNOWN.iter().collect();
        assert_eq!(distinct.len(), Code::KNOWN.len());
    }

    #[test]
    fn a_later_code_is_kept_as_it_came() {
        assert_eq!(Code::parse("moon_phase"), Code::Unknown("moon_phase".to_owned()));
        assert_eq!(Code::parse("moon_phase"), "moon_phase");
    }
}
