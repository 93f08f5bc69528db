//! The items of a batch, found in its bytes. What an item says is read later, one by one: an item that cannot be read
//! does not keep the others from being read.

use serde::de::IgnoredAny;

use super::{code::Code, refusal::Refusal};

/// The most items in a batch.
pub const MOST_ITEMS: usize = 1_000;

/// How a batch is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layout {
    /// A JSON array.
    Array,
    /// A JSON object in each line (NDJSON). Empty lines mean nothing.
    Lines,
}

/// The items of a batch, each as its bytes.
///
/// # Errors
/// `malformed` if an array is none, `payload_too_large` for too many items.
pub fn items(layout: Layout, content: &[u8]) -> Result<Vec<&[u8]>, Refusal> {
    let items = match layout {
        Layout::Array => elements(content)?,
        Layout::Lines => lines(content),
    };
    if items.len() > MOST_ITEMS {
        let count = items.len();
        let detail = format!("The batch has {count} items or more; {MOST_ITEMS} are taken.");
        return Err(Refusal::new(Code::PayloadTooLarge, detail).hint("Send it in several batches."));
    }
    Ok(items)
}

fn lines(content: &[u8]) -> Vec<&[u8]> {
    let lines = content.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.filter(|line| !line.is_empty()).take(MOST_ITEMS + 1).collect()
}

/// The elements of an array: skipped over, and not read.
fn elements(content: &[u8]) -> Result<Vec<&[u8]>, Refusal> {
    let mut rest = Rest { content, position: 0 };
    let mut found = Vec::new();
    rest.take(b"[")?;
    if rest.next() == Some(b']') {
        rest.take(b"]")?;
    } else {
        loop {
            found.push(rest.value()?);
            if found.len() > MOST_ITEMS {
                return Ok(found);
            }
            if rest.take(b",]")? == b']' {
                break;
            }
        }
    }
    match rest.next() {
        None => Ok(found),
        Some(_) => Err(rest.unexpected("something comes after the array")),
    }
}

/// What is still to be looked at.
struct Rest<'a> {
    content: &'a [u8],
    position: usize,
}

impl<'a> Rest<'a> {
    /// The next byte that is no white space.
    fn next(&mut self) -> Option<u8> {
        let rest = self.content.get(self.position..).unwrap_or_default();
        self.position += rest.iter().take_while(|byte| b" \t\r\n".contains(byte)).count();
        self.content.get(self.position).copied()
    }

    /// Takes one of some bytes.
    fn take(&mut self, wanted: &[u8]) -> Result<u8, Refusal> {
        match self.next() {
            Some(byte) if wanted.contains(&byte) => {
                self.position += 1;
                Ok(byte)
            }
            _ if wanted == b"[" => Err(self.unexpected("it is no array")),
            _ => Err(self.unexpected("`,` or `]` is missing")),
        }
    }

    /// Takes a value, whatever it is.
    fn value(&mut self) -> Result<&'a [u8], Refusal> {
        self.next();
        let rest = self.content.get(self.position..).unwrap_or_default();
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<IgnoredAny>();
        match values.next() {
            Some(Ok(_)) => {
                let end = values.byte_offset();
                self.position += end;
                Ok(rest[..end].trim_ascii())
            }
            Some(Err(error)) => {
                let error = error.to_string();
                let error = error.split(" at line ").next().unwrap_or_default();
                Err(self.unexpected(error))
            }
            None => Err(self.unexpected("it ends too soon")),
        }
    }

    fn unexpected(&self, what: &str) -> Refusal {
        let detail = format!("The body is not a JSON array: {what}, at byte {}.", self.position);
        Refusal::new(Code::Malformed, detail)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(layout: Layout, content: &str) -> Result<Vec<&str>, Code> {
        let items = items(layout, content.as_bytes()).map_err(|refusal| refusal.code)?;
        Ok(items.into_iter().map(|item| std::str::from_utf8(item).unwrap()).collect())
    }

    #[test]
    fn an_array_has_its_elements() {
        for (content, wanted) in [
            ("[]", &[][..]),
            (" [ ] ", &[]),
            ("[{}]", &["{}"]),
            ("[ {\"a\": [1, 2]} ,\n{\"b\":\"],[\"} ]\n", &["{\"a\": [1, 2]}", "{\"b\":\"],[\"}"]),
            ("[1,null,\"x\",[],true]", &["1", "null", "\"x\"", "[]", "true"]),
            ("[{\"a\":1,\"a\":2},{\"s\":\"\\ud800\"}]", &["{\"a\":1,\"a\":2}", "{\"s\":\"\\ud800\"}"]),
        ] {
            assert_eq!(texts(Layout::Array, content).as_deref(), Ok(wanted), "{content}");
        }
        let deep = format!("[{}{},{{}}]", "[".repeat(20_000), "]".repeat(20_000));
        assert_eq!(texts(Layout::Array, &deep).unwrap().len(), 2);
    }

    #[test]
    fn a_broken_array_is_malformed_as_a_whole() {
        for content in [
            "",
            "{}",
            "[",
            "[{}",
            "[{},]",
            "[,]",
            "[{} {}]",
            "[{}]x",
            "[{]",
            "[{}],[]",
            "\u{feff}[]",
            "[\"x]",
            "null",
        ] {
            assert_eq!(texts(Layout::Array, content), Err(Code::Malformed), "{content}");
        }
    }

    #[test]
    fn lines_are_items_whatever_is_in_them() {
        let content = "{\"a\":1}\r\n\n  {\"b\":\n[]\n";
        assert_eq!(texts(Layout::Lines, content).unwrap(), ["{\"a\":1}", "{\"b\":", "[]"]);
        assert_eq!(texts(Layout::Lines, "").unwrap(), [""; 0]);
    }

    #[test]
    fn there_is_a_limit() {
        let of = |count: usize| (format!("[{}]", vec!["{}"; count].join(",")), "{}\n".repeat(count));
        let (array, lines) = of(MOST_ITEMS);
        assert_eq!(texts(Layout::Array, &array).unwrap().len(), MOST_ITEMS);
        assert_eq!(texts(Layout::Lines, &lines).unwrap().len(), MOST_ITEMS);
        let (array, lines) = of(MOST_ITEMS + 1);
        assert_eq!(texts(Layout::Array, &array), Err(Code::PayloadTooLarge));
        assert_eq!(texts(Layout::Lines, &lines), Err(Code::PayloadTooLarge));
    }

    proptest! {
        #[test]
        fn splitting_never_panics(content: Vec<u8>) {
            let _ = items(Layout::Array, &content);
            let _ = items(Layout::Lines, &content);
        }

        #[test]
        fn what_is_joined_is_split(values in prop::collection::vec("\\PC{0,20}", 0..20)) {
            let values: Vec<String> = values.iter().map(|value| serde_json::json!({"x": value}).to_string()).collect();
            let content = format!("[{}]", values.join(" , "));
            prop_assert_eq!(texts(Layout::Array, &content).unwrap(), values);
        }
    }
}
