//! What every request goes through, in one layer: it gets an id, passes the door, is answered, and what its answer brings
//! about is done.

use actix_web::{
    Error,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header::{HeaderValue, X_CONTENT_TYPE_OPTIONS},
    middleware::Next,
    web::Data,
};

use super::{
    State,
    changes::forget_what_changed,
    door::pass_the_door,
    request_id::{self, RequestId},
    stopping::say_when_stopping,
    track::frequent::Frequent,
};

/// Answers a request.
pub async fn answer<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let state = request.app_data::<Data<State>>().expect("the server has its state").clone();
    let id = RequestId::new();
    let mut response = id
        .scope(pass_the_door(&state, request, async |request| {
            let response = route(&state, request, next).await?;
            forget_what_changed(&state, &response);
            Ok(response)
        }))
        .await?;
    say_when_stopping(&state, &mut response);
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(request_id::HEADER, id.header());
    Ok(response)
}

/// Finds who answers. What comes most is found before all others, and without patterns: those would cost some 10,700
/// instructions for each click.
async fn route<B: MessageBody + 'static>(
    state: &State,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let Some(frequent) = Frequent::of(request.method(), request.path()) else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    let (request, payload) = request.into_parts();
    let response = frequent.answer(&request, payload, state).await;
    Ok(ServiceResponse::new(request, response).map_into_right_body())
}
