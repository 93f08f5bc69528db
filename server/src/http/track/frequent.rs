//! What comes most: clicks, and single postbacks. They are begun, which takes the request, and ended, which takes the commit.

use actix_web::{HttpResponse, dev::Payload, http::Method};

use super::{clicks, postbacks};
use crate::{
    domain::postback::Form,
    http::{State, head::Head},
};

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

    /// Does what takes the request. `None` if it is for the router after all: a preview.
    pub async fn begin(self, head: &Head<'_>, payload: &mut Payload, state: &State) -> Option<Begun> {
        Some(match self {
            Self::Click => {
                let link = clicks::link_in(head.path()).unwrap_or_default();
                Begun::Click(clicks::begin(head, link, state).await.ok()?)
            }
            Self::Postback(form) => Begun::Postback(postbacks::begin(head, payload, state, form).await),
        })
    }
}

/// What is left of such a request while it waits for its commit.
pub enum Begun {
    /// A click.
    Click(clicks::Begun),
    /// A postback.
    Postback(postbacks::Begun),
}

impl Begun {
    /// The answer, when it is committed.
    pub async fn end(self, state: &State) -> HttpResponse {
        match self {
            Self::Click(click) => click.end(state).await,
            Self::Postback(postback) => postback.end(state).await,
        }
    }
}
