//! Finds what a mistyped name was probably meant to be.
//! It only ranks names it is given; who may see them is decided by the caller.

/// More than enough for a hint, and few enough for one sentence.
const MOST_NAMES: usize = 3;
/// Nobody mistypes a name this long by a letter or two; beyond it, comparing only costs time.
const LONGEST: usize = 128;

/// Returns at most three names close to the wanted one, the closest first.
///
/// Compared without regard to case by the Damerau-Levenshtein distance (insert, delete, replace, swap
/// neighbours); one edit is allowed for each three characters, and at least one.
pub fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = folded(wanted);
    if wanted.is_empty() || wanted.len() > LONGEST {
        return Vec::new();
    }
    let limit = (wanted.len() / 3).max(1);
    let mut close: Vec<_> = names
        .filter_map(|name| {
            let name_folded = folded(name);
            let comparable = name_folded.len().abs_diff(wanted.len()) <= limit;
            let distance = comparable.then(|| distance(&wanted, &name_folded))?;
            (distance <= limit).then_some((distance, name))
        })
        .collect();
    close.sort_unstable();
    close.dedup();
    close.into_iter().take(MOST_NAMES).map(|(_, name)| name).collect()
}

fn folded(text: &str) -> Vec<char> {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// Counts edits (optimal string alignment), three rows at a time.
fn distance(one: &[char], two: &[char]) -> usize {
    let mut before = vec![0; two.len() + 1];
    let mut above: Vec<usize> = (0..=two.len()).collect();
    for row in 1..=one.len() {
        let mut current = vec![row; two.len() + 1];
        for column in 1..=two.len() {
            let replaced = above[column - 1] + usize::from(one[row - 1] != two[column - 1]);
            current[column] = replaced.min(above[column] + 1).min(current[column - 1] + 1);
            if row > 1 && column > 1 && one[row - 1] == two[column - 2] && one[row - 2] == two[column - 1] {
                current[column] = current[column].min(before[column - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, current);
    }
    above[two.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(wanted: &str, names: &[&'static str]) -> Vec<&'static str> {
        nearest(wanted, names.iter().copied())
    }

    fn edits(one: &str, two: &str) -> usize {
        distance(&folded(one), &folded(two))
    }

    #[test]
    fn edits_are_counted() {
        for (one, two, count) in [
            ("sale", "sale", 0),
            ("sale", "sal", 1),
            ("sale", "slae", 1),
            ("sale", "lead", 4),
            ("", "abc", 3),
            ("ca", "abc", 3),
        ] {
            assert_eq!(edits(one, two), count, "{one} {two}");
        }
    }

    #[test]
    fn a_difference_of_case_comes_first() {
        assert_eq!(found("Sale", &["sales", "sale", "signup"]), ["sale", "sales"]);
        assert_eq!(found("PURCHASE", &["purchased", "purchase"]), ["purchase", "purchased"]);
    }

    #[test]
    fn what_is_far_off_is_left_out() {
        assert_eq!(found("sale", &["subscription", "lead"]), [""; 0]);
        assert_eq!(found("", &["a"]), [""; 0]);
        assert_eq!(found(&"x".repeat(10_000), &["x"]), [""; 0]);
    }

    #[test]
    fn at_most_three_are_named() {
        assert_eq!(found("sale", &["sale5", "sale4", "sale3", "sale2"]), ["sale2", "sale3", "sale4"]);
        assert_eq!(found("sale", &["sales", "sales"]), ["sales"]);
    }

    proptest! {
        #[test]
        fn distance_is_symmetric(one in "[a-c]{0,8}", two in "[a-c]{0,8}") {
            prop_assert_eq!(edits(&one, &two), edits(&two, &one));
            prop_assert_eq!(edits(&one, &two) == 0, one == two);
        }
    }
}
