//! A postback as its sender means it: the report of a conversion, read from parameters.
//! Everything that can be said without the database is said here; what needs a goal or a click is `attribution`.

use serde_json::{Map, Value};

use super::{
    code::Code,
    conversion::ConversionStatus,
    currency::Currency,
    ids::{AdvertiserId, Id, PublisherId, Reference},
    masking,
    money::{self, Micros},
    parameters::{PARAMETERS, Parameters},
    personal_data::{is_dialled, is_phones, names_a_person},
    refusal::{FieldError, Refusal},
    text::ExternalId,
    time::Timestamp,
    words::words,
};

/// How far ahead of our clock an event may be, in seconds.
pub const FUTURE_TOLERANCE_SECONDS: i64 = 300;
const LONGEST_VALUE_BYTES: usize = 500;
/// The longest order id, in bytes.
pub const LONGEST_ORDER_ID_BYTES: usize = 128;
const LONGEST_METADATA_BYTES: usize = 8 * 1024;

words! {
    /// The form a postback came in.
    Form {
        /// `GET` with a query.
        Query = "query",
        /// `POST` with a form body.
        Form = "form",
        /// `POST` with a JSON object.
        Json = "json",
    }
}

words! {
    /// What a line of the log reports.
    About {
        /// A conversion.
        Conversion = "conversion",
        /// An adjustment of one.
        Adjustment = "adjustment",
    }
}

/// Whether a report is to be counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Intent {
    /// Count it.
    Count,
    /// Only say what would happen.
    Validate,
}

/// The report of one conversion.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    /// Whose conversion, when the key covers several advertisers.
    pub advertiser: Option<Reference<AdvertiserId>>,
    /// The goal's event name, byte for byte.
    pub goal: String,
    /// Transaction mode: the click id as it came.
    pub click_id: Option<String>,
    /// Customer mode.
    pub customer_id: Option<String>,
    /// Partner mode.
    pub publisher: Option<Reference<PublisherId>>,
    /// The advertiser's id of the sale.
    pub order_id: Option<String>,
    /// The amount.
    pub amount: Option<Micros>,
    /// Its currency.
    pub currency: Option<Currency>,
    /// The status that the advertiser asks for.
    pub status: Option<ConversionStatus>,
    /// When it happened; the time of receipt where the report does not say.
    pub event_time: Timestamp,
    /// What is only stored: `adv_sub1`.., `coupon`, `lead_id`, `email_sha256`, `metadata`.
    pub extras: Map<String, Value>,
    /// Whether to count it.
    pub intent: Intent,
    /// Parameters we do not know.
    pub unknown: Vec<String>,
}

impl Report {
    /// Reads a report. The code is that of the first kind of fault found; `errors` names every field that is wrong.
    pub fn parse(parameters: &Parameters, form: Form, received_at: Timestamp) -> Result<Self, Refusal> {
        let mut faults = Faults::default();
        faults.note(check_shapes(parameters, form));
        if faults.is_empty() {
            check_macros(parameters)?;
            check_personal_data(parameters, form)?;
        }
        faults.note(check_present(parameters));
        let report = Self {
            advertiser: faults.value(advertiser(parameters)),
            goal: parameters.text("goal").unwrap_or_default().to_owned(),
            click_id: owned(parameters, "click_id"),
            customer_id: owned(parameters, "customer_id"),
            publisher: faults.value(reference(parameters, "publisher_id")),
            order_id: owned(parameters, "order_id"),
            amount: faults.value(amount(parameters)),
            currency: faults.value(currency(parameters)),
            status: faults.value(status(parameters)),
            event_time: faults.value(event_time(parameters, received_at)).unwrap_or(received_at),
            extras: extras(parameters),
            intent: faults.value(intent(parameters)).unwrap_or(Intent::Validate),
            unknown: parameters.unknown.keys().cloned().collect(),
        };
        faults.finish()?;
        Ok(report)
    }
}

impl Report {
    /// A text that is only stored.
    pub fn extra(&self, name: &str) -> Option<&str> {
        self.extras.get(name).and_then(Value::as_str)
    }
}

/// The faults of a report, as they are found.
#[derive(Default)]
pub(super) struct Faults {
    /// Every field that cannot be read.
    unreadable: Vec<FieldError>,
    /// The faults that have codes of their own.
    others: Vec<Refusal>,
}

