//! From a line of the log back to what the writer decides about: the report as it came, with today's key and set-up.

use crate::{
    db::{
        received::{Incoming, Received},
        rows::records::Postback,
        scope::PartnerScope,
    },
    domain::{
        attribution::Proof,
        click_id::Touch,
        code::Code,
        ids::Reference,
        postback::{Intent, Report},
        rerun,
    },
    error::{Error, Result},
    http::State,
};

/// A report that is to be judged again.
#[derive(Clone)]
pub struct Again {
    /// The report, with today's set-up.
    pub incoming: Incoming,
    /// Parameters that the log holds no more, and that it is judged without.
    pub left_out: Vec<String>,
}

/// Puts a line of the log together again. It keeps the time at which it came, and what it proved then.
pub async fn again(state: &State, scope: PartnerScope, line: Postback, intent: Intent) -> Result<Again> {
    let key = match line.key_id {
        Some(id) => state.cache.signing_key(id).await?.filter(|key| key.scope == scope),
        None => None,
    };
    let key = key.ok_or_else(|| Error::Internal("a line of the log names no key of its partner".into()))?;
    let proof = match &line.not_enforced {
        Some(code) => Proof::NotEnforced(Code::named(code).unwrap_or(Code::SignatureInvalid)),
        // From where it came is not known any more.
        None if key.row.token_hash.is_some() => Proof::WeakToken,
        None => Proof::Signature,
    };
    let origin = line.trace().map(|trace| trace.origin).unwrap_or_default();
    let (parameters, left_out) = rerun::restored(&line.request.members());
    let report = Report::parse(&parameters, line.form, line.received_at).map(|report| Report {
        // What the key left no choice about then is not asked again, when it covers more now.
        advertiser: report.advertiser.or(line.advertiser_id.map(Reference::Id)),
        intent,
        ..report
    });
    let report = report.map_err(|refusal| refusal.pointing_into(line.form));
    let click = report.as_ref().ok().and_then(|report| report.click_id.as_deref());
    let named = click.map(|text| key.click_ids.read(text));
    let received = Received {
        scope,
        postback_id: line.id,
        conversion_id: state.clock.new_id(),
        delta_id: state.clock.new_id(),
        received_at: line.received_at,
        form: line.form,
        key_id: line.key_id,
        powers: key.powers(proof),
        message_id: line.message_id,
        batch_index: line.batch_index,
        is_test: line.test,
        origin,
        request: line.request,
        click: named.map(|read| read.map(|(_, id)| id)),
        touch: named.and_then(std::result::Result::ok).map_or(Touch::Click, |(touch, _)| touch),
        report,
    };
    let set_up = state.cache.set_up_for(&received).await?;
    Ok(Again { incoming: Incoming { received: Box::new(received), set_up }, left_out })
}
