//! Recording a batch of postbacks: load what is known of their clicks and orders, let the domain decide about each in
//! turn, write the verdicts and the lines of the log. All of it happens in the transaction it is called in; the
//! answers are for after the commit.

mod caps;
mod ledger;
mod people;
mod quick;
mod written;

use std::collections::{BTreeMap, HashSet};

use caps::{Admission, Counts};
use ledger::Ledger;
use people::People;
pub use quick::{commit_new, judge_new};
pub(super) use written::{kept, order_id, request};

use super::{Conn, bulk, totals};
use crate::{
    db::{
        received::Incoming,
        rows::records::{Conversion, Postback},
        scope::PartnerScope,
    },
    domain::{
        answer::Answer,
        attribution::{self, Facts, Verdict},
        goal::GoalRules,
        ids::{AdvertiserId, ConversionId, GoalId, PartnerId, RowId},
        postback::{Intent, Report},
        refusal::Refusal,
        totals::Changes,
        trace::{Check, Trace},
    },
    error::{Error, Result},
};

/// How often a report is judged: once in the hope that it is new, then in sight of earlier ones, and again whenever
/// another process was faster.
const ATTEMPTS: usize = 6;

/// Records postbacks of any partners, and says what to answer to each.
pub fn record(conn: &mut Conn, batch: &[Incoming]) -> Result<Vec<Answer>> {
    let (answers, lines): (Vec<Answer>, Vec<Postback>) = settle(conn, batch)?
        .into_iter()
        .zip(batch)
        .map(|((answer, trace), incoming)| logged(incoming, answer, trace))
        .unzip();
    bulk::insert_postbacks(conn, &lines)?;
    Ok(answers)
}

/// Judges postbacks, writes what counts, and leaves the log alone.
pub(super) fn count(conn: &mut Conn, batch: &[Incoming]) -> Result<Vec<Answer>> {
    let answers = settle(conn, batch)?.into_iter().zip(batch);
    Ok(answers.map(|((answer, _), incoming)| named(incoming, answer)).collect())
}

