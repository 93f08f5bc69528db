//! After a request that changes a partner's set-up, what is kept in memory about it is forgotten: before the answer,
//! so that the next click sees the change.

use actix_web::{HttpMessage, dev::ServiceResponse};

use super::State;
use crate::db::scope::PartnerScope;

/// Forgets the set-up of the partner whose API key changed something.
pub fn forget_what_changed<B>(state: &State, response: &ServiceResponse<B>) {
    if response.request().method().is_safe() {
        return;
    }
    let caller = response.request().extensions().get::<PartnerScope>().copied();
    if let Some(partner) = caller {
        state.cache.forget(Some(partner.id()));
    }
}
