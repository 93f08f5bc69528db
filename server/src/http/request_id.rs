//! One id per request: in a header of every answer, in every problem document, in every log line.

use std::{fmt, future::Future};

use actix_web::http::header::{HeaderName, HeaderValue};

use crate::clock;

/// The header it is sent back in.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

const PREFIX: &[u8; 4] = b"req_";
const DIGITS: &[u8; 16] = b"0123456789abcdef";

tokio::task_local! {
    static CURRENT: RequestId;
}

/// The id of one request.
#[derive(Clone, Copy)]
pub struct RequestId([u8; 36]);

impl RequestId {
    /// A new one, drawn by chance.
    pub fn new() -> Self {
        let mut text = [0; 36];
        text[..4].copy_from_slice(PREFIX);
        for (pair, byte) in text[4..].chunks_exact_mut(2).zip(clock::random::<16>()) {
            pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        Self(text)
    }

    /// Answers a request under this id.
    pub fn scope<T>(self, answering: impl Future<Output = T>) -> impl Future<Output = T> {
        CURRENT.scope(self, answering)
    }

    /// As a header.
    pub fn header(&self) -> HeaderValue {
        HeaderValue::from_bytes(&self.0).expect("hexadecimal digits are a header value")
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.0).expect("hexadecimal digits are text"))
    }
}

/// The id of the request that is being answered; none outside of one.
pub fn current() -> Option<String> {
    CURRENT.try_with(RequestId::to_string).ok()
}
