//! The parameters of a postback, whatever form they came in: one table of names and aliases, one reading.
//! What the values mean is `postback`'s matter.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, btree_map::Entry},
    sync::LazyLock,
};

use percent_encoding::percent_decode_str;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, value::RawValue};
use serde_path_to_error::{Path, Segment};

use super::{
    code::Code,
    refusal::{FieldError, Refusal, escaped},
};

/// A parameter's canonical name, and the other names it is read from.
pub struct Parameter {
    /// The name in our documentation.
    pub name: &'static str,
    /// What the systems of the trade call it.
    pub aliases: &'static [&'static str],
}

const fn parameter(name: &'static str, aliases: &'static [&'static str]) -> Parameter {
    Parameter { name, aliases }
}

/// Every parameter a postback may carry.
pub const PARAMETERS: &[Parameter] = &[
    parameter("advertiser", &[]),
    parameter("goal", &["event", "et", "goal_ref"]),
    parameter("click_id", &["kcid", "transaction_id", "tid", "cid", "clickid", "subid"]),
    parameter("customer_id", &[]),
    parameter("publisher_id", &["partner_id", "aff_id", "pid"]),
    parameter("order_id", &["txid", "action_id", "invoice_id"]),
    parameter("amount", &[]),
    parameter("currency", &[]),
    parameter("status", &[]),
    parameter("event_time", &[]),
    parameter("adv_sub1", &[]),
    parameter("adv_sub2", &[]),
    parameter("adv_sub3", &[]),
    parameter("adv_sub4", &[]),
    parameter("adv_sub5", &[]),
    parameter("coupon", &[]),
    parameter("lead_id", &[]),
    parameter("email_sha256", &[]),
    parameter("metadata", &[]),
    parameter("validate_only", &[]),
    parameter("format", &[]),
];

/// Parameters that say who sent a query or a form; they say nothing about the conversion, and are never kept.
const CREDENTIALS: [&str; 4] = ["key_id", "ts", "sig", "token"];
/// Parameters that have codes of their own for a number.
const MONEY: [&str; 2] = ["amount", "currency"];
/// As many parameters as most reports have at most.
const MOST_USUAL: usize = 8;
/// The most that is kept of a number that is out of range, in digits: no such amount is taken.
const MOST_DIGITS: usize = 32;

/// The parameters of one postback under their canonical names, each at most once, none empty.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Parameters {
    /// A few, in the order of their names.
    values: Vec<(&'static str, Value)>,
    /// What means nothing to us, by name. It is ignored, and the answer says so.
    pub unknown: BTreeMap<String, Value>,
}

impl Parameters {
    /// Reads a query or a form body: `a=1&b=2`, percent-decoded once, `+` is a space. What is a placeholder in percent
    /// signs, such as `%ADID%`, stays as it is where it does not decode to text.
    pub fn from_urlencoded(text: &str) -> Result<Self, Refusal> {
        let mut pairs = Vec::new();
        let mut errors = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match (decode(name), decode(value).or_else(|| placeholder(value).map(Cow::Borrowed))) {
                (Some(name), Some(value)) => pairs.push((Name::of(&name), Value::String(value.into_owned()))),
                _ => errors.push(FieldError::new(name, "is not UTF-8 after percent-decoding")),
            }
        }
        Self::from_pairs(pairs, errors)
    }

    /// Reads a JSON object. A key that stands twice is an error, never "the last one wins".
    pub fn from_json(body: &[u8]) -> Result<Self, Refusal> {
        check_encoding(body)?;
        let Pairs(pairs) = serde_json::from_slice(body).map_err(|error| unreadable(body, &error))?;
        Self::from_pairs(pairs, Vec::new())
    }

    /// No name may stand twice, and of the names of one parameter only one may have a value.
    fn from_pairs(pairs: Vec<(Name, Value)>, mut errors: Vec<FieldError>) -> Result<Self, Refusal> {
        // Every name of ours stands here once at most, and there are a few dozen.
        let (mut seen, mut filled) = (Vec::with_capacity(MOST_USUAL), Vec::with_capacity(MOST_USUAL));
        let mut parameters = Self { values: Vec::with_capacity(MOST_USUAL), unknown: BTreeMap::new() };
        let twice = |name: String| FieldError::new(name, "stands twice; send it once");
        for (name, value) in pairs {
            match name {
                Name::Known(written, _) if seen.contains(&written) => errors.push(twice(written.to_owned())),
                Name::Known(written, canonical) => {
                    seen.push(written);
                    let Some(canonical) = canonical.filter(|_| !is_absent(&value)) else { continue };
                    match parameters.place(canonical) {
                        Err(place) => {
                            parameters.values.insert(place, (canonical, value));
                            filled.push((canonical, written));
                        }
                        Ok(_) => {
                            let first = filled.iter().find(|(name, _)| *name == canonical);
                            let first = first.map_or(canonical, |(_, written)| written);
                            let detail = format!("means the same as {first}; send it once");
                            errors.push(FieldError::new(written, detail));
                        }
                    }
                }
                Name::Other(name) => match parameters.unknown.entry(name) {
                    Entry::Vacant(place) => drop(place.insert(value)),
                    Entry::Occupied(first) => errors.push(twice(first.key().clone())),
                },
            }
        }
        if errors.is_empty() { Ok(parameters) } else { Err(Refusal::fields(Code::Malformed, errors)) }
    }

    /// The parameters that the log holds.
    pub fn from_document(document: Map<String, Value>) -> Self {
        let mut parameters = Self::default();
        for (name, value) in document {
            let Name::Known(_, Some(canonical)) = Name::of(&name) else { continue };
            match parameters.place(canonical) {
                Ok(place) => parameters.values[place].1 = value,
                Err(place) => parameters.values.insert(place, (canonical, value)),
            }
        }
        parameters
    }

    /// Where a value is, or where it belongs.
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.values.binary_search_by_key(&name, |(known, _)| known)
    }

    /// The value under a canonical name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        // They are few, and most differ in length.
        self.values.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The value under a canonical name, when it is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// Every value with its canonical name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.values.iter().map(|(name, value)| (*name, value))
    }
}

