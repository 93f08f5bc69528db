//! Whether the totals are what the rows add up to: both from one snapshot, compared cell by cell.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Text},
};

use super::{Conn, snapshot, spill, start_of_hour, totals};
use crate::{
    db::{
        scope::PartnerScope,
        sql_types::{Uid, Utc},
    },
    domain::{
        currency::Currency,
        ids::*,
        time::Timestamp,
        totals::{
            Changes, Difference, IMPRESSION, IMPRESSION_NO_CONSENT, Kind, NO_CONSENT, REBILL, Sums, TotalKey,
            Verified,
        },
    },
    error::Result,
};

/// The sums of a cell. The database adds up millions and the rest apart: large amounts together would not fit.
const MONEY: [&str; 6] =
    ["row_amount", "row_payout", "row_revenue", "total_amount", "total_payout", "total_revenue"];

/// A cell as the database adds it up: from the rows, and from the totals that are folded already.
#[derive(QueryableByName)]
struct Compared {
    #[diesel(sql_type = Utc)]
    hour: Timestamp,
    #[diesel(sql_type = Text)]
    kind: Kind,
    #[diesel(sql_type = Uid)]
    advertiser_id: AdvertiserId,
    #[diesel(sql_type = Uid)]
    campaign_id: CampaignId,
    #[diesel(sql_type = Uid)]
    creative_id: CreativeId,
    #[diesel(sql_type = Uid)]
    link_id: LinkId,
    #[diesel(sql_type = Uid)]
    publisher_id: PublisherId,
    #[diesel(sql_type = Uid)]
    goal_id: GoalId,
    #[diesel(sql_type = Text)]
    currency: String,
    #[diesel(sql_type = BigInt)]
    row_events: i64,
    #[diesel(sql_type = BigInt)]
    row_amount: i64,
    #[diesel(sql_type = BigInt)]
    row_amount_rest: i64,
    #[diesel(sql_type = BigInt)]
    row_payout: i64,
    #[diesel(sql_type = BigInt)]
    row_payout_rest: i64,
    #[diesel(sql_type = BigInt)]
    row_revenue: i64,
    #[diesel(sql_type = BigInt)]
    row_revenue_rest: i64,
    #[diesel(sql_type = BigInt)]
    total_events: i64,
    #[diesel(sql_type = BigInt)]
    total_amount: i64,
    #[diesel(sql_type = BigInt)]
    total_amount_rest: i64,
    #[diesel(sql_type = BigInt)]
    total_payout: i64,
    #[diesel(sql_type = BigInt)]
    total_payout_rest: i64,
    #[diesel(sql_type = BigInt)]
    total_revenue: i64,
    #[diesel(sql_type = BigInt)]
    total_revenue_rest: i64,
}

/// Compares every cell of a partner and tells each difference as it is found. The database groups and may use its disk
/// for that; cells come one by one, so that only the changes that are not folded yet are held in memory.
pub fn compare(conn: &mut Conn, scope: &PartnerScope, mut tell: impl FnMut(&Difference)) -> Result<Verified> {
    spill(conn)?;
    snapshot(conn, |conn| {
        let waiting = totals::waiting(conn, scope)?;
        let mut waiting: Changes = waiting.filter(|(key, _)| key.kind.has_rows()).collect();
        let mut verified = Verified::default();
        let mut check = |key, totals, rows| verified.check(Difference { key, totals, rows }, &mut tell);
        let query =
            sql_query(statement()).bind::<Uid, _>(totals::stored::<RowId>(None)).bind::<Uid, _>(scope.id());
        for compared in query.load_iter::<Compared, _>(conn)? {
            let (key, rows, mut sums) = compared?.into_parts();
            sums.add(waiting.remove(&key));
            check(key, sums, rows);
        }
        waiting.into_sorted_cells().into_iter().for_each(|(key, sums)| check(key, sums, Sums::default()));
        Ok(verified)
    })
}

