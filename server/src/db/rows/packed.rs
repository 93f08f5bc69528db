//! Changes of the totals, as they wait to be folded: many cells in few bytes. A busy server writes nearly one cell per
//! click, and as JSON with ids in text it would be as large as the click itself.

use std::{collections::HashMap, hash::Hash, io::Write};

use diesel::{
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    pg::{Pg, PgValue},
    serialize::{self, IsNull, Output, ToSql},
    sql_types::Binary,
    sqlite::{Sqlite, SqliteValue},
};
use serde::{Deserialize, Serialize};

use crate::domain::{
    currency::Currency,
    ids::Id,
    time::Timestamp,
    totals::{Kind, Sums, TotalKey},
};

/// Leads the bytes: postcard follows.
const VERSION: u8 = 2;

/// Cells with what is added to each.
#[derive(Clone, PartialEq, Debug, AsExpression, FromSqlRow)]
#[diesel(sql_type = Binary)]
pub struct Packed(pub Vec<(TotalKey, Sums)>);

/// What cells are made of, each value once, and the cells by where in these lists their values are.
#[derive(Serialize, Deserialize)]
struct Lists<'a> {
    /// In microseconds.
    hours: Vec<i64>,
    kinds: Vec<Kind>,
    ids: Vec<Bytes>,
    #[serde(borrow)]
    currencies: Vec<&'a str>,
    cells: Vec<Cell>,
}

/// Hour and kind; advertiser, campaign, creative, link, publisher, goal; currency; events, amount, payout, revenue.
/// What may be missing counts from 1, and 0 where it is.
type Cell = ([u32; 2], [u32; 6], u32, (i64, i128, i128, i128));
type Bytes = [u8; 16];

impl Packed {
    fn to_bytes(&self) -> postcard::Result<Vec<u8>> {
        let (mut hours, mut kinds, mut ids, mut currencies) =
            (List::new(), List::new(), List::new(), List::new());
        let mut cells = Vec::with_capacity(self.0.len());
        for (key, sums) in &self.0 {
            let linked = [
                Some(*key.advertiser_id.bytes()),
                bytes(key.campaign_id),
                bytes(key.creative_id),
                bytes(key.link_id),
                bytes(key.publisher_id),
                bytes(key.goal_id),
            ];
            let currency = key.currency.as_ref().map(|currency| currency.as_str());
            cells.push((
                [hours.place(Some(key.hour.micros())), kinds.place(Some(key.kind))],
                linked.map(|id| ids.place(id)),
                currencies.place(currency),
                (sums.events, sums.amount, sums.payout, sums.revenue),
            ));
        }
        let lists = Lists {
            hours: hours.values,
            kinds: kinds.values,
            ids: ids.values,
            currencies: currencies.values,
            cells,
        };
        postcard::to_extend(&lists, vec![VERSION])
    }

    fn read(bytes: &[u8]) -> deserialize::Result<Self> {
        let lists = bytes.strip_prefix(&[VERSION]).ok_or("a change of the totals is of another version")?;
        let lists: Lists<'_> = postcard::from_bytes(lists)?;
        let cells: Option<_> = lists.cells.iter().map(|cell| lists.unpack(cell)).collect();
        Ok(Self(cells.ok_or("a change of the totals names what it does not list, or an unknown currency")?))
    }
}

impl Lists<'_> {
    fn unpack(&self, ([hour, kind], ids, currency, added): &Cell) -> Option<(TotalKey, Sums)> {
        let [advertiser, campaign, creative, link, publisher, goal] =
            ids.map(|place| find(&self.ids, place).copied());
        let key = TotalKey {
            hour: Timestamp::from_micros(*find(&self.hours, *hour)?),
            kind: *find(&self.kinds, *kind)?,
            advertiser_id: Id::from_bytes(advertiser?),
            campaign_id: campaign.map(Id::from_bytes),
            creative_id: creative.map(Id::from_bytes),
            link_id: link.map(Id::from_bytes),
            publisher_id: publisher.map(Id::from_bytes),
            goal_id: goal.map(Id::from_bytes),
            currency: match currency {
                0 => None,
                place => Some(Currency::parse(find(&self.currencies, *place)?)?),
            },
        };
        let (events, amount, payout, revenue) = *added;
        Some((key, Sums { events, amount, payout, revenue }))
    }
}

/// Different values, in the order in which they came. The hash is seeded with chance, and quick.
struct List<T> {
    values: Vec<T>,
    places: HashMap<T, u32, foldhash::fast::RandomState>,
}

impl<T: Copy + Eq + Hash> List<T> {
    fn new() -> Self {
        Self { values: Vec::new(), places: HashMap::default() }
    }

    /// The place of a value, counted from 1; 0 for none.
    fn place(&mut self, value: Option<T>) -> u32 {
        let Some(value) = value else { return 0 };
        *self.places.entry(value).or_insert_with(|| {
            self.values.push(value);
            self.values.len() as u32
        })
    }
}

/// The value in a place.
fn find<T>(values: &[T], place: u32) -> Option<&T> {
    values.get((place as usize).checked_sub(1)?)
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

fn bytes(id: Option<impl Id>) -> Option<Bytes> {
    id.map(|id| *id.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        conversion::ConversionStatus,
        ids::{AdvertiserId, GoalId, LinkId},
    };

    #[test]
    fn what_is_packed_comes_out_again() {
        let key = TotalKey {
            hour: Timestamp::from_seconds(1_790_000_400),
            kind: Kind::Conversion(ConversionStatus::Approved),
            advertiser_id: AdvertiserId::from_bytes([1; 16]),
            campaign_id: None,
            creative_id: None,
            link_id: Some(LinkId::from_bytes([2; 16])),
            publisher_id: None,
            goal_id: Some(GoalId::from_bytes([3; 16])),
            currency: Currency::parse("EUR"),
        };
        let sums = Sums { events: -1, amount: i128::MAX, payout: i128::MIN, revenue: 7 };
        let packed = Packed(vec![(key, sums), (TotalKey { currency: None, ..key }, Sums::ONE)]);
        let bytes = packed.to_bytes().unwrap();
        assert_eq!(Packed::read(&bytes).unwrap(), packed);
        for broken in [
            &b""[..],
            b"!",
            b"\x02",
            b"\x02\x01",
            b"\x01\0\0\0\0\0",
            b"\x02\0\0\0\0\x01\x01\x01\0\0\0\0\0\0\0\0\0\0\0",
        ] {
            assert!(Packed::read(broken).is_err(), "{broken:?}");
        }
    }
}
