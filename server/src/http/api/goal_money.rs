//! Money of a goal on the wire: fixed, percent or dynamic.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::{
    currency::Currency,
    goal::{MoneyKind, MoneyRule},
    money::{Micros, Percent, parse_decimal},
};

/// How a payout or a revenue is found.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"type": "percent", "percent": "10"})))]
pub struct GoalMoney {
    /// `fixed`: the same sum each time; `percent`: a share of the reported amount; `dynamic`: the amount itself.
    #[serde(rename = "type")]
    #[schema(value_type = MoneyKind)]
    kind: String,
    /// The sum of a fixed one: a decimal string in the goal's currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<String>,
    /// The share of a percent one: a decimal string such as 12.5.
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<String>,
}

impl Default for GoalMoney {
    fn default() -> Self {
        Self { kind: MoneyKind::Fixed.to_string(), amount: Some("0".to_owned()), percent: None }
    }
}

impl GoalMoney {
    /// Shows a rule.
    pub fn of(rule: MoneyRule, currency: Option<Currency>) -> Self {
        let (amount, percent) = match rule {
            MoneyRule::Fixed(sum) => {
                (Some(currency.map_or("0".to_owned(), |unit| sum.to_decimal(unit))), None)
            }
            MoneyRule::Percent(share) => (None, Some(share.to_decimal())),
            MoneyRule::Dynamic => (None, None),
        };
        Self { kind: rule.kind().to_string(), amount, percent }
    }
}

/// Reads a rule.
pub fn read_money(money: GoalMoney) -> Result<MoneyRule, String> {
    match (MoneyKind::parse(&money.kind), &money.amount, &money.percent) {
        (Some(MoneyKind::Fixed), Some(sum), None) => fixed(sum).map(MoneyRule::Fixed),
        (Some(MoneyKind::Percent), None, Some(share)) => {
            Percent::parse(share).map(MoneyRule::Percent).map_err(|error| format!("percent: {error}"))
        }
        (Some(MoneyKind::Dynamic), None, None) => Ok(MoneyRule::Dynamic),
        (Some(MoneyKind::Fixed), ..) => Err("a fixed sum has `amount` and no `percent`".to_owned()),
        (Some(MoneyKind::Percent), ..) => Err("a share has `percent` and no `amount`".to_owned()),
        (Some(MoneyKind::Dynamic), ..) => Err("a dynamic sum has neither `amount` nor `percent`".to_owned()),
        (None, ..) => Err(format!("type: `{}` is not one of fixed, percent, dynamic", money.kind)),
    }
}

fn fixed(text: &str) -> Result<Micros, String> {
    parse_decimal(text).map_err(|error| format!("amount: {error}"))
}
