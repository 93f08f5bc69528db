//! Recording a postback: load the facts, let the domain decide, write the verdict and the line of the log.
//! All of it happens in the transaction it is called in; the answer is for after the commit.

use super::{Conn, advertisers, clicks, conversions, goals, links, postbacks, totals};
use crate::{
    db::{
        received::Received,
        rows::records::{Conversion, Postback},
        sql_types::Json,
    },
    domain::{
        answer::Answer,
        attribution::{self, ClickFacts, Credit, Facts, Verdict},
        click_id::{ClickId, ClickIdError},
        code::Code,
        conversion::MatchMode,
        counted::Counted,
        ids::{AdvertiserId, GoalId, Reference},
        postback::{Intent, Report},
        refusal::{FieldError, Refusal},
        totals::Changes,
    },
    error::{Error, Result},
};

/// What became known about a postback before it was decided; the log keeps it for refused ones too.
#[derive(Default)]
struct Known {
    advertiser_id: Option<AdvertiserId>,
    goal_id: Option<GoalId>,
}

/// Records a postback and says what to answer.
pub fn record(conn: &mut Conn, received: &Received) -> Result<Answer> {
    let mut known = Known::default();
    let answer = match outcome(conn, received, &mut known) {
        Ok(answer) => answer,
        Err(Error::Refused(refusal)) => Answer::refused(*refusal),
        Err(failure) => return Err(failure),
    };
    let answer = Answer { postback_id: Some(received.postback_id), ..answer };
    postbacks::insert(conn, &line(received, &known, &answer))?;
    Ok(answer)
}

fn outcome(conn: &mut Conn, received: &Received, known: &mut Known) -> Result<Answer> {
    let report = received.report.clone()?;
    let verdict = judge(conn, received, &report, known)?;
    if report.intent == Intent::Validate {
        return Ok(answer(&verdict, received).validated());
    }
    let Verdict::Count(counted) = &verdict else { return Ok(answer(&verdict, received)) };
    let conversion = row(received, counted);
    if conversions::insert_once(conn, &conversion)? {
        let changes = Changes::from_iter([conversion.total()]);
        totals::add(conn, &received.scope, received.delta_id, changes)?;
        return Ok(answer(&verdict, received));
    }
    // Another one was faster between the look-up and the insert; it is committed, so now it can be seen.
    match judge(conn, received, &report, known)? {
        Verdict::Count(_) => Err(Error::Internal("a conversion is there, and cannot be seen".into())),
        again => Ok(answer(&again, received)),
    }
}

fn answer(verdict: &Verdict, received: &Received) -> Answer {
    match verdict {
        Verdict::Count(counted) => Answer::counted(counted, received.conversion_id),
        Verdict::Again(previous) => Answer::again(previous),
    }
}

fn judge(conn: &mut Conn, received: &Received, report: &Report, known: &mut Known) -> Result<Verdict> {
    let scope = &received.scope;
    let advertiser_id = advertiser(conn, received, report)?;
    known.advertiser_id = Some(advertiser_id);
    let goals: Vec<_> = goals::serving(conn, scope, advertiser_id)?.iter().map(|goal| goal.rules()).collect();
    let (mut same_key, mut same_order) = (None, None);
    let click = click(conn, received)?;
    if let (Ok(goal), ClickFacts::Genuine { id, .. }) = (attribution::goal_for(report, &goals), &click) {
        known.goal_id = Some(goal.id);
        let ids = (advertiser_id, goal.id);
        let key = attribution::count_key(goal.counting, *id, report.order_id.as_deref());
        same_key = conversions::with_key(conn, scope, ids, &key)?.map(|row| row.previous());
        if let Some(order) = &report.order_id {
            same_order = conversions::with_order(conn, scope, ids, order)?.map(|row| row.previous());
        }
    }
    let key = received.powers.clone();
    let received_at = received.received_at;
    let facts = Facts { received_at, key, advertiser_id, goals, click, same_key, same_order };
    Ok(attribution::decide(report, &facts)?)
}

