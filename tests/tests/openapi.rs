//! The API description: valid, current, complete. What it says is true is for the other tests.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop there, loudly")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use jsonschema::Registry;
use serde_json::{Map, Value, json};
use tallyback_server::{
    domain::code::Code,
    http::{docs, openapi},
};

/// The code that no operation can answer with: the server says it about requests that reach none.
const OF_NO_OPERATION: Code = Code::MethodNotAllowed;

/// Operations that answer without a code: visitors get pages, and the sign of life cannot fail.
const WITHOUT_CODES: [&str; 3] = ["check_live", "probe_link", "show_pixel"];

fn project_file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn read_json(path: &str) -> Value {
    let text = fs::read_to_string(project_file(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn document() -> Value {
    serde_json::from_str(&openapi::json()).unwrap()
}

/// Every operation under its operationId (or its place, if it has none).
fn operations(document: &Value) -> BTreeMap<String, Value> {
    let mut operations = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            let name = operation["operationId"].as_str().unwrap_or(&place).to_owned();
            let before = operations.insert(name.clone(), operation.clone());
            assert!(before.is_none(), "two operations are called {name}");
        }
    }
    assert!(!operations.is_empty(), "there are no operations");
    operations
}

/// The media types of an operation's bodies, each with its content, under a name for messages.
fn contents(operation: &Value) -> Vec<(String, &Value)> {
    let bodies = operation.get("requestBody").map(|body| ("request".to_owned(), body));
    let responses = operation["responses"].as_object().unwrap().iter();
    let responses = responses.map(|(status, response)| (status.clone(), response));
    bodies
        .into_iter()
        .chain(responses)
        .flat_map(|(name, body)| {
            let content = body["content"].as_object().into_iter().flatten();
            content.map(move |(media_type, content)| (format!("{name} {media_type}"), content))
        })
        .collect()
}

/// The codes that an operation lists.
fn codes(operation: &Value) -> BTreeSet<&str> {
    operation["x-codes"].as_array().into_iter().flatten().map(|word| word.as_str().unwrap()).collect()
}

fn has_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}