/// Rows and totals in one list, grouped by cell: a click counts 1 on the side of the rows, an hour its sums on the other.
/// What came without consent has totals and no rows, and is left out.
/// `$1` is the id that stands for "none", `$2` the partner: SQLite numbers them in the order in which it meets them.
fn statement() -> String {
    let [clicked, shown, happened] = ["clicked_at", "shown_at", "event_time"].map(start_of_hour);
    let money = MONEY.map(|sum| {
        format!(
            "CAST(SUM({sum} / 1000000) AS BIGINT) AS {sum}, CAST(SUM({sum} % 1000000) AS BIGINT) AS {sum}_rest"
        )
    });
    let money = money.join(", ");
    format!(
        "SELECT hour, kind, advertiser_id, campaign_id, creative_id, link_id, publisher_id, goal_id, currency,
            CAST(SUM(row_events) AS BIGINT) AS row_events, CAST(SUM(total_events) AS BIGINT) AS total_events, {money}
        FROM (
            SELECT {clicked} AS hour, class AS kind, advertiser_id, campaign_id,
                COALESCE(creative_id, $1) AS creative_id, link_id, COALESCE(publisher_id, $1) AS publisher_id,
                $1 AS goal_id, '' AS currency, 1 AS row_events, 0 AS row_amount, 0 AS row_payout, 0 AS row_revenue,
                0 AS total_events, 0 AS total_amount, 0 AS total_payout, 0 AS total_revenue
            FROM clicks WHERE partner_id = $2
            UNION ALL
            SELECT {shown}, '{IMPRESSION}' || class, advertiser_id, campaign_id, COALESCE(creative_id, $1), link_id,
                COALESCE(publisher_id, $1), $1, '', 1, 0, 0, 0, 0, 0, 0, 0
            FROM impressions WHERE partner_id = $2
            UNION ALL
            SELECT {happened}, CASE match_mode WHEN 'customer' THEN '{REBILL}' || status ELSE status END, advertiser_id, COALESCE(campaign_id, $1), COALESCE(creative_id, $1),
                COALESCE(link_id, $1), COALESCE(publisher_id, $1), goal_id, COALESCE(currency, ''),
                1, COALESCE(amount_micros, 0), payout_micros, revenue_micros, 0, 0, 0, 0
            FROM conversions WHERE partner_id = $2
            UNION ALL
            SELECT hour, kind, advertiser_id, campaign_id, creative_id, link_id, publisher_id, goal_id, currency,
                0, 0, 0, 0, events, amount_micros, payout_micros, revenue_micros
            FROM hourly_totals WHERE partner_id = $2 AND kind NOT IN ('{NO_CONSENT}', '{IMPRESSION_NO_CONSENT}')
        ) AS cells
        GROUP BY hour, kind, advertiser_id, campaign_id, creative_id, link_id, publisher_id, goal_id, currency
        ORDER BY hour, kind, advertiser_id, campaign_id, creative_id, link_id, publisher_id, goal_id, currency"
    )
}

fn whole(millions: i64, rest: i64) -> i128 {
    i128::from(millions) * 1_000_000 + i128::from(rest)
}

impl Compared {
    /// The cell, what the rows add up to, and what the folded totals say.
    fn into_parts(self) -> (TotalKey, Sums, Sums) {
        let key = TotalKey {
            hour: self.hour,
            kind: self.kind,
            advertiser_id: self.advertiser_id,
            campaign_id: totals::read(self.campaign_id),
            creative_id: totals::read(self.creative_id),
            link_id: totals::read(self.link_id),
            publisher_id: totals::read(self.publisher_id),
            goal_id: totals::read(self.goal_id),
            currency: Currency::parse(&self.currency),
        };
        let rows = Sums {
            events: self.row_events,
            amount: whole(self.row_amount, self.row_amount_rest),
            payout: whole(self.row_payout, self.row_payout_rest),
            revenue: whole(self.row_revenue, self.row_revenue_rest),
        };
        let totals = Sums {
            events: self.total_events,
            amount: whole(self.total_amount, self.total_amount_rest),
            payout: whole(self.total_payout, self.total_payout_rest),
            revenue: whole(self.total_revenue, self.total_revenue_rest),
        };
        (key, rows, totals)
    }
}
