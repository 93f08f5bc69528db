//! Money of the model: integers, and arithmetic of its own.

/// Millionths of a unit of money, of a percent; trillionths of a rate.
pub type Parts = i128;

/// A currency.
pub type Unit = &'static str;

/// Divides and rounds half to even; nothing here is negative.
fn divided(number: Parts, by: Parts) -> Parts {
    let (whole, rest) = (number / by, number % by);
    match (rest * 2).cmp(&by) {
        std::cmp::Ordering::Less => whole,
        std::cmp::Ordering::Equal => whole + whole % 2,
        std::cmp::Ordering::Greater => whole + 1,
    }
}

/// An amount in another currency.
pub fn exchanged(amount: Parts, rate: Parts) -> Parts {
    divided(amount * rate, 1_000_000_000_000)
}

/// What each of some events brings.
pub fn per(sum: Parts, events: i64) -> Parts {
    divided(sum, events.into())
}

/// How a sum follows from an amount.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Rule {
    /// Not at all.
    Fixed(Parts),
    /// A share of it, in millionths of a percent.
    Share(Parts),
    /// It is the amount.
    Same,
}

impl Rule {
    pub fn of(self, amount: Option<Parts>) -> Parts {
        match self {
            Self::Fixed(sum) => sum,
            Self::Share(share) => divided(amount.unwrap_or(0) * share, 100_000_000),
            Self::Same => amount.unwrap_or(0),
        }
    }

    pub fn needs_amount(self) -> bool {
        !matches!(self, Self::Fixed(_))
    }

    pub fn is_sum(self) -> bool {
        matches!(self, Self::Fixed(sum) if sum != 0)
    }
}

/// A decimal text, read.
pub fn parts(text: &str) -> Parts {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{decimals:0<6}").parse().unwrap()
}

/// A decimal text with six digits behind the dot, of which the last `cut` are left out.
pub fn decimal(parts: Parts, cut: usize) -> String {
    let text = format!("{}.{:06}", parts / 1_000_000, parts % 1_000_000);
    text[..text.len() - cut].to_owned()
}
