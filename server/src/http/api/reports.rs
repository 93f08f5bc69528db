//! Reports: clicks, impressions, conversions and money, grouped by what the caller asks for.

use std::collections::BTreeMap;

use actix_web::{get, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    db::db_read,
    domain::{
        conversion::ConversionStatus,
        currency::Currency,
        ids::{AdvertiserId, CampaignId, GoalId, LinkId, PublisherId},
        money::sum_to_decimal,
        report::{self, ByStatus, Dimension, Row},
        time::Timestamp,
        totals::{Sums, TotalKey},
        visitor::ClickClass,
    },
    error::Result,
    http::{
        State,
        caller::Caller,
        fields::{Fields, named, read},
    },
};

const USUAL_DAYS: i64 = 30;
const DAY_SECONDS: i64 = 86_400;
const LONGEST_DAYS: i64 = 366;

/// What to report.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReportQuery {
    /// From this time on, cut to the hour (RFC 3339, or a date); 30 days before `to` by default, at most
    /// 366.
    from: Option<String>,
    /// Up to this time, not included, rounded up to the hour; the end of the current hour by default.
    to: Option<String>,
    /// What to group by, comma-separated: hour, day, advertiser, campaign, creative, link, publisher, goal. `day` by
    /// default.
    #[param(example = "day,publisher")]
    dimensions: Option<String>,
    /// Only this advertiser: its id, or `ext:` and your own.
    advertiser_id: Option<String>,
    /// Only this campaign: its id, or `ext:` and your own.
    campaign_id: Option<String>,
    /// Only this link: its id, or `ext:` and your own.
    link_id: Option<String>,
    /// Only this publisher: its id, or `ext:` and your own.
    publisher_id: Option<String>,
    /// Only conversions of this goal, with the clicks that could have led to it: its id, or `ext:` and your own.
    goal_id: Option<String>,
}

/// Conversions, or rebills, by status.
#[derive(Serialize, ToSchema)]
pub struct ConversionCounts {
    /// That are or may become payable: pending, on hold and approved.
    total: i64,
    /// Waiting for a decision.
    pending: i64,
    /// Waiting for the end of their hold.
    on_hold: i64,
    /// Payable.
    approved: i64,
    /// Never payable.
    rejected: i64,
    /// Taken back.
    reversed: i64,
}

/// Sums of money as decimal strings.
#[derive(Serialize, ToSchema)]
pub struct SumsView {
    /// Conversions, but for rebills.
    conversions: i64,
    /// Rebills.
    rebills: i64,
    /// Reported amounts.
    amount: String,
    /// What publishers earn.
    payout: String,
    /// What you earn.
    revenue: String,
}

/// Money in one currency.
#[derive(Serialize, ToSchema)]
pub struct MoneyView {
    /// The currency.
    currency: Currency,
    /// Over all that is or may become payable, rebills included.
    #[serde(flatten)]
    total: SumsView,
    /// Earnings per click: what publishers earn of what clicks led to, per click of a person, rounded half to even to the
    /// sixth decimal; null where there are no clicks.
    epc: Option<String>,
    /// By status.
    by_status: BTreeMap<String, SumsView>,
}

/// What is counted in a row.
#[derive(Serialize, ToSchema)]
pub struct Metrics {
    /// Clicks of people. Bots, prefetches and invalid clicks are counted apart.
    clicks: i64,
    /// Clicks of machines that name themselves.
    bot_clicks: i64,
    /// Prefetches.
    prefetch_clicks: i64,
    /// Clicks on what was out of use.
    invalid_clicks: i64,
    /// Clicks without consent: counted, and not stored.
    no_consent_clicks: i64,
    /// Impressions by people.
    impressions: i64,
    /// Impressions by machines, prefetched ones, those of links out of use, and those without consent.
    filtered_impressions: i64,
    /// Conversions.
    conversions: ConversionCounts,
    /// Conversions by customers that came again, matched by `customer_id` alone; they are not among `conversions`.
    rebills: ConversionCounts,
    /// Conversions that are or may become payable and that a click led to, per click; null where there are no clicks.
    conversion_rate: Option<f64>,
    /// Money, by currency.
    money: Vec<MoneyView>,
}

/// A row of a report.
#[derive(Serialize, ToSchema)]
pub struct ReportRow {
    /// The value of each dimension asked for: a date, an hour or an id; null where a row has none, such as the goal
    /// of clicks; `(not linked)` for campaign, creative and link of conversions without a click.
    dimensions: BTreeMap<String, Option<String>>,
    /// The figures.
    #[serde(flatten)]
    metrics: Metrics,
}

