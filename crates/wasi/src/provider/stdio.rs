//! Standard streams: the runtime's own, any reader or writer, and nothing.
//!
//! Reading from a terminal and writing into a full pipe block a thread for as long as somebody
//! else pleases. Each real stream therefore has one thread of its own, started on first use, that
//! does nothing else; processes wait for it without holding a worker, and at the end of the
//! program nobody waits for that thread. The input thread reads only when somebody asks, and what
//! it read for a process that was killed meanwhile stays for the next one. A write is answered
//! when it has been made, so the writes of one process keep their order and none is pending when
//! it goes on.

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Read, Write};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::{Notify, mpsc, oneshot};

use super::{Input, Output, Ready, Reply, StreamKind};
use crate::errno::Errno;

/// Bytes the input thread reads ahead at most.
const INPUT_BYTES_MAX: usize = 64 * 1024;

/// Writes that wait for the output thread; further ones suspend before they are queued.
const OUTPUT_WRITES_MAX: usize = 64;

/// The runtime's standard input; all processes share it.
pub fn stdin() -> Arc<dyn Input> {
    static STDIN: LazyLock<Arc<ReaderInput>> =
        LazyLock::new(|| Arc::new(ReaderInput::new(io::stdin(), kind(io::stdin().is_terminal()))));
    STDIN.clone()
}

/// The runtime's standard output; all processes share it.
pub fn stdout() -> Arc<dyn Output> {
    static STDOUT: LazyLock<Arc<WriterOutput>> = LazyLock::new(|| {
        Arc::new(WriterOutput::new(io::stdout(), kind(io::stdout().is_terminal())))
    });
    STDOUT.clone()
}

/// The runtime's standard error; all processes share it.
pub fn stderr() -> Arc<dyn Output> {
    static STDERR: LazyLock<Arc<WriterOutput>> = LazyLock::new(|| {
        Arc::new(WriterOutput::new(io::stderr(), kind(io::stderr().is_terminal())))
    });
    STDERR.clone()
}

fn kind(terminal: bool) -> StreamKind {
    if terminal { StreamKind::Terminal } else { StreamKind::Pipe }
}

/// No input, and output that goes nowhere.
#[derive(Debug, Clone, Copy)]
pub struct Null;

impl Input for Null {
    fn kind(&self) -> StreamKind {
        StreamKind::Pipe
    }

    fn read(&self, _length: usize) -> Reply<'_, Vec<u8>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn ready(&self) -> Reply<'_, Ready> {
        Box::pin(async { Ok(Ready { bytes: 0, ended: true }) })
    }
}

impl Output for Null {
    fn kind(&self) -> StreamKind {
        StreamKind::Pipe
    }

    fn write(&self, data: Vec<u8>) -> Reply<'_, usize> {
        Box::pin(async move { Ok(data.len()) })
    }
}

/// Input from a blocking reader, with a thread of its own.
pub struct ReaderInput {
    shared: Arc<Shared>,
    kind: StreamKind,
    /// Taken when the thread starts.
    reader: Mutex<Option<Box<dyn Read + Send>>>,
}

struct Shared {
    state: Mutex<InputState>,
    /// To the thread: `wanted` or `closed` has been set.
    asked: Condvar,
    /// To the processes: something has arrived.
    arrived: Notify,
}

#[derive(Default)]
struct InputState {
    bytes: VecDeque<u8>,
    /// The outcome of a read that brought no bytes: the end, or an error. It is given to one
    /// reader; the next one asks anew, for a terminal may go on after its end.
    outcome: Option<Result<(), Errno>>,
    wanted: bool,
    closed: bool,
}

impl ReaderInput {
    /// Reads from `reader`, from a thread that starts with the first read.
    pub fn new(reader: impl Read + Send + 'static, kind: StreamKind) -> ReaderInput {
        ReaderInput {
            shared: Arc::new(Shared {
                state: Mutex::default(),
                asked: Condvar::new(),
                arrived: Notify::new(),
            }),
            kind,
            reader: Mutex::new(Some(Box::new(reader))),
        }
    }

    fn start(&self) -> Result<(), Errno> {
        let mut slot = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(reader) = slot.take() else {
            return Ok(());
        };
        let shared = self.shared.clone();
        thread::Builder::new()
            .name("wasi-input".to_owned())
            .spawn(move || shared.pump(reader))
            .map(drop)
            .map_err(|_| Errno::Io)
    }

