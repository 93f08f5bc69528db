//! What comes most: clicks, and single postbacks.

use actix_web::{HttpRequest, HttpResponse, dev::Payload, http::Method};

use super::{clicks, postbacks};
use crate::{domain::postback::Form, http::State};

/// A request that is answered without the router, as the routes of the same paths would.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Frequent {
    /// A click.
    Click,
    /// A postback in one of its forms.
    Postback(Form),
}

impl Frequent {
    /// Looks at method and path.
    pub fn of(method: &Method, path: &str) -> Option<Self> {
        match (method, path) {
            (&Method::GET, "/v1/postback") => Some(Self::Postback(Form::Query)),
            (&Method::POST, "/v1/postback") => Some(Self::Postback(Form::Form)),
            (&Method::POST, "/v1/conversions") => Some(Self::Postback(Form::Json)),
            (&Method::GET, path) => clicks::link_in(path).map(|_| Self::Click),
            _ => None,
        }
    }

    /// Answers it.
    pub async fn answer(self, request: &HttpRequest, payload: Payload, state: &State) -> HttpResponse {
        match self {
            Self::Click => {
                let link = clicks::link_in(request.path()).unwrap_or_default();
                clicks::answer(request, link, state).await
            }
            Self::Postback(Form::Query) => postbacks::answer_query(request, state).await,
            Self::Postback(form) => postbacks::answer_message(request, payload, state, form).await,
        }
    }
}
