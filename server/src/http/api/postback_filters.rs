//! Which lines of the log are asked for: of a page, and of the live tail.

use crate::{
    db::{db_read, list::PostbackFilter},
    domain::{
        answer::Outcome,
        click_id::{ClickIdError, ClickIdKey, Touch},
        code::Code,
        ids::{AdvertiserId, GoalId},
    },
    error::Result,
    http::{
        State,
        caller::Caller,
        fields::{Fields, named, read},
    },
};

/// The filters as they were sent.
#[derive(Debug, Clone, Default)]
pub struct Filters {
    /// Codes, separated by commas.
    pub code: Option<String>,
    /// A word.
    pub result: Option<String>,
    /// An id, or `ext:` and the partner's own.
    pub advertiser_id: Option<String>,
    /// An id, or `ext:` and the partner's own.
    pub goal_id: Option<String>,
    /// A click's id.
    pub click_id: Option<String>,
    /// An order.
    pub order_id: Option<String>,
    /// A time.
    pub received_from: Option<String>,
    /// A time.
    pub received_to: Option<String>,
    /// What test keys signed.
    pub test: Option<bool>,
    /// What can be run again.
    pub rerunnable: Option<bool>,
}

impl Filters {
    /// Reads the filters, and what was read already with them. A name of somebody else's is not found.
    pub async fn read(self, caller: Caller, state: &State, mut fields: Fields) -> Result<PostbackFilter> {
        let key = ClickIdKey::derive(&state.master_key, caller.partner.id());
        let click_id = |text: String| match key.read_of(Touch::Click, &text) {
            Err(malformed @ ClickIdError::Malformed { .. }) => Err(malformed.to_string()),
            Err(ClickIdError::NotGenuine) => Ok(None),
            Ok(id) => Ok(Some(id)),
        };
        let codes = fields.optional("code", self.code, known_codes);
        let result = fields.optional("result", self.result, read::word(Outcome::ALL, Outcome::parse));
        let advertiser =
            fields.optional("advertiser_id", self.advertiser_id, read::reference::<AdvertiserId>);
        let click = fields.optional("click_id", self.click_id, click_id);
        let goal = fields.optional("goal_id", self.goal_id, read::reference::<GoalId>);
        let mut filter = PostbackFilter {
            codes: codes.unwrap_or_default(),
            result,
            order_id: fields.optional("order_id", self.order_id, read::order_id),
            received_from: fields.optional("received_from", self.received_from, read::time),
            received_to: fields.optional("received_to", self.received_to, read::time),
            test: self.test.unwrap_or_default(),
            rerunnable: self.rerunnable,
            ..PostbackFilter::default()
        };
        fields.finish(|| Some(()))?;
        filter.click_id = click.map(|genuine| named(genuine, "click_id")).transpose()?;
        db_read!(&state.store, |queries, conn| {
            filter.advertiser_id = filter!(queries, conn, caller, advertiser, advertisers, "advertiser_id");
            filter.goal_id = filter!(queries, conn, caller, goal, goals, "goal_id");
            Ok::<_, crate::error::Error>(filter)
        })
    }
}

fn known_codes(text: String) -> Result<Vec<Code>, String> {
    let known = |word: &str| Code::ALL.iter().find(|code| code.as_str() == word).copied();
    let read =
        |word: &str| known(word).ok_or_else(|| format!("`{word}` is not a code; /docs/outcomes lists them"));
    text.split(',').map(str::trim).map(read).collect()
}
