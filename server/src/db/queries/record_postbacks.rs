//! Recording a batch of postbacks: load what is known of their clicks and orders, let the domain decide about each in
//! turn, write the verdicts and the lines of the log. All of it happens in the transaction it is called in; the
//! answers are for after the commit.

mod ledger;

use std::collections::{BTreeMap, HashSet};

use ledger::Ledger;
use serde_json::{Map, Value};

use super::{Conn, bulk, totals};
use crate::{
    db::{
        received::{Incoming, Received},
        rows::records::{Conversion, Postback},
        scope::PartnerScope,
        sql_types::Json,
    },
    domain::{
        answer::Answer,
        attribution::{self, CustomerFacts, Facts, Proof, Verdict},
        click_id::Touch,
        counted::Counted,
        ids::{AdvertiserId, ConversionId, GoalId, PartnerId, RowId},
        postback::{About, Intent, Report},
        pricing::Price,
        refusal::Refusal,
        totals::Changes,
    },
    error::{Error, Result},
};

/// How often a report is judged: once in the hope that it is new, then in sight of earlier ones, and again whenever
/// another process was faster.
const ATTEMPTS: usize = 6;

/// Records postbacks of any partners, and says what to answer to each.
pub fn record(conn: &mut Conn, batch: &[Incoming]) -> Result<Vec<Answer>> {
    let mut answers: Vec<Option<Answer>> = vec![None; batch.len()];
    let mut added: BTreeMap<PartnerId, (RowId, Changes)> = BTreeMap::new();
    for attempt in 0..ATTEMPTS {
        let waiting: Vec<usize> = (0..batch.len()).filter(|position| answers[*position].is_none()).collect();
        if waiting.is_empty() {
            break;
        }
        let view = if attempt == 0 { View::ClicksOnly } else { View::Whole };
        let mut round = Round::judge(conn, waiting.iter().map(|position| &batch[*position]), view)?;
        round.insert(conn)?;
        for conversion in round.counted() {
            let received = &batch[waiting[conversion.position]].received;
            let (_, changes) =
                added.entry(received.scope.id()).or_insert((received.delta_id, Changes::default()));
            let (key, sums) = conversion.row.total();
            changes.add(key, sums);
        }
        for (position, answer) in waiting.iter().zip(round.answers()) {
            answers[*position] = answer;
        }
    }
    let answers: Option<Vec<Answer>> = answers.into_iter().collect();
    let answers =
        answers.ok_or_else(|| Error::Internal("a conversion is there, and cannot be seen".into()))?;
    let answers: Vec<Answer> =
        batch.iter().zip(answers).map(|(incoming, answer)| named(incoming, answer)).collect();
    let lines: Vec<Postback> =
        batch.iter().zip(&answers).map(|(incoming, answer)| line(incoming, answer)).collect();
    bulk::insert_postbacks(conn, &lines)?;
    let added =
        added.into_iter().map(|(partner, (id, changes))| (PartnerScope::established(partner), id, changes));
    totals::add_all(conn, added)?;
    Ok(answers)
}

fn named(incoming: &Incoming, answer: Answer) -> Answer {
    Answer { postback_id: Some(incoming.received.postback_id), ..answer }
}

/// A conversion that a round wants to write, for the report at a position.
struct Wanted {
    position: usize,
    row: Conversion,
}

/// How much is looked up before a round. Most reports are new, and the unique keys say so without a look-up: only what
/// cannot be written is judged again, in sight of what was counted before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum View {
    ClicksOnly,
    Whole,
}

/// One try: what each report comes to as far as can be seen now, and which conversions could really be written.
struct Round<'a> {
    view: View,
    reports: Vec<&'a Incoming>,
    verdicts: Vec<Result<Verdict, Refusal>>,
    wanted: Vec<Wanted>,
    written: HashSet<ConversionId>,
}