/// Judges postbacks, writes what counts, and says what to answer and why.
fn settle(conn: &mut Conn, batch: &[Incoming]) -> Result<Vec<(Answer, Trace)>> {
    let mut answers: Vec<Option<(Answer, Trace)>> = vec![None; batch.len()];
    let mut added: BTreeMap<PartnerId, (RowId, Changes)> = BTreeMap::new();
    let mut counts = Counts::hold(conn, batch)?;
    let first_view = if batch.iter().any(counts_exactly) { View::Whole } else { View::ClicksOnly };
    for attempt in 0..ATTEMPTS {
        let waiting: Vec<usize> = (0..batch.len()).filter(|position| answers[*position].is_none()).collect();
        if waiting.is_empty() {
            break;
        }
        let view = if attempt == 0 { first_view } else { View::Whole };
        let reports = waiting.iter().map(|position| &batch[*position]);
        let mut round = Round::judge(conn, reports, view, &mut counts)?;
        round.insert(conn, &mut counts)?;
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
    counts.write(conn)?;
    let answers: Option<Vec<(Answer, Trace)>> = answers.into_iter().collect();
    let answers =
        answers.ok_or_else(|| Error::Internal("a conversion is there, and cannot be seen".into()))?;
    let added =
        added.into_iter().map(|(partner, (id, changes))| (PartnerScope::established(partner), id, changes));
    totals::add_all(conn, added)?;
    Ok(answers)
}

/// Whether what is counted already has to be known from the start: what is counted twice in passing must not take a place.
fn counts_exactly(incoming: &Incoming) -> bool {
    goal_of(incoming).is_some_and(|goal| goal.caps.is_some() || goal.max_rebills.is_some())
}

/// The goal that a report names.
fn goal_of(incoming: &Incoming) -> Option<&GoalRules> {
    let report = incoming.received.report.as_ref().ok()?;
    incoming.set_up.rules.goals.iter().find(|goal| goal.event_name == report.goal)
}

fn named(incoming: &Incoming, answer: Answer) -> Answer {
    Answer { postback_id: Some(incoming.received.postback_id), ..answer }
}

/// An answer that names its line of the log, and the line.
fn logged(incoming: &Incoming, answer: Answer, trace: Trace) -> (Answer, Postback) {
    let answer = named(incoming, answer);
    let line = written::postback(incoming, &answer, trace);
    (answer, line)
}

/// What a report comes to, and why.
struct Judged {
    verdict: Result<Verdict, Refusal>,
    trace: Trace,
}

/// A conversion that a round wants to write, for the report at a position.
struct Wanted {
    position: usize,
    row: Conversion,
    admission: Option<Admission>,
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
    verdicts: Vec<Option<Judged>>,
    wanted: Vec<Wanted>,
    written: HashSet<ConversionId>,
    people: People,
}

impl<'a> Round<'a> {
    /// Decides about each in turn; what an earlier one counts, a later one repeats. Who comes with a customer that an
    /// earlier one is about to bind waits for the next round.
    fn judge(
        conn: &mut Conn,
        reports: impl Iterator<Item = &'a Incoming>,
        view: View,
        counts: &mut Counts,
    ) -> Result<Self> {
        let reports: Vec<&Incoming> = reports.collect();
        let mut people = People::load(conn, &reports)?;
        let mut ledger = Ledger::load(conn, &reports, view == View::Whole)?;
        let mut verdicts = Vec::with_capacity(reports.len());
        let mut wanted = Vec::with_capacity(reports.len());
        for (position, incoming) in reports.iter().enumerate() {
            if people.has_to_wait(incoming) {
                verdicts.push(None);
                continue;
            }
            let mut judged = judge(incoming, &ledger, &people);
            if let Ok(Verdict::Count(counted)) = &mut judged.verdict {
                judged.trace.caps = counts.seen(incoming);
                let admission = counts.admit(incoming, counted);
                if intent(incoming) == Some(Intent::Count) {
                    let row = written::conversion(&incoming.received, counted);
                    ledger.remember(&row);
                    people.remember(incoming, counted, &row);
                    wanted.push(Wanted { position, row, admission });
                } else {
                    admission.iter().for_each(|admission| counts.take_back(admission));
                }
            }
            verdicts.push(Some(judged));
        }
        Ok(Self { view, reports, verdicts, wanted, written: HashSet::new(), people })
    }

    /// Puts what is wanted in the order of its keys: two writers that want the same never wait for each other.
    fn sort(&mut self) {
        self.wanted.sort_by(|one, other| key(&one.row).cmp(&key(&other.row)));
    }

    /// Writes what is wanted.
    fn insert(&mut self, conn: &mut Conn, counts: &mut Counts) -> Result<()> {
        self.sort();
        let rows: Vec<Conversion> = self.wanted.iter().map(|wanted| wanted.row.clone()).collect();
        if !rows.is_empty() {
            self.written = bulk::insert_conversions(conn, &rows)?.into_iter().collect();
        }
        for wanted in self.wanted.iter().filter(|wanted| !self.written.contains(&wanted.row.id)) {
            wanted.admission.iter().for_each(|admission| counts.take_back(admission));
        }
        std::mem::take(&mut self.people).write(conn, |id| self.written.contains(&id))
    }

    fn counted(&self) -> impl Iterator<Item = &Wanted> {
        self.wanted.iter().filter(|wanted| self.written.contains(&wanted.row.id))
    }

    /// The answers that stand. Where earlier conversions were not looked up, or another writer was faster, only what
    /// was written does: the rest is judged again, in sight of the others' conversions.
    fn answers(&mut self) -> impl Iterator<Item = Option<(Answer, Trace)>> {
        let is_whole = self.view == View::Whole && self.written.len() == self.wanted.len();
        let Self { reports, verdicts, written, .. } = self;
        reports.iter().zip(verdicts).map(move |(incoming, judged)| {
            let stands = is_whole || written.contains(&incoming.received.conversion_id);
            let judged = judged.take().filter(|_| stands)?;
            Some((answer(incoming, &judged.verdict), judged.trace))
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

fn judge(incoming: &Incoming, ledger: &Ledger, people: &People) -> Judged {
    let origin = incoming.received.origin.clone();
    let ended_at = origin.refused_at.or(Some(Check::Parameters));
    let mut trace = Trace { origin, ended_at, ..Trace::default() };
    let verdict = decide(incoming, ledger, people, &mut trace);
    Judged { verdict, trace }
}

fn decide(
    incoming: &Incoming,
    ledger: &Ledger,
    people: &People,
    trace: &mut Trace,
) -> Result<Verdict, Refusal> {
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
        customer: people.customer(incoming),
        leads: people.leads(incoming),
        same_key,
        same_order,
    };
    attribution::decide(report, &facts, trace)
}

/// The goal that a report names, and the key that its conversion would have.
fn key_of(incoming: &Incoming, report: &Report) -> Option<(GoalId, String)> {
    let goal = goal_of(incoming)?;
    let click = match &incoming.received.click {
        Some(Ok(click)) => Some(*click),
        Some(Err(_)) => return None,
        None => None,
    };
    let key = attribution::count_key(goal.counting, click, report.order_id.as_deref());
    Some((goal.id, key)).filter(|(_, key)| !key.is_empty())
}

fn key(row: &Conversion) -> (PartnerId, AdvertiserId, GoalId, &str) {
    (row.partner_id, row.advertiser_id, row.goal_id, &row.count_key)
}
