//! Adjustments: refunds, restated amounts and decisions that advertisers send after a conversion was counted.

use actix_web::{
    HttpRequest, HttpResponse, post,
    web::{Data, Payload},
};
use utoipa::ToSchema;

use super::{
    conversion_report::{MessageQuery, SignatureHeaders},
    credentials::{self, Claim},
    intake, masked, postbacks, rate_limits,
};
use crate::{
    db::{
        db_write,
        received::{Asked, Hand, Occasion, ReceivedAdjustment, Target},
        rows::document::Document,
        scope::PartnerScope,
    },
    domain::{
        adjustment_report::{self, AdjustmentReport, Named},
        answer::Answer,
        attribution::{self, KeyPowers},
        conversion::{Actor, AdjustmentKind, Reason},
        currency::Currency,
        ids::{AdvertiserId, ConversionId, Reference},
        masking,
        parameters::Parameters,
        postback::{Form, Intent},
        refusal::Refusal,
        scopes::Scope,
        trace::{Check, Origin},
    },
    error::{Error, Result},
    http::{State, body, head::Head, transport::Transport},
};

/// How often adjustments are tried again that another transaction was in the way of.
const MOST_CONTENDED: usize = 5;

/// An adjustment of one conversion. The conversion is named by `conversion_id`, or by the `goal` and the `order_id`
/// that it was reported with; an `order_id` beside a `conversion_id` has to be that conversion's. An empty value counts
/// as absent. Members that are not listed are ignored, and the answer has the flag `unknown_parameter`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
#[schema(examples(json!({"adjustment_id": "R-77", "kind": "restatement", "goal": "purchase", "order_id": "A-1001", "amount": "29.90", "currency": "EUR", "reason": "item_returned"})))]
pub struct AdjustmentRequest {
    /// Your own name for this adjustment, at most 128 bytes, unique per advertiser. Under one name an adjustment is made
    /// once, however often it is sent.
    #[schema(max_length = 128)]
    adjustment_id: String,
    /// What to do; `hold_end` cannot be asked for.
    kind: AdjustmentKind,
    /// The conversion.
    #[schema(value_type = Option<ConversionId>)]
    conversion_id: Option<String>,
    /// The goal's event name, byte for byte.
    goal: Option<String>,
    /// The advertiser's id of the sale.
    #[schema(max_length = 128)]
    order_id: Option<String>,
    /// The advertiser's id, or `ext:` and the partner's own; needed with an order if the key covers several.
    advertiser: Option<String>,
    /// What the sale is worth now, all of it: a decimal string with a dot, at most 4 decimals, not negative; a JSON number
    /// is `amount_invalid`. Only, and always, with a `restatement`.
    amount: Option<String>,
    /// Its currency, ISO 4217: the conversion's own, or the one that it was reported in.
    #[schema(value_type = Option<Currency>)]
    currency: Option<String>,
    /// Why; `order_update` by default.
    reason: Option<Reason>,
    /// A remark for people, at most 500 bytes, without e-mail addresses and phone numbers.
    #[schema(max_length = 500)]
    note: Option<String>,
    /// true: make the whole decision, change nothing. false by default.
    validate_only: Option<bool>,
}

/// Adjusts a conversion that was reported before. A full refund (`retraction`), a new amount (`restatement`), or a decision (`approve`, `reject`,
/// `reopen`). Refunds are taken at any time, before and after approval and during a hold: a conversion that was not
/// payable yet is rejected, one that was is reversed, and of one that already is, the refund is only recorded
/// (`adjusted_nothing`). A restatement changes amount, payout and revenue and leaves the status; one of a rejected or
/// reversed conversion makes it wait for a decision again. Needs a key with the scope `adjustments:write`; a decision
/// needs `status:write` too. The same again is answered `duplicate`, with what the first one came to.
#[utoipa::path(tag = "Tracking",
    request_body(content = AdjustmentRequest, description = "The adjustment."),
    params(SignatureHeaders, MessageQuery), extensions(("x-codes" = json!(["payload_too_large", "unsupported_media_type"]))))]
#[post("/adjustments")]
pub async fn report_adjustment(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let head = Head::of(&request);
    let answer = receive(&head, payload, &state).await.unwrap_or_else(postbacks::failed);
    state.metrics.count_postback(answer.code);
    rate_limits::tell(head.standing.get(), postbacks::respond(&answer))
}