impl<'a> Round<'a> {
    /// Decides about each in turn; what an earlier one counts, a later one repeats.
    fn judge(conn: &mut Conn, reports: impl Iterator<Item = &'a Incoming>, view: View) -> Result<Self> {
        let reports: Vec<&Incoming> = reports.collect();
        let mut ledger = Ledger::load(conn, &reports, view == View::Whole)?;
        let (mut verdicts, mut wanted) = (Vec::with_capacity(reports.len()), Vec::new());
        for (position, incoming) in reports.iter().enumerate() {
            let verdict = judge(incoming, &ledger);
            if let (Ok(Verdict::Count(counted)), Some(Intent::Count)) = (&verdict, intent(incoming)) {
                let row = row(&incoming.received, counted);
                ledger.remember(&row);
                wanted.push(Wanted { position, row });
            }
            verdicts.push(verdict);
        }
        Ok(Self { view, reports, verdicts, wanted, written: HashSet::new() })
    }

    /// Writes what is wanted, in the order of its keys: two writers that want the same never wait for each other.
    fn insert(&mut self, conn: &mut Conn) -> Result<()> {
        self.wanted.sort_by(|one, other| key(&one.row).cmp(&key(&other.row)));
        let rows: Vec<Conversion> = self.wanted.iter().map(|wanted| wanted.row.clone()).collect();
        if !rows.is_empty() {
            self.written = bulk::insert_conversions(conn, &rows)?.into_iter().collect();
        }
        Ok(())
    }

    fn counted(&self) -> impl Iterator<Item = &Wanted> {
        self.wanted.iter().filter(|wanted| self.written.contains(&wanted.row.id))
    }

    /// The answers that stand. Where earlier conversions were not looked up, or another writer was faster, only what
    /// was written does: the rest is judged again, in sight of the others' conversions.
    fn answers(&self) -> impl Iterator<Item = Option<Answer>> {
        let is_whole = self.view == View::Whole && self.written.len() == self.wanted.len();
        self.reports.iter().zip(&self.verdicts).map(move |(incoming, verdict)| {
            let stands = is_whole || self.written.contains(&incoming.received.conversion_id);
            stands.then(|| answer(incoming, verdict))
        })
    }
}

fn intent(incoming: &Incoming) -> Option<Intent> {
    incoming.received.report.as_ref().ok().map(|report| report.intent)
}

fn answer(incoming: &Incoming, verdict: &Result<Verdict, Refusal>) -> Answer {
    let answer = match verdict {
        Ok(Verdict::Count(counted)) => Answer::counted(counted, incoming.received.conversion_id),
        Ok(Verdict::Again(previous)) => Answer::again(previous),
        Err(refusal) => return Answer::refused(refusal.clone()),
    };
    if intent(incoming) == Some(Intent::Validate) { answer.validated() } else { answer }
}

fn judge(incoming: &Incoming, ledger: &Ledger) -> Result<Verdict, Refusal> {
    let received = &incoming.received;
    let report = received.report.as_ref().map_err(Clone::clone)?;
    let advertiser_id = incoming.set_up.advertiser.clone()?;
    let (same_key, same_order) = match key_of(incoming, report) {
        Some((goal, key)) => ledger.earlier(incoming, (advertiser_id, goal), key, report.order_id.clone()),
        None => (None, None),
    };
    let facts = Facts {
        received_at: received.received_at,
        key: received.powers.clone(),
        advertiser_id,
        rules: incoming.set_up.rules.clone(),
        rates: incoming.set_up.rates.clone(),
        publisher: incoming.set_up.publisher,
        click: ledger.click(incoming),
        customer: CustomerFacts::default(),
        leads: Vec::new(),
        same_key,
        same_order,
    };
    attribution::decide(report, &facts)
}

/// The goal that a report names, and the key that its conversion would have.
fn key_of(incoming: &Incoming, report: &Report) -> Option<(GoalId, String)> {
    let goal = attribution::goal_for(report, &incoming.set_up.rules.goals).ok()?;
    let click = incoming.received.click.as_ref()?.as_ref().ok()?;
    Some((goal.id, attribution::count_key(goal.counting, Some(*click), report.order_id.as_deref())))
}

