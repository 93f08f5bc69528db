//! The table of outcomes of postbacks, a row per situation, and a judge who looks at an answer from all sides: status, code,
//! whether to send it again, the members of the body, and what is left behind.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
};

use serde_json::{Value, json};
use tallyback_tests::{Acme, Answer, TestDatabase};

/// What an outcome leaves behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leaves {
    /// A conversion, and a line of the log that the answer names.
    Conversion,
    /// A line of the log that the answer names.
    Line,
    /// A line of the log that the answer does not name: it is for the key's owner.
    HiddenLine,
    /// An entry of the spool, whose line of the log is still to come.
    Entry,
    /// Nothing.
    Nothing,
}
use Leaves::{Conversion, Entry, HiddenLine, Line, Nothing};

type Row = (&'static str, u16, &'static str, &'static str, Leaves);

/// Every row: the situation, the status, the code, whether to send it again, and what is left.
const ROWS: &[Row] = &[
    ("it counts", 201, "accepted", "no", Conversion),
    ("the goal needs approval", 202, "accepted_pending", "no", Conversion),
    ("over the cap", 202, "accepted_pending", "no", Conversion),
    ("the campaign was paused after the click", 202, "accepted_pending", "no", Conversion),
    ("a weak token", 202, "accepted_pending", "no", Conversion),
    ("a bot's click", 202, "accepted_pending", "no", Conversion),
    ("a hold", 202, "accepted_on_hold", "no", Conversion),
    ("a genuine click id without its row", 202, "accepted_pending", "no", Conversion),
    ("the database is away", 202, "accepted_spooled", "no", Entry),
    ("a dry run", 200, "validated", "no", Line),
    ("a test key", 200, "validated", "no", Line),
    ("the same again", 200, "duplicate", "no", Line),
    ("the same order for another amount", 409, "duplicate_conflict", "no", Line),
    ("the same order in another currency", 409, "duplicate_conflict", "no", Line),
    ("the order of another click", 409, "order_attributed_elsewhere", "no", Line),
    ("a click id that was cut", 400, "click_id_malformed", "no", Line),
    ("a click id that was altered", 404, "click_not_found", "no", Line),
    ("a click id that was invented", 404, "click_not_found", "no", Line),
    ("another tenant's click", 404, "click_not_found", "no", Line),
    ("a click of an advertiser that the key does not cover", 404, "click_not_found", "no", Line),
    ("a click of another advertiser that the key covers", 422, "advertiser_mismatch", "no", Line),
    ("a click that retention has removed", 410, "click_purged", "no", Line),
    ("a click older than the window", 410, "click_expired", "no", Line),
    ("an event before its click", 422, "conversion_precedes_click", "no", Line),
    ("a report long after the event", 422, "reporting_delay_exceeded", "no", Line),
    ("no goal of that name", 422, "goal_mismatch", "after_fix", Line),
    ("a goal that is paused", 422, "goal_inactive", "after_fix", Line),
    ("a goal for other campaigns", 422, "goal_not_in_campaign", "after_fix", Line),
    ("a mode that the goal does not allow", 422, "mode_not_allowed", "after_fix", Line),
    ("an unknown publisher", 422, "publisher_not_permitted", "no", Line),
    ("a blocked publisher", 422, "publisher_not_permitted", "no", Line),
    ("a publisher that is not on this advertiser", 422, "publisher_not_permitted", "no", Line),
    ("no order id", 422, "order_id_required", "no", Line),
    ("no amount", 422, "amount_required", "no", Line),
    ("no currency", 422, "currency_required", "no", Line),
    ("a bad amount", 422, "amount_invalid", "no", Line),
    ("a bad currency", 422, "currency_invalid", "no", Line),
    ("milliseconds", 422, "timestamp_in_milliseconds", "no", Line),
    ("an event in the future", 422, "event_in_future", "no", Line),
    ("bad JSON", 400, "malformed", "no", Line),
    ("bad UTF-8", 400, "malformed", "no", Line),
    ("a missing field", 400, "malformed", "no", Line),
    ("a repeated parameter", 400, "malformed", "no", Line),
    ("a macro in braces", 400, "unresolved_macro", "after_fix", Line),
    ("a macro in percent signs", 400, "unresolved_macro", "after_fix", Line),
    ("a macro in capitals", 400, "unresolved_macro", "after_fix", Line),
    ("an e-mail address in a URL", 400, "pii_in_url", "no", Line),
    ("a phone number in a URL", 400, "pii_in_url", "no", Line),
    ("no credentials", 401, "signature_missing", "no", Nothing),
    ("a bad signature", 401, "signature_invalid", "no", HiddenLine),
    ("an unknown key", 401, "signature_invalid", "no", Nothing),
    ("a revoked key", 401, "signature_invalid", "no", HiddenLine),
    ("a timestamp out of tolerance", 401, "timestamp_out_of_tolerance", "re_sign", HiddenLine),
    ("a key without the scope", 403, "scope_missing", "no", Line),
    ("an address that the key does not work from", 403, "source_ip_not_allowed", "no", Line),
    ("plain HTTP", 403, "https_required", "no", Nothing),
    ("a body that is too large", 413, "payload_too_large", "no", Nothing),
    ("a wrong type", 415, "unsupported_media_type", "no", Nothing),
    ("a wrong method", 405, "method_not_allowed", "no", Nothing),
    ("over the rate limit", 429, "rate_limited", "yes", Line),
    ("nothing can be written", 503, "unavailable", "yes", Nothing),
];

/// The members that every body has.
const MEMBERS: [&str; 10] = [
    "result",
    "code",
    "message",
    "postback_id",
    "conversion_id",
    "status",
    "hold_until",
    "retry",
    "hint",
    "flags",
];

/// Where an answer came from.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The server's database.
    pub database: &'a TestDatabase,
    /// Who reports.
    pub acme: &'a Acme,
}

