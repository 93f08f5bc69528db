//! Before the server stops, every answer asks the client to close its connection: then no request is on its way when
//! the connection goes.

use std::sync::atomic::Ordering;

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::ConnectionType,
    middleware::Next,
    web::Data,
};

use super::State;

/// Adds `Connection: close` while the server is stopping.
pub async fn say_when_stopping(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let is_stopping =
        request.app_data::<Data<State>>().is_some_and(|state| state.is_stopping.load(Ordering::Relaxed));
    let mut response = next.call(request).await?;
    if is_stopping {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}
