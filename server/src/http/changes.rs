//! After a request that changes a partner's set-up, what is kept in memory about it is forgotten: before the answer,
//! so that the next click sees the change.

use actix_web::{
    Error, HttpMessage,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web::Data,
};

use super::State;
use crate::db::scope::PartnerScope;

/// Forgets the set-up of the partner whose API key changed something.
pub async fn forget_what_changed(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let is_reading = request.method().is_safe();
    let response = next.call(request).await?;
    if !is_reading {
        let caller = response.request().extensions().get::<PartnerScope>().copied();
        if let (Some(partner), Some(state)) = (caller, response.request().app_data::<Data<State>>()) {
            state.cache.forget(Some(partner.id()));
        }
    }
    Ok(response)
}