fn key(row: &Conversion) -> (PartnerId, AdvertiserId, GoalId, &str) {
    (row.partner_id, row.advertiser_id, row.goal_id, &row.count_key)
}

fn row(received: &Received, counted: &Counted) -> Conversion {
    let click = counted.click.as_ref();
    let Price { terms, worth, .. } = &counted.price;
    Conversion {
        partner_id: received.scope.id(),
        id: received.conversion_id,
        advertiser_id: counted.advertiser_id,
        goal_id: counted.goal_id,
        count_key: counted.count_key.clone(),
        match_mode: counted.match_mode,
        click_id: click.map(|click| click.id),
        link_id: click.map(|click| click.credit.link_id),
        campaign_id: click.map(|click| click.credit.campaign_id),
        creative_id: click.and_then(|click| click.credit.creative_id),
        publisher_id: counted.publisher_id,
        order_id: counted.order_id.clone(),
        customer_id: counted.customer_id.clone(),
        status: counted.status,
        flags: Json(counted.flags.clone()),
        amount_micros: worth.amount,
        currency: terms.currency,
        payout_micros: worth.payout,
        revenue_micros: worth.revenue,
        clicked_at: click.map(|click| click.id.minted_at()),
        event_time: counted.event_time,
        received_at: received.received_at,
        hold_until: counted.hold_until,
        hold_end: counted.hold_end,
        postback_id: received.postback_id,
        parameters: Json(counted.extras.clone()),
        updated_at: received.received_at,
        view_through: click.is_some_and(|click| click.touch == Touch::Impression),
        payout_kind: terms.payout.kind(),
        payout_number: terms.payout.micros(),
        payout_rule: counted.price.payout_rule.clone(),
        revenue_kind: terms.revenue.kind(),
        revenue_number: terms.revenue.micros(),
        revenue_rule: counted.price.revenue_rule.clone(),
        original_amount_micros: worth.original,
        original_currency: terms.exchange.map(|exchange| exchange.from),
        exchange_rate: terms.exchange.map(|exchange| exchange.rate),
        capped_payout_micros: Some(counted.price.payout_for_caps).filter(|payout| *payout != worth.payout),
    }
}

fn line(incoming: &Incoming, answer: &Answer) -> Postback {
    let received = &incoming.received;
    let goal = received
        .report
        .as_ref()
        .ok()
        .and_then(|report| attribution::goal_for(report, &incoming.set_up.rules.goals).ok());
    Postback {
        partner_id: received.scope.id(),
        id: received.postback_id,
        received_at: received.received_at,
        form: received.form,
        key_id: received.key_id,
        advertiser_id: incoming.set_up.advertiser.as_ref().ok().copied(),
        goal_id: goal.map(|goal| goal.id),
        click_id: received.clicked(),
        conversion_id: answer.conversion_id,
        message_id: received.message_id.clone(),
        code: answer.code.as_str().to_owned(),
        http_status: i32::from(answer.code.status()),
        request: Json(without_nul(received.request.clone())),
        answer: Json(without_nul(answer.body())),
        batch_index: received.batch_index,
        test: received.is_test,
        not_enforced: match received.powers.proof {
            Proof::NotEnforced(code) => Some(code.as_str().to_owned()),
            Proof::Signature | Proof::Token | Proof::WeakToken => None,
        },
        about: About::Conversion,
    }
}

/// PostgreSQL keeps no NUL in a document. The refusal says that there was one; the log shows where.
pub(super) fn without_nul(document: Map<String, Value>) -> Map<String, Value> {
    if document.iter().any(|(name, value)| name.contains('\0') || has_nul(value)) {
        document.into_iter().map(|(name, value)| (replaced(name), value_without_nul(value))).collect()
    } else {
        document
    }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn value_without_nul(value: Value) -> Value {
    match value {
        Value::String(text) => replaced(text).into(),
        Value::Array(items) => items.into_iter().map(value_without_nul).collect(),
        Value::Object(members) => without_nul(members).into(),
        other => other,
    }
}

fn replaced(text: String) -> String {
    text.replace('\0', "\u{fffd}")
}
