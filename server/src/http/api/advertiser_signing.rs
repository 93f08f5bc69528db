//! How far an advertiser's senders are with signing: what enforcing would have refused.

use std::collections::BTreeMap;

use actix_web::{get, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::named_in_path;
use crate::{
    db::db_read,
    domain::{
        ids::{AdvertiserId, Id, KeyId, PostbackId},
        signing::{SigningMode, StaticToken},
        time::Timestamp,
    },
    error::Result,
    http::{State, caller::Caller, fields::Fields},
};

const USUAL_DAYS: i64 = 7;
const MOST_DAYS: i64 = 90;

/// How much of the log.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ForecastQuery {
    /// How many days back, 1 to 90; 7 by default.
    #[param(minimum = 1, maximum = 90, default = 7)]
    days: Option<i64>,
}

/// What an advertiser asks of signatures, and what enforcing them would have refused.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"signing": "observe", "static_token": "refused", "since": "2026-11-15T10:00:00Z", "postbacks": 1200, "would_be_refused": 3, "by_code_and_key": [{"code": "signature_invalid", "key_id": "key_01kayw5m8hfz2v6y0t3n7r9q4c", "postbacks": 3}]})))]
pub struct SigningForecast {
    /// Whether signatures are enforced now.
    signing: SigningMode,
    /// Whether static tokens are taken now.
    static_token: StaticToken,
    /// The beginning of the time that is counted.
    since: Timestamp,
    /// Postbacks of this advertiser that were taken or judged since then; those of test keys are not counted.
    postbacks: i64,
    /// How many of them enforcing would have refused.
    would_be_refused: i64,
    /// These, by what they would have been answered and by the key that they named.
    by_code_and_key: Vec<WouldBeRefused>,
}

/// Postbacks that enforcing would have refused.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"code": "signature_invalid", "key_id": "key_01kayw5m8hfz2v6y0t3n7r9q4c", "postbacks": 3})))]
pub struct WouldBeRefused {
    /// What they would have been answered.
    code: String,
    /// The key that they named.
    key_id: Option<KeyId>,
    /// How many.
    postbacks: i64,
}

/// Tells what enforcing an advertiser's signatures would have refused. It is counted in the log of the last days: the
/// forecast for turning `observe` into `enforce`.
#[utoipa::path(tag = "Advertisers", params(("id" = String, Path, description = "The advertiser's id, or `ext:` and your own."), ForecastQuery),
    responses((status = 200, description = "The forecast.", body = SigningForecast)),
    extensions(("x-codes" = json!(["malformed", "not_found", "validation_failed"]))))]
#[get("/advertisers/{id}/signing")]
pub async fn get_advertiser_signing(
    caller: Caller,
    id: web::Path<String>,
    query: web::Query<ForecastQuery>,
    state: web::Data<State>,
) -> Result<web::Json<SigningForecast>> {
    let id = named_in_path::<AdvertiserId>(&id)?;
    let mut fields = Fields::default();
    let days = fields.optional("days", Some(query.days.unwrap_or(USUAL_DAYS)), read_days);
    let since = state.clock.now().plus_seconds(-86_400 * fields.finish(|| days)?);
    let (advertiser, counts) = db_read!(&state.store, |queries, conn| {
        let advertiser = queries::advertisers::get(conn, &caller.partner, &id)?;
        let first = PostbackId::new(since, [0; 10]);
        let counts = queries::postbacks::count_not_enforced(conn, &caller.partner, advertiser.id, first)?;
        Ok::<_, crate::error::Error>((advertiser, counts))
    })?;
    let postbacks = counts.iter().map(|(.., count)| count).sum();
    let mut by_code_and_key = BTreeMap::new();
    for (code, key_id, count) in counts {
        if let Some(code) = code {
            by_code_and_key.insert((code, key_id), count);
        }
    }
    Ok(web::Json(SigningForecast {
        signing: advertiser.signing,
        static_token: advertiser.static_token,
        since,
        postbacks,
        would_be_refused: by_code_and_key.values().sum(),
        by_code_and_key: by_code_and_key
            .into_iter()
            .map(|((code, key_id), postbacks)| WouldBeRefused { code, key_id, postbacks })
            .collect(),
    }))
}

fn read_days(days: i64) -> Result<i64, String> {
    let fits = (1..=MOST_DAYS).contains(&days);
    if fits { Ok(days) } else { Err(format!("must be a number of days from 1 to {MOST_DAYS}")) }
}
