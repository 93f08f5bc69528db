//! What an adjustment makes of a conversion: its status, and its money. Pure; the history, the totals and the lock are
//! matters of `db`.

use super::{
    code::Code,
    conversion::{AdjustmentKind, ConversionStatus, Reason, transition},
    currency::Currency,
    goal::HoldEnd,
    ids::ConversionId,
    money::Micros,
    pricing,
    rate::Rate,
    refusal::{FieldError, Refusal},
    trace::Check,
    worth::{Terms, Worth},
};

/// The longest note, in bytes.
pub const LONGEST_NOTE_BYTES: usize = 500;
/// The longest adjustment id, in bytes.
pub const LONGEST_ADJUSTMENT_ID_BYTES: usize = 128;

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// What to do.
    pub kind: AdjustmentKind,
    /// Why.
    pub reason: Option<Reason>,
    /// The new amount of a restatement, with its currency.
    pub amount: Option<(Micros, Currency)>,
    /// What people should know about it.
    pub note: Option<String>,
}

/// Where a conversion stands, and what it is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Its status.
    pub status: ConversionStatus,
    /// What was reported.
    pub amount: Option<Micros>,
    /// The currency of all three sums.
    pub currency: Option<Currency>,
    /// What the publisher earns.
    pub payout: Micros,
    /// What the partner earns.
    pub revenue: Micros,
    /// What the publisher earns in the goal's currency, which its caps are in; none where it is the same sum.
    pub capped_payout: Option<Micros>,
}

/// What an adjustment makes of a conversion. A new amount is worth what the conversion's own terms make of it: a goal that
/// was changed since, and a rate that was, do not matter. `of_goal` is the rate from the goal's currency to the
/// conversion's, where that is another one.
pub fn adjust(
    before: Standing,
    terms: Terms,
    hold_end: HoldEnd,
    change: &Change,
    of_goal: Option<Rate>,
) -> Result<Standing, Refusal> {
    let status = transition(before.status, change.kind, hold_end)
        .ok_or_else(|| not_allowed(before.status, change.kind))?;
    let Some((amount, currency)) = change.amount.filter(|_| change.kind == AdjustmentKind::Restatement)
    else {
        return Ok(Standing { status, ..before });
    };
    let terms = terms.in_currency(currency).ok_or_else(|| other_currency(terms, currency))?;
    let worth = terms.worth(Some(amount)).ok_or_else(|| pricing::too_large(terms.currency))?;
    let Worth { amount, payout, revenue, .. } = worth;
    let capped_payout = of_goal.map(|rate| rate.undo(payout)).filter(|capped| *capped != payout);
    Ok(Standing { status, amount, currency: terms.currency, payout, revenue, capped_payout })
}

fn other_currency(terms: Terms, sent: Currency) -> Refusal {
    let own = terms.currency.unwrap_or(sent);
    let detail = match terms.exchange {
        Some(exchange) => {
            let from = exchange.from;
            format!("The conversion is in {own}, and was reported in {from}; this amount is in {sent}.")
        }
        None => format!("The conversion is in {own}; this amount is in {sent}."),
    };
    Refusal::new(Code::CurrencyInvalid, detail).fact("currency", own.as_str())
}

/// The refusal of a kind that a status does not allow.
pub fn not_allowed(status: ConversionStatus, kind: AdjustmentKind) -> Refusal {
    let hint = match (kind, status) {
        (AdjustmentKind::Reject, ConversionStatus::Approved) => {
            "Send `retraction`: it takes back what was approved."
        }
        (AdjustmentKind::Approve, ConversionStatus::Rejected) => "Send `reopen` first.",
        (_, ConversionStatus::Reversed) => {
            "Send `restatement` with the right amount: the conversion then waits for a decision."
        }
        (AdjustmentKind::Reopen, ConversionStatus::OnHold) => {
            "Send `approve` or `reject`: nobody has decided yet."
        }
        _ => "Read the conversion's history.",
    };
    Refusal::new(
        Code::TransitionNotAllowed,
        format!("`{kind}` is not possible for a conversion that is {status}."),
    )
    .hint(hint)
    .fact("conversion_status", status.as_str())
}

