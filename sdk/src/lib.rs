//! Reports conversions to a Tallyback server from an advertiser's back end: signed, typed, counted once.
//!
//! ```no_run
//! use tallyback::{Client, Conversion, Error, Outcome};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder("https://track.example.com")
//!     .key_id(std::env::var("TALLYBACK_KEY_ID")?)
//!     .signing_secret(std::env::var("TALLYBACK_SIGNING_SECRET")?)
//!     .build()?;
//!
//! // The click id came with the visitor to the landing page and was kept with the order.
//! let sale = Conversion::new("purchase")
//!     .click_id("1abcdefghjkmnpqrstvwxyz0123456789abcd")
//!     .order_id("A-1001")
//!     .amount("49.90", "EUR")
//!     .event_time(std::time::SystemTime::now());
//!
//! match client.record(&sale).await {
//!     Ok(recorded) => match recorded.outcome {
//!         // Only a dry run (`Client::validate`) is answered so.
//!         Outcome::Validated => println!("would be counted"),
//!         outcome => println!("counted as {:?}: {}", recorded.conversion_id, outcome.code()),
//!     },
//!     // The report itself is wrong: the same again would get the same answer.
//!     Err(Error::Refused(refusal)) => eprintln!("refused: {refusal}"),
//!     // Everything else: report it again later, it is counted once.
//!     Err(error) => eprintln!("later: {error}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Counted once
//!
//! `Ok` means that the server has the conversion on disk ([`Outcome::Validated`] excepted). A report that
//! gets no answer is sent again, and may be sent again by the caller, at any time: the server counts by
//! click or order, and answers [`Outcome::Duplicate`] with the first conversion's id.
//!
//! Reports are not kept by this crate. A back end that must not lose one while it restarts writes it to its
//! own database together with the order, and reports it from there
//! ([`Client::record_with_id`] keeps the id).
//!
//! # Safety
//!
//! Every report is signed (Standard Webhooks, HMAC-SHA-256) and sent over TLS; the secret never leaves the
//! process, redirects are never followed, and neither `Debug` nor `Display` of any type here shows the
//! secret or the key id.
//!
//! # Modules
//!
//! All are private; what is public is named at this root.
//!
//! | module | holds |
//! | --- | --- |
//! | `client`, `builder`, `base_url` | the client and its settings |
//! | `conversion`, `event_time` | what is reported |
//! | `batch` | many at once |
//! | `adjustment` | what happens to it later |
//! | `message_id`, `signing`, `attempt` | one signed request |
//! | `retry`, `chance` | when to try again |
//! | `answer`, `outcome`, `refusal`, `code`, `words` | what came back |
//! | `error`, `causes` | what went wrong |

mod adjustment;
mod answer;
mod attempt;
mod base_url;
mod batch;
mod builder;
mod causes;
mod chance;
mod client;
mod code;
mod conversion;
mod error;
mod event_time;
mod message_id;
mod outcome;
mod refusal;
mod retry;
mod signing;
mod words;

pub use adjustment::{Adjusted, Adjustment, AdjustmentKind, AdjustmentOutcome, Reason};
pub use builder::ClientBuilder;
pub use client::Client;
pub use code::Code;
pub use conversion::Conversion;
pub use error::{BuildError, Error, TransportError, TransportStep};
pub use event_time::EventTime;
pub use outcome::{ConversionStatus, Outcome, Recorded};
pub use refusal::{FieldError, Refusal};