/// Collects what is wrong, to show all of it at once.
fn assert_none(faults: impl IntoIterator<Item = String>) {
    let faults: Vec<_> = faults.into_iter().collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_document_is_valid_openapi() {
    let vendored = |name: &str| read_json(&format!("tests/vendor/openapi-3.1/{name}.json"));
    let registry = Registry::new()
        .add("https://spec.openapis.org/oas/3.1/schema/2022-10-07", vendored("schema"))
        .and_then(|registry| {
            registry.add("https://spec.openapis.org/oas/3.1/dialect/base", vendored("dialect/base"))
        })
        .and_then(|registry| {
            registry.add("https://spec.openapis.org/oas/3.1/meta/base", vendored("meta/base"))
        })
        .and_then(|registry| registry.prepare())
        .unwrap();
    // Schema Objects are checked against the dialect: the anchor gets the meaning that the dialect gives it.
    let schema = json!({
        "$id": "https://tallyback.invalid/openapi-3.1",
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": "https://spec.openapis.org/oas/3.1/schema/2022-10-07",
        "$defs": {
            "schema": {"$dynamicAnchor": "meta", "$ref": "https://spec.openapis.org/oas/3.1/dialect/base"}
        }
    });
    let validator = jsonschema::options().with_registry(&registry).offline().build(&schema).unwrap();
    assert_none(
        validator.iter_errors(&document()).map(|error| format!("{}: {error}", error.instance_path())),
    );

    let mut wrong = document();
    wrong["components"]["schemas"]["Problem"]["type"] = json!("nonsense");
    assert!(!validator.is_valid(&wrong), "schemas are not checked");
}

#[test]
fn the_committed_document_is_current() {
    let committed = fs::read_to_string(project_file("openapi/openapi.json")).unwrap_or_default();
    assert!(
        committed == openapi::json(),
        "openapi/openapi.json is not what the server says now. Write it again and look at the difference:\n\
         cargo run -p tallyback-server -- openapi > openapi/openapi.json"
    );
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let mut faults = Vec::new();
    each_reference(&document, &mut |location| {
        if document.pointer(location.trim_start_matches('#')).is_none() {
            faults.push(format!("{location} is not there"));
        }
    });
    assert_none(faults);
}

fn each_reference(value: &Value, visit: &mut impl FnMut(&str)) {
    match value {
        Value::Object(members) => {
            if let Some(location) = members.get("$ref").and_then(Value::as_str) {
                visit(location);
            }
            members.values().for_each(|value| each_reference(value, visit));
        }
        Value::Array(items) => items.iter().for_each(|value| each_reference(value, visit)),
        _ => {}
    }
}

#[test]
fn every_operation_says_what_it_is() {
    let document = document();
    let tags: BTreeSet<_> = document["tags"].as_array().unwrap().iter().map(described_tag).collect();
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    let mut faults = Vec::new();
    for (name, operation) in operations(&document) {
        let is_name = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let own_tags = operation["tags"].as_array().map_or(&[][..], Vec::as_slice);
        let has_tag = own_tags.len() == 1 && own_tags.iter().all(|tag| tags.contains(tag.as_str().unwrap()));
        let is_short = operation["summary"].as_str().is_some_and(|text| text.len() <= 120);
        let description = operation["description"].as_str().unwrap_or_default();
        for (is_met, wanted) in [
            (is_name, "an operationId"),
            (has_tag, "one tag that is described"),
            (has_text(&operation["summary"]) && is_short, "a summary of at most 120 characters"),
            (
                requirement(&operation, schemes).is_some_and(|words| description.ends_with(words)),
                "a word on credentials",
            ),
        ] {
            faults.extend((!is_met).then(|| format!("{name} needs {wanted}")));
        }
    }
    assert_none(faults);
}

fn described_tag(tag: &Value) -> &str {
    assert!(has_text(&tag["description"]), "{tag} is not described");
    tag["name"].as_str().unwrap()
}

/// What an operation's description has to end with, by its `security`.
fn requirement(operation: &Value, schemes: &Map<String, Value>) -> Option<&'static str> {
    let required = operation["security"].as_array()?;
    let names: Vec<_> = required.iter().flat_map(|one| one.as_object().unwrap().keys()).collect();
    assert!(names.iter().all(|name| schemes.contains_key(*name)), "{names:?} are not described");
    match names.iter().map(|name| name.as_str()).collect::<Vec<_>>()[..] {
        [] => Some("Needs no credentials."),
        ["api_key"] => Some("Needs an API key."),
        ["signature"] => Some("Needs a signing key's signature, in headers."),
        ["signed_query"] => Some("Needs a signing key's signature, in the query."),
        _ => None,
    }
}

#[test]
fn only_what_is_public_needs_no_credentials() {
    let document = document();
    let open = |operation: &Value| operation["security"] == json!([]);
    let operations = operations(&document);
    let open: Vec<_> =
        operations.iter().filter(|(_, operation)| open(operation)).map(|(name, _)| name.as_str()).collect();
    assert_eq!(open, ["check_live", "check_ready", "follow_link", "probe_link", "show_pixel"]);
}

#[test]
fn every_parameter_response_and_property_is_described() {
    let document = document();
    let mut faults = Vec::new();
    for (name, operation) in operations(&document) {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let named = parameters.map(|parameter| (parameter["name"].to_string(), parameter));
        let responses = operation["responses"].as_object().into_iter().flatten();
        let responses = responses.map(|(status, response)| (status.clone(), response));
        let nameless = named.chain(responses).filter(|(_, described)| !has_text(&described["description"]));
        faults.extend(nameless.map(|(what, _)| format!("{name}: {what} has no description")));
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        each_property(&document, schema, &mut |property, schema| {
            faults.extend((!is_described(schema)).then(|| format!("{name}: {property} has no description")));
        });
    }
    assert_none(faults);
}

