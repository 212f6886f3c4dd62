//! Elasticsearch's `_bulk`: what is sent for a batch of lines, and what an answer says of each.
//!
//! Each line is a `create` under an id that stays the same over all attempts: a second attempt of
//! one that had arrived is answered 409, which counts as arrived.

use serde_json::{Value, json};

use crate::queue::{Fate, Line};
use crate::time::rfc3339;

/// The body of a request: two lines of JSON for each line.
pub(crate) fn body(sink: &str, batch: &[Line]) -> String {
    let mut body = String::new();
    for line in batch {
        let action = json!({ "create": { "_id": id(sink, line.sequence) } });
        for part in [action, document(line)] {
            body.push_str(&part.to_string());
            body.push('\n');
        }
    }
    body
}

/// The body for a server that is none of Elasticsearch's: documents that hold their ids, by which
/// it can tell what it has already.
pub(crate) fn documents(sink: &str, batch: &[Line]) -> String {
    let mut body = String::new();
    for line in batch {
        let mut document = document(line);
        document["id"] = json!(id(sink, line.sequence));
        body.push_str(&document.to_string());
        body.push('\n');
    }
    body
}

fn document(line: &Line) -> Value {
    json!({
        "@timestamp": rfc3339(line.time),
        "message": String::from_utf8_lossy(&line.text),
        "log": { "source": &*line.source, "sequence": line.sequence },
    })
}

pub(crate) fn id(sink: &str, sequence: u64) -> String {
    format!("{sink}-{sequence}")
}

/// What the answer of a request with status 200 says; `None` if it is no answer to this batch.
pub(crate) fn fates(sink: &str, batch: &[Line], answer: &[u8]) -> Option<Vec<Fate>> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let items = answer.get("items")?.as_array()?;
    if items.len() != batch.len() {
        return None;
    }
    let fate = |(item, line): (&Value, &Line)| {
        let item = item.get("create")?;
        if let Some(told) = item.get("_id").and_then(Value::as_str)
            && told != id(sink, line.sequence)
        {
            return None;
        }
        Some(match item.get("status")?.as_u64()? {
            200 | 201 | 409 => Fate::Arrived,
            429 | 500..=599 => Fate::Again,
            status => {
                let why = item.get("error").map(Value::to_string).unwrap_or_default();
                let why: String = why.chars().take(300).collect();
                tracing::warn!("Elasticsearch refuses a line with status {status}: {why}");
                Fate::Refused
            }
        })
    };
    items.iter().zip(batch).map(fate).collect()
}