async fn receive(head: &Head<'_>, payload: Payload, state: &State) -> Result<Answer> {
    let transport = Transport::of(head, &state.trusted_proxies).require_private()?;
    body::require_type(head.headers(), "application/json")?;
    let body = body::read(&mut payload.into_inner(), state.door.limits.body).await?;
    let claim = Claim::of_message(head.headers(), &body)?;
    let signer = credentials::Sender::find(state, &claim, transport.client).await?;
    signer.refuse_flood(head, state)?;
    let mut sender = Sender::of(state, &signer, intake::asked_intent(head));
    if sender.powers.is_ok() {
        let taken = state.rate_limits.take_reports(head, signer.key.scope.id(), 1, signer.now)?;
        sender.powers = taken.and(sender.powers);
    }
    let sent = (Parameters::from_json(&body), body.len());
    let received = sender.read(state, sent, None).await?;
    let is_stranger = sender.is_stranger();
    let mut answers = record(state, signer.key.scope, vec![received], sender.hand()).await?;
    let answer = answers.pop().ok_or_else(|| Error::Internal("an adjustment has no answer".into()))?;
    // The line of the log exists for the key's owner; who cannot sign does not learn that the key does.
    Ok(if is_stranger { Answer { postback_id: None, ..answer } } else { answer })
}

/// Who sent adjustments.
pub struct Sender<'a> {
    /// Who signed them.
    pub signer: &'a credentials::Sender,
    /// What the key may do.
    pub powers: Result<KeyPowers, Refusal>,
    asked: Result<Intent, Refusal>,
}

/// A refusal, and the check that it comes from.
type Refused = (Check, Refusal);

impl<'a> Sender<'a> {
    /// Who signed a message, and what its query asks for.
    pub fn of(state: &State, signer: &'a credentials::Sender, asked: Result<Intent, Refusal>) -> Self {
        Self { signer, powers: signer.enforced_powers(state, Scope::AdjustmentsWrite), asked }
    }

    /// Whether it cannot sign.
    pub fn is_stranger(&self) -> bool {
        self.powers.as_ref().is_err_and(|refusal| refusal.code.status() == 401)
    }

    /// Whose conversions it reaches.
    pub fn hand(&self) -> Hand {
        let advertisers = self.powers.as_ref().map(|powers| powers.advertisers.clone()).unwrap_or_default();
        Hand { actor: Actor::Advertiser, key_id: Some(self.signer.key.row.id), advertisers, ..Hand::SYSTEM }
    }

    /// Reads one adjustment, sent in so many bytes, which may have a place in a batch.
    pub async fn read(
        &self,
        state: &State,
        (parameters, bytes): (Result<Parameters, Refusal>, usize),
        batch_index: Option<i32>,
    ) -> Result<ReceivedAdjustment> {
        let read = match (&self.powers, &parameters, &self.asked) {
            (Err(refusal), _, _) => Err((intake::refused_unread(refusal.code), refusal.clone())),
            (_, Err(refusal), _) => Err((Check::Parse, refusal.clone())),
            (_, _, Err(refusal)) => Err((Check::Parameters, refusal.clone())),
            (Ok(powers), Ok(parameters), Ok(_)) => self.find(state, powers, parameters).await?,
        };
        let read = read.map_err(|(check, refusal)| (check, refusal.pointing_into(Form::Json)));
        let request = self.masked(&parameters, bytes);
        // Who is refused is told nothing more: with a flag, a key that is there would be told apart from an unknown one.
        let flags = match (&read, &parameters) {
            (Ok(_), Ok(parameters)) => adjustment_report::flags(parameters),
            _ => Vec::new(),
        };
        let received = self.received(state, request, read, self.signer.origin(bytes));
        Ok(ReceivedAdjustment { batch_index, flags, ..received })
    }

    /// A batch that is refused as a whole, unread.
    pub fn unread(&self, state: &State, refusal: Refusal, bytes: usize) -> ReceivedAdjustment {
        let read = Err((intake::refused_unread(refusal.code), refusal));
        let origin = Origin { whole_batch: true, ..self.signer.origin(bytes) };
        self.received(state, masked::unreadable(bytes), read, origin)
    }

