//! Rules of a goal on the wire: ways to match, campaigns, money by publisher and country, caps.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::goal_money::{GoalMoney, read_money};
use crate::{
    domain::{
        conversion::MatchMode,
        country::Country,
        currency::Currency,
        goal::{GoalRules, MoneyRule},
        goal_caps::GoalCaps,
        ids::{CampaignId, PublisherId, Reference},
        money::{Micros, parse_decimal},
        overrides::{MOST_OVERRIDES, Override},
    },
    http::fields::{Fields, read},
};

const MOST_CAMPAIGNS: usize = 1_000;
const MOST_CONVERSIONS: i64 = 1_000_000_000;

/// Other money for a publisher, for a country, or for a publisher in a country. The most specific one that fits and says
/// something wins: publisher and country, then publisher, then country, then the goal's own.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"publisher_id": "pub_01kayw5m8hfz2v6y0t3n7r9q4c", "country": "DE", "payout": {"type": "percent", "percent": "15"}, "revenue": null})))]
pub struct GoalOverride {
    /// Only for this publisher: its id, or `ext:` and your own. One of publisher and country must be there.
    publisher_id: Option<String>,
    /// Only for clicks from this country: ISO 3166-1 alpha-2. Needs a geo database; a conversion without a
    /// click has no country.
    #[schema(pattern = "^[A-Za-z]{2}$")]
    country: Option<String>,
    /// What the publisher earns instead. One of payout and revenue must be there.
    payout: Option<GoalMoney>,
    /// What you earn instead.
    revenue: Option<GoalMoney>,
}

/// How much a goal takes. A conversion beyond a cap is counted all the same, as `pending` with the flags `over_cap` and
/// `cap:` with the cap's name. What counts towards a cap is what was taken, by the time of receipt, in UTC days and months:
/// not what was reported as rejected, and not what was over a cap itself, even if it was approved then. A later rejection
/// gives its place back, and a restated amount counts, only when the caps are changed. Caps are exact, also with several
/// servers.
#[derive(Clone, Deserialize, Serialize, ToSchema, Default)]
#[serde(deny_unknown_fields, default)]
#[schema(examples(json!({"conversions_per_day": 100, "conversions_per_month": null, "conversions_total": null, "payout_per_day": null, "payout_per_month": "5000", "payout_total": null})))]
pub struct GoalCapsView {
    /// Conversions in a day.
    #[schema(minimum = 1, maximum = 1000000000)]
    conversions_per_day: Option<i64>,
    /// Conversions in a month.
    #[schema(minimum = 1, maximum = 1000000000)]
    conversions_per_month: Option<i64>,
    /// Conversions ever.
    #[schema(minimum = 1, maximum = 1000000000)]
    conversions_total: Option<i64>,
    /// Payouts in a day: a decimal string in the goal's currency.
    payout_per_day: Option<String>,
    /// Payouts in a month: a decimal string in the goal's currency.
    payout_per_month: Option<String>,
    /// Payouts ever: a decimal string in the goal's currency.
    payout_total: Option<String>,
}

impl GoalOverride {
    /// Shows an override.
    pub fn of(one: &Override, currency: Option<Currency>) -> Self {
        let money = |rule: Option<MoneyRule>| rule.map(|rule| GoalMoney::of(rule, currency));
        Self {
            publisher_id: one.publisher_id.map(|id| id.to_string()),
            country: one.country.map(|country| country.to_string()),
            payout: money(one.payout),
            revenue: money(one.revenue),
        }
    }
}

impl GoalCapsView {
    /// Shows caps.
    pub fn of(caps: GoalCaps, currency: Option<Currency>) -> Self {
        let decimal = |sum: Option<Micros>| sum.zip(currency).map(|(sum, unit)| sum.to_decimal(unit));
        Self {
            conversions_per_day: caps.conversions_per_day,
            conversions_per_month: caps.conversions_per_month,
            conversions_total: caps.conversions_total,
            payout_per_day: decimal(caps.payout_per_day),
            payout_per_month: decimal(caps.payout_per_month),
            payout_total: decimal(caps.payout_total),
        }
    }
}

/// An override whose publisher is not looked up yet.
pub struct NamedOverride {
    /// The publisher's name.
    pub publisher: Option<Reference<PublisherId>>,
    /// The rest.
    pub rule: Override,
}

/// Reads ways to match.
pub fn read_modes(fields: &mut Fields, modes: Option<Vec<String>>) -> Option<Vec<MatchMode>> {
    let words = modes?;
    let (mut modes, mut is_clean) = (Vec::new(), true);
    for (index, word) in words.into_iter().enumerate() {
        let pointer = format!("/modes/{index}");
        match fields.optional(&pointer, Some(word), read::word(MatchMode::ALL, MatchMode::parse)) {
            Some(mode) if modes.contains(&mode) => fields.error(&pointer, "stands twice"),
            Some(mode) => modes.push(mode),
            None => is_clean = false,
        }
    }
    if modes.is_empty() && is_clean {
        fields.error("/modes", "needs at least one of transaction, customer, partner");
    }
    Some(modes)
}

