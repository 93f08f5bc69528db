//! Changes of the totals, as they wait to be folded: many cells in few bytes. A busy server writes about one cell per
//! click, and as JSON with ids in text it would be as large as the click itself.

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::domain::{
    currency::Currency,
    ids::Id,
    time::Timestamp,
    totals::{Sums, TotalKey},
};

/// Cells with what is added to each: in the database a text, the base64 of their postcard encoding.
#[derive(Clone, PartialEq, Debug)]
pub struct Packed(pub Vec<(TotalKey, Sums)>);

/// A cell without names: hour in microseconds, kind, advertiser, campaign, creative, link, publisher, goal, currency;
/// events, amount, payout, revenue.
type Cell<'a> = (i64, &'a str, Bytes, [Option<Bytes>; 5], Option<&'a str>, (i64, i128, i128, i128));
type Bytes = [u8; 16];

impl Serialize for Packed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let cells: Vec<Cell<'_>> = self.0.iter().map(pack).collect();
        let bytes = postcard::to_stdvec(&cells).map_err(ser::Error::custom)?;
        serializer.serialize_str(&STANDARD_NO_PAD.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Packed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD_NO_PAD.decode(text).map_err(de::Error::custom)?;
        let cells: Vec<Cell<'_>> = postcard::from_bytes(&bytes).map_err(de::Error::custom)?;
        Ok(Self(cells.into_iter().map(unpack).collect::<Option<_>>().ok_or_else(unknown)?))
    }
}

fn unknown<E: de::Error>() -> E {
    E::custom("a change of the totals names an unknown currency")
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
        let text = serde_json::to_string(&packed).unwrap();
        assert_eq!(serde_json::from_str::<Packed>(&text).unwrap(), packed);
        for broken in ["\"\"", "\"!\"", "\"AQ\"", "[]"] {
            assert!(serde_json::from_str::<Packed>(broken).is_err(), "{broken}");
        }
    }
}
