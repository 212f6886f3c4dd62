//! A process as a listener: what others do comes to it as messages, as `abi/audit.md` has them.
//!
//! **Invariants:** nobody waits for it. What its mailbox has no room for is dropped and counted,
//! and the count comes with the next message. It stands above all whom it hears, so that it never
//! hears itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::UNIX_EPOCH;

use lunatic_model::{Message, Pid, Tag};
use lunatic_node::{Environment, Process};

use super::{Call, Hears, Listener, Outcome, Use, Value};
use crate::host::identity;
use crate::redirect::wire::Writer;

/// Events, by their numbers in `abi/audit.md`.
const DENIED: u8 = 0;
const USED: u8 = 1;
const CALLED: u8 = 2;
/// How a call ended.
const RETURNED: u8 = 0;
const FAILED: u8 = 1;
const ENDED: u8 = 2;
/// Kinds of values.
const INTEGER: u8 = 0;
const FLOAT: u8 = 1;
const TEXT: u8 = 2;
const OTHER: u8 = 3;
/// Bytes of a reason that are told.
const REASON_BYTES_MAX: usize = 1024;

pub(crate) struct ToProcess {
    environment: Weak<Environment>,
    pid: Pid,
    tag: Tag,
    hears: Hears,
    /// What it had no room for, since the last message that it has.
    left_out: AtomicU64,
}

impl ToProcess {
    pub(crate) fn new(process: &Process, tag: Tag, hears: Hears) -> ToProcess {
        let environment = Arc::downgrade(process.environment());
        ToProcess { environment, pid: process.pid(), tag, hears, left_out: AtomicU64::new(0) }
    }

    fn tell(&self, process: Pid, event: impl FnOnce(Writer) -> Writer) {
        let environment = self.environment.upgrade();
        // When it has ended, nobody hears, and the others go on.
        let Some(listener) = environment.and_then(|environment| environment.find(self.pid)) else {
            return;
        };
        let left_out = self.left_out.swap(0, Ordering::Relaxed);
        let [node, id] = identity::pid_pair(process);
        let body = event(Writer::empty().number(left_out).number(node).number(id)).done();
        let from = Some(process);
        if listener
            .offer(Message { tag: self.tag, from, data: body, ..Message::default() })
            .is_err()
        {
            self.left_out.fetch_add(left_out.saturating_add(1), Ordering::Relaxed);
        }
    }
}

impl Listener for ToProcess {
    fn hears(&self) -> Hears {
        self.hears
    }

    fn called(&self, call: &Call<'_>) {
        self.tell(call.process, |writer| {
            let at = call.at.duration_since(UNIX_EPOCH).unwrap_or_default();
            let micros = |time: std::time::Duration| time.as_micros() as u64;
            let name = format!("{}.{}", call.namespace, call.name);
            let writer = writer.byte(CALLED).number(micros(at)).number(micros(call.took));
            let writer = values(writer.text(&name), call.arguments);
            match call.outcome {
                Outcome::Returned(results) => values(writer.byte(RETURNED), results),
                Outcome::Failed(why) => {
                    let end = why.floor_char_boundary(REASON_BYTES_MAX);
                    writer.byte(FAILED).text(&why[..end])
                }
                Outcome::Ended => writer.byte(ENDED),
            }
        });
    }

    fn used(&self, used: &Use<'_>) {
        self.tell(used.process, |writer| writer.byte(USED).text(used.grant).text(used.call));
    }

    fn denied(&self, denied: &Use<'_>) {
        let Use { process, grant, call } = *denied;
        self.tell(process, |writer| writer.byte(DENIED).text(grant).text(call));
    }
}

fn values(writer: Writer, values: &[Value]) -> Writer {
    values.iter().fold(writer.number(values.len() as u64), |writer, value| match value {
        Value::Integer(number) => writer.byte(INTEGER).signed(*number),
        Value::Float(number) => writer.byte(FLOAT).double(*number),
        Value::Text(text) => writer.byte(TEXT).text(text),
        Value::Other => writer.byte(OTHER),
    })
}