/// Whose conversion it is: the report says it, or the key leaves no choice.
fn advertiser(conn: &mut Conn, received: &Received, report: &Report) -> Result<AdvertiserId> {
    let powers = &received.powers;
    if let Some(name) = &report.advertiser {
        let found = advertisers::find(conn, &received.scope, name)?.map(|row| row.id);
        return found.filter(|id| powers.covers(*id)).ok_or_else(|| unknown_advertiser(name));
    }
    let candidates = match powers.advertisers.as_slice() {
        [] => advertisers::first_two(conn, &received.scope)?,
        narrowed => narrowed.to_vec(),
    };
    match candidates.as_slice() {
        [only] => Ok(*only),
        _ => {
            let detail =
                "is needed, because the key covers several advertisers: an id or an ext:... of yours";
            Err(Refusal::fields(Code::Malformed, vec![FieldError::new("advertiser", detail)]).into())
        }
    }
}

fn unknown_advertiser(name: &Reference<AdvertiserId>) -> Error {
    let error =
        FieldError::new("advertiser", format!("there is no advertiser `{name}` that this key covers"));
    Refusal::fields(Code::NotFound, vec![error]).into()
}

fn click(conn: &mut Conn, received: &Received) -> Result<ClickFacts> {
    match &received.click {
        None => Ok(ClickFacts::NotSent),
        Some(Err(ClickIdError::NotGenuine)) => Ok(ClickFacts::NotGenuine),
        Some(Err(problem)) => Ok(ClickFacts::Malformed { problem: problem.to_string() }),
        Some(Ok(id)) => genuine_click(conn, received, *id),
    }
}

/// A genuine id is credited from its row, or, where the row is not there, from the link that is part of the id.
fn genuine_click(conn: &mut Conn, received: &Received, id: ClickId) -> Result<ClickFacts> {
    let scope = &received.scope;
    let Some((link, campaign_status)) = links::credited(conn, scope, id.link())? else {
        return Ok(ClickFacts::NotGenuine);
    };
    let (row, credit) = match clicks::find(conn, scope, id)? {
        Some(click) => {
            let credit = Credit {
                advertiser_id: click.advertiser_id,
                campaign_id: click.campaign_id,
                creative_id: click.creative_id,
                link_id: click.link_id,
                publisher_id: click.publisher_id,
            };
            (Some(click.class), credit)
        }
        None => {
            let credit = Credit {
                advertiser_id: link.advertiser_id,
                campaign_id: link.campaign_id,
                creative_id: link.creative_id,
                link_id: link.id,
                publisher_id: link.publisher_id,
            };
            (None, credit)
        }
    };
    Ok(ClickFacts::Genuine { id, row, credit, campaign_status })
}

fn row(received: &Received, counted: &Counted) -> Conversion {
    Conversion {
        partner_id: received.scope.id(),
        id: received.conversion_id,
        advertiser_id: counted.advertiser_id,
        goal_id: counted.goal_id,
        count_key: counted.count_key.clone(),
        match_mode: MatchMode::Transaction,
        click_id: Some(counted.click_id),
        link_id: Some(counted.credit.link_id),
        campaign_id: Some(counted.credit.campaign_id),
        creative_id: counted.credit.creative_id,
        publisher_id: counted.credit.publisher_id,
        order_id: counted.order_id.clone(),
        customer_id: counted.customer_id.clone(),
        status: counted.status,
        flags: Json(counted.flags.clone()),
        amount_micros: counted.amount,
        currency: counted.currency,
        payout_micros: counted.payout,
        revenue_micros: counted.revenue,
        clicked_at: Some(counted.click_id.minted_at()),
        event_time: counted.event_time,
        received_at: received.received_at,
        hold_until: counted.hold_until,
        hold_end: counted.hold_end,
        postback_id: received.postback_id,
        parameters: Json(counted.extras.clone()),
        updated_at: received.received_at,
    }
}

fn line(received: &Received, known: &Known, answer: &Answer) -> Postback {
    Postback {
        partner_id: received.scope.id(),
        id: received.postback_id,
        received_at: received.received_at,
        form: received.form,
        key_id: received.key_id,
        advertiser_id: known.advertiser_id,
        goal_id: known.goal_id,
        click_id: received.click.as_ref().and_then(|read| read.as_ref().ok()).copied(),
        conversion_id: answer.conversion_id,
        message_id: received.message_id.clone(),
        code: answer.code.as_str().to_owned(),
        http_status: i32::from(answer.code.status()),
        request: Json(received.request.clone()),
        answer: Json(answer.body()),
    }
}
