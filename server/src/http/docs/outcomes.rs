//! The page of all codes, made from the one table of them. Problem documents point here.

use super::{Page, hash};
use crate::domain::code::{Code, Retry};

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem}\
table{border-collapse:collapse;width:100%}\
th,td{border-bottom:1px solid #8886;padding:.5rem;text-align:left;vertical-align:top}\
thead th{position:sticky;top:0;background:Canvas}\
code{font:.9em ui-monospace,monospace}\
a{color:inherit}\
tbody tr{scroll-margin-top:5rem}\
tr:target{background:#fd06;outline:2px solid #fd0}";

const INTRODUCTION: &str = "<p>Every answer to a postback, and every error of the API, carries one of these codes. \
    A code always comes with the same HTTP status, and never changes its meaning. \
    <a href=\"/docs\">API reference</a></p>";

const HEAD: &str = "<thead><tr><th scope=\"col\">Code</th><th scope=\"col\">HTTP</th><th scope=\"col\">Send again?</th>\
    <th scope=\"col\">What it means</th><th scope=\"col\">What to do</th><th scope=\"col\">Who</th></tr></thead>";

/// The page, and what it may do.
pub(super) fn page() -> Page {
    let policy = format!(
        "default-src 'none'; img-src data:; style-src {}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(STYLE)
    );
    Page { html: html().into(), policy }
}

/// The page as it is sent: one row per code, with the code as its anchor.
pub fn html() -> String {
    let rows: String = Code::ALL.iter().map(|code| row(*code)).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>Tallyback: codes</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>Codes</h1>\n{INTRODUCTION}\n\
         <table>\n{HEAD}\n<tbody>\n{rows}</tbody>\n</table>\n</body>\n</html>\n"
    )
}

fn row(code: Code) -> String {
    let (word, status) = (code.as_str(), code.status());
    format!(
        "<tr id=\"{word}\"><td><a href=\"#{word}\"><code>{word}</code></a></td><td>{status}</td><td>{}</td>\
         <td>{}</td><td>{}</td><td>{}</td></tr>\n",
        again(code.retry()),
        marked(code.title()),
        marked(code.what_to_do()),
        who(code),
    )
}

fn again(retry: Retry) -> &'static str {
    match retry {
        Retry::No => "no",
        Retry::Yes => "yes, later",
        Retry::AfterFix => "once it is mended",
        Retry::ReSign => "signed afresh",
    }
}

/// Who has to act.
fn who(code: Code) -> &'static str {
    match code {
        Code::Accepted
        | Code::AcceptedOnHold
        | Code::AcceptedSpooled
        | Code::Validated
        | Code::Duplicate
        | Code::Adjusted
        | Code::AdjustedNothing => "nobody",
        Code::AcceptedPending | Code::GoalInactive | Code::GoalNotInCampaign => "the partner",
        Code::ScopeMissing | Code::SourceIpNotAllowed | Code::TokenNotAllowed => "the sender, or the partner",
        Code::HttpsRequired => "the sender, or the operator",
        Code::GoalMismatch
        | Code::ModeNotAllowed
        | Code::CurrencyInvalid
        | Code::ClickExpired
        | Code::ReportingDelayExceeded => "the sender, or the partner",
        Code::Unavailable | Code::StorageFull | Code::Internal => "the operator",
        _ => "the sender",
    }
}

/// Text with `code` in it, as HTML.
fn marked(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let parts = escaped.split('`').enumerate();
    parts.map(|(i, part)| if i % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_can_be_linked_to() {
        let html = html();
        for code in Code::ALL {
            assert!(html.contains(&format!("<tr id=\"{}\">", code.as_str())), "{code:?}");
        }
    }

    #[test]
    fn text_is_escaped_and_code_is_marked() {
        assert_eq!(marked("a `b<c` & d"), "a <code>b&lt;c</code> &amp; d");
    }
}
