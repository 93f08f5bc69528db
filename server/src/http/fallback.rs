//! What answers where no route does: "not found", or "not this method" where the address exists.

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    http::header::{ALLOW, HeaderValue},
    web::Data,
};
use serde_json::Value;

use super::{State, head::Head, track, transport::Transport};
use crate::{
    domain::{code::Code, refusal::Refusal},
    error::Error,
};

/// The methods of each path of the reference.
pub struct Methods(Vec<(String, Vec<String>)>);

impl Methods {
    /// Reads them off the document.
    pub fn of(document: &utoipa::openapi::OpenApi) -> Self {
        let document = serde_json::to_value(&document.paths).unwrap_or_default();
        let paths = document.as_object().into_iter().flatten();
        Self(paths.map(|(path, item)| (path.clone(), methods(item))).collect())
    }

    fn at(&self, path: &str) -> Vec<&str> {
        let found = self.0.iter().filter(|(template, _)| fits(template, path));
        found.flat_map(|(_, methods)| methods.iter().map(String::as_str)).collect()
    }
}

fn methods(item: &Value) -> Vec<String> {
    const ALL: [&str; 6] = ["get", "head", "post", "put", "patch", "delete"];
    ALL.iter()
        .filter(|method| item.get(**method).is_some())
        .map(|method| method.to_ascii_uppercase())
        .collect()
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template
            .iter()
            .zip(path)
            .all(|(part, text)| part == &text || (part.starts_with('{') && !text.is_empty()))
}

/// Answers a request that no route takes. Whoever may have sent a secret over plain HTTP is told that first.
pub async fn no_route(request: HttpRequest, methods: Data<Methods>, state: Data<State>) -> HttpResponse {
    let allowed = methods.at(request.path());
    if allowed.is_empty() {
        return Error::from(Refusal::new(
            Code::NotFound,
            "There is no such address; /docs lists those there are.",
        ))
        .error_response();
    }
    let transport = Transport::of(&Head::of(&request), &state.trusted_proxies);
    if let Some(refusal) = transport.require_private().err().filter(|_| request.path().starts_with("/v1/")) {
        return refuse(&request, refusal);
    }
    let detail = format!("{} is not taken here, {} is.", request.method(), allowed.join(", "));
    let mut response = refuse(&request, Refusal::new(Code::MethodNotAllowed, detail));
    if let Ok(value) = HeaderValue::from_str(&allowed.join(", ")) {
        response.headers_mut().insert(ALLOW, value);
    }
    response
}

fn refuse(request: &HttpRequest, refusal: Refusal) -> HttpResponse {
    if track::POSTBACKS.contains(&request.path()) {
        return track::postbacks::turned_away(refusal, request.query_string());
    }
    Error::from(refusal).error_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_fits_its_template() {
        assert!(fits("/v1/goals/{id}", "/v1/goals/gol_1"));
        assert!(!fits("/v1/goals/{id}", "/v1/goals/"));
        assert!(!fits("/v1/goals/{id}", "/v1/goals/gol_1/archive"));
        assert!(!fits("/v1/goals", "/v1/links"));
    }
}