    fn received(
        &self,
        state: &State,
        request: Document,
        read: Result<(Option<AdvertiserId>, Asked), Refused>,
        origin: Origin,
    ) -> ReceivedAdjustment {
        let (postback_id, signer) = (state.clock.new_id(), self.signer);
        let (advertiser_id, refused_at, asked) = match read {
            Ok((advertiser, asked)) => {
                (advertiser, None, Ok(Asked { postback_id: Some(postback_id), ..asked }))
            }
            Err((check, refusal)) => (None, Some(check), Err(refusal)),
        };
        ReceivedAdjustment {
            postback_id,
            received_at: signer.now,
            key_id: signer.key.row.id,
            is_test: signer.key.row.test,
            message_id: signer.message_id.clone().unwrap_or_default(),
            batch_index: None,
            origin: Origin { refused_at, ..origin },
            request,
            advertiser_id,
            asked,
            flags: Vec::new(),
        }
    }

    fn masked(&self, parameters: &Result<Parameters, Refusal>, bytes: usize) -> Document {
        match parameters {
            Err(_) => masked::unreadable(bytes),
            Ok(parameters) if self.is_stranger() => masked::lengths(parameters),
            Ok(parameters) => {
                let own = adjustment_report::OWN_PARAMETERS.iter();
                let own = own.filter_map(|name| parameters.unknown.get_key_value(*name));
                let own = own.map(|(name, value)| (name.clone(), masking::value(value)));
                masked::parameters(parameters, own.collect())
            }
        }
    }

    /// What a report asks for, once it is known which goals its names stand for.
    async fn find(
        &self,
        state: &State,
        powers: &KeyPowers,
        parameters: &Parameters,
    ) -> Result<Result<(Option<AdvertiserId>, Asked), Refused>> {
        // Which scope it needs is asked first: what the key may not do is refused whatever else is wrong with it.
        let kind = adjustment_report::kind(parameters);
        if kind.is_ok_and(AdjustmentKind::decides_status) && !powers.may_decide_status {
            return Ok(Err((Check::Authenticate, credentials::lacks(Scope::StatusWrite))));
        }
        let report = match AdjustmentReport::parse(parameters) {
            Ok(report) => report,
            Err(refusal) => return Ok(Err((Check::Parameters, refusal))),
        };
        let target = match report.conversion {
            Named::Id(id) => Ok((None, Target::Conversion(id))),
            Named::Order { goal, order_id } => {
                let advertiser = report.advertiser.as_ref();
                self.order(state, powers, advertiser, (goal, order_id)).await?
            }
        };
        let target = target.map_err(|refusal| (Check::Target, refusal));
        Ok(target.map(|(advertiser, target)| {
            let asked = Asked {
                target,
                change: report.change,
                adjustment_id: Some(report.adjustment_id),
                only_from: None,
                only_of: report.order_id,
                postback_id: None,
                intent: self.intent(report.intent),
            };
            (advertiser, asked)
        }))
    }

    /// What a test key signs, and what the query wants only validated, is not made.
    fn intent(&self, of_report: Intent) -> Intent {
        let is_dry = self.signer.key.row.test || self.asked == Ok(Intent::Validate);
        if is_dry { Intent::Validate } else { of_report }
    }

    async fn order(
        &self,
        state: &State,
        powers: &KeyPowers,
        named: Option<&Reference<AdvertiserId>>,
        (goal, order_id): (String, String),
    ) -> Result<Result<(Option<AdvertiserId>, Target), Refusal>> {
        let scope = self.signer.key.scope;
        let advertiser = match state.cache.whose(scope, powers, named).await? {
            Ok(advertiser) => advertiser,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let serving = state.cache.rules(scope, advertiser).await?;
        let same = serving.goals.iter().filter(|rules| rules.event_name == goal);
        let goals: Vec<_> = same.map(|rules| rules.id).collect();
        if goals.is_empty() {
            return Ok(Err(attribution::no_goal(&goal, &serving.goals)));
        }
        Ok(Ok((Some(advertiser), Target::Order { advertiser, goals, order_id })))
    }
}

/// Makes adjustments of one key, in one transaction.
pub async fn record(
    state: &State,
    scope: PartnerScope,
    batch: Vec<ReceivedAdjustment>,
    hand: Hand,
) -> Result<Vec<Answer>> {
    let mut tries = 0;
    loop {
        let (batch, hand, clock) = (batch.clone(), hand.clone(), state.clock.clone());
        let recorded = db_write!(&state.whole_store, |queries, conn| {
            let occasion = Occasion { now: clock.now(), delta_id: clock.new_id(), new_id: || clock.new_id() };
            queries::record_adjustments::record(conn, &scope, &batch, &hand, &occasion)
        });
        tries += 1;
        match recorded {
            Err(Error::Contended(_)) if tries < MOST_CONTENDED => {}
            recorded => return recorded,
        }
    }
}