/// What may be null is described beside the reference to what it is otherwise.
fn is_described(schema: &Value) -> bool {
    let choices = schema["oneOf"].as_array().into_iter().flatten();
    has_text(&schema["description"]) || choices.into_iter().any(|choice| has_text(&choice["description"]))
}

/// Visits the properties of a schema, those of what it is made of, and theirs.
fn each_property(document: &Value, schema: &Value, visit: &mut impl FnMut(&str, &Value)) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        visit(name, property);
        if property.get("properties").is_some() {
            each_property(document, property, visit);
        }
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        let referred =
            part["$ref"].as_str().map(|location| document.pointer(location.trim_start_matches('#')).unwrap());
        each_property(document, referred.unwrap_or(part), visit);
    }
}

#[test]
fn every_placeholder_of_a_path_is_a_parameter() {
    let document = document();
    for (path, item) in document["paths"].as_object().unwrap() {
        let placeholders: BTreeSet<_> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        for (method, operation) in item.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let in_path = parameters.filter(|parameter| parameter["in"] == "path");
            let named: BTreeSet<_> = in_path.map(|parameter| parameter["name"].as_str().unwrap()).collect();
            assert_eq!(named, placeholders, "{method} {path}");
        }
    }
}

#[test]
fn every_json_body_has_an_example_that_fits() {
    let document = document();
    let (mut faults, mut checked) = (Vec::new(), 0);
    for (name, operation) in operations(&document) {
        for (body, content) in contents(&operation).into_iter().filter(|(body, _)| body.ends_with("json")) {
            let examples = examples(content);
            if examples.is_empty() {
                faults.push(format!("{name}: {body} has no example"));
            }
            let validator = validator(&document, &content["schema"]);
            for example in examples {
                checked += 1;
                let errors = validator.iter_errors(example);
                faults.extend(
                    errors.map(|error| format!("{name}: {body}: {}: {error}", error.instance_path())),
                );
            }
        }
    }
    assert_none(faults);
    assert!(checked > 100, "only {checked} examples were found");
}

#[test]
fn every_example_shows_members_that_the_schema_knows() {
    let document = document();
    let mut faults = Vec::new();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let mut known = BTreeSet::new();
        each_property(&document, schema, &mut |property, _| known.extend([property.to_owned()]));
        let required = schema["required"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap());
        for example in schema["examples"].as_array().into_iter().flatten().filter_map(Value::as_object) {
            faults.extend(
                example.keys().filter(|key| !known.contains(*key)).map(|key| format!("{name}: {key}")),
            );
            let missing = required.clone().filter(|key| !example.contains_key(*key));
            faults.extend(missing.map(|key| format!("{name}: the example has no {key}")));
        }
    }
    assert_none(faults);
}

#[test]
fn every_good_answer_has_an_example() {
    let document = document();
    let mut faults = Vec::new();
    for (name, operation) in operations(&document) {
        let bodies: Vec<_> =
            contents(&operation).into_iter().filter(|(body, _)| body.starts_with('2')).collect();
        let without = bodies.iter().filter(|(_, content)| examples(content).is_empty());
        faults.extend(without.map(|(body, _)| format!("{name}: {body} has no example")));
        let good =
            operation["responses"].as_object().unwrap().keys().filter(|status| status.starts_with('2'));
        for status in good {
            let has_body = bodies.iter().any(|(body, _)| body.starts_with(status.as_str()));
            faults.extend((!has_body).then(|| format!("{name}: {status} shows no body")));
        }
    }
    assert_none(faults);
}

fn examples(content: &Value) -> Vec<&Value> {
    let several = content["examples"].as_object().into_iter().flat_map(|all| all.values());
    content.get("example").into_iter().chain(several.map(|example| &example["value"])).collect()
}

