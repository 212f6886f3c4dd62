//! What can be seen of a process.

use crate::abi;
use crate::pid::{Pid, Ref};
use crate::process::Priority;

/// What a process does.
///
/// ```
/// use lunatic::{Pid, Status};
///
/// assert_eq!(Pid::this().info().unwrap().status, Status::Running);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// It waits.
    Waiting,
    /// It runs.
    Running,
    /// It is ready to run.
    Runnable,
    /// Somebody has suspended it.
    Suspended,
}

/// A process at one moment.
///
/// ```
/// use lunatic::{Mailbox, Pid, spawn_link};
///
/// let child = spawn_link((), |(), mailbox: Mailbox<u32>| drop(mailbox.receive())).pid();
/// let info = child.info().unwrap();
/// assert_eq!((info.parent, info.links), (Some(Pid::this()), vec![Pid::this()]));
/// println!("{child}: {:?}, {} messages, {} bytes", info.status, info.messages, info.memory_bytes);
/// # child.unlink();
/// # child.kill();
/// ```
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Info {
    /// What it does.
    pub status: Status,
    /// Whether it traps exits.
    pub trap_exit: bool,
    /// Its priority.
    pub priority: Priority,
    /// Messages in its mailbox.
    pub messages: u64,
    /// What these count for, in bytes.
    pub message_bytes: u64,
    /// Bytes of its linear memory.
    pub memory_bytes: u64,
    /// Who spawned it; `None` for the first process of an environment.
    pub parent: Option<Pid>,
    /// Linked processes.
    pub links: Vec<Pid>,
    /// Its monitors, and whom they watch.
    pub monitors: Vec<(Ref, Pid)>,
    /// The monitors that watch it, and whose they are.
    pub monitored_by: Vec<(Ref, Pid)>,
    /// Processes that it suspends, and how often.
    pub suspends: Vec<(Pid, u64)>,
    /// Its names, the oldest first.
    pub names: Vec<String>,
    /// The exported function in which it began.
    pub entry: String,
    /// Its label.
    pub label: String,
}

const HEADER_BYTES: usize = 96;

impl Pid {
    /// What can be seen of the process; `None` if there is no such process.
    ///
    /// ```
    /// let info = lunatic::Pid::this().info().unwrap();
    /// assert!(info.memory_bytes > 0);
    /// ```
    pub fn info(self) -> Option<Info> {
        let mut bytes = vec![0; HEADER_BYTES];
        loop {
            // SAFETY: the place has the length that is given.
            let result = unsafe {
                abi::process::info(self.node(), self.id(), bytes.as_mut_ptr(), bytes.len())
            };
            match result {
                0 => return Some(read(&bytes)),
                1 => return None,
                _ => {
                    let total = Reader { bytes: &bytes, at: 88 }.u64();
                    // More may be there at the next look.
                    bytes.resize(total as usize + 64, 0);
                }
            }
        }
    }
}

/// The parent of the process that runs, without the rest of what there is to know.
pub(crate) fn parent() -> Option<Pid> {
    let (this, mut header) = (Pid::this(), [0; HEADER_BYTES]);
    // SAFETY: the place has the length that is given; whether there is more does not matter.
    unsafe { abi::process::info(this.node(), this.id(), header.as_mut_ptr(), HEADER_BYTES) };
    let parent = Reader { bytes: &header, at: 40 }.pid();
    (parent != Pid::NONE).then_some(parent)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let bytes = core::array::from_fn(|n| self.bytes.get(self.at + n).copied().unwrap_or(0));
        self.at += N;
        bytes
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    fn pid(&mut self) -> Pid {
        Pid::new(self.u64(), self.u64())
    }

    fn reference(&mut self) -> Ref {
        Ref::new(self.u64(), self.u64())
    }

    fn text(&mut self, length: u32) -> String {
        let end = self.at + length as usize;
        let text = self.bytes.get(self.at..end).unwrap_or_default();
        self.at = end;
        String::from_utf8_lossy(text).into_owned()
    }

    fn list<T>(&mut self, count: u32, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..count).map(|_| one(self)).collect()
    }
}

fn read(bytes: &[u8]) -> Info {
    let mut header = Reader { bytes, at: 0 };
    let status = match header.u32() {
        1 => Status::Running,
        2 => Status::Runnable,
        3 => Status::Suspended,
        _ => Status::Waiting,
    };
    let trap_exit = header.u32() != 0;
    let priority = match header.u32() {
        0 => Priority::Low,
        2 => Priority::High,
        3 => Priority::Max,
        _ => Priority::Normal,
    };
    header.at = 16;
    let (messages, message_bytes, memory_bytes) = (header.u64(), header.u64(), header.u64());
    let parent = header.pid();
    let [links, monitors, monitored_by, suspends, names, _, entry, label] =
        core::array::from_fn(|_| header.u32());
    let mut lists = Reader { bytes, at: HEADER_BYTES };
    Info {
        status,
        trap_exit,
        priority,
        messages,
        message_bytes,
        memory_bytes,
        parent: (parent != Pid::NONE).then_some(parent),
        links: lists.list(links, Reader::pid),
        monitors: lists.list(monitors, |reader| (reader.reference(), reader.pid())),
        monitored_by: lists.list(monitored_by, |reader| (reader.reference(), reader.pid())),
        suspends: lists.list(suspends, |reader| (reader.pid(), reader.u64())),
        names: lists.list(names, |reader| {
            let length = reader.u32();
            reader.text(length)
        }),
        entry: lists.text(entry),
        label: lists.text(label),
    }
}