    /// Waits until `take` finds something in the state.
    async fn wait<T>(
        &self,
        mut take: impl FnMut(&mut InputState) -> Option<T>,
    ) -> Result<T, Errno> {
        self.start()?;
        loop {
            // Made before the look at the state, so that an arrival in between is not missed.
            let arrived = self.shared.arrived.notified();
            {
                let mut state = self.shared.lock();
                if let Some(found) = take(&mut state) {
                    return Ok(found);
                }
                state.wanted = true;
                self.shared.asked.notify_one();
            }
            arrived.await;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, InputState> {
        // Each change under this lock is a single step, so a panic leaves nothing half-done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread: one read for each time somebody wants bytes and there are none.
    fn pump(&self, mut reader: Box<dyn Read + Send>) {
        let mut buffer = vec![0; INPUT_BYTES_MAX];
        loop {
            {
                let mut state = self.lock();
                while !state.wanted && !state.closed {
                    state = self.asked.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                if state.closed {
                    return;
                }
            }
            let result = reader.read(&mut buffer);
            let mut state = self.lock();
            match result {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => state.outcome = Some(Err(error.into())),
                Ok(0) => state.outcome = Some(Ok(())),
                Ok(count) => state.bytes.extend(&buffer[..count.min(INPUT_BYTES_MAX)]),
            }
            state.wanted = false;
            drop(state);
            self.arrived.notify_waiters();
        }
    }
}

impl Drop for ReaderInput {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.asked.notify_one();
    }
}

impl Input for ReaderInput {
    fn kind(&self) -> StreamKind {
        self.kind
    }

    fn read(&self, length: usize) -> Reply<'_, Vec<u8>> {
        Box::pin(async move {
            self.wait(|state| {
                if state.bytes.is_empty() {
                    return state.outcome.take().map(|outcome| outcome.map(|()| Vec::new()));
                }
                let count = length.min(state.bytes.len());
                Some(Ok(state.bytes.drain(..count).collect()))
            })
            .await?
        })
    }

    fn ready(&self) -> Reply<'_, Ready> {
        Box::pin(async move {
            self.wait(|state| {
                let bytes = state.bytes.len() as u64;
                (bytes > 0 || state.outcome.is_some()).then_some(Ready { bytes, ended: bytes == 0 })
            })
            .await
        })
    }
}

/// A write on its way to the output thread, and where the outcome goes.
type Job = (Vec<u8>, oneshot::Sender<Result<usize, Errno>>);

/// What the output thread needs.
type Idle = (Box<dyn Write + Send>, mpsc::Receiver<Job>);

/// Output into a blocking writer, with a thread of its own.
pub struct WriterOutput {
    kind: StreamKind,
    jobs: mpsc::Sender<Job>,
    /// Taken when the thread starts.
    start: Mutex<Option<Idle>>,
}

impl WriterOutput {
    /// Writes into `writer`, from a thread that starts with the first write.
    pub fn new(writer: impl Write + Send + 'static, kind: StreamKind) -> WriterOutput {
        let (jobs, queue) = mpsc::channel(OUTPUT_WRITES_MAX);
        WriterOutput { kind, jobs, start: Mutex::new(Some((Box::new(writer), queue))) }
    }

    fn start(&self) -> Result<(), Errno> {
        let mut slot = self.start.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((writer, queue)) = slot.take() else {
            return Ok(());
        };
        thread::Builder::new()
            .name("wasi-output".to_owned())
            .spawn(move || drain(writer, queue))
            .map(drop)
            .map_err(|_| Errno::Io)
    }
}

/// The thread: writes in the order of arrival until the last sender is gone.
fn drain(mut writer: Box<dyn Write + Send>, mut queue: mpsc::Receiver<Job>) {
    while let Some((data, done)) = queue.blocking_recv() {
        let result = writer.write_all(&data).and_then(|()| writer.flush());
        // A process that was killed meanwhile doesn't listen any more.
        done.send(result.map(|()| data.len()).map_err(Errno::from)).ok();
    }
}

impl Output for WriterOutput {
    fn kind(&self) -> StreamKind {
        self.kind
    }

    fn write(&self, data: Vec<u8>) -> Reply<'_, usize> {
        Box::pin(async move {
            self.start()?;
            let (done, outcome) = oneshot::channel();
            self.jobs.send((data, done)).await.map_err(|_| Errno::Io)?;
            outcome.await.map_err(|_| Errno::Io)?
        })
    }
}
