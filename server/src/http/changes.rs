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

/// Answers a request, and forgets the set-up of the partner whose API key changed something.
pub async fn forget_what_changed<B: MessageBody>(
    state: Data<State>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let response = next.call(request).await?;
    let caller = response.request().extensions().get::<PartnerScope>().copied();
    if let Some(partner) = caller.filter(|_| !response.request().method().is_safe()) {
        state.cache.forget(Some(partner.id()));
    }
    Ok(response)
}