/// A report.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"from": "2026-11-01T00:00:00Z", "to": "2026-11-23T00:00:00Z", "dimensions": ["day"], "rows": [{"dimensions": {"day": "2026-11-22"}, "clicks": 10, "bot_clicks": 1, "prefetch_clicks": 0, "invalid_clicks": 0, "no_consent_clicks": 0, "impressions": 400, "filtered_impressions": 2, "conversions": {"total": 1, "pending": 0, "on_hold": 0, "approved": 1, "rejected": 0, "reversed": 0}, "rebills": {"total": 0, "pending": 0, "on_hold": 0, "approved": 0, "rejected": 0, "reversed": 0}, "conversion_rate": 0.1, "money": [{"currency": "EUR", "conversions": 1, "rebills": 0, "amount": "49.90", "payout": "4.99", "revenue": "6.2375", "epc": "0.499", "by_status": {"approved": {"conversions": 1, "rebills": 0, "amount": "49.90", "payout": "4.99", "revenue": "6.2375"}}}]}], "totals": {"clicks": 10, "bot_clicks": 1, "prefetch_clicks": 0, "invalid_clicks": 0, "no_consent_clicks": 0, "impressions": 400, "filtered_impressions": 2, "conversions": {"total": 1, "pending": 0, "on_hold": 0, "approved": 1, "rejected": 0, "reversed": 0}, "rebills": {"total": 0, "pending": 0, "on_hold": 0, "approved": 0, "rejected": 0, "reversed": 0}, "conversion_rate": 0.1, "money": []}})))]
pub struct Report {
    /// Its first hour.
    from: Timestamp,
    /// The end of its last hour.
    to: Timestamp,
    /// What it is grouped by.
    dimensions: Vec<Dimension>,
    /// The rows, in the order of their dimensions.
    rows: Vec<ReportRow>,
    /// All rows together.
    totals: Metrics,
}

impl ConversionCounts {
    fn of(count: impl Fn(ConversionStatus) -> i64) -> Self {
        Self {
            total: report::VALID.iter().map(|status| count(*status)).sum(),
            pending: count(ConversionStatus::Pending),
            on_hold: count(ConversionStatus::OnHold),
            approved: count(ConversionStatus::Approved),
            rejected: count(ConversionStatus::Rejected),
            reversed: count(ConversionStatus::Reversed),
        }
    }
}

impl From<&Row> for Metrics {
    fn from(row: &Row) -> Self {
        Self {
            clicks: row.clicks(ClickClass::Human),
            bot_clicks: row.clicks(ClickClass::Bot),
            prefetch_clicks: row.clicks(ClickClass::Prefetch),
            invalid_clicks: row.clicks(ClickClass::Invalid),
            no_consent_clicks: row.no_consent_clicks,
            impressions: row.impressions,
            filtered_impressions: row.filtered_impressions,
            conversions: ConversionCounts::of(|status| row.conversions(status)),
            rebills: ConversionCounts::of(|status| row.rebills(status)),
            conversion_rate: row.conversion_rate(),
            money: row.currencies().into_iter().map(|currency| money(row, currency)).collect(),
        }
    }
}

fn money(row: &Row, currency: Currency) -> MoneyView {
    let none = ByStatus::new();
    let [conversions, rebills] =
        [&row.conversions, &row.rebills].map(|sums| sums.get(&Some(currency)).unwrap_or(&none));
    let view = |of_conversions: Sums, of_rebills: Sums| {
        let mut sum = of_conversions;
        sum.add(of_rebills);
        SumsView {
            conversions: of_conversions.events,
            rebills: of_rebills.events,
            amount: sum_to_decimal(sum.amount, currency),
            payout: sum_to_decimal(sum.payout, currency),
            revenue: sum_to_decimal(sum.revenue, currency),
        }
    };
    let of = |by_status: &ByStatus, status| by_status.get(status).copied().unwrap_or_default();
    let by_status = ConversionStatus::ALL.iter().filter_map(|status| {
        let sums = (of(conversions, status), of(rebills, status));
        (sums != Default::default()).then(|| (status.to_string(), view(sums.0, sums.1)))
    });
    MoneyView {
        currency,
        total: view(report::valid_sums(conversions), report::valid_sums(rebills)),
        epc: row.earnings_per_click(currency).map(|sum| sum_to_decimal(sum, currency)),
        by_status: by_status.collect(),
    }
}

/// Reports clicks, impressions, conversions and money. Figures are exact and include everything that was answered before the
/// request came. A conversion counts in the hour of its event. Clicks have no goal: grouped by goal they stand in a
/// row of their own, and the conversion rate of the other rows is null. Conversions that are matched by `publisher_id` alone
/// have no click: their campaign, creative and link read `(not linked)`, and nothing of them is spread over others.
#[utoipa::path(tag = "Reports", params(ReportQuery),
    responses((status = 200, description = "The report.", body = Report)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "not_found"]))))]
