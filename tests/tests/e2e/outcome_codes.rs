//! The codes, wherever they are said: in the server's source, in the description and on the page that it serves, and in the
//! SDK. They are the same, and so are their statuses.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;
use tallyback_server::domain::code::Code;
use tallyback_tests::{Answer, TestApp, client};

type Statuses = BTreeMap<String, u16>;

async fn served(app: &TestApp, path: &str) -> Answer {
    let answer = Answer::to(client().get(format!("{}{path}", app.base_url))).await;
    assert_eq!(answer.status, 200, "{path}");
    answer
}

/// The codes of the page, by its rows: the anchor, and the second cell.
fn on_page(html: &str) -> Statuses {
    let rows = html.split("<tr id=\"").skip(1);
    rows.map(|row| {
        let (word, rest) = row.split_once('"').unwrap();
        let status = rest.split("<td>").nth(2).unwrap().split('<').next().unwrap();
        (word.to_owned(), status.parse().unwrap())
    })
    .collect()
}

/// The codes of the description, by the answers of its operations.
fn described(document: &Value) -> Statuses {
    let mut statuses = Statuses::new();
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap());
    for (_, operation) in operations {
        let listed = operation["x-codes"].as_array().into_iter().flatten();
        let listed: Vec<&str> = listed.map(|word| word.as_str().unwrap()).collect();
        for (status, answer) in operation["responses"].as_object().unwrap() {
            let contents = answer["content"].as_object().into_iter().flat_map(|contents| contents.values());
            for content in contents {
                let several = content["examples"].as_object().into_iter().flat_map(|all| all.values());
                let examples = several.map(|example| &example["value"]).chain(content.get("example"));
                for word in examples.filter_map(|example| example["code"].as_str()) {
                    if listed.contains(&word) {
                        let before = statuses.insert(word.to_owned(), status.parse().unwrap());
                        assert!(before.is_none_or(|before| before.to_string() == *status), "{word}");
                    }
                }
            }
        }
    }
    statuses
}

/// The codes of the SDK, by what is said above each: its status stands in parentheses.
fn in_sdk(source: &str) -> Statuses {
    let mut statuses = Statuses::new();
    let mut said = "";
    for line in source.lines().map(str::trim) {
        if line.starts_with("///") {
            said = line;
        } else if let Some((_, word)) = line.split_once(" = \"") {
            let status = said.rsplit_once('(').unwrap().1.split(')').next().unwrap();
            statuses.insert(word.trim_end_matches("\",").to_owned(), status.parse().unwrap());
        }
    }
    statuses
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_and_statuses_are_the_same_everywhere() {
    let source: Statuses = Code::ALL.iter().map(|code| (code.as_str().to_owned(), code.status())).collect();
    assert!(source.len() == Code::ALL.len() && source.len() > 50, "{} codes", source.len());
    let app = TestApp::start().await;
    assert_eq!(on_page(&served(&app, "/docs/outcomes").await.text), source, "/docs/outcomes");

    let document = served(&app, "/openapi.json").await.body;
    let mut answers = described(&document);
    let of_no_operation = Code::MethodNotAllowed;
    answers.insert(of_no_operation.as_str().to_owned(), of_no_operation.status());
    assert_eq!(answers, source, "/openapi.json");
    for schema in ["Problem", "PostbackAnswer"] {
        let words = &document["components"]["schemas"][schema]["properties"]["code"]["enum"];
        let mut words: Vec<&str> =
            words.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
        words.sort_unstable();
        assert_eq!(words, source.keys().map(String::as_str).collect::<Vec<_>>(), "{schema}");
    }

    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sdk/src/code.rs");
    assert_eq!(in_sdk(&fs::read_to_string(sdk).unwrap()), source, "the SDK says the status of each");
    assert!(tallyback::Code::KNOWN.iter().all(|word| source.contains_key(*word)));
    assert_eq!(tallyback::Code::KNOWN.len(), source.len(), "the SDK knows each");
}
