//! A JSON object that is stored as it was put together: whoever writes the row need not put it together again.

use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    serialize::{self, Output, ToSql},
    sql_types::Text,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, ser::SerializeMap};
use serde_json::{Map, Value};

/// What holds most of them.
const MOST_USUAL_BYTES: usize = 384;

/// The text of a JSON object.
#[derive(Clone, PartialEq, Eq, Debug, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
pub struct Document(String);

/// An object without members.
impl Default for Document {
    fn default() -> Self {
        Self("{}".to_owned())
    }
}

impl Document {
    /// An object of texts by name.
    pub fn of<'a, 'b>(members: impl Iterator<Item = (&'a str, &'b str)>) -> Self {
        let mut text = Vec::with_capacity(128);
        let mut json = serde_json::Serializer::new(&mut text);
        let written = json.serialize_map(None).and_then(|mut object| {
            for (name, value) in members {
                object.serialize_entry(name, value)?;
            }
            object.end()
        });
        written.expect("texts are JSON");
        Self(String::from_utf8(text).expect("JSON is UTF-8"))
    }

    /// An object that has been put together as text.
    pub fn of_json(text: String) -> Self {
        Self(text)
    }

    /// What is written as an object; nothing of it if it is not.
    pub fn written(object: &impl Serialize) -> Self {
        let mut text = Vec::with_capacity(MOST_USUAL_BYTES);
        let written =
            serde_json::to_writer(&mut text, object).ok().and_then(|()| String::from_utf8(text).ok());
        written.map_or_else(Self::default, Self)
    }

    /// False if there is no NUL in it.
    pub fn may_have_nul(&self) -> bool {
        self.0.contains("\\u0000")
    }

    /// Its members.
    pub fn members(&self) -> Map<String, Value> {
        self.read()
    }

    /// What it was written from; what an empty object stands for if it was written from something else.
    pub fn read<T: DeserializeOwned + Default>(&self) -> T {
        let mut json = serde_json::Deserializer::from_str(&self.0);
        // What was sent is nested as deeply as its parser takes, and stands a few levels deeper here.
        json.disable_recursion_limit();
        T::deserialize(&mut json).unwrap_or_default()
    }
}

impl<DB: Backend> ToSql<Text, DB> for Document
where
    str: ToSql<Text, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.0.as_str().to_sql(out)
    }
}

impl<DB: Backend> FromSql<Text, DB> for Document
where
    String: FromSql<Text, DB>,
{
    fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
        String::from_sql(value).map(Self)
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.members().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Value::Object(Map::deserialize(deserializer)?).to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nested_more_deeply_than_a_report_is_read() {
        let text = format!(r#"{{"amount":{}1{},"order_id":"A-1"}}"#, "[".repeat(130), "]".repeat(130));
        assert_eq!(Document::of_json(text).members()["order_id"], "A-1");
    }

    #[test]
    fn what_was_put_together_comes_out_again() {
        for members in [&[][..], &[("sub1", "a\"b\u{0}\u{e9}")], &[("sub1", ""), ("cost", "1")]] {
            let document = Document::of(members.iter().copied());
            let expected: Map<String, Value> =
                members.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
            assert_eq!(document.members(), expected);
            let stored = serde_json::to_string(&document).unwrap();
            assert_eq!(serde_json::from_str::<Document>(&stored).unwrap().members(), expected);
        }
    }
}
