//! Processes as targets: told what is written, or asked for what comes back.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lunatic_model::{Message, Pid, Tag};
use lunatic_wasi::Errno;
use lunatic_wasi::provider::{Clock, Input, Output, Random, Ready, Reply, StreamKind};
use tokio::sync::Mutex;

use crate::redirect::ask::{ask, caller};
use crate::redirect::wire::{Reader, Writer};

/// Requests beside those of files, by their numbers in `abi/redirect.md`.
const WRITE_STREAM: u8 = 20;
const RANDOM: u8 = 21;
const READ_STREAM: u8 = 24;
const CLOCK: u8 = 25;
const WAIT: u8 = 26;
/// Bytes that are asked for to know whether there are any.
const LOOK_AHEAD: usize = 4096;

/// A process that something is redirected to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ProcessTarget {
    pub(crate) pid: Pid,
    /// The tag of the messages that tell it; `None` if it is asked.
    pub(crate) told: Option<Tag>,
}

impl ProcessTarget {
    /// A stream or file into it. `source` says which.
    pub(super) fn output(self, source: &str) -> std::sync::Arc<dyn Output> {
        std::sync::Arc::new(ProcessOutput { target: self, source: source.to_owned() })
    }
}

struct ProcessOutput {
    target: ProcessTarget,
    source: String,
}

impl Output for ProcessOutput {
    fn kind(&self) -> StreamKind {
        StreamKind::Pipe
    }

    /// Waits while the mailbox is full. A process that has ended is a closed pipe.
    fn write(&self, data: Vec<u8>) -> Reply<'_, usize> {
        Box::pin(async move {
            let pid = self.target.pid;
            if let Some(tag) = self.target.told {
                let body = Writer::empty().text(&self.source).bytes(&data).done();
                let message = Message { tag, data: body, ..Message::default() };
                let sent = caller()?.send_to_live(pid, message).await;
                return sent.map(|()| data.len()).map_err(|_| Errno::Pipe);
            }
            let request = Writer::new(WRITE_STREAM).text(&self.source).bytes(&data).done();
            let answer = ask(pid, request).await.map_err(|_| Errno::Pipe)?;
            let mut reader = Reader::of(&answer.data)?;
            let count = reader.count(data.len())?;
            reader.end()?;
            Ok(count)
        })
    }
}

/// Random numbers that a process gives.
pub(super) struct AskedRandom(pub(super) Pid);

impl Random for AskedRandom {
    /// Only for those who cannot wait, of which there are none among the calls of guests.
    fn fill(&self, _buffer: &mut [u8]) -> Result<(), Errno> {
        Err(Errno::Io)
    }

    fn ask(&self, length: usize) -> Option<Reply<'_, Vec<u8>>> {
        Some(Box::pin(async move {
            let request = Writer::new(RANDOM).number(length as u64).done();
            let answer = ask(self.0, request).await?;
            let mut reader = Reader::of(&answer.data)?;
            let bytes = reader.bytes(length)?.to_vec();
            reader.end()?;
            // Fewer would leave the rest to chance.
            if bytes.len() == length { Ok(bytes) } else { Err(Errno::Io) }
        }))
    }
}

/// Input that a process gives. Who inherits it reads on where others were, as from one pipe.
#[derive(Default)]
struct Taken {
    /// Bytes that have come, those that nobody has read yet included.
    offset: u64,
    /// Those that nobody has read yet.
    ahead: Vec<u8>,
    ended: bool,
}

pub(super) struct AskedInput {
    pid: Pid,
    taken: Mutex<Taken>,
}

impl AskedInput {
    pub(super) fn new(pid: Pid) -> AskedInput {
        AskedInput { pid, taken: Mutex::default() }
    }

    /// Lets some bytes come, unless there are some or the end. One that is given up has taken
    /// nothing: the next asks for the same place.
    async fn fill(&self, taken: &mut Taken, length: usize) -> Result<(), Errno> {
        if !taken.ahead.is_empty() || taken.ended || length == 0 {
            return Ok(());
        }
        let request = Writer::new(READ_STREAM).text("stdin").number(taken.offset);
        let answer = ask(self.pid, request.number(length as u64).done()).await?;
        let mut reader = Reader::of(&answer.data)?;
        let bytes = reader.bytes(length)?.to_vec();
        reader.end()?;
        taken.offset = taken.offset.saturating_add(bytes.len() as u64);
        (taken.ended, taken.ahead) = (bytes.is_empty(), bytes);
        Ok(())
    }
}

impl Input for AskedInput {
    fn kind(&self) -> StreamKind {
        StreamKind::Pipe
    }

    fn read(&self, length: usize) -> Reply<'_, Vec<u8>> {
        Box::pin(async move {
            let mut taken = self.taken.lock().await;
            self.fill(&mut taken, length).await?;
            let count = length.min(taken.ahead.len());
            Ok(taken.ahead.drain(..count).collect())
        })
    }

    fn ready(&self) -> Reply<'_, Ready> {
        Box::pin(async move {
            let mut taken = self.taken.lock().await;
            self.fill(&mut taken, LOOK_AHEAD).await?;
            Ok(Ready { bytes: taken.ahead.len() as u64, ended: taken.ended })
        })
    }
}

/// A clock that a process shows. Each process has its own memory of what it was shown.
pub(super) struct AskedClock {
    pid: Pid,
    realtime: AtomicU64,
    monotonic: AtomicU64,
}

impl AskedClock {
    pub(super) fn new(pid: Pid) -> AskedClock {
        AskedClock { pid, realtime: AtomicU64::new(0), monotonic: AtomicU64::new(0) }
    }

    async fn ask(&self, request: Writer) -> Result<(), Errno> {
        let answer = ask(self.pid, request.done()).await?;
        let mut reader = Reader::of(&answer.data)?;
        let (realtime, monotonic) = (reader.number()?, reader.number()?);
        reader.end()?;
        self.realtime.store(realtime, Ordering::Relaxed);
        // Whatever the process says, this one never goes back.
        self.monotonic.fetch_max(monotonic, Ordering::Relaxed);
        Ok(())
    }
}

impl Clock for AskedClock {
    fn realtime(&self) -> u64 {
        self.realtime.load(Ordering::Relaxed)
    }

    fn monotonic(&self) -> u64 {
        self.monotonic.load(Ordering::Relaxed)
    }

    /// The process says what the time is from the first moment on.
    fn origin(&self) -> u64 {
        0
    }

    /// Waits until the process says that it is time. If it cannot be asked any more, no time comes:
    /// a sleep is over then.
    fn sleep_until(&self, deadline: u64) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            if self.ask(Writer::new(WAIT).number(deadline)).await.is_err() {
                self.realtime.store(u64::MAX, Ordering::Relaxed);
                self.monotonic.fetch_max(deadline, Ordering::Relaxed);
            }
        })
    }

    fn refresh(&self) -> Option<Reply<'_, ()>> {
        Some(Box::pin(self.ask(Writer::new(CLOCK))))
    }

    fn is_asked(&self) -> bool {
        true
    }

    fn for_process(&self) -> Option<Arc<dyn Clock>> {
        Some(Arc::new(AskedClock::new(self.pid)))
    }
}