impl Place<'_> {
    async fn counts(&self) -> (i64, i64) {
        let conversions = self.database.db_number("SELECT count(*) FROM conversions").await;
        (conversions, self.database.db_number("SELECT count(*) FROM postbacks").await)
    }
}

/// Ticks off the rows.
#[derive(Default)]
pub struct Judge {
    seen: BTreeSet<&'static str>,
}

impl Judge {
    /// Checks the answer to what is sent against the row of a situation, and ticks it off.
    pub async fn check(
        &mut self,
        place: Place<'_>,
        situation: &'static str,
        sent: impl Future<Output = Answer>,
    ) -> Answer {
        let row = ROWS.iter().find(|row| row.0 == situation);
        let (_, status, code, retry, leaves) = row.unwrap_or_else(|| panic!("{situation} is no row"));
        let before = place.counts().await;
        let answer = sent.await;
        let after = place.counts().await;
        let text = |name: &str| answer.body[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(
            (answer.status, text("code").as_str(), text("retry").as_str()),
            (*status, *code, *retry),
            "{situation}: {}",
            answer.text
        );
        check_body(situation, &answer);
        let made = match leaves {
            Conversion => (1, 1),
            Line | HiddenLine => (0, 1),
            Entry | Nothing => (0, 0),
        };
        assert_eq!((after.0 - before.0, after.1 - before.1), made, "{situation}: {}", answer.text);
        let is_named = matches!(leaves, Conversion | Line | Entry);
        assert_eq!(answer.body["postback_id"].is_string(), is_named, "{situation}: {}", answer.text);
        if matches!(leaves, Conversion | Line) {
            check_line(place.acme, situation, &answer).await;
        }
        assert!(self.seen.insert(situation), "{situation}: twice");
        answer
    }

    /// Says whether every row was ticked off.
    pub fn dismiss(self) {
        let missing: Vec<_> = ROWS.iter().filter(|row| !self.seen.contains(row.0)).collect();
        assert!(missing.is_empty(), "{missing:#?}");
        let mut by_code: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for row in ROWS {
            by_code.entry(row.2).or_default().insert((row.1, row.3));
        }
        assert!(by_code.values().all(|said| said.len() == 1), "a code has one status: {by_code:#?}");
    }
}

/// The body has all members; a refusal is a problem document too, and says what to do.
fn check_body(situation: &str, answer: &Answer) {
    let body = &answer.body;
    for name in MEMBERS {
        assert!(body.get(name).is_some(), "{situation}: no {name} in {}", answer.text);
    }
    assert!(body["message"].as_str().is_some_and(|text| !text.is_empty()), "{situation}: {}", answer.text);
    assert!(body["flags"].is_array(), "{situation}: {}", answer.text);
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{situation}");
    let is_refused = answer.status >= 400;
    assert_eq!(body["result"], if is_refused { "rejected" } else { "accepted" }, "{situation}");
    if !is_refused {
        assert_eq!(answer.header("content-type"), Some("application/json"), "{situation}");
        assert!(body.get("type").is_none() && !body["status"].is_number(), "{situation}: {}", answer.text);
        return;
    }
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{situation}");
    let code = body["code"].as_str().unwrap();
    let problem = (&body["type"], &body["status"], &body["detail"]);
    let wanted = (&json!(format!("/docs/outcomes#{code}")), &json!(answer.status), &body["message"]);
    assert_eq!(problem, wanted, "{situation}");
    for text in ["title", "hint", "request_id"] {
        assert!(body[text].as_str().is_some_and(|text| !text.is_empty()), "{situation}: {text} in {body:#}");
    }
    assert!(body["hold_until"].is_null() && body["flags"] == json!([]), "{situation}: {body:#}");
}

/// The line of the log says what was answered.
async fn check_line(acme: &Acme, situation: &str, answer: &Answer) {
    let body = &answer.body;
    let path = format!("/v1/postbacks/{}", body["postback_id"].as_str().unwrap());
    let line: Value = acme.agency.get(&path).await.expect(200);
    assert_eq!(
        (&line["code"], &line["http_status"], &line["answer"]["message"], &line["answer"]["flags"]),
        (&body["code"], &json!(answer.status), &body["message"], &body["flags"]),
        "{situation}: {line:#}"
    );
    let counted = answer.status < 300 && body["code"] != "validated";
    let conversion = if counted { body["conversion_id"].clone() } else { Value::Null };
    assert_eq!(counted, conversion.is_string(), "{situation}: {}", answer.text);
    if counted {
        assert_eq!(line["conversion_id"], conversion, "{situation}: {line:#}");
        let path = format!("/v1/conversions/{}", conversion.as_str().unwrap());
        let row = acme.agency.get(&path).await.expect(200);
        assert_eq!(row["status"], body["status"], "{situation}: {row:#}");
    }
}