impl Faults {
    pub(super) fn is_empty(&self) -> bool {
        self.unreadable.is_empty() && self.others.is_empty()
    }

    pub(super) fn note(&mut self, outcome: Result<(), Refusal>) {
        match outcome {
            Ok(()) => {}
            Err(refusal) if refusal.code == Code::Malformed => add(&mut self.unreadable, refusal.errors),
            Err(refusal) => self.others.push(refusal),
        }
    }

    pub(super) fn value<T>(&mut self, outcome: Result<impl Into<Option<T>>, Refusal>) -> Option<T> {
        match outcome {
            Ok(value) => value.into(),
            Err(refusal) => {
                self.note(Err(refusal));
                None
            }
        }
    }

    pub(super) fn finish(self) -> Result<(), Refusal> {
        let Self { mut unreadable, others } = self;
        let mut others = others.into_iter();
        if !unreadable.is_empty() {
            others.for_each(|refusal| add(&mut unreadable, refusal.errors));
            return Err(Refusal::fields(Code::Malformed, unreadable));
        }
        let Some(mut first) = others.next() else { return Ok(()) };
        others.for_each(|refusal| add(&mut first.errors, refusal.errors));
        Err(first)
    }
}

/// Adds what is said of fields that nothing has been said of.
fn add(errors: &mut Vec<FieldError>, more: Vec<FieldError>) {
    let known: Vec<String> = errors.iter().map(|error| error.pointer.clone()).collect();
    errors.extend(more.into_iter().filter(|error| !known.contains(&error.pointer)));
}

pub(super) fn owned(parameters: &Parameters, name: &str) -> Option<String> {
    parameters.text(name).map(str::to_owned)
}

pub(super) fn refuse(code: Code, name: &str, detail: impl Into<String>) -> Refusal {
    Refusal::fields(code, vec![FieldError::new(name, detail)])
}

/// Types, lengths and characters: what no value may be, whatever it means.
pub(super) fn check_shapes(parameters: &Parameters, form: Form) -> Result<(), Refusal> {
    let errors: Vec<_> = parameters
        .iter()
        .filter_map(|(name, value)| {
            shape_error(name, value, form).map(|detail| FieldError::new(name, detail))
        })
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(Refusal::fields(Code::Malformed, errors)) }
}

fn shape_error(name: &str, value: &Value, form: Form) -> Option<String> {
    match (name, value) {
        ("email_sha256" | "metadata", _) if form == Form::Query => Some("is taken by POST only".into()),
        ("metadata", Value::Object(_)) => {
            let bytes = value.to_string().len();
            (bytes > LONGEST_METADATA_BYTES)
                .then(|| format!("is {bytes} bytes long; at most {LONGEST_METADATA_BYTES} are taken"))
                .or_else(|| has_nul(value).then(|| "contains NUL".into()))
        }
        ("metadata", _) if form == Form::Json => Some("must be an object".into()),
        ("event_time", Value::Number(number)) if number.is_i64() => None,
        ("event_time", Value::Number(_)) => Some("must be whole Unix seconds or RFC 3339".into()),
        ("validate_only", Value::Bool(_)) => None,
        // These have codes of their own.
        ("amount" | "currency", Value::Number(_)) => None,
        ("email_sha256", Value::String(text)) if !is_sha256(text) => {
            Some("must be the 64 hexadecimal digits of a SHA-256".into())
        }
        // How long it may be is said where it is read: it has a code of its own.
        ("click_id", Value::String(text)) if text.len() > LONGEST_VALUE_BYTES => None,
        (_, Value::String(text)) => text_error(name, text),
        _ => Some("must be a string".into()),
    }
}

/// What is wrong with a parameter's text, whatever it means.
pub fn text_error(name: &str, text: &str) -> Option<String> {
    let longest = if name == "order_id" { LONGEST_ORDER_ID_BYTES } else { LONGEST_VALUE_BYTES };
    if text.len() > longest {
        return Some(format!("is {} bytes long; at most {longest} are taken", text.len()));
    }
    text.chars().any(char::is_control).then(|| "contains control characters".into())
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Refuses a placeholder that the sending system did not fill in.
pub(super) fn check_macros(parameters: &Parameters) -> Result<(), Refusal> {
    let errors: Vec<_> = parameters
        .iter()
        .filter_map(|(name, value)| Some((name, value.as_str()?)))
        .filter_map(|(name, text)| placeholder_error(name, text))
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(Refusal::fields(Code::UnresolvedMacro, errors)) }
}