/// The refusal of a conversion that is not there, or that a key does not reach.
pub fn no_conversion() -> Refusal {
    Refusal::of(Code::ConversionNotFound)
}

/// The refusal of a conversion beside which another one's order id is named.
pub fn of_other_order(order_id: &str) -> Refusal {
    let detail =
        format!("The conversion was not reported with the `order_id` `{order_id}`; nothing was changed.");
    Refusal::new(Code::ConversionNotFound, detail).hint(
        "Name the conversion by `conversion_id` alone, or by the `goal` and the `order_id` of one report.",
    )
}

/// The refusal of an adjustment id that was used for something else.
pub fn conflict(adjustment_id: &str, of: ConversionId) -> Refusal {
    let detail = format!("The adjustment `{adjustment_id}` was made before, with another content.");
    Refusal::new(Code::AdjustmentConflict, detail).fact("conversion_id", of.to_string())
}

/// The check that refuses an adjustment with a code, once it is known what is asked for.
pub fn refused_at(code: Code) -> Check {
    match code {
        Code::ConversionNotFound => Check::Target,
        Code::AdjustmentConflict => Check::Duplicates,
        Code::TransitionNotAllowed => Check::Transition,
        _ => Check::Amount,
    }
}

/// What a restatement lacks.
pub fn check_amount(
    kind: AdjustmentKind,
    amount: Option<Micros>,
    currency: Option<Currency>,
) -> Result<Option<(Micros, Currency)>, Refusal> {
    let unwanted = |name: &str| {
        let detail = format!("is taken by `{}` only", AdjustmentKind::Restatement);
        Refusal::fields(Code::Malformed, vec![FieldError::new(name, detail)])
    };
    match (kind, amount, currency) {
        (AdjustmentKind::Restatement, Some(amount), Some(currency)) => Ok(Some((amount, currency))),
        (AdjustmentKind::Restatement, None, _) => Err(Refusal::new(
            Code::AmountRequired,
            "A restatement needs the new amount; for a full refund, send `retraction`.",
        )),
        (AdjustmentKind::Restatement, Some(_), None) => Err(Refusal::of(Code::CurrencyRequired)),
        (_, Some(_), _) => Err(unwanted("amount")),
        (_, None, Some(_)) => Err(unwanted("currency")),
        (_, None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{goal::MoneyRule, money::Percent, worth::Exchange};
    use proptest::prelude::*;

    fn euros() -> Currency {
        Currency::parse("EUR").unwrap()
    }

    fn approved() -> Standing {
        Standing {
            status: ConversionStatus::Approved,
            amount: Some(Micros(49_900_000)),
            currency: Some(euros()),
            payout: Micros(4_990_000),
            revenue: Micros(6_237_500),
            capped_payout: None,
        }
    }

    fn change(kind: AdjustmentKind, amount: Option<(Micros, Currency)>) -> Change {
        Change { kind, reason: None, amount, note: None }
    }

    /// A tenth for the publisher, a fifth for the partner; reported in dollars at 0.9.
    fn terms() -> Terms {
        let share = |percent: &str| MoneyRule::Percent(Percent::parse(percent).unwrap());
        let exchange = Exchange { from: dollars(), rate: Rate::parse("0.9").unwrap() };
        let (payout, revenue) = (share("10"), share("20"));
        Terms { payout, revenue, currency: Some(euros()), exchange: Some(exchange) }
    }

    fn dollars() -> Currency {
        Currency::parse("USD").unwrap()
    }

    #[test]
    fn a_restatement_changes_all_money_and_nothing_else() {
        let change = change(AdjustmentKind::Restatement, Some((Micros(20_000_000), euros())));
        let after = adjust(approved(), terms(), HoldEnd::Approve, &change, None).unwrap();
        let money = (after.amount, after.payout, after.revenue);
        assert_eq!(money, (Some(Micros(20_000_000)), Micros(2_000_000), Micros(4_000_000)));
        assert_eq!(after.status, ConversionStatus::Approved);
    }

    #[test]
    fn the_currency_that_was_reported_is_taken_too_and_no_other() {
        let restated = |currency| {
            let change = change(AdjustmentKind::Restatement, Some((Micros(20_000_000), currency)));
            adjust(approved(), terms(), HoldEnd::Approve, &change, None)
        };
        let after = restated(dollars()).unwrap();
        let money = (after.amount, after.currency, after.payout, after.revenue);
        assert_eq!(money, (Some(Micros(18_000_000)), Some(euros()), Micros(1_800_000), Micros(3_600_000)));
        let refusal = restated(Currency::parse("GBP").unwrap()).unwrap_err();
        assert_eq!((refusal.code, &refusal.facts["currency"]), (Code::CurrencyInvalid, &"EUR".into()));
        assert!(refusal.detail.contains("reported in USD"), "{}", refusal.detail);
    }

    #[test]
    fn a_restated_payout_is_counted_in_the_goals_currency() {
        let change = change(AdjustmentKind::Restatement, Some((Micros(20_000_000), euros())));
        let capped = |rate: &str| {
            let of_goal = Rate::parse(rate).ok();
            adjust(approved(), terms(), HoldEnd::Approve, &change, of_goal).unwrap().capped_payout
        };
        assert_eq!((capped("0.8"), capped("1")), (Some(Micros(2_500_000)), None));
    }

    #[test]
    fn a_conversion_without_money_takes_any_currency() {
        let before = Standing { amount: None, currency: None, ..approved() };
        let none = Terms { currency: None, exchange: None, ..terms() };
        let change = change(AdjustmentKind::Restatement, Some((Micros(5), euros())));
        assert_eq!(adjust(before, none, HoldEnd::Approve, &change, None).unwrap().currency, Some(euros()));
    }

    #[test]
    fn what_becomes_too_large_is_refused() {
        let change = change(AdjustmentKind::Restatement, Some((Micros(i64::MAX), dollars())));
        let exchange = Exchange { from: dollars(), rate: Rate::parse("2").unwrap() };
        let terms = Terms { exchange: Some(exchange), ..terms() };
        let refusal = adjust(approved(), terms, HoldEnd::Approve, &change, None).unwrap_err();
        assert_eq!(refusal.code, Code::AmountInvalid);
    }

    #[test]
    fn what_is_not_allowed_says_what_is() {
        let change = change(AdjustmentKind::Reject, None);
        let refusal = adjust(approved(), terms(), HoldEnd::Approve, &change, None).unwrap_err();
        assert_eq!(refusal.code, Code::TransitionNotAllowed);
        assert!(refusal.hint.unwrap().contains("retraction"));
    }

    #[test]
    fn only_a_restatement_has_an_amount() {
        let euros = Some(euros());
        let code = |kind, amount, currency| check_amount(kind, amount, currency).unwrap_err().code;
        let (restatement, retraction) = (AdjustmentKind::Restatement, AdjustmentKind::Retraction);
        assert_eq!(code(restatement, None, euros), Code::AmountRequired);
        assert_eq!(code(restatement, Some(Micros(1)), None), Code::CurrencyRequired);
        assert_eq!(code(retraction, Some(Micros(1)), euros), Code::Malformed);
        assert_eq!(code(retraction, None, euros), Code::Malformed);
        assert_eq!(check_amount(retraction, None, None), Ok(None));
    }

    proptest! {
        #[test]
        fn whatever_is_asked_money_changes_only_by_a_restatement(kind in 0..6usize, status in 0..5usize, amount in 0i64..1 << 40) {
            let (kind, status) = (AdjustmentKind::ALL[kind], ConversionStatus::ALL[status]);
            let before = Standing { status, ..approved() };
            let change = change(kind, Some((Micros(amount), euros())));
            if let Ok(after) = adjust(before, terms(), HoldEnd::Reject, &change, None) {
                let same = (after.amount, after.payout, after.revenue) == (before.amount, before.payout, before.revenue);
                prop_assert_eq!(same, kind != AdjustmentKind::Restatement || amount == 49_900_000 && before.payout.0 == amount / 10);
            }
        }
    }
}
