//! Changes of the totals, as they wait to be folded: many cells in few bytes. A busy server writes about one cell per
//! click, and as JSON with ids in text it would be as large as the click itself.

use std::io::Write;

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use diesel::{
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    pg::{Pg, PgValue},
    serialize::{self, IsNull, Output, ToSql},
    sql_types::Binary,
    sqlite::{Sqlite, SqliteValue},
};

use crate::domain::{
    currency::Currency,
    ids::Id,
    time::Timestamp,
    totals::{Sums, TotalKey},
};

/// Leads the bytes: postcard follows. Without it they are what an earlier version wrote, the base64 of the same.
const VERSION: u8 = 1;

/// Cells with what is added to each.
#[derive(Clone, PartialEq, Debug, AsExpression, FromSqlRow)]
#[diesel(sql_type = Binary)]
pub struct Packed(pub Vec<(TotalKey, Sums)>);

/// A cell without names: hour in microseconds, kind, advertiser, campaign, creative, link, publisher, goal, currency;
/// events, amount, payout, revenue.
type Cell<'a> = (i64, &'a str, Bytes, [Option<Bytes>; 5], Option<&'a str>, (i64, i128, i128, i128));
type Bytes = [u8; 16];

impl Packed {
    fn to_bytes(&self) -> postcard::Result<Vec<u8>> {
        let cells: Vec<Cell<'_>> = self.0.iter().map(pack).collect();
        postcard::to_extend(&cells, vec![VERSION])
    }

    fn read(bytes: &[u8]) -> deserialize::Result<Self> {
        let decoded;
        let bytes = match bytes.split_first() {
            Some((&VERSION, cells)) => cells,
            _ => {
                decoded = STANDARD_NO_PAD.decode(bytes)?;
                &decoded
            }
        };
        let cells: Vec<Cell<'_>> = postcard::from_bytes(bytes)?;
        let cells: Option<_> = cells.into_iter().map(unpack).collect();
        Ok(Self(cells.ok_or("a change of the totals names an unknown currency")?))
    }
}

impl ToSql<Binary, Pg> for Packed {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(&self.to_bytes()?)?;
        Ok(IsNull::No)
    }
}

impl ToSql<Binary, Sqlite> for Packed {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.to_bytes()?);
        Ok(IsNull::No)
    }
}

impl FromSql<Binary, Pg> for Packed {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Self::read(value.as_bytes())
    }
}

impl FromSql<Binary, Sqlite> for Packed {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Self::read(value.read_blob())
    }
}

fn pack((key, sums): &(TotalKey, Sums)) -> Cell<'_> {
    let linked = [
        bytes(key.campaign_id),
        bytes(key.creative_id),
        bytes(key.link_id),
        bytes(key.publisher_id),
        bytes(key.goal_id),
    ];
    let currency = key.currency.as_ref().map(|currency| currency.as_str());
    let added = (sums.events, sums.amount, sums.payout, sums.revenue);
    (key.hour.micros(), &key.kind, *key.advertiser_id.bytes(), linked, currency, added)
}

fn unpack((hour, kind, advertiser, linked, currency, added): Cell<'_>) -> Option<(TotalKey, Sums)> {
    let [campaign, creative, link, publisher, goal] = linked;
    let key = TotalKey {
        hour: Timestamp::from_micros(hour),
        kind: kind.to_owned(),
        advertiser_id: Id::from_bytes(advertiser),
        campaign_id: campaign.map(Id::from_bytes),
        creative_id: creative.map(Id::from_bytes),
        link_id: link.map(Id::from_bytes),
        publisher_id: publisher.map(Id::from_bytes),
        goal_id: goal.map(Id::from_bytes),
        currency: match currency {
            Some(code) => Some(Currency::parse(code)?),
            None => None,
        },
    };
    let (events, amount, payout, revenue) = added;
    Some((key, Sums { events, amount, payout, revenue }))
}

fn bytes(id: Option<impl Id>) -> Option<Bytes> {
    id.map(|id| *id.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{AdvertiserId, GoalId, LinkId};

    #[test]
    fn what_is_packed_comes_out_again() {
        let key = TotalKey {
            hour: Timestamp::from_seconds(1_790_000_400),
            kind: "approved".to_owned(),
            advertiser_id: AdvertiserId::from_bytes([1; 16]),
            campaign_id: None,
            creative_id: None,
            link_id: Some(LinkId::from_bytes([2; 16])),
            publisher_id: None,
            goal_id: Some(GoalId::from_bytes([3; 16])),
            currency: Currency::parse("EUR"),
        };
        let sums = Sums { events: -1, amount: i128::MAX, payout: i128::MIN, revenue: 7 };
        let packed = Packed(vec![(key.clone(), sums), (TotalKey { currency: None, ..key }, Sums::ONE)]);
        let bytes = packed.to_bytes().unwrap();
        assert_eq!(Packed::read(&bytes).unwrap(), packed);
        let earlier = STANDARD_NO_PAD.encode(&bytes[1..]);
        assert_eq!(Packed::read(earlier.as_bytes()).unwrap(), packed);
        for broken in [&b""[..], b"!", b"AQ", b"\x01", b"\x01\x01", b"[]"] {
            assert!(Packed::read(broken).is_err(), "{broken:?}");
        }
    }
}
