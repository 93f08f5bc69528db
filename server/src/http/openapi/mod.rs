//! The OpenAPI document, made from the routes: what the handlers say about themselves, and what holds for all of
//! them. Nothing is described here that a handler could describe.

mod about;
mod answers;
mod examples;
mod problems;
mod refusals;
mod security;

use actix_web::App;
use utoipa::openapi::{Components, HttpMethod, OpenApi, Paths, path::Operation};
use utoipa_actix_web::AppExt;

use super::{routes, schemas};

/// Builds the document.
pub fn document() -> OpenApi {
    let (_, mut document) = App::new().into_utoipa_app().configure(routes::documented).split_for_parts();
    about::describe(&mut document);
    let mut components = document.components.take().unwrap_or_default();
    components.schemas.extend(schemas::all());
    for mut place in operations(&mut document.paths) {
        tidy_text(place.operation);
        security::require(&mut place);
        problems::document(&mut place);
        examples::add(place.operation, &components);
    }
    security::add_schemes(&mut components);
    document.components = Some(components);
    keep_what_is_used(&mut document);
    document
}

/// The document as it is served and committed.
pub fn json() -> String {
    document().to_pretty_json().expect("the document is made of JSON values") + "\n"
}

/// An operation, and where it stands.
struct Place<'a> {
    path: &'a str,
    method: HttpMethod,
    operation: &'a mut Operation,
}

impl Place<'_> {
    fn has_tag(&self, tag: &str) -> bool {
        self.operation.tags.iter().flatten().any(|own| own == tag)
    }
}

/// Every operation, in the order of the paths.
fn operations(paths: &mut Paths) -> Vec<Place<'_>> {
    let mut places = Vec::new();
    for (path, item) in &mut paths.paths {
        let methods = [
            (HttpMethod::Get, &mut item.get),
            (HttpMethod::Head, &mut item.head),
            (HttpMethod::Post, &mut item.post),
            (HttpMethod::Put, &mut item.put),
            (HttpMethod::Patch, &mut item.patch),
            (HttpMethod::Delete, &mut item.delete),
        ];
        for (method, operation) in methods {
            places.extend(operation.as_mut().map(|operation| Place { path, method, operation }));
        }
    }
    places
}

/// A handler's doc comment is wrapped and may run on: its first sentence is the summary, all else the description.
fn tidy_text(operation: &mut Operation) {
    let summary =
        operation.summary.take().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    let (first, rest) = summary.split_once(". ").unwrap_or((&summary, ""));
    let description = operation.description.take().unwrap_or_default();
    let description =
        [rest, description.trim()].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>();
    operation.summary = Some(first.trim_end_matches('.').to_owned());
    operation.description = Some(description.join("\n\n")).filter(|text| !text.is_empty());
}

/// Drops the schemas that nothing refers to, directly or through another.
fn keep_what_is_used(document: &mut OpenApi) {
    let Some(components) = &mut document.components else { return };
    loop {
        let mut text = serde_json::to_string(&document.paths).expect("paths are JSON values");
        text += &serde_json::to_string(&components).expect("components are JSON values");
        let before = components.schemas.len();
        components.schemas.retain(|name, _| text.contains(&reference_text(name)));
        if components.schemas.len() == before {
            return;
        }
    }
}

fn reference_text(name: &str) -> String {
    format!("\"#/components/schemas/{name}\"")
}

/// The schema that a name stands for.
fn schema_named<'a>(
    components: &'a Components,
    location: &str,
) -> Option<&'a utoipa::openapi::RefOr<utoipa::openapi::Schema>> {
    components.schemas.get(location.strip_prefix("#/components/schemas/")?)
}