/// The first value under a name, as it travels: for what is written the same when it is percent-encoded.
pub fn raw_value<'a>(urlencoded: &'a str, name: &str) -> Option<&'a str> {
    urlencoded.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.bytes().any(|byte| matches!(byte, b'+' | b'%')) {
        return Some(Cow::Borrowed(text));
    }
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(|text| Cow::Owned(text.into_owned()))
}

/// A placeholder in percent signs, which looks as if it were encoded.
fn placeholder(value: &str) -> Option<&str> {
    let name = value.strip_prefix('%')?.strip_suffix('%')?;
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    is_name.then_some(value)
}

/// A name as it came.
#[derive(Clone)]
enum Name {
    /// One of ours as it is written, and the canonical one; none: it says who sent it.
    Known(&'static str, Option<&'static str>),
    /// Any other.
    Other(String),
}

/// Every name that means something.
static NAMES: LazyLock<HashMap<&str, Name, foldhash::fast::RandomState>> = LazyLock::new(|| {
    let of_one = |parameter: &'static Parameter| {
        let names = parameter.aliases.iter().chain([&parameter.name]);
        names.map(|written| (*written, Name::Known(written, Some(parameter.name))))
    };
    let credentials = CREDENTIALS.iter().map(|written| (*written, Name::Known(written, None)));
    PARAMETERS.iter().flat_map(of_one).chain(credentials).collect()
});

impl Name {
    fn of(name: &str) -> Self {
        NAMES.get(name).cloned().unwrap_or_else(|| Self::Other(name.to_owned()))
    }

