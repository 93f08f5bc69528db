//! Lists: a page at a time, newest first, with an opaque cursor that belongs to one list of one partner.

use aws_lc_rs::{constant_time, hmac};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use utoipa::ToSchema;

use super::State;
use crate::{
    db::scope::PartnerScope,
    domain::{code::Code, ids::Id, refusal::Refusal},
    error::Result,
};

/// Rows of a page, when the caller does not say.
const USUAL_LIMIT: usize = 25;
const LARGEST_LIMIT: i64 = 100;
const TAG_BYTES: usize = 8;

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub struct Page<T> {
    /// The rows, newest first.
    pub data: Vec<T>,
    /// Whether there are more.
    pub has_more: bool,
    /// Pass it as `cursor` for the next page; null on the last one.
    pub next_cursor: Option<String>,
}

/// Names one list of one partner: what the cursor is bound to.
pub struct ListName {
    key: hmac::Key,
}

impl ListName {
    /// A list, told from others by its resource and by all of its filters.
    pub fn new(state: &State, scope: &PartnerScope, resource: &str, filters: &impl std::fmt::Debug) -> Self {
        let context = [&scope.id().bytes()[..], format!("{resource} {filters:?}").as_bytes()].concat();
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, &state.master_key.derive("list cursor", &context)) }
    }

    /// The row that a cursor stands for.
    pub fn read(&self, cursor: Option<&str>) -> Result<Option<[u8; 16]>, Refusal> {
        let Some(text) = cursor else { return Ok(None) };
        let bytes: Option<[u8; 16 + TAG_BYTES]> =
            URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        let genuine = bytes.and_then(|bytes| {
            let (id, tag) = bytes.split_at(16);
            constant_time::verify_slices_are_equal(&self.tag(id), tag).ok()?;
            id.try_into().ok()
        });
        genuine.map(Some).ok_or_else(|| Refusal::of(Code::CursorInvalid))
    }

    fn write(&self, id: &[u8; 16]) -> String {
        URL_SAFE_NO_PAD.encode([&id[..], &self.tag(id)].concat())
    }

    fn tag(&self, id: &[u8]) -> [u8; TAG_BYTES] {
        let tag = hmac::sign(&self.key, id);
        std::array::from_fn(|i| tag.as_ref()[i])
    }

    /// Makes a page of rows, of which one more was read than asked for.
    pub fn page<R, T>(
        &self,
        mut rows: Vec<R>,
        limit: usize,
        id: impl Fn(&R) -> [u8; 16],
        view: impl FnMut(R) -> T,
    ) -> Page<T> {
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| has_more).map(|last| self.write(&id(last)));
        Page { data: rows.into_iter().map(view).collect(), has_more, next_cursor }
    }
}

/// How many rows a caller wants.
pub fn limit(asked: Option<i64>) -> Result<usize, String> {
    match asked {
        None => Ok(USUAL_LIMIT),
        Some(limit @ 1..=LARGEST_LIMIT) => Ok(limit as usize),
        Some(_) => Err(format!("must be a number from 1 to {LARGEST_LIMIT}")),
    }
}
