//! What User-Agents say, kept per worker: the same few hundred come again and again, and reading one costs more than
//! everything else about a click.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use crate::domain::{click_class::is_bot, visitor::Visitor};

/// Most that a worker keeps; beyond it all are dropped and read again.
const MOST_KEPT: usize = 4_096;

thread_local! {
    /// The hash is seeded with chance, and quick: strangers choose the texts.
    static KEPT: RefCell<HashMap<Box<str>, Rc<UserAgent>, foldhash::fast::RandomState>> = RefCell::default();
}

/// What a User-Agent says.
#[derive(Default)]
pub struct UserAgent {
    /// The visitor's device.
    pub visitor: Visitor,
    /// Whether it names a machine.
    pub is_bot: bool,
}

/// Reads a User-Agent; without one, nothing is known.
pub fn read(user_agent: Option<&str>) -> Rc<UserAgent> {
    let Some(text) = user_agent else { return Rc::default() };
    KEPT.with_borrow_mut(|kept| {
        if let Some(known) = kept.get(text) {
            return known.clone();
        }
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        let read = Rc::new(UserAgent { visitor: Visitor::parse(text), is_bot: is_bot(text) });
        kept.insert(text.into(), read.clone());
        read
    })
}
