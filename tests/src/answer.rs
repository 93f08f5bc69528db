//! What came back.

use reqwest::{
    Client, RequestBuilder, Url,
    header::{HeaderMap, USER_AGENT},
    redirect::Policy,
};
use serde_json::Value;

use crate::BROWSER;

/// An answer of the API.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub text: String,
    /// The body as JSON; null if it is none.
    pub body: Value,
}

impl Answer {
    /// Sends a request.
    pub async fn to(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Self { status, headers, text, body }
    }

    /// The body of an answer with this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }

    /// The problem of an answer with this status and code.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{}", self.text);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text);
        self.body
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// A client that follows no redirects and knows no proxy.
pub fn client() -> Client {
    Client::builder().redirect(Policy::none()).no_proxy().build().unwrap()
}

/// What a visitor got.
#[derive(Debug)]
pub struct Visit {
    /// The status.
    pub status: u16,
    /// Where the visitor was sent.
    pub location: Option<String>,
    /// The click id on the landing URL.
    pub click_id: Option<String>,
    /// The whole answer.
    pub answer: Answer,
}

impl Visit {
    /// Reads an answer of the click endpoint.
    pub fn of(answer: Answer) -> Self {
        let location = answer.header("location").map(str::to_owned);
        let click_id = location.as_deref().and_then(|url| parameter(url, "kcid"));
        Self { status: answer.status, location, click_id, answer }
    }

    /// The click id, of a visit that was redirected.
    #[track_caller]
    pub fn click_id(self) -> String {
        assert_eq!(self.status, 302, "{}", self.answer.text);
        self.click_id.unwrap_or_else(|| panic!("no click id in {:?}", self.location))
    }

    /// Where the visitor was sent.
    #[track_caller]
    pub fn location(self) -> String {
        self.location.unwrap_or_else(|| panic!("{}: {}", self.status, self.answer.text))
    }
}

/// A browser follows a tracking link.
pub async fn visit(url: &str) -> Visit {
    Visit::of(Answer::to(client().get(url).header(USER_AGENT, BROWSER)).await)
}

/// A parameter of a URL's query.
pub fn parameter(url: &str, name: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

/// A URL with one more parameter, encoded.
pub fn with_parameter(url: &str, name: &str, value: &str) -> Url {
    Url::parse_with_params(url, [(name, value)]).unwrap()
}