/// The shortest name that is no value when it stands in capitals.
const SHORTEST_NAME: usize = 4;

/// What is wrong with a value that is a placeholder.
pub(super) fn placeholder_error(name: &str, text: &str) -> Option<FieldError> {
    is_unfilled(name, text).then(|| FieldError::new(name, format!("`{text}` is a placeholder, not a value")))
}

/// Whether a placeholder stands in place of a parameter's value.
pub(super) fn is_unfilled(name: &str, text: &str) -> bool {
    // The codes of goals are in capitals too.
    is_placeholder(text) || (name != "goal" && is_name_in_capitals(text))
}

/// A placeholder may be no more than the parameter's own name, in capitals. What is shorter may as well be a value: `ET`
/// is a country.
fn is_name_in_capitals(text: &str) -> bool {
    let names = || PARAMETERS.iter().flat_map(|parameter| parameter.aliases.iter().chain([&parameter.name]));
    text.len() >= SHORTEST_NAME
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        && names().any(|name| name.eq_ignore_ascii_case(text))
}

fn is_placeholder(text: &str) -> bool {
    if !text.starts_with(['{', '$', '%', '[', '<', '#']) {
        return false;
    }
    let name = |inner: &str| {
        !inner.is_empty() && inner.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.!:".contains(&b))
    };
    [
        ("{{", "}}"),
        ("{", "}"),
        ("${", "}"),
        ("%", "%"),
        ("[[", "]]"),
        ("[", "]"),
        ("<", ">"),
        ("#", "#"),
        ("%%", "%%"),
    ]
    .iter()
    .any(|(open, close)| {
        text.strip_prefix(open)
            .and_then(|rest| rest.strip_suffix(close))
            .is_some_and(|inner| name(inner.trim()))
    })
}

/// A URL is kept by every proxy and log on its way: no e-mail address and no phone number may be in it.
fn check_personal_data(parameters: &Parameters, form: Form) -> Result<(), Refusal> {
    let unknown = parameters.unknown.iter().map(|(name, value)| (name.as_str(), value));
    let known = parameters.iter().map(|(name, value)| -> (&str, &Value) { (name, value) });
    let errors: Vec<_> = known
        .chain(unknown)
        .filter(|(name, _)| form == Form::Query || *name == "customer_id")
        .filter(|(name, value)| {
            let is_personal = |text| names_a_person(text) || (is_phones(name) && is_dialled(text));
            names_a_person(name) || value.as_str().is_some_and(is_personal)
        })
        .map(|(name, _)| {
            let name = masking::short(name);
            FieldError::new(&*name, "looks like an e-mail address or a phone number; send a hash")
        })
        .collect();
    match (errors.is_empty(), form) {
        (true, _) => Ok(()),
        (false, Form::Query) => Err(Refusal::fields(Code::PiiInUrl, errors)),
        (false, _) => Err(Refusal::fields(Code::Malformed, errors)),
    }
}

/// What is said to a report that names nothing to match it by.
pub const SUBJECT_NEEDED: &str = "is needed: the id that came with the landing URL; or, where the goal allows it, \
                                  `customer_id` or `publisher_id` with `order_id`";

fn check_present(parameters: &Parameters) -> Result<(), Refusal> {
    let mut errors = Vec::new();
    if parameters.text("goal").is_none() {
        errors.push(FieldError::new("goal", "is needed: the goal's event name"));
    }
    if ["click_id", "customer_id", "publisher_id"].iter().all(|name| parameters.text(name).is_none()) {
        errors.push(FieldError::new("click_id", SUBJECT_NEEDED));
    }
    if errors.is_empty() { Ok(()) } else { Err(Refusal::fields(Code::Malformed, errors)) }
}

/// An id, or the partner's own id of the same thing, with or without `ext:`.
pub(super) fn reference<I: Id>(parameters: &Parameters, name: &str) -> Result<Option<Reference<I>>, Refusal> {
    let Some(text) = parameters.text(name) else { return Ok(None) };
    let own = || ExternalId::parse(text).map(|own| Reference::External(own.as_str().to_owned()));
    Reference::parse(text)
        .or_else(|_| own())
        .map(Some)
        .map_err(|detail| refuse(Code::Malformed, name, detail))
}

