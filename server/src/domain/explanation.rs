//! Why a postback came to what it came to: each check in the fixed order, with what was asked for and what was found.
//! It is made from the line of the log alone, and so says what the decision knew, not what is known now.

mod adjustments;

use serde_json::{Map, Value};

use super::{
    code::Code,
    conversion::MatchMode,
    currency::Currency,
    goal::Counting,
    goal_caps::Cap,
    ids::{AdvertiserId, ConversionId, KeyId},
    money,
    postback::{About, Form},
    setup::Status,
    signature::TOLERANCE_SECONDS,
    time::Timestamp,
    trace::{CapSeen, Check, GoalSeen, Trace},
    words::words,
};

words! {
    /// How a check ended.
    Passed {
        /// It holds.
        Passed = "passed",
        /// It does not: this is why.
        Failed = "failed",
        /// The decision did not come to it.
        NotReached = "not_reached",
    }
}

/// The checks of a conversion's report, in their order.
const OF_REPORTS: [Check; 12] = [
    Check::Transport,
    Check::SizeAndType,
    Check::Authenticate,
    Check::RateLimit,
    Check::Parse,
    Check::Parameters,
    Check::Goal,
    Check::Source,
    Check::Windows,
    Check::Duplicates,
    Check::CapsAndFlags,
    Check::Write,
];

/// A line of the log, as far as it explains itself.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// What it reports.
    pub about: About,
    /// The form it came in.
    pub form: Form,
    /// Whether it came in a batch.
    pub in_batch: bool,
    /// When it came.
    pub received_at: Timestamp,
    /// The key it named.
    pub key_id: Option<KeyId>,
    /// The advertiser.
    pub advertiser_id: Option<AdvertiserId>,
    /// The conversion: the new one, or the first one.
    pub conversion_id: Option<ConversionId>,
    /// What enforcing the signature would have answered.
    pub not_enforced: Option<&'a str>,
    /// The outcome.
    pub code: &'a str,
    /// What came.
    pub request: &'a Map<String, Value>,
    /// What was answered.
    pub answer: &'a Map<String, Value>,
    /// What the decision knew.
    pub trace: &'a Trace,
}

/// What is said of one check.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The check.
    pub check: Check,
    /// How it ended.
    pub outcome: Passed,
    /// What it asks for.
    pub rule: String,
    /// What was found; none where it was not reached.
    pub found: Option<String>,
}

/// Every check, in the fixed order; none for a line that keeps no trace of a decision.
pub fn explain(line: &Line<'_>) -> Vec<Finding> {
    let Some(ended_at) = line.trace.ended_at else { return Vec::new() };
    let finding = |check: Check| {
        let outcome = line.outcome(check, ended_at);
        let found = match outcome {
            Passed::NotReached => None,
            outcome => line.found(check, outcome),
        };
        Finding { check, outcome, rule: line.rule(check), found }
    };
    let checks = match line.about {
        About::Conversion => OF_REPORTS.as_slice(),
        About::Adjustment => adjustments::CHECKS.as_slice(),
    };
    checks.iter().copied().map(finding).collect()
}

