//! Many reports or adjustments in few messages: how they are cut, and what each one's verdict was.
//! Must not touch the network.

use serde_json::Value;

use crate::answer::Answer;
use crate::conversion::{self, Intent};
use crate::{Adjustment, Conversion, Error, retry};

/// Items that the server takes in one message.
const MOST_ITEMS: usize = 1_000;
/// Bytes that it takes.
const MOST_BYTES: usize = 1024 * 1024;

/// Holds one message: a JSON array, and the places of its items among all of them.
pub(crate) struct Batch {
    pub(crate) body: Vec<u8>,
    places: Vec<usize>,
}

/// Holds the result of each item, as far as there is one.
pub(crate) struct Results<T>(Vec<Option<Result<T, Error>>>);

impl<T> Results<T> {
    /// Puts every verdict of an answer in its place, read like the answer to a single item.
    pub(crate) fn note(
        &mut self,
        batch: &Batch,
        answer: &Answer,
        read: fn(&Answer) -> Result<T, Error>,
    ) -> Result<(), Error> {
        for (place, verdict) in batch.places.iter().zip(verdicts(batch, answer)?) {
            self.0[*place] = Some(read_verdict(&verdict, read));
        }
        Ok(())
    }

    /// Returns the results, in the order of the items.
    pub(crate) fn finish(self) -> Vec<Result<T, Error>> {
        self.0.into_iter().map(|result| result.expect("each item is in a batch or has a mistake")).collect()
    }
}

/// Writes items into as few messages as they fit in. What cannot be written has its result already.
pub(crate) fn cut<I, T>(items: &[I], written: fn(&I) -> Result<Vec<u8>, Error>) -> (Vec<Batch>, Results<T>) {
    let (mut batches, mut results) = (Vec::<Batch>::new(), Vec::with_capacity(items.len()));
    for (place, item) in items.iter().enumerate() {
        let item = match written(item) {
            Ok(item) => item,
            Err(error) => {
                results.push(Some(Err(error)));
                continue;
            }
        };
        results.push(None);
        let fits = batches.last().is_some_and(|batch| {
            batch.places.len() < MOST_ITEMS && batch.body.len() + item.len() + 2 <= MOST_BYTES
        });
        if !fits {
            batches.push(Batch { body: Vec::new(), places: Vec::new() });
        }
        if let Some(batch) = batches.last_mut() {
            batch.body.push(if batch.body.is_empty() { b'[' } else { b',' });
            batch.body.extend(item);
            batch.places.push(place);
        }
    }
    batches.iter_mut().for_each(|batch| batch.body.push(b']'));
    (batches, Results(results))
}

/// Writes a report as an item.
pub(crate) fn report(conversion: &Conversion) -> Result<Vec<u8>, Error> {
    if let Some(problem) = conversion.mistake() {
        return Err(Error::NotSent { problem });
    }
    conversion::body(conversion, Intent::Record)
        .map_err(|error| Error::NotSent { problem: error.to_string() })
}

/// Writes an adjustment as an item.
pub(crate) fn adjustment(adjustment: &Adjustment) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(adjustment).map_err(|error| Error::NotSent { problem: error.to_string() })
}

/// Takes the verdicts out of an answer: one for each item, or else it is none of ours.
fn verdicts(batch: &Batch, answer: &Answer) -> Result<Vec<Value>, Error> {
    if answer.status != 200 {
        return Err(answer.read().err().unwrap_or_else(|| answer.unexpected("it has no verdicts")));
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match body.get("results") {
        Some(Value::Array(results)) if results.len() == batch.places.len() => Ok(results.clone()),
        _ => Err(answer.unexpected("it has not a verdict for each item")),
    }
}

/// Reads a verdict like the answer to a single item.
fn read_verdict<T>(verdict: &Value, read: fn(&Answer) -> Result<T, Error>) -> Result<T, Error> {
    let refused = verdict.get("status").and_then(Value::as_u64).and_then(|status| status.try_into().ok());
    let answer = Answer {
        status: refused.unwrap_or(200),
        content_type: Some("application/json".to_owned()),
        retry_after: None,
        body: verdict.to_string().into_bytes(),
    };
    if retry::is_passing(answer.status) { Err(answer.into_unavailable(1)) } else { read(&answer) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Recorded;

    fn cut(sales: &[Conversion]) -> (Vec<Batch>, Results<Recorded>) {
        super::cut(sales, report)
    }

    fn sale(order: &str) -> Conversion {
        Conversion::new("purchase").click_id("1abc").order_id(order)
    }

    #[test]
    fn reports_are_cut_by_number_and_by_bytes() {
        let many: Vec<_> = (0..2_500).map(|order: i32| sale(&order.to_string())).collect();
        let (batches, _) = cut(&many);
        assert_eq!(batches.iter().map(|batch| batch.places.len()).collect::<Vec<_>>(), [1_000, 1_000, 500]);
        let large: Vec<_> =
            (0..300).map(|_| sale("1").metadata(serde_json::json!({"x": "y".repeat(7_000)}))).collect();
        let (batches, _) = cut(&large);
        assert!(batches.len() == 3 && batches.iter().all(|batch| batch.body.len() <= MOST_BYTES));
        for batch in &batches {
            let items: Vec<Value> = serde_json::from_slice(&batch.body).unwrap();
            assert_eq!(items.len(), batch.places.len());
        }
        assert!(cut(&[]).0.is_empty());
    }

    #[test]
    fn each_verdict_finds_its_report() {
        let (batches, mut results) = cut(&[sale("1"), sale("2"), sale("3")]);
        let body = serde_json::json!({"results": [
            {"result": "accepted", "code": "accepted", "conversion_id": "cnv_1", "status": "approved"},
            {"result": "rejected", "code": "goal_mismatch", "status": 422, "message": "No goal."},
            {"result": "rejected", "code": "unavailable", "status": 503},
        ]});
        let answer = |body: &Value| Answer {
            status: 200,
            content_type: None,
            retry_after: None,
            body: body.to_string().into_bytes(),
        };
        results.note(&batches[0], &answer(&body), Answer::read).unwrap();
        let results = results.finish();
        assert_eq!(results[0].as_ref().unwrap().conversion_id.as_deref(), Some("cnv_1"));
        assert!(matches!(&results[1], Err(Error::Refused(refusal)) if refusal.status == 422));
        assert!(matches!(&results[2], Err(Error::Unavailable { status: 503, .. })));
        let (batches, mut results) = cut(&[sale("1")]);
        assert!(results.note(&batches[0], &answer(&body), Answer::read).is_err(), "too many verdicts");
    }
}