/// The advertiser that a report names.
pub fn advertiser(parameters: &Parameters) -> Result<Option<Reference<AdvertiserId>>, Refusal> {
    reference(parameters, "advertiser")
}

pub(super) fn amount(parameters: &Parameters) -> Result<Option<Micros>, Refusal> {
    if let Some(Value::Number(number)) = parameters.get("amount") {
        let detail = format!("must be a string, so that no digit is lost: \"{number}\"");
        return Err(refuse(Code::AmountInvalid, "amount", detail));
    }
    let parsed = parameters.text("amount").map(money::parse_decimal).transpose();
    parsed.map_err(|error| refuse(Code::AmountInvalid, "amount", error.to_string()))
}

pub(super) fn currency(parameters: &Parameters) -> Result<Option<Currency>, Refusal> {
    let text = match parameters.get("currency") {
        None => return Ok(None),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    Currency::parse(&text).map(Some).ok_or_else(|| {
        refuse(Code::CurrencyInvalid, "currency", format!("`{text}` is not an ISO 4217 code such as EUR"))
    })
}

fn status(parameters: &Parameters) -> Result<Option<ConversionStatus>, Refusal> {
    let Some(text) = parameters.text("status") else { return Ok(None) };
    match ConversionStatus::parse(text) {
        Some(
            status @ (ConversionStatus::Approved | ConversionStatus::Pending | ConversionStatus::Rejected),
        ) => Ok(Some(status)),
        _ => Err(refuse(
            Code::Malformed,
            "status",
            format!("`{text}` is not one of approved, pending, rejected"),
        )),
    }
}

fn event_time(parameters: &Parameters, received_at: Timestamp) -> Result<Timestamp, Refusal> {
    let text = match parameters.get("event_time") {
        None => return Ok(received_at),
        Some(Value::String(text)) => text.clone(),
        Some(number) => number.to_string(),
    };
    let time = parse_event_time(&text)?;
    let ahead = time.seconds() - received_at.seconds();
    if ahead <= FUTURE_TOLERANCE_SECONDS {
        return Ok(time);
    }
    let detail = format!("{time} is {ahead} seconds ahead of the server's clock");
    Err(refuse(Code::EventInFuture, "event_time", detail).fact("server_time", received_at.to_string()))
}

fn parse_event_time(text: &str) -> Result<Timestamp, Refusal> {
    let digits = text.len() <= 13 && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<i64>() {
        Ok(_) if digits && text.len() == 13 => {
            let detail = format!("`{text}` has 13 digits: these are milliseconds, seconds have 10");
            Err(refuse(Code::TimestampInMilliseconds, "event_time", detail))
        }
        Ok(seconds) if digits && text.len() <= 10 => Ok(Timestamp::from_seconds(seconds)),
        _ => Timestamp::parse(text).ok_or_else(|| {
            refuse(
                Code::Malformed,
                "event_time",
                "is neither RFC 3339 (2026-01-31T12:00:00Z) nor Unix seconds",
            )
        }),
    }
}

fn extras(parameters: &Parameters) -> Map<String, Value> {
    const STORED: [&str; 9] = [
        "adv_sub1",
        "adv_sub2",
        "adv_sub3",
        "adv_sub4",
        "adv_sub5",
        "coupon",
        "lead_id",
        "email_sha256",
        "metadata",
    ];
    STORED.iter().filter_map(|name| Some(((*name).to_owned(), parameters.get(name)?.clone()))).collect()
}

/// Whether the report is to be counted, as its parameters say.
pub fn intent(parameters: &Parameters) -> Result<Intent, Refusal> {
    match parameters.get("validate_only") {
        None | Some(Value::Bool(false)) => Ok(Intent::Count),
        Some(Value::Bool(true)) => Ok(Intent::Validate),
        Some(value) => match value.as_str() {
            Some("true" | "1") => Ok(Intent::Validate),
            Some("false" | "0") => Ok(Intent::Count),
            _ => Err(refuse(Code::Malformed, "validate_only", "is neither true nor false")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

    fn read(query: &str) -> Result<Report, Code> {
        let parameters = Parameters::from_urlencoded(query).map_err(|refusal| refusal.code)?;
        Report::parse(&parameters, Form::Query, NOW).map_err(|refusal| refusal.code)
    }

    fn read_json(body: &str) -> Result<Report, Code> {
        let parameters = Parameters::from_json(body.as_bytes()).map_err(|refusal| refusal.code)?;
        Report::parse(&parameters, Form::Json, NOW).map_err(|refusal| refusal.code)
    }

    #[test]
    fn every_form_says_the_same() {
        let query =
            read("goal=sale&click_id=abc&amount=49.90&currency=EUR&event_time=1789999999&coupon=X").unwrap();
        let json = read_json(
            r#"{"goal":"sale","click_id":"abc","amount":"49.90","currency":"EUR","event_time":1789999999,"coupon":"X"}"#,
        )
        .unwrap();
        assert_eq!(query, json);
        assert_eq!(query.amount, Some(Micros(49_900_000)));
        assert_eq!(query.event_time, Timestamp::from_seconds(1_789_999_999));
    }

    #[test]
    fn each_fault_has_its_code() {
        for (query, code) in [
            ("click_id=abc", Code::Malformed),
            ("goal=sale", Code::Malformed),
            ("goal=sale&click_id=a%00b", Code::Malformed),
            ("goal=sale&click_id={click_id}", Code::UnresolvedMacro),
            ("goal=sale&click_id=%25TID%25", Code::UnresolvedMacro),
            ("goal=sale&click_id=TRANSACTION_ID", Code::UnresolvedMacro),
            ("goal=sale&click_id=abc&amount=%7Bpayout%7D", Code::UnresolvedMacro),
            ("goal=sale&click_id=abc&adv_sub1=jane@example.com", Code::PiiInUrl),
            ("goal=sale&click_id=abc&adv_sub1=%2B4915112345678", Code::PiiInUrl),
            ("goal=sale&click_id=abc&phone=0151%201234-5678", Code::PiiInUrl),
            ("goal=sale&click_id=abc&email_sha256=x", Code::Malformed),
            ("goal=sale&click_id=abc&amount=1,5&currency=EUR", Code::AmountInvalid),
            ("goal=sale&click_id=abc&amount=1.5&currency=eur", Code::CurrencyInvalid),
            ("goal=sale&click_id=abc&event_time=1790000000000", Code::TimestampInMilliseconds),
            ("goal=sale&click_id=abc&event_time=1790000301", Code::EventInFuture),
            ("goal=sale&click_id=abc&event_time=yesterday", Code::Malformed),
            ("goal=sale&click_id=abc&status=reversed", Code::Malformed),
            ("goal=sale&click_id=abc&validate_only=maybe", Code::Malformed),
        ] {
            assert_eq!(read(query).err(), Some(code), "{query}");
        }
    }

    #[test]
    fn every_wrong_field_is_named_whatever_its_code() {
        for (query, code, names) in [
            (
                "goal=sale&click_id=abc&amount=x&currency=eur&event_time=1790000000000",
                Code::AmountInvalid,
                &["amount", "currency", "event_time"][..],
            ),
            ("goal=sale&click_id=abc&amount=x&status=paid", Code::Malformed, &["status", "amount"]),
        ] {
            let parameters = Parameters::from_urlencoded(query).unwrap();
            let refusal = Report::parse(&parameters, Form::Query, NOW).unwrap_err();
            let named: Vec<_> = refusal.errors.iter().map(|error| error.pointer.as_str()).collect();
            assert_eq!((refusal.code, &named[..]), (code, names), "{query}");
        }
    }

    #[test]
    fn an_amount_must_be_text_in_json() {
        for amount in ["49.9", "49", "-1", "1e308"] {
            let body = format!(r#"{{"goal":"sale","click_id":"abc","amount":{amount},"currency":"EUR"}}"#);
            assert_eq!(read_json(&body).err(), Some(Code::AmountInvalid), "{amount}");
        }
        let body = r#"{"goal":"sale","click_id":"abc","amount":"1","currency":978}"#;
        assert_eq!(read_json(body).err(), Some(Code::CurrencyInvalid));
    }

    #[test]
    fn a_customer_is_never_an_email_address() {
        let body = r#"{"goal":"sale","customer_id":"jane@example.com"}"#;
        assert_eq!(read_json(body).err(), Some(Code::Malformed));
    }

    #[test]
    fn ordinary_values_are_not_taken_for_placeholders_or_people() {
        let report =
            read("goal=ORDER_ID&click_id=abc&order_id=4915112345678&coupon=50%25&adv_sub1=a@b").unwrap();
        assert_eq!(report.goal, "ORDER_ID");
        assert_eq!(report.order_id.as_deref(), Some("4915112345678"));
    }
}