/// Reads names of campaigns.
pub fn read_campaigns(fields: &mut Fields, names: Option<Vec<String>>) -> Option<Vec<Reference<CampaignId>>> {
    let names = names?;
    if names.len() > MOST_CAMPAIGNS {
        fields.error("/campaign_ids", format!("at most {MOST_CAMPAIGNS} are taken"));
    }
    let named = names.into_iter().enumerate().filter_map(|(index, name)| {
        fields.optional(&format!("/campaign_ids/{index}"), Some(name), read::reference::<CampaignId>)
    });
    Some(named.collect())
}

/// Reads overrides; each place may have one.
pub fn read_overrides(
    fields: &mut Fields,
    overrides: Option<Vec<GoalOverride>>,
) -> Option<Vec<NamedOverride>> {
    let overrides = overrides?;
    if overrides.len() > MOST_OVERRIDES {
        fields.error("/overrides", format!("at most {MOST_OVERRIDES} are taken"));
    }
    let read = overrides.into_iter().enumerate().map(|(index, one)| read_override(fields, index, one));
    Some(read.collect())
}

fn read_override(fields: &mut Fields, index: usize, one: GoalOverride) -> NamedOverride {
    let at = |field: &str| format!("/overrides/{index}{field}");
    if one.publisher_id.is_none() && one.country.is_none() {
        fields.error(&at(""), "needs `publisher_id`, `country` or both");
    }
    if one.payout.is_none() && one.revenue.is_none() {
        fields.error(&at(""), "needs `payout`, `revenue` or both");
    }
    NamedOverride {
        publisher: fields.optional(&at("/publisher_id"), one.publisher_id, read::reference::<PublisherId>),
        rule: Override {
            publisher_id: None,
            country: fields.optional(&at("/country"), one.country, country),
            payout: fields.optional(&at("/payout"), one.payout, read_money),
            revenue: fields.optional(&at("/revenue"), one.revenue, read_money),
        },
    }
}

fn country(text: String) -> Result<Country, String> {
    let country = Country::parse(&text.to_ascii_uppercase());
    country.ok_or_else(|| format!("`{text}` is not an ISO 3166-1 code of two letters, such as DE"))
}

/// Reads caps.
pub fn read_caps(fields: &mut Fields, caps: GoalCapsView) -> GoalCaps {
    let mut count = |name: &str, value| fields.optional(&format!("/caps/{name}"), value, conversions);
    let [day, month, total] = [
        count("conversions_per_day", caps.conversions_per_day),
        count("conversions_per_month", caps.conversions_per_month),
        count("conversions_total", caps.conversions_total),
    ];
    let mut sum = |name: &str, value| fields.optional(&format!("/caps/{name}"), value, payout);
    GoalCaps {
        conversions_per_day: day,
        conversions_per_month: month,
        conversions_total: total,
        payout_per_day: sum("payout_per_day", caps.payout_per_day),
        payout_per_month: sum("payout_per_month", caps.payout_per_month),
        payout_total: sum("payout_total", caps.payout_total),
    }
}

fn conversions(count: i64) -> Result<i64, String> {
    let fits = (1..=MOST_CONVERSIONS).contains(&count);
    if fits {
        Ok(count)
    } else {
        Err(format!("must be a number of conversions from 1 to {MOST_CONVERSIONS}"))
    }
}

fn payout(text: String) -> Result<Micros, String> {
    match parse_decimal(&text) {
        Ok(Micros(0)) => Err("must be above 0".to_owned()),
        read => read.map_err(|error| error.to_string()),
    }
}

/// Reads how often a customer may come again.
pub fn max_rebills(count: i64) -> Result<i64, String> {
    let fits = (1..=MOST_CONVERSIONS).contains(&count);
    if fits { Ok(count) } else { Err(format!("must be a number from 1 to {MOST_CONVERSIONS}")) }
}

/// A sum without a currency is no money.
pub fn check_sums(fields: &mut Fields, rules: &GoalRules) {
    if rules.currency.is_none() && rules.has_sums() {
        let why = "is needed, because payout, revenue, an override or a cap is a sum of money";
        fields.error("/currency", why);
    }
}

/// What does not go together, whichever field is to blame.
pub fn check_together(fields: &mut Fields, rules: &GoalRules) {
    check_sums(fields, rules);
    if rules.modes.contains(&MatchMode::Partner) && !rules.campaign_ids.is_empty() {
        let why = "`partner` does not go with `campaign_ids`: without a click no campaign is known";
        fields.error("/modes", why);
    }
    let mut places: Vec<_> = Vec::with_capacity(rules.overrides.len());
    for (index, one) in rules.overrides.iter().enumerate() {
        let place = (one.publisher_id, one.country);
        if places.contains(&place) {
            fields.error(
                &format!("/overrides/{index}"),
                "another override is for the same publisher and country",
            );
        }
        places.push(place);
    }
}