    fn is_moneys(&self) -> bool {
        matches!(self, Self::Known(name, _) if MONEY.contains(name))
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Name;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a name")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Name, E> {
                Ok(Name::of(text))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// A parameter that is present but empty counts as absent.
fn is_absent(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("")
}

/// Names the encodings that are mistaken for UTF-8.
fn check_encoding(body: &[u8]) -> Result<(), Refusal> {
    let problem = match body {
        [0xef, 0xbb, 0xbf, ..] => "begins with a byte order mark; send UTF-8 without one",
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, b'{', ..] | [b'{', 0, ..] => "is in UTF-16; send UTF-8",
        _ => return Ok(()),
    };
    Err(Refusal::new(Code::Malformed, format!("The body {problem}.")))
}

/// The members of a JSON object in their order, repeated ones included.
struct Pairs(Vec<(Name, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Pairs;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::with_capacity(MOST_USUAL);
                while let Some(name) = map.next_key::<Name>()? {
                    let value = if name.is_moneys() {
                        map.next_value::<Money>()?.0
                    } else {
                        map.next_value::<Unambiguous>()?.0
                    };
                    pairs.push((name, value));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// A sum or a currency. A number that is out of range, such as `1e400`, stays a text: as neither it is ever taken.
struct Money(Value);

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        let is_number = raw.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        match serde_json::from_str(raw) {
            Err(_) if is_number => Ok(Self(raw.chars().take(MOST_DIGITS).collect::<String>().into())),
            read => read.map(Self).map_err(D::Error::custom),
        }
    }
}

/// What an object is that has a name twice, in an error.
const TWICE: &str = "an object has the name";

/// A value whose objects have no name twice.
struct Unambiguous(Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Value;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON value")
            }
            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(value.into())
            }
            fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
                Ok(value.into())
            }
            fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
                Ok(value.into())
            }
            fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
                Ok(value.into())
            }
            fn visit_str<E>(self, value: &str) -> Result<Value, E> {
                Ok(value.into())
            }
            fn visit_string<E>(self, value: String) -> Result<Value, E> {
                Ok(value.into())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
                let mut values = Vec::new();
                while let Some(Unambiguous(value)) = items.next_element()? {
                    values.push(value);
                }
                Ok(values.into())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
                let mut values = Map::new();
                while let Some((name, Unambiguous(value))) = members.next_entry::<String, _>()? {
                    if values.contains_key(&name) {
                        return Err(A::Error::custom(format!("{TWICE} `{name}` twice")));
                    }
                    values.insert(name, value);
                }
                Ok(values.into())
            }
        }
        deserializer.deserialize_any(Any).map(Self)
    }
}

/// A JSON Pointer (RFC 6901) to where a parser stands.
fn pointer(path: &Path) -> String {
    let token = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        named => format!("/{}", escaped(&named.to_string())),
    };
    path.iter().map(token).collect()
}

