//! SQL types with one name and two physical representations, and the domain's values as columns.
//! No query lives here, and no value is defined here.

use std::fmt::Debug;

use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    internal::derives::as_expression::Bound,
    pg::{Pg, PgValue},
    query_builder::QueryId,
    serialize::{self, IsNull, Output, ToSql},
    sql_types::{BigInt, Nullable, SqlType, Text},
    sqlite::{Sqlite, SqliteValue},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::domain::{
    audit::AuditAction,
    click_id::ClickId,
    consent::Consent,
    conversion::{Actor, AdjustmentKind, ConversionStatus, MatchMode, Reason},
    country::Country,
    currency::Currency,
    goal::{Counting, DefaultStatus, HoldEnd, MoneyKind},
    ids::*,
    money::Micros,
    postback::{About, Form},
    rate::Rate,
    setup::{DeepLinks, Status},
    signing::{KeyKind, SigningMode, StaticToken},
    time::Timestamp,
    totals::Kind,
    visitor::{ClickClass, IpStorage},
};

/// `uuid` in PostgreSQL, a 16-byte `BLOB` in SQLite. Time-ordered ids sort the same in both.
#[derive(Clone, Copy, Debug, SqlType, QueryId)]
#[diesel(postgres_type(oid = 2950, array_oid = 2951))]
#[diesel(sqlite_type(name = "Binary"))]
pub struct Uid;
impl diesel::sql_types::SqlOrd for Uid {}

/// `timestamptz` in PostgreSQL, integer microseconds since the Unix epoch in SQLite.
#[derive(Clone, Copy, Debug, SqlType, QueryId)]
#[diesel(postgres_type(oid = 1184, array_oid = 1185))]
#[diesel(sqlite_type(name = "Long"))]
pub struct Utc;
impl diesel::sql_types::SqlOrd for Utc {}

/// `jsonb` in PostgreSQL, JSON text in SQLite.
#[derive(Clone, Copy, Debug, SqlType, QueryId)]
#[diesel(postgres_type(oid = 3802, array_oid = 3807))]
#[diesel(sqlite_type(name = "Text"))]
pub struct JsonDoc;

/// Lets a value stand in a query where a column of the SQL type stands, and be read back from it:
/// what diesel's derives write, for types that must not know diesel.
macro_rules! column {
    ($sql:ty; $([$($generics:tt)*])? $rust:ty) => {
        impl<$($($generics)*)?> AsExpression<$sql> for $rust {
            type Expression = Bound<$sql, Self>;
            fn as_expression(self) -> Self::Expression { Bound::new(self) }
        }
        impl<$($($generics)*)?> AsExpression<Nullable<$sql>> for $rust {
            type Expression = Bound<Nullable<$sql>, Self>;
            fn as_expression(self) -> Self::Expression { Bound::new(self) }
        }
        impl<'expr, $($($generics)*)?> AsExpression<$sql> for &'expr $rust {
            type Expression = Bound<$sql, Self>;
            fn as_expression(self) -> Self::Expression { Bound::new(self) }
        }
        impl<'expr, $($($generics)*)?> AsExpression<Nullable<$sql>> for &'expr $rust {
            type Expression = Bound<Nullable<$sql>, Self>;
            fn as_expression(self) -> Self::Expression { Bound::new(self) }
        }
        impl<DB: Backend, $($($generics)*)?> ToSql<Nullable<$sql>, DB> for $rust where $rust: ToSql<$sql, DB> {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                ToSql::<$sql, DB>::to_sql(self, out)
            }
        }
        impl<DB: Backend, ST, $($($generics)*)?> diesel::Queryable<ST, DB> for $rust
        where $rust: FromSql<ST, DB>, ST: diesel::sql_types::SingleValue {
            type Row = Self;
            fn build(row: Self) -> deserialize::Result<Self> { Ok(row) }
        }
    };
}

/// Sixteen bytes as a [`Uid`].
macro_rules! uid_columns {
    ($($rust:ty),* $(,)?) => {$(
        column!(Uid; $rust);
        impl ToSql<Uid, Pg> for $rust {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                std::io::Write::write_all(out, self.bytes())?;
                Ok(IsNull::No)
            }
        }
        impl ToSql<Uid, Sqlite> for $rust {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
                out.set_value(&self.bytes()[..]);
                Ok(IsNull::No)
            }
        }
        impl FromSql<Uid, Pg> for $rust {
            fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
                Ok(Self::from_bytes(value.as_bytes().try_into()?))
            }
        }
        impl FromSql<Uid, Sqlite> for $rust {
            fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
                Ok(Self::from_bytes(value.read_blob().try_into()?))
            }
        }
    )*};
}
uid_columns!(
    PartnerId,
    UserId,
    ApiKeyId,
    KeyId,
    AdvertiserId,
    PublisherId,
    CampaignId,
    CreativeId,
    LinkId,
    GoalId,
    PostbackId,
    ConversionId,
    AdjustmentId,
    AuditEventId,
    RowId,
    ClickId,
);

