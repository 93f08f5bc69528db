//! Examples of JSON bodies: each takes the one of its schema, so that it is written once, beside the type.

use serde_json::{Value, json};
use utoipa::openapi::{Components, Content, Object, RefOr, Schema, path::Operation, schema::ArrayItems};

use super::schema_named;

/// Gives every JSON body of an operation that has no example the one of its schema.
pub fn add(operation: &mut Operation, components: &Components) {
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        body.content.iter_mut().for_each(|(media_type, content)| {
            leave_out_null(content);
            fill(media_type, content, components);
        });
    }
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            response
                .content
                .iter_mut()
                .for_each(|(media_type, content)| fill(media_type, content, components));
        }
    }
}

/// A body that may be left out is described as one that may be `null`, which it may not.
fn leave_out_null(content: &mut RefOr<Content>) {
    let RefOr::T(content) = content else { return };
    let Some(RefOr::T(Schema::OneOf(choice))) = &content.schema else { return };
    if let [named @ RefOr::Ref(_), RefOr::T(_)] | [RefOr::T(_), named @ RefOr::Ref(_)] = &choice.items[..] {
        content.schema = Some(named.clone());
    }
}

fn fill(media_type: &str, content: &mut RefOr<Content>, components: &Components) {
    let RefOr::T(content) = content else { return };
    let has_example = content.example.is_some() || !content.examples.is_empty();
    if media_type == "application/json" && !has_example {
        content.example = content.schema.as_ref().and_then(|schema| example(schema, components));
    }
}

fn example(schema: &RefOr<Schema>, components: &Components) -> Option<Value> {
    match schema {
        RefOr::Ref(reference) => example(schema_named(components, &reference.ref_location)?, components),
        RefOr::T(Schema::Object(object)) => {
            object.examples.first().cloned().or_else(|| page(object, components))
        }
        RefOr::T(Schema::AllOf(all)) => all.examples.first().cloned(),
        RefOr::T(Schema::Array(array)) => match &array.items {
            ArrayItems::RefOrSchema(items) => Some(json!([example(items, components)?])),
            ArrayItems::False => None,
        },
        RefOr::T(_) => None,
    }
}

/// The example of a page: one row, and no more.
fn page(object: &Object, components: &Components) -> Option<Value> {
    let data = example(object.properties.get("data")?, components)?;
    let is_page = object.properties.contains_key("next_cursor");
    is_page.then(|| json!({"data": data, "has_more": false, "next_cursor": null}))
}
