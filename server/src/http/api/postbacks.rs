//! The log of postbacks: every report that a known key was named in, whatever came of it.

use actix_web::{get, web};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::{
    id_in_path,
    postback_filters::Filters,
    reruns::{RerunView, why_not},
};
use crate::{
    db::{
        db_read,
        rows::records::{Postback, Rerun},
    },
    domain::{
        answer::Outcome,
        click_id::{ClickId, ClickIdKey},
        ids::{AdvertiserId, ConversionId, GoalId, Id, KeyId, PostbackId},
        postback::{About, Form},
        rerun::WhyNot,
        time::Timestamp,
    },
    error::{Error, Result},
    http::{
        State,
        caller::Caller,
        fields::Fields,
        page::{ListName, Page, limit},
    },
};

/// A line of the log.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"id": "pbk_01kayw5m8hfz2v6y0t3n7r9q4c", "about": "conversion", "received_at": "2026-11-22T10:05:01Z", "form": "json", "method": "POST", "path": "/v1/conversions", "source_ip": "203.0.113.9", "bytes": 93, "key_id": "key_01kayw5m8hfz2v6y0t3n7r9q4c", "advertiser_id": "adv_01kayw5m8hfz2v6y0t3n7r9q4c", "goal_id": null, "click_id": "101m2k3n4p5q6r7s8t9v0w1x2y3z4a5b6c7", "conversion_id": null, "order_id": null, "message_id": "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", "signed_at": "1795341900", "batch_index": null, "test": false, "not_enforced": null, "code": "goal_mismatch", "http_status": 422, "request": {"goal": "Purchase", "click_id": "101m2k3n4p5q6r7s8t9v0w1x2y3z4a5b6c7"}, "answer": {"result": "rejected", "code": "goal_mismatch"}, "rerunnable": false, "why_not_rerunnable": "rerun_counted", "reruns": [{"position": 1, "created_at": "2026-11-23T09:00:00Z", "api_key_id": "apk_01kayw5m8hfz2v6y0t3n7r9q4c", "code": "accepted", "message": "Counted.", "conversion_id": "cnv_01kayw5m8hfz2v6y0t3n7r9q4c"}]})))]
pub struct PostbackView {
    /// Its id.
    id: PostbackId,
    /// What it reports.
    about: About,
    /// When it came.
    received_at: Timestamp,
    /// The form it came in.
    form: Form,
    /// The method of the request.
    method: &'static str,
    /// Its path.
    path: &'static str,
    /// The address that it came from.
    source_ip: Option<String>,
    /// How long the query or the body was, or the item of a batch.
    #[schema(minimum = 0)]
    bytes: Option<usize>,
    /// The key it named.
    key_id: Option<KeyId>,
    /// The advertiser, when that much became known.
    advertiser_id: Option<AdvertiserId>,
    /// The goal, when that much became known.
    goal_id: Option<GoalId>,
    /// The click, when its id was genuine.
    #[schema(value_type = Option<ClickId>)]
    click_id: Option<String>,
    /// The conversion: the new one, or the first one.
    conversion_id: Option<ConversionId>,
    /// The order, as it came.
    order_id: Option<String>,
    /// The signed message's id: `webhook-id`.
    message_id: Option<String>,
    /// When it was signed, as it came: `webhook-timestamp`, or `ts` of a query.
    signed_at: Option<String>,
    /// Its place in the batch that it came in, from 0; null if it came singly.
    #[schema(minimum = 0)]
    batch_index: Option<i32>,
    /// Whether a test key signed it. Such lines are listed only where `test=true` asks for them.
    test: bool,
    /// What enforcing the signature would have answered, where the advertiser only observes; null if it holds.
    not_enforced: Option<String>,
    /// The outcome.
    code: String,
    /// The HTTP status it was answered with.
    http_status: i32,
    /// What came, without secrets and personal data: the parameters under the names of the reference; of what could not
    /// be read, its length and its beginning; of what has a wrong signature, names and lengths alone.
    #[schema(value_type = Object)]
    request: Map<String, Value>,
    /// What was answered. Who could not sign was not told the line's id (`postback_id`), nor that there is a line.
    #[schema(value_type = Object)]
    answer: Map<String, Value>,
    /// Whether it can be run again: it was refused for what the set-up can mend, and has no conversion since.
    rerunnable: bool,
    /// Why it cannot be run again.
    why_not_rerunnable: Option<WhyNot>,
    /// What came of running it again, each time in order. The line itself stays as it was.
    reruns: Vec<RerunView>,
}

