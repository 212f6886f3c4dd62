//! Processes as targets: told what is written, or asked for what comes back.

use lunatic_model::{Message, Pid, Tag};
use lunatic_wasi::Errno;
use lunatic_wasi::provider::{Output, Random, Reply, StreamKind};

use crate::redirect::ask::{ask, caller};
use crate::redirect::wire::{Reader, Writer};

/// Requests beside those of files, by their numbers in `abi/redirect.md`.
const WRITE_STREAM: u8 = 20;
const RANDOM: u8 = 21;

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
