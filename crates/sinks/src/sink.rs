//! A sink: its queue, and the task that empties it.
//!
//! All tasks run on one thread of their own, which is never one that runs processes.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::deliver::{Delivery, Outcome};
use crate::options::{Destination, Options};
use crate::queue::{Figures, Line, Queue};

/// Why a sink was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system gave no thread for all sinks.
    #[error("the system gives no thread for sinks: {0}")]
    Thread(#[from] io::Error),
    /// The system has no randomness for the ids of lines.
    #[error("the system gives no random bytes for the ids of lines: {0}")]
    Random(String),
    /// The authorities are none, or the name of the server is none.
    #[error("a server cannot be reached over TLS: {0}")]
    Tls(String),
}

/// A sink. Clones are the same one. What waits when the last one goes is still sent, as long as the
/// program runs.
#[derive(Clone)]
pub struct Sink {
    queue: Arc<Queue>,
    _open: Arc<Open>,
}

/// Tells the task that nobody writes any more.
struct Open(Arc<Notify>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Sink {
    /// Starts a sink. Connections are made when there is something to send.
    pub fn start(destination: Destination, options: Options) -> Result<Sink, StartError> {
        let mut id = [0; 12];
        getrandom::fill(&mut id).map_err(|error| StartError::Random(error.to_string()))?;
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let queue = Arc::new(Queue::new(options));
        let closed = Arc::new(Notify::new());
        let delivery = Delivery::new(destination, &options, id).map_err(StartError::Tls)?;
        handle()?.spawn(run(queue.clone(), options, delivery, closed.clone()));
        Ok(Sink { queue, _open: Arc::new(Open(closed)) })
    }

    /// What became of the lines so far.
    pub fn figures(&self) -> Figures {
        self.queue.figures()
    }

    pub(crate) async fn push(&self, source: &Arc<str>, text: Vec<u8>) {
        self.queue.push(source, text).await;
    }

    pub(crate) fn push_at_once(&self, source: &Arc<str>, text: Vec<u8>) {
        self.queue.push_at_once(source, text);
    }

    /// Sends what waits, for `time_max` at most, and tells what became of all lines. Whatever still
    /// waits then goes on being sent as long as the program runs.
    pub async fn flush(&self, time_max: Duration) -> Figures {
        self.queue.hurry();
        let emptied = async {
            loop {
                let settled = self.queue.settled.notified();
                tokio::pin!(settled);
                settled.as_mut().enable();
                if self.queue.figures().waiting == 0 {
                    return;
                }
                settled.await;
            }
        };
        tokio::time::timeout(time_max, emptied).await.ok();
        self.queue.figures()
    }
}

/// The thread of all sinks, started with the first one.
fn handle() -> io::Result<Handle> {
    static HANDLE: OnceLock<Handle> = OnceLock::new();
    if let Some(handle) = HANDLE.get() {
        return Ok(handle.clone());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new()
        .name("sinks".into())
        .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
    // Two sinks that start at once may each have a thread, of which both go on.
    Ok(HANDLE.get_or_init(|| handle).clone())
}

async fn run(queue: Arc<Queue>, options: Options, mut delivery: Delivery, closed: Arc<Notify>) {
    let mut bytes_max = options.batch_bytes;
    let mut failures = 0u32;
    loop {
        let Some(batch) = next(&queue, &options, bytes_max, &closed).await else { return };
        let Outcome { fates, trouble, too_large } = delivery.attempt(&batch).await;
        queue.settle(&batch, &fates);
        if too_large {
            bytes_max = (bytes_max / 2).max(1);
            continue;
        }
        match trouble {
            None if failures > 0 => {
                tracing::info!("a sink works again; so far: {:?}", queue.figures());
                failures = 0;
            }
            None => {}
            Some(why) => {
                if failures == 0 {
                    tracing::warn!(
                        "a sink fails ({why}): trying again; so far: {:?}",
                        queue.figures()
                    );
                }
                let factor = 1u32 << failures.min(16);
                failures = failures.saturating_add(1);
                let pause = options.retry_time.saturating_mul(factor).min(options.retry_time_max);
                tokio::time::sleep(pause).await;
            }
        }
    }
}

/// The next batch: waits for a line, and then for others until the batch is full or its time is
/// over. `None` when nothing is left and nobody writes any more.
async fn next(
    queue: &Queue,
    options: &Options,
    bytes_max: usize,
    closed: &Notify,
) -> Option<Vec<Line>> {
    loop {
        let (empty, enough) = queue.look(bytes_max);
        if !empty {
            if !enough {
                let company = async {
                    while !queue.look(bytes_max).1 {
                        queue.arrived.notified().await;
                    }
                };
                tokio::time::timeout(options.batch_time, company).await.ok();
            }
            return Some(queue.batch(bytes_max));
        }
        tokio::select! {
            biased;
            () = queue.arrived.notified() => {}
            () = closed.notified() => {
                queue.hurry();
                // For the next time, when nothing is left.
                closed.notify_one();
                if queue.look(bytes_max).0 {
                    return None;
                }
            }
        }
    }
}
