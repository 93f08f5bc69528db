//! The API description: valid, current, complete. What it says is true is for the other tests.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use jsonschema::Registry;
use serde_json::{Value, json};
use tallyback_server::{domain::code::Code, http::openapi};

/// Codes that no operation of the document can answer with: the server says them about requests that reach none.
const OF_NO_OPERATION: &[(Code, &str)] = &[
    (Code::MethodNotAllowed, "the address exists, but there is no operation of this method"),
    (Code::RequestTimeout, "the request did not arrive whole, so no operation has seen it"),
];

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
    let tags: BTreeSet<_> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str()).collect();
    let mut faults = Vec::new();
    for (name, operation) in operations(&document) {
        let is_name = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let own_tags = operation["tags"].as_array().map_or(&[][..], Vec::as_slice);
        let has_tag = own_tags.len() == 1 && own_tags.iter().all(|tag| tags.contains(&tag.as_str()));
        let is_short = operation["summary"].as_str().is_some_and(|text| text.len() <= 120);
        for (is_met, wanted) in [
            (is_name, "an operationId"),
            (has_tag, "one tag that is described"),
            (has_text(&operation["summary"]) && is_short, "a summary of at most 120 characters"),
            (
                operation["description"].is_null() || has_text(&operation["description"]),
                "a description with words",
            ),
            (operation["security"].is_array(), "a word on authentication"),
        ] {
            faults.extend((!is_met).then(|| format!("{name} needs {wanted}")));
        }
    }
    assert_none(faults);
}

#[test]
fn every_parameter_and_response_is_described() {
    let mut faults = Vec::new();
    for (name, operation) in operations(&document()) {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let named = parameters.map(|parameter| (parameter["name"].to_string(), parameter));
        let responses = operation["responses"].as_object().into_iter().flatten();
        let responses = responses.map(|(status, response)| (status.clone(), response));
        let nameless = named.chain(responses).filter(|(_, described)| !has_text(&described["description"]));
        faults.extend(nameless.map(|(what, _)| format!("{name}: {what} has no description")));
    }
    assert_none(faults);
}

#[test]
fn every_json_body_has_an_example_that_fits() {
    let document = document();
    let mut faults = Vec::new();
    for (name, operation) in operations(&document) {
        for (body, content) in contents(&operation).into_iter().filter(|(body, _)| body.ends_with("json")) {
            let examples = examples(content);
            if examples.is_empty() {
                faults.push(format!("{name}: {body} has no example"));
            }
            let validator = validator(&document, &content["schema"]);
            for example in examples {
                let errors = validator.iter_errors(example);
                faults.extend(
                    errors.map(|error| format!("{name}: {body}: {}: {error}", error.instance_path())),
                );
            }
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
    jsonschema::options().offline().build(&root).unwrap()
}

#[test]
fn every_operation_documents_its_problems() {
    let known: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let mut faults = Vec::new();
    for (name, operation) in operations(&document()) {
        let codes = codes(&operation);
        faults.extend(codes.difference(&known).map(|word| format!("{name}: `{word}` is not a code")));
        let problems = contents(&operation).into_iter().filter(|(body, _)| body.ends_with("problem+json"));
        let documented: BTreeSet<_> = problems
            .flat_map(|(_, content)| examples(content))
            .collect::<Vec<_>>()
            .into_iter()
            .filter_map(|example| example["code"].as_str())
            .collect();
        if documented.is_empty() {
            faults.push(format!("{name} documents no problem"));
        }
    }
    assert_none(faults);
}

#[test]
fn every_code_is_documented_somewhere() {
    let document = document();
    let operations = operations(&document);
    let documented: BTreeSet<_> = operations.values().flat_map(codes).collect();
    for code in Code::ALL {
        let excuse = OF_NO_OPERATION.iter().find(|(excused, _)| excused == code);
        let is_documented = documented.contains(code.as_str());
        assert!(is_documented || excuse.is_some(), "no operation documents `{}`", code.as_str());
        assert!(!(is_documented && excuse.is_some()), "`{}` needs no excuse: {excuse:?}", code.as_str());
    }
}