impl Line<'_> {
    fn outcome(&self, check: Check, ended_at: Check) -> Passed {
        let is_repeated = self.decided() == Some(Code::Duplicate.as_str());
        match check {
            // What is counted stays counted, however old it is by now.
            Check::Windows if is_repeated => Passed::NotReached,
            // While the database is away the goal is not known, and a click id that is not ours is.
            Check::Goal if ended_at == Check::Source && self.trace.goal.is_none() => Passed::NotReached,
            Check::Amount if !self.is_restatement() => Passed::NotReached,
            Check::CapsAndFlags if self.decided() == Some(Code::AcceptedPending.as_str()) => Passed::Failed,
            Check::Write if ended_at == Check::Write && self.is_dry_run() => Passed::NotReached,
            Check::Write if ended_at == Check::Write => Passed::Passed,
            _ if check < ended_at => Passed::Passed,
            _ if check == ended_at => Passed::Failed,
            _ => Passed::NotReached,
        }
    }

    /// The code that a decision came to, also where nothing was to be counted.
    fn decided(&self) -> Option<&str> {
        if self.is_dry_run() { self.answer.get("would_be")?.as_str() } else { Some(self.code) }
    }

    fn is_dry_run(&self) -> bool {
        self.code == Code::Validated.as_str()
    }

    fn rule(&self, check: Check) -> String {
        match check {
            Check::Transport => "HTTPS, or plain HTTP from loopback or through a trusted proxy".to_owned(),
            Check::SizeAndType => self.size_and_type().to_owned(),
            Check::RateLimit => {
                "the reports of a partner in a minute, if the operator has set a limit".to_owned()
            }
            Check::Parse => match self.form {
                Form::Json => "a JSON object in UTF-8, no name twice".to_owned(),
                Form::Query | Form::Form => {
                    "names and values in UTF-8, percent-encoded, no name twice".to_owned()
                }
            },
            _ if self.about == About::Adjustment => self.adjustment_rule(check),
            Check::Authenticate => format!(
                "a signature of the key that is named, or its token, from an address and with the scopes that the \
                 key has; a signature's time at most {TOLERANCE_SECONDS} s from the server's"
            ),
            Check::Parameters => {
                "values that can be read, no placeholders, no personal data in a URL".to_owned()
            }
            Check::Goal => self.goal_rule(),
            Check::Source => self.source_rule(),
            Check::Windows => self.windows_rule(),
            Check::Duplicates => match self.trace.goal.as_ref().map(|goal| goal.counting) {
                Some(Counting::Once) => {
                    "once per click; once per order where there is no click id".to_owned()
                }
                Some(Counting::PerOrder) => "once per order".to_owned(),
                None => "once per click or order".to_owned(),
            },
            Check::CapsAndFlags if self.trace.caps.is_empty() => "no flag that needs a decision".to_owned(),
            Check::CapsAndFlags => {
                format!(
                    "{}; no flag that needs a decision",
                    self.caps(|cap| format!("cap {}", self.sum(cap, cap.most)))
                )
            }
            _ => "the conversion is committed with its line of the log".to_owned(),
        }
    }

    fn found(&self, check: Check, outcome: Passed) -> Option<String> {
        let message = || self.text("message").map(str::to_owned);
        match (check, outcome) {
            (Check::Transport, _) => self.trace.origin.ip.map(|ip| format!("from {ip}")),
            (Check::SizeAndType, _) => Some(format!("{} bytes", self.trace.origin.bytes)),
            (Check::Target | Check::Duplicates | Check::Transition | Check::Amount, outcome)
                if self.about == About::Adjustment =>
            {
                self.adjustment_found(check, outcome)
            }
            (Check::Windows, _) => self.ages(),
            (Check::Duplicates, _) => self.duplicate(outcome),
            (Check::CapsAndFlags, _) if self.trace.ended_at == Some(Check::Write) => Some(self.counted()),
            (_, Passed::Failed) => message(),
            (Check::Authenticate, _) => Some(self.proof()),
            (Check::Parameters, _) => Some(list(self.request.keys().map(String::as_str))),
            (Check::Goal, _) => Some(self.reported()),
            (Check::Source, _) => self.source(),
            (Check::Write, _) => {
                Some(format!("{}, `{}`", self.conversion_id?, self.text("status").unwrap_or_default()))
            }
            _ => None,
        }
    }

    fn size_and_type(&self) -> &'static str {
        match (self.form, self.in_batch) {
            (_, true) => "at most 1 MiB and 1,000 items, as `application/json` or `application/x-ndjson`",
            (Form::Query, _) => "path and query in at most 32 KiB",
            (Form::Form, _) => "at most 64 KiB, as `application/x-www-form-urlencoded`",
            (Form::Json, _) => "at most 64 KiB, as `application/json`",
        }
    }

    fn proof(&self) -> String {
        let key = self.key_id.map(|key| format!(" {key}")).unwrap_or_default();
        if let Some(code) = self.not_enforced {
            return format!("`{code}` for the key{key}, which is not enforced: the advertiser only observes");
        }
        let signed_at = self.trace.origin.timestamp.as_ref().and_then(|text| text.parse().ok());
        match signed_at.map(|seconds: i64| self.received_at.seconds() - seconds) {
            Some(age @ 0..) => format!("a signature of the key{key}, {age} s old"),
            Some(age) => format!("a signature of the key{key}, {} s ahead of the server's clock", -age),
            None => format!("the token of the key{key}"),
        }
    }

    fn goal_rule(&self) -> String {
        let whose = self.advertiser_id.map(|id| format!(" of {id}")).unwrap_or_default();
        let Some(goal) = &self.trace.goal else {
            return format!("the event name of a goal{whose}, byte for byte");
        };
        let GoalSeen { counting, modes, currency, needs_amount, .. } = goal;
        let modes = list(modes.iter().map(|mode| parameter(*mode)));
        let mut rule =
            format!("goal `{}`{whose}, active, matched by {modes}, counts `{counting}`", self.sent("goal"));
        if *counting == Counting::PerOrder {
            rule += ", needs `order_id`";
        }
        if *needs_amount {
            rule += ", needs `amount`";
        }
        if let Some(currency) = currency {
            rule += &format!(", in {currency}");
        }
        rule
    }

    /// What the report says that a goal looks at.
    fn reported(&self) -> String {
        let paused = self.trace.goal.as_ref().filter(|goal| goal.status != Status::Active);
        let standing = paused.map(|goal| format!(", {} by then", goal.status)).unwrap_or_default();
        let mut found = format!("`{}`{standing}, matched by {}", self.sent("goal"), parameter(self.mode()));
        if self.request.contains_key("order_id") {
            found += &format!(", order `{}`", self.sent("order_id"));
        }
        if self.request.contains_key("amount") {
            found += &format!(", amount {} {}", self.sent("amount"), self.sent("currency"));
        }
        found
    }

    fn mode(&self) -> MatchMode {
        match (self.request.contains_key("click_id"), self.request.contains_key("customer_id")) {
            (true, _) => MatchMode::Transaction,
            (false, true) => MatchMode::Customer,
            (false, false) => MatchMode::Partner,
        }
    }

    fn source_rule(&self) -> String {
        let whose =
            self.advertiser_id.map(|id| id.to_string()).unwrap_or_else(|| "the advertiser".to_owned());
        let mut rule = match self.mode() {
            MatchMode::Transaction => format!("a genuine click id, of a link of {whose}"),
            MatchMode::Customer => format!("a customer that an earlier report to {whose} bound to a click"),
            MatchMode::Partner => format!("a publisher in use that works for {whose}"),
        };
        if let Some(campaigns @ 1..) = self.trace.goal.as_ref().map(|goal| goal.campaigns) {
            rule += &format!(", of one of the goal's {campaigns} campaigns");
        }
        rule
    }

    fn source(&self) -> Option<String> {
        let Some(touch) = &self.trace.touch else { return Some(format!("`{}`", self.sent("publisher_id"))) };
        let class = touch.class.map_or("its row is not there".to_owned(), |class| format!("`{class}`"));
        Some(format!("the {} of {}, {class}, campaign {}", touch.touch, touch.at, touch.campaign))
    }

    fn windows_rule(&self) -> String {
        let window = self.trace.touch.as_ref().map(|touch| format!("window {}", span(touch.window)));
        let delay =
            self.trace.goal.as_ref().map(|goal| format!("reported within {} of the event", span(goal.delay)));
        let rules: Vec<String> = window.into_iter().chain(delay).collect();
        if rules.is_empty() { "the goal's window and reporting delay".to_owned() } else { rules.join(", ") }
    }

    fn ages(&self) -> Option<String> {
        let event = self.event_time()?;
        let touch = self.trace.touch.as_ref();
        let age = touch.map(|touch| format!("age {}, ", span(event.seconds() - touch.at.seconds())));
        let delay = span(self.received_at.seconds_since(event));
        Some(format!("{}reported {delay} after the event", age.unwrap_or_default()))
    }

    /// When the event was, as the report says it; else when the report came.
    fn event_time(&self) -> Option<Timestamp> {
        let text = match self.request.get("event_time") {
            None => return Some(self.received_at),
            Some(Value::String(text)) => text.clone(),
            Some(number) => number.to_string(),
        };
        Timestamp::parse(&text).or_else(|| text.parse().ok().map(Timestamp::from_seconds))
    }

    fn duplicate(&self, outcome: Passed) -> Option<String> {
        match (outcome, self.trace.earlier) {
            (Passed::Failed, Some(first)) => {
                Some(format!("counted before as {first}. {}", self.text("message").unwrap_or_default()))
            }
            _ => Some("not counted before".to_owned()),
        }
    }

    /// What the goal had taken, and the flags.
    fn counted(&self) -> String {
        let flags = self.answer.get("flags").and_then(Value::as_array);
        let flags: Vec<&str> = flags.into_iter().flatten().filter_map(Value::as_str).collect();
        let flags = if flags.is_empty() { "no flags".to_owned() } else { format!("flags {}", list(flags)) };
        if self.trace.caps.is_empty() {
            return flags;
        }
        format!("{}; {flags}", self.caps(|cap| format!("{} taken", self.sum(cap, cap.taken))))
    }

    fn caps(&self, say: impl Fn(&CapSeen) -> String) -> String {
        let caps: Vec<String> =
            self.trace.caps.iter().map(|cap| format!("{} ({})", say(cap), cap.cap)).collect();
        caps.join(", ")
    }

    /// A number of conversions, or a sum.
    fn sum(&self, seen: &CapSeen, number: i64) -> String {
        match (seen.cap, self.trace.goal.as_ref().and_then(|goal| goal.currency)) {
            (Cap::ConversionsPerDay | Cap::ConversionsPerMonth | Cap::ConversionsTotal, _) => {
                number.to_string()
            }
            (_, Some(currency)) => money_in(number, currency),
            (_, None) => format!("{}.{:06}", number / 1_000_000, number % 1_000_000),
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.answer.get(name).and_then(Value::as_str)
    }

    fn sent(&self, name: &str) -> &str {
        self.request.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

fn money_in(micros: i64, currency: Currency) -> String {
    format!("{} {currency}", money::sum_to_decimal(micros.into(), currency))
}

fn parameter(mode: MatchMode) -> &'static str {
    match mode {
        MatchMode::Transaction => "click_id",
        MatchMode::Customer => "customer_id",
        MatchMode::Partner => "publisher_id",
    }
}

fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// A time span in its two largest units.
fn span(seconds: i64) -> String {
    let sign = if seconds < 0 { "-" } else { "" };
    let seconds = seconds.unsigned_abs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut rest = seconds;
    let parts = units.map(|(length, unit)| {
        let count = rest / length;
        rest %= length;
        (count, unit)
    });
    let largest = parts.iter().position(|(count, _)| *count > 0).unwrap_or(parts.len() - 1);
    let said: Vec<String> = parts
        .iter()
        .skip(largest)
        .take(2)
        .filter(|(count, _)| *count > 0 || seconds == 0)
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect();
    format!("{sign}{}", said.join(" "))
}

#[cfg(test)]
#[path = "explanation_tests.rs"]
mod tests;
