//! The log of all calls: one line of JSON for each, in a file.
//!
//! A call is told on a worker, so there it only becomes a line, which a thread of its own writes.
//! What that thread does not keep up with is counted and left out: an audited program is never
//! held up, and the lines that wait are bounded.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::UNIX_EPOCH;

use lunatic_engine::{Call, Hears, Listener, Outcome, Value};
use serde_json::{Value as Json, json};

/// Lines that wait to be written.
const LINES_MAX: usize = 16_384;

/// The log. Its file is complete after [`CallLog::finish`].
pub struct CallLog {
    lines: Arc<Lines>,
    writer: Mutex<Option<JoinHandle<io::Result<()>>>>,
}

struct Lines {
    /// Gone at the end.
    sender: Mutex<Option<SyncSender<String>>>,
    left_out: AtomicU64,
}

impl CallLog {
    /// Starts a log in a new file, or in an old one from its beginning.
    pub fn create(path: &Path) -> io::Result<CallLog> {
        let file = File::create(path)?;
        let (sender, receiver) = mpsc::sync_channel(LINES_MAX);
        let lines =
            Arc::new(Lines { sender: Mutex::new(Some(sender)), left_out: AtomicU64::new(0) });
        let writer = std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || write(file, &receiver))?;
        Ok(CallLog { lines, writer: Mutex::new(Some(writer)) })
    }

    /// Who hears of the calls.
    pub fn listener(&self) -> Arc<dyn Listener> {
        self.lines.clone()
    }

    /// Writes what waits, and closes the file. Gives how many lines were left out.
    pub fn finish(&self) -> io::Result<u64> {
        drop(self.lines.sender.lock().unwrap_or_else(PoisonError::into_inner).take());
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            writer.join().unwrap_or_else(|_| Err(io::Error::other("the log's thread failed")))?;
        }
        Ok(self.lines.left_out.load(Ordering::Relaxed))
    }
}

fn write(file: File, lines: &Receiver<String>) -> io::Result<()> {
    let mut file = BufWriter::new(file);
    while let Ok(line) = lines.recv() {
        file.write_all(line.as_bytes())?;
    }
    file.flush()
}

impl Listener for Lines {
    fn hears(&self) -> Hears {
        Hears { calls: true, ..Hears::NONE }
    }

    fn called(&self, call: &Call<'_>) {
        let line = line(call);
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        match sender.as_ref().map(|sender| sender.try_send(line)) {
            Some(Ok(())) => {}
            Some(Err(TrySendError::Full(_) | TrySendError::Disconnected(_))) | None => {
                self.left_out.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// A call as a line: times are microseconds, `at` since 1970; texts are cut off by the engine.
fn line(call: &Call<'_>) -> String {
    let at = call.at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let micros = |micros: u128| u64::try_from(micros).unwrap_or(u64::MAX);
    let (ending, value) = match call.outcome {
        Outcome::Returned(results) => ("returned", values(results)),
        Outcome::Failed(why) => ("failed", why.into()),
        Outcome::Ended => ("ended", true.into()),
    };
    let object = json!({
        "at": micros(at.as_micros()),
        "process": call.process.serial,
        "call": format!("{}.{}", call.namespace, call.name),
        "arguments": values(call.arguments),
        ending: value,
        "took": micros(call.took.as_micros()),
    });
    format!("{object}\n")
}

fn values(values: &[Value]) -> Json {
    let value = |value: &Value| match value {
        Value::Integer(number) => Json::from(*number),
        Value::Float(number) => Json::from(*number),
        Value::Text(text) => Json::from(&**text),
        Value::Other => Json::Null,
    };
    values.iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use lunatic_engine::Pid;

    use super::*;

    const PID: Pid = Pid { node: 0, incarnation: 0, serial: 1 };

    #[test]
    fn a_call_is_one_line_of_json() {
        let arguments = [Value::Integer(-3), Value::Text("a \"b\"\n".into()), Value::Other];
        let call = Call {
            process: Pid { serial: 7, ..PID },
            at: UNIX_EPOCH + Duration::from_micros(5),
            took: Duration::from_micros(2),
            namespace: "lunatic::registry",
            name: "get",
            arguments: &arguments,
            outcome: Outcome::Returned(&[Value::Integer(1)]),
        };
        let text = line(&call);
        assert_eq!(text.matches('\n').count(), 1);
        let object: Json = serde_json::from_str(&text).expect("a line is JSON");
        let expected = json!({
            "at": 5, "process": 7, "call": "lunatic::registry.get",
            "arguments": [-3, "a \"b\"\n", null], "returned": [1], "took": 2
        });
        assert_eq!(object, expected);
    }

    #[test]
    fn what_comes_after_the_end_is_counted_as_left_out() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let log = CallLog::create(file.path()).expect("a log");
        let call = Call {
            process: PID,
            at: SystemTime::now(),
            took: Duration::ZERO,
            namespace: "n",
            name: "f",
            arguments: &[],
            outcome: Outcome::Ended,
        };
        let listener = log.listener();
        listener.called(&call);
        assert_eq!(log.finish().expect("it is written"), 0);
        listener.called(&call);
        assert_eq!(log.finish().expect("it is written"), 1);
        let text = std::fs::read_to_string(file.path()).expect("the file");
        assert_eq!(text.lines().count(), 1);
    }
}