impl PostbackView {
    /// A row with what came of running it again, and the key of the partner's click ids.
    pub fn new(row: Postback, reruns: Vec<Rerun>, key: &ClickIdKey) -> Self {
        let origin = row.trace().map(|trace| trace.origin);
        let (method, path) = row.endpoint();
        let (why_not, answer) = (why_not(&row, &reruns), row.told());
        Self {
            rerunnable: why_not.is_none(),
            why_not_rerunnable: why_not,
            reruns: reruns.into_iter().map(RerunView::from).collect(),
            method,
            path,
            source_ip: origin.as_ref().and_then(|origin| origin.ip).map(|ip| ip.to_string()),
            bytes: origin.as_ref().map(|origin| origin.bytes),
            signed_at: origin.and_then(|origin| origin.timestamp),
            order_id: row.order_id,
            id: row.id,
            about: row.about,
            received_at: row.received_at,
            form: row.form,
            key_id: row.key_id,
            advertiser_id: row.advertiser_id,
            goal_id: row.goal_id,
            click_id: row.click_id.map(|id| key.text(&id)),
            conversion_id: row.conversion_id,
            message_id: row.message_id,
            batch_index: row.batch_index,
            test: row.test,
            not_enforced: row.not_enforced,
            code: row.code,
            http_status: row.http_status,
            request: row.request.members(),
            answer,
        }
    }
}

/// Which lines.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListPostbacks {
    /// How many, 1 to 100; 25 by default.
    #[param(minimum = 1, maximum = 100, default = 25)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only those with one of these outcomes, separated by commas, such as `goal_mismatch,click_expired`.
    code: Option<String>,
    /// Only those that were taken, or only those that were refused.
    #[param(value_type = Option<Outcome>)]
    result: Option<String>,
    /// Only those of this advertiser: its id, or `ext:` and your own.
    advertiser_id: Option<String>,
    /// Only those of this goal: its id, or `ext:` and your own.
    goal_id: Option<String>,
    /// Only those of this click.
    #[param(value_type = Option<ClickId>)]
    click_id: Option<String>,
    /// Only those of this order, as it came.
    order_id: Option<String>,
    /// Only those that came at this time or later.
    #[param(value_type = Option<Timestamp>)]
    received_from: Option<String>,
    /// Only those that came before this time.
    #[param(value_type = Option<Timestamp>)]
    received_to: Option<String>,
    /// `true`: only what test keys signed; otherwise only what the others did.
    #[param(default = false)]
    test: Option<bool>,
    /// `true`: only those that can be run again; `false`: only the others.
    rerunnable: Option<bool>,
}

impl ListPostbacks {
    fn filters(self) -> Filters {
        Filters {
            code: self.code,
            result: self.result,
            advertiser_id: self.advertiser_id,
            goal_id: self.goal_id,
            click_id: self.click_id,
            order_id: self.order_id,
            received_from: self.received_from,
            received_to: self.received_to,
            test: self.test,
            rerunnable: self.rerunnable,
        }
    }
}

/// Returns a line of the log.
#[utoipa::path(tag = "Postbacks", params(("id" = String, Path, description = "The postback's id.")),
    responses((status = 200, description = "The line of the log.", body = PostbackView)),
    extensions(("x-codes" = json!(["not_found"]))))]
#[get("/postbacks/{id}")]
pub async fn get_postback(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<web::Json<PostbackView>> {
    let id = id_in_path(&id)?;
    let (row, mut reruns) = db_read!(&state.store, |queries, conn| {
        let row = queries::postbacks::get(conn, &caller.partner, id)?;
        Ok::<_, Error>((row, queries::reruns::of(conn, &caller.partner, &[id])?))
    })?;
    let reruns = reruns.remove(&id).unwrap_or_default();
    Ok(web::Json(PostbackView::new(row, reruns, &ClickIdKey::derive(&state.master_key, caller.partner.id()))))
}

/// Lists the log of postbacks, newest first.
#[utoipa::path(tag = "Postbacks", params(ListPostbacks),
    responses((status = 200, description = "A page of the log.", body = Page<PostbackView>)),
    extensions(("x-codes" = json!(["malformed", "validation_failed", "cursor_invalid", "not_found"]))))]
#[get("/postbacks")]
pub async fn list_postbacks(
    caller: Caller,
    query: web::Query<ListPostbacks>,
    state: web::Data<State>,
) -> Result<web::Json<Page<PostbackView>>> {
    let query = query.into_inner();
    let (asked, cursor) = (query.limit, query.cursor.clone());
    let filters = query.filters();
    let list = ListName::new(&state, &caller.partner, "postbacks", &filters);
    let mut fields = Fields::default();
    let limit = fields.optional("limit", Some(asked), limit).unwrap_or_default();
    let filter = filters.read(caller, &state, fields).await?;
    let before = list.read(cursor.as_deref())?.map(PostbackId::from_bytes);
    let (rows, mut reruns) = db_read!(&state.store, |queries, conn| {
        let rows = queries::postbacks::list(conn, &caller.partner, &filter, (before, one_more(limit)))?;
        let ids: Vec<PostbackId> = rows.iter().map(|row| row.id).collect();
        let reruns = queries::reruns::of(conn, &caller.partner, &ids)?;
        Ok::<_, Error>((rows, reruns))
    })?;
    let key = ClickIdKey::derive(&state.master_key, caller.partner.id());
    let view = |row: Postback| {
        let reruns = reruns.remove(&row.id).unwrap_or_default();
        PostbackView::new(row, reruns, &key)
    };
    Ok(web::Json(list.page(rows, limit, |row| *row.id.bytes(), view)))
}

/// One more row is read than asked for, to know whether there are more.
fn one_more(limit: usize) -> i64 {
    i64::try_from(limit).map_or(i64::MAX, |limit| limit.saturating_add(1))
}