/// Why a body is not a JSON object that can be read. Of a number that is out of range, and of a name that stands twice
/// within a value, it says where.
fn unreadable(body: &[u8], error: &serde_json::Error) -> Refusal {
    let problems = [
        ("number out of range", "is a number out of range; send it as a string"),
        (TWICE, "is an object that has a name twice; send it once"),
    ];
    let text = error.to_string();
    if let Some((_, detail)) = problems.iter().find(|(beginning, _)| text.starts_with(beginning)) {
        let mut again = serde_json::Deserializer::from_slice(body);
        if let Err(found) = serde_path_to_error::deserialize::<_, Pairs>(&mut again) {
            let errors = vec![FieldError::new(pointer(found.path()), *detail)];
            return Refusal::fields(Code::Malformed, errors);
        }
    }
    Refusal::new(Code::Malformed, format!("The body is not a JSON object: {error}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_read_under_their_canonical_name() {
        let parameters =
            Parameters::from_urlencoded("et=lead&tid=abc&txid=9&foo=1&key_id=k&ts=1&sig=x").unwrap();
        assert_eq!(parameters.text("goal"), Some("lead"));
        assert_eq!(parameters.text("click_id"), Some("abc"));
        assert_eq!(parameters.text("order_id"), Some("9"));
        assert_eq!(parameters.unknown.keys().collect::<Vec<_>>(), ["foo"]);
    }

    #[test]
    fn a_value_is_decoded_once_and_kept_byte_for_byte() {
        let parameters = Parameters::from_urlencoded("goal=a%2520b+c&order_id=").unwrap();
        assert_eq!(parameters.text("goal"), Some("a%20b c"));
        assert_eq!(parameters.get("order_id"), None);
    }

    #[test]
    fn a_name_without_a_value_leaves_the_place_to_another_one() {
        let parameters = Parameters::from_urlencoded("click_id=&tid=abc&subid=").unwrap();
        assert_eq!(parameters.text("click_id"), Some("abc"));
        let parameters = Parameters::from_json(br#"{"tid":"abc","click_id":null}"#).unwrap();
        assert_eq!(parameters.text("click_id"), Some("abc"));
    }

    #[test]
    fn a_placeholder_that_looks_encoded_is_kept() {
        let parameters =
            Parameters::from_urlencoded("order_id=%ADID%&click_id=%TID%&coupon=%FF%25").unwrap_err();
        assert_eq!(parameters.errors.len(), 1, "{parameters:?}");
        let parameters = Parameters::from_urlencoded("order_id=%ADID%&click_id=%TID%").unwrap();
        assert_eq!(
            (parameters.text("order_id"), parameters.text("click_id")),
            (Some("%ADID%"), Some("%TID%"))
        );
    }

    #[test]
    fn a_number_out_of_range_says_where_it_stands_and_a_sum_is_judged_as_one() {
        let sums = [("1e400", "1e400"), ("-1E+999", "-1E+999"), (&"9".repeat(600), &"9".repeat(32))];
        for (number, kept) in sums {
            let body = format!(r#"{{"goal":"a","amount":{number}}}"#);
            assert_eq!(Parameters::from_json(body.as_bytes()).unwrap().text("amount"), Some(kept));
        }
        for (body, pointer) in [
            (r#"{"metadata":{"a":[1,{"b/c":1e400}]}}"#, "/metadata/a/1/b~1c"),
            (r#"{"amount":1e400,"goal":1e400}"#, "/goal"),
            (r#"{"amount":[1e400]}"#, "/amount"),
        ] {
            let refusal = Parameters::from_json(body.as_bytes()).unwrap_err();
            assert_eq!((refusal.code, refusal.errors[0].pointer.as_str()), (Code::Malformed, pointer));
        }
    }

    #[test]
    fn a_name_that_stands_twice_within_a_value_says_where() {
        for (body, pointer) in [
            (r#"{"metadata":{"a":1,"a":1}}"#, "/metadata"),
            (r#"{"metadata":{"x/y":[0,{"a":1,"b":2,"a":{}}]}}"#, "/metadata/x~1y/1"),
            (r#"{"unknown":{"a":{"b":1,"\u0062":2}}}"#, "/unknown/a"),
        ] {
            let refusal = Parameters::from_json(body.as_bytes()).unwrap_err();
            assert_eq!((refusal.code, refusal.errors[0].pointer.as_str()), (Code::Malformed, pointer));
        }
        let text = r#"{"a":[1,-2,1.5,null,true,"x",{"a":{"a":[]}}],"b":18446744073709551615}"#;
        let read = Parameters::from_json(format!(r#"{{"metadata":{text}}}"#).as_bytes()).unwrap();
        assert_eq!(read.get("metadata").unwrap().to_string(), text, "any other is as it came");
    }

    #[test]
    fn a_repeated_parameter_is_malformed_under_any_of_its_names() {
        for text in ["goal=a&goal=b", "click_id=1&tid=1", "x=1&x=2", "tid=&tid=1", "goal=%ff"] {
            assert_eq!(Parameters::from_urlencoded(text).unwrap_err().code, Code::Malformed, "{text}");
        }
        for body in [r#"{"goal":"a","goal":"a"}"#, r#"{"tid":"a","cid":"a"}"#, "[]", "{", "", "\u{feff}{}"] {
            assert_eq!(Parameters::from_json(body.as_bytes()).unwrap_err().code, Code::Malformed, "{body}");
        }
    }
}