/// A closed set of words as text.
macro_rules! text_columns {
    ($($rust:ty),* $(,)?) => {$(
        column!(Text; $rust);
        impl<DB: Backend> ToSql<Text, DB> for $rust where str: ToSql<Text, DB> {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                self.as_str().to_sql(out)
            }
        }
        impl<DB: Backend> FromSql<Text, DB> for $rust where String: FromSql<Text, DB> {
            fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
                let text = String::from_sql(value)?;
                <$rust>::parse(&text).ok_or_else(|| format!("unknown {} {text:?}", stringify!($rust)).into())
            }
        }
    )*};
}
text_columns!(
    Status,
    DeepLinks,
    Consent,
    Counting,
    DefaultStatus,
    MoneyKind,
    HoldEnd,
    ConversionStatus,
    MatchMode,
    ClickClass,
    IpStorage,
    Form,
    About,
    AdjustmentKind,
    Reason,
    Actor,
    Currency,
    Country,
    KeyKind,
    SigningMode,
    StaticToken,
    AuditAction,
);

column!(Text; Kind);
impl ToSql<Text, Pg> for Kind {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        std::io::Write::write_fmt(out, format_args!("{self}"))?;
        Ok(IsNull::No)
    }
}
impl ToSql<Text, Sqlite> for Kind {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.to_string());
        Ok(IsNull::No)
    }
}
impl<DB: Backend> FromSql<Text, DB> for Kind
where
    String: FromSql<Text, DB>,
{
    fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
        let word = String::from_sql(value)?;
        Self::parse(&word).ok_or_else(|| format!("unknown kind of cell {word:?}").into())
    }
}

column!(Utc; Timestamp);
/// PostgreSQL counts from 2000-01-01.
const PG_EPOCH_MICROS: i64 = 946_684_800_000_000;
impl ToSql<Utc, Pg> for Timestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        std::io::Write::write_all(out, &(self.micros() - PG_EPOCH_MICROS).to_be_bytes())?;
        Ok(IsNull::No)
    }
}
impl FromSql<Utc, Pg> for Timestamp {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self::from_micros(
            i64::from_be_bytes(value.as_bytes().try_into()?).saturating_add(PG_EPOCH_MICROS),
        ))
    }
}
impl ToSql<Utc, Sqlite> for Timestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.micros());
        Ok(IsNull::No)
    }
}
impl FromSql<Utc, Sqlite> for Timestamp {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self::from_micros(value.read_long()))
    }
}

column!(BigInt; Micros);
impl<DB: Backend> ToSql<BigInt, DB> for Micros
where
    i64: ToSql<BigInt, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.0.to_sql(out)
    }
}
impl<DB: Backend> FromSql<BigInt, DB> for Micros
where
    i64: FromSql<BigInt, DB>,
{
    fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
        i64::from_sql(value).map(Self)
    }
}

column!(BigInt; Rate);
impl<DB: Backend> ToSql<BigInt, DB> for Rate
where
    i64: ToSql<BigInt, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.as_stored().to_sql(out)
    }
}
impl<DB: Backend> FromSql<BigInt, DB> for Rate
where
    i64: FromSql<BigInt, DB>,
{
    fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
        i64::from_sql(value).map(Self::from_stored)
    }
}

/// The country of a visit, if what stands there is one: read without a text of its own.
#[derive(Clone, Copy, Debug)]
pub struct VisitCountry(pub Option<Country>);
column!(Text; VisitCountry);
impl<DB: Backend> ToSql<Text, DB> for VisitCountry
where
    str: ToSql<Text, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.0.as_ref().map_or("", Country::as_str).to_sql(out)
    }
}
impl FromSql<Text, Pg> for VisitCountry {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(std::str::from_utf8(value.as_bytes()).ok().and_then(Country::parse)))
    }
}
impl FromSql<Text, Sqlite> for VisitCountry {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(Country::parse(value.read_text())))
    }
}

/// A typed JSON column: a document of the database's own, or, in the tables that are written most, plain text, which
/// PostgreSQL takes without reading it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, AsExpression, FromSqlRow)]
#[diesel(sql_type = JsonDoc)]
#[diesel(sql_type = Text)]
#[serde(transparent)]
pub struct Json<T: Debug + 'static>(pub T);

/// The version byte that leads `jsonb` on the wire.
const JSONB_VERSION: u8 = 1;
impl<T: Serialize + Debug> ToSql<JsonDoc, Pg> for Json<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        std::io::Write::write_all(out, &[JSONB_VERSION])?;
        ToSql::<Text, Pg>::to_sql(self, out)
    }
}
impl<T: DeserializeOwned + Debug> FromSql<JsonDoc, Pg> for Json<T> {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let document = value.as_bytes().get(1..).ok_or("empty jsonb")?;
        Ok(Self(serde_json::from_slice(document)?))
    }
}
impl<T: Serialize + Debug> ToSql<Text, Pg> for Json<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        serde_json::to_writer(out, &self.0)?;
        Ok(IsNull::No)
    }
}
impl<T: DeserializeOwned + Debug> FromSql<Text, Pg> for Json<T> {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(serde_json::from_slice(value.as_bytes())?))
    }
}

/// SQLite has text alone.
macro_rules! json_in_sqlite {
    ($($sql:ty),*) => {$(
        impl<T: Serialize + Debug> ToSql<$sql, Sqlite> for Json<T> {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
                out.set_value(serde_json::to_string(&self.0)?);
                Ok(IsNull::No)
            }
        }
        impl<T: DeserializeOwned + Debug> FromSql<$sql, Sqlite> for Json<T> {
            fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
                Ok(Self(serde_json::from_str(value.read_text())?))
            }
        }
    )*};
}
json_in_sqlite!(JsonDoc, Text);