/// Checks values against one schema of the document. The components keep their place, so that references lead there.
fn validator(document: &Value, schema: &Value) -> jsonschema::Validator {
    let root = json!({"allOf": [schema], "components": document["components"]});
    jsonschema::options().offline().should_validate_formats(true).build(&root).unwrap()
}

#[test]
fn an_example_that_does_not_fit_is_found() {
    let document = document();
    let validator = validator(&document, &json!({"$ref": "#/components/schemas/AdvertiserView"}));
    let mut example = document["components"]["schemas"]["AdvertiserView"]["examples"][0].clone();
    assert!(validator.is_valid(&example));
    example["id"] = json!("cmp_01kayw5m8hfz2v6y0t3n7r9q4c");
    assert!(!validator.is_valid(&example));
}

#[test]
fn every_operation_shows_exactly_the_codes_it_lists() {
    let known: BTreeMap<_, _> = Code::ALL.iter().map(|code| (code.as_str(), code.status())).collect();
    let mut faults = Vec::new();
    for (name, operation) in operations(&document()) {
        let listed = codes(&operation);
        faults.extend(
            listed
                .iter()
                .filter(|word| !known.contains_key(*word))
                .map(|word| format!("{name}: `{word}` is not a code")),
        );
        let shown = shown_codes(&operation);
        let shown_words: BTreeSet<_> = shown.iter().map(|(_, word)| *word).collect();
        if shown_words != listed {
            faults.push(format!("{name} lists {listed:?}, and shows {shown_words:?}"));
        }
        let misplaced = shown
            .iter()
            .filter(|(status, word)| known.get(word).is_none_or(|own| own.to_string() != *status));
        faults.extend(misplaced.map(|(status, word)| format!("{name}: `{word}` is shown under {status}")));
        if listed.is_empty() != WITHOUT_CODES.contains(&name.as_str()) {
            faults.push(format!("{name} documents {} codes", listed.len()));
        }
    }
    assert_none(faults);
}

/// The codes in the examples of an operation's JSON answers, each with its status.
fn shown_codes(operation: &Value) -> BTreeSet<(&str, &str)> {
    let mut shown = BTreeSet::new();
    for (status, response) in operation["responses"].as_object().unwrap() {
        for (media_type, content) in response["content"].as_object().into_iter().flatten() {
            let codes = examples(content).into_iter().filter_map(|example| example["code"].as_str());
            // A line of the postback log has a code too: the one of the postback.
            let is_answer = media_type == "application/problem+json" || content.get("examples").is_some();
            shown.extend(codes.filter(|_| is_answer).map(|code| (status.as_str(), code)));
        }
    }
    shown
}

#[test]
fn no_operation_answers_that_its_method_is_not_taken() {
    for (name, operation) in operations(&document()) {
        assert!(operation["responses"].get("405").is_none(), "{name} exists, so its method is taken");
    }
}

#[test]
fn source_description_sdk_and_page_have_the_same_codes() {
    let document = document();
    let source: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();

    let operations = operations(&document);
    let mut described: BTreeSet<_> = operations.values().flat_map(codes).collect();
    assert!(
        described.insert(OF_NO_OPERATION.as_str()),
        "an operation answers `{}`",
        OF_NO_OPERATION.as_str()
    );
    assert_eq!(described, source, "the operations");
    for schema in ["Problem", "PostbackAnswer"] {
        let words =
            document["components"]["schemas"][schema]["properties"]["code"]["enum"].as_array().unwrap();
        assert_eq!(
            words.iter().map(|word| word.as_str().unwrap()).collect::<BTreeSet<_>>(),
            source,
            "{schema}"
        );
    }

    assert_eq!(tallyback::Code::KNOWN.iter().copied().collect::<BTreeSet<_>>(), source, "the SDK");

    let page = docs::outcomes::html();
    let anchors: Vec<_> = page.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(anchors.iter().copied().collect::<BTreeSet<_>>(), source, "/docs/outcomes");
    assert_eq!(anchors.len(), source.len(), "an anchor stands twice");
}
