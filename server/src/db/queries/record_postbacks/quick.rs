//! The quick way of a batch: whatever is new beyond doubt is committed together, in as few round trips as there can be.
//! The rest is left for [`super::record`], which looks more closely.

use std::collections::{BTreeMap, HashSet};

use diesel::result::{DatabaseErrorKind::UniqueViolation, Error::DatabaseError};

use super::{
    super::{Conn, bulk, totals},
    Judged, Round, View, Wanted, answer,
    caps::Counts,
    counts_exactly, intent, logged, people,
};
use crate::{
    db::{
        received::{Incoming, NewPostbacks},
        scope::PartnerScope,
    },
    domain::{
        answer::Answer,
        attribution::Verdict,
        ids::{AdvertiserId, PartnerId, RowId},
        postback::Intent,
        totals::Changes,
    },
    error::Result,
};

/// Judges what of a batch needs no more than its click, and writes nothing: so it can be done beside a commit.
pub fn judge_new(conn: &mut Conn, batch: &[Incoming]) -> Result<NewPostbacks> {
    let plain = plain(batch);
    let reports = plain.iter().map(|position| &batch[*position]);
    let mut round = Round::judge(conn, reports, View::ClicksOnly, &mut Counts::default())?;
    let mut answers = vec![None; batch.len()];
    let mut lines = Vec::with_capacity(plain.len());
    for (place, position) in plain.iter().enumerate() {
        let incoming = &batch[*position];
        let Some(Judged { verdict, trace }) = round.verdicts[place].take() else { continue };
        if stands(incoming, verdict.as_ref().ok()) {
            let (answer, line) = logged(incoming, answer(incoming, &verdict), trace);
            lines.push(line);
            answers[*position] = Some(answer);
        }
    }
    round.sort();
    let deltas = totals::deltas(changes(&round.wanted, &round.reports));
    let conversions = round.wanted.into_iter().map(|wanted| wanted.row).collect();
    Ok(NewPostbacks { answers, conversions, lines, deltas })
}

/// Commits what is new, in a transaction of its own, and says what to answer. `None`: not written, and left. If one
/// that looked new has been counted before, everything is left.
pub fn commit_new(conn: &mut Conn, new: NewPostbacks) -> Result<Vec<Option<Answer>>> {
    let NewPostbacks { answers, conversions, lines, deltas } = new;
    if lines.is_empty() {
        return Ok(answers);
    }
    match bulk::commit_postbacks(conn, &conversions, &lines, &deltas) {
        Err(DatabaseError(UniqueViolation, _)) => Ok(vec![None; answers.len()]),
        outcome => Ok(outcome.map(|()| answers)?),
    }
}

/// Where in the batch the reports are that need no more than their click. What comes to the same advertiser as one that
/// needs more is left with it, so that they are judged in their order.
fn plain(batch: &[Incoming]) -> Vec<usize> {
    let shops: HashSet<_> = batch.iter().filter(|incoming| needs_more(incoming)).filter_map(shop).collect();
    let is_plain = |incoming: &Incoming| shop(incoming).is_none_or(|shop| !shops.contains(&shop));
    (0..batch.len()).filter(|position| is_plain(&batch[*position])).collect()
}

fn needs_more(incoming: &Incoming) -> bool {
    counts_exactly(incoming) || people::are_named(incoming)
}

/// The advertiser that a report is for; none if it is refused before that matters.
fn shop(incoming: &Incoming) -> Option<(PartnerId, AdvertiserId)> {
    incoming.received.report.as_ref().ok()?;
    Some((incoming.received.scope.id(), *incoming.set_up.advertiser.as_ref().ok()?))
}

/// Whether a verdict stands whatever was counted before: a new conversion's, if its key is free, and that of what is
/// refused unread.
fn stands(incoming: &Incoming, verdict: Option<&Verdict>) -> bool {
    match verdict {
        Some(Verdict::Count(_)) => intent(incoming) == Some(Intent::Count),
        Some(Verdict::Again(_)) => false,
        None => shop(incoming).is_none(),
    }
}

/// What the conversions add to the totals of each partner.
fn changes(
    wanted: &[Wanted],
    reports: &[&Incoming],
) -> impl Iterator<Item = (PartnerScope, RowId, Changes)> + use<> {
    let mut added: BTreeMap<PartnerId, (RowId, Changes)> = BTreeMap::new();
    for Wanted { position, row, .. } in wanted {
        let id = reports[*position].received.delta_id;
        let (_, changes) = added.entry(row.partner_id).or_insert_with(|| (id, Changes::default()));
        let (key, sums) = row.total();
        changes.add(key, sums);
    }
    added.into_iter().map(|(partner, (id, changes))| (PartnerScope::established(partner), id, changes))
}