#[get("/reports")]
pub async fn get_report(
    caller: Caller,
    query: web::Query<ReportQuery>,
    state: web::Data<State>,
) -> Result<web::Json<Report>> {
    let query = query.into_inner();
    let mut fields = Fields::default();
    let period = period(&mut fields, query.from, query.to, state.clock.now());
    let dimensions = query.dimensions.unwrap_or_else(|| Dimension::Day.to_string());
    let dimensions = fields.optional("dimensions", Some(dimensions), read_dimensions);
    let advertiser = fields.optional("advertiser_id", query.advertiser_id, read::reference::<AdvertiserId>);
    let campaign = fields.optional("campaign_id", query.campaign_id, read::reference::<CampaignId>);
    let link = fields.optional("link_id", query.link_id, read::reference::<LinkId>);
    let publisher = fields.optional("publisher_id", query.publisher_id, read::reference::<PublisherId>);
    let goal = fields.optional("goal_id", query.goal_id, read::reference::<GoalId>);
    let ((from, to), dimensions) = fields.finish(|| Some((period?, dimensions?)))?;
    let cells: Vec<_> = db_read!(&state.store, |queries, conn| {
        let wanted = Wanted {
            advertiser: filter!(queries, conn, caller, advertiser, advertisers, "advertiser_id"),
            campaign: filter!(queries, conn, caller, campaign, campaigns, "campaign_id"),
            link: filter!(queries, conn, caller, link, links, "link_id"),
            publisher: filter!(queries, conn, caller, publisher, publishers, "publisher_id"),
            goal: filter!(queries, conn, caller, goal, goals, "goal_id"),
        };
        let cells = queries::reports::cells(conn, &caller.partner, from, to)?;
        Ok::<_, crate::error::Error>(cells.into_iter().filter(|cell| wanted.takes(&cell.0)).collect())
    })?;
    Ok(web::Json(report(from, to, dimensions, &cells)))
}

fn report(from: Timestamp, to: Timestamp, dimensions: Vec<Dimension>, cells: &[(TotalKey, Sums)]) -> Report {
    let rows = report::group(cells, &dimensions)
        .into_iter()
        .map(|(values, row)| ReportRow {
            dimensions: dimensions.iter().map(ToString::to_string).zip(values).collect(),
            metrics: Metrics::from(&row),
        })
        .collect();
    Report { from, to, rows, totals: Metrics::from(&report::total(cells)), dimensions }
}

/// What a report is narrowed to.
struct Wanted {
    advertiser: Option<AdvertiserId>,
    campaign: Option<CampaignId>,
    link: Option<LinkId>,
    publisher: Option<PublisherId>,
    goal: Option<GoalId>,
}

impl Wanted {
    fn takes(&self, key: &TotalKey) -> bool {
        fn fits<T: PartialEq>(wanted: Option<T>, value: Option<T>) -> bool {
            wanted.is_none() || wanted == value
        }
        fits(self.advertiser, Some(key.advertiser_id))
            && fits(self.campaign, key.campaign_id)
            && fits(self.link, key.link_id)
            && fits(self.publisher, key.publisher_id)
            && (key.goal_id.is_none() || fits(self.goal, key.goal_id))
    }
}

fn read_dimensions(text: String) -> Result<Vec<Dimension>, String> {
    let mut dimensions = Vec::new();
    for word in text.split(',').map(str::trim) {
        let dimension = read::word(Dimension::ALL, Dimension::parse)(word.to_owned())?;
        if dimensions.contains(&dimension) {
            return Err(format!("`{word}` stands twice"));
        }
        dimensions.push(dimension);
    }
    Ok(dimensions)
}

fn period(
    fields: &mut Fields,
    from: Option<String>,
    to: Option<String>,
    now: Timestamp,
) -> Option<(Timestamp, Timestamp)> {
    let next_hour = |time: Timestamp| time.plus_seconds(3_599).start_of_hour();
    let to = match to {
        Some(text) => next_hour(fields.optional("to", Some(text), time_or_date)?),
        None => next_hour(now.plus_seconds(1)),
    };
    let from = match from {
        Some(text) => fields.optional("from", Some(text), time_or_date)?.start_of_hour(),
        None => to.plus_seconds(-USUAL_DAYS * DAY_SECONDS),
    };
    if from >= to {
        fields.error("from", "must be before `to`");
    } else if to.seconds_since(from) > LONGEST_DAYS * DAY_SECONDS {
        fields.error("from", format!("must be at most {LONGEST_DAYS} days before `to`"));
    }
    Some((from, to))
}

fn time_or_date(text: String) -> Result<Timestamp, String> {
    let time = Timestamp::parse(&text).or_else(|| Timestamp::parse(&format!("{text}T00:00:00Z")));
    time.ok_or_else(|| "is neither RFC 3339, such as 2026-01-31T12:00:00Z, nor a date".to_owned())
}
