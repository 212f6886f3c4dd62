//! What stands behind the calls: small object-safe traits, and the real providers.
//!
//! A call sees nothing but these traits, so each can be denied, redirected or audited for one
//! process by wrapping it. What must stay true of every provider: an asynchronous method suspends
//! the process and never blocks the thread that polls it; its future may be dropped at any await
//! (the process was killed) without harm to others; data crosses as owned buffers, so no provider
//! ever sees guest memory.

use std::any::Any;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use crate::errno::Errno;
use crate::types::{FileType, Metadata, NewTimes};

pub mod capture;
pub mod clock;
pub mod divert;
mod file;
pub mod fs;
pub(crate) mod platform;
pub mod random;
pub mod scripted;
pub mod stdio;

/// What an asynchronous provider method returns.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<T, Errno>> + Send + 'a>>;

/// What is at the other end of a standard stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamKind {
    /// A person.
    Terminal,
    /// A pipe, a file, or nothing.
    Pipe,
    /// A buffer that tests look into: not a terminal, and neither polled nor seeked.
    Captured,
}

/// How much an input can give at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// Bytes that a read returns at once.
    pub bytes: u64,
    /// The end has been reached.
    pub ended: bool,
}

/// A stream of bytes into the guest.
pub trait Input: Send + Sync {
    /// What it is.
    fn kind(&self) -> StreamKind;
    /// Waits for at least one byte and returns at most `length`; empty at the end.
    /// Dropping the future loses no input.
    fn read(&self, length: usize) -> Reply<'_, Vec<u8>>;
    /// Waits until a read would not wait, and takes nothing.
    fn ready(&self) -> Reply<'_, Ready>;
}

/// A stream of bytes out of the guest.
pub trait Output: Send + Sync {
    /// What it is.
    fn kind(&self) -> StreamKind;
    /// Writes `data` and returns how much was taken. Writes of one caller keep their order.
    fn write(&self, data: Vec<u8>) -> Reply<'_, usize>;
}

/// Time. All values are nanoseconds.
pub trait Clock: Send + Sync {
    /// Since 1970, as the machine believes; may jump.
    fn realtime(&self) -> u64;
    /// Since an origin of the clock's own; never goes back.
    fn monotonic(&self) -> u64;
    /// Where the monotonic time of a process begins that starts now. Nobody is shown it, so a clock
    /// that moves when it is read stands still.
    fn origin(&self) -> u64 {
        self.monotonic()
    }
    /// The smallest step of both.
    fn resolution(&self) -> u64 {
        1
    }
    /// Completes when [`Clock::monotonic`] has reached `deadline`; one far in the future may
    /// complete earlier: the caller looks at the clock again.
    fn sleep_until(&self, deadline: u64) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
    /// For a clock that has to be waited for: asks for the time, which is what
    /// [`Clock::realtime`] and [`Clock::monotonic`] say from then on.
    fn refresh(&self) -> Option<Reply<'_, ()>> {
        None
    }
    /// Whether it has to be waited for.
    fn is_asked(&self) -> bool {
        false
    }
    /// For a clock with a state that processes do not share: one for a process that begins.
    fn for_process(&self) -> Option<Arc<dyn Clock>> {
        None
    }
}

/// Randomness fit for keys.
pub trait Random: Send + Sync {
    /// Fills `buffer`, which is at most
    /// [`RANDOM_CHUNK_BYTES`](crate::limits::RANDOM_CHUNK_BYTES) long, without waiting.
    ///
    /// # Errors
    /// `Io` if the system has none.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Errno>;
    /// For a source that has to be waited for: as many bytes as asked for. It is asked, and never
    /// told to fill.
    fn ask(&self, _length: usize) -> Option<Reply<'_, Vec<u8>>> {
        None
    }
    /// For a source with a state that processes do not share: one for a process that begins.
    fn for_process(&self) -> Option<Arc<dyn Random>> {
        None
    }
}

/// How to open something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpenRequest {
    /// Open for reading.
    pub read: bool,
    /// Open for writing.
    pub write: bool,
    /// Create a regular file if there is nothing.
    pub create: bool,
    /// Together with `create`: fail with `Exist` if there is something.
    pub exclusive: bool,
    /// Cut a file to length 0.
    pub truncate: bool,
    /// Fail with `Notdir` unless it is a directory.
    pub directory: bool,
    /// Follow a symbolic link at the end of the path.
    pub follow: bool,
    /// Each write goes to the end.
    pub append: bool,
}

/// What was opened.
pub enum Opened {
    /// Anything but a directory.
    File(Arc<dyn File>),
    /// A directory.
    Directory(Arc<dyn Directory>),
}

/// An open file. It has no position: that belongs to the descriptor.
pub trait File: Send + Sync {
    /// What it was when it was opened.
    fn file_type(&self) -> FileType;
    /// At most `length` bytes from `offset`; empty at the end.
    fn read_at(&self, offset: u64, length: usize) -> Reply<'_, Vec<u8>>;
    /// Writes at `offset`; returns how much was taken.
    fn write_at(&self, offset: u64, data: Vec<u8>) -> Reply<'_, usize>;
    /// Writes at the end, as one step where the system has one; returns how much was taken and
    /// the offset behind it.
    fn append(&self, data: Vec<u8>) -> Reply<'_, (usize, u64)>;
    /// Switches append mode, which a file opened with it starts in.
    fn set_append(&self, append: bool) -> Reply<'_, ()>;
    /// Metadata.
    fn metadata(&self) -> Reply<'_, Metadata>;
    /// Cuts or extends with zeros.
    fn set_size(&self, size: u64) -> Reply<'_, ()>;
    /// Makes sure that the file has at least `offset + length` bytes, with room on the disk
    /// where the system can promise it.
    fn allocate(&self, offset: u64, length: u64) -> Reply<'_, ()>;
    /// Sets times.
    fn set_times(&self, times: NewTimes) -> Reply<'_, ()>;
    /// Hints at how a range will be used; `advice` is 0–5 as in preview 1.
    fn advise(&self, offset: u64, length: u64, advice: u8) -> Reply<'_, ()>;
    /// Waits until content (and, if `metadata`, everything else) is on the disk.
    fn sync(&self, metadata: bool) -> Reply<'_, ()>;
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name as the host has it; UTF-8 except where a file system allows other names.
    pub name: Vec<u8>,
    /// Serial number.
    pub inode: u64,
    /// Kind of object, links not followed.
    pub file_type: FileType,
}

/// Fixed cost that a listing charges for each entry, besides the bytes of its name.
pub const ENTRY_BYTES: usize = size_of::<Entry>();

/// What is done with a unix socket in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketUse {
    /// Make it, and listen there.
    Bind,
    /// Reach who listens there.
    Connect,
}

/// The way to a unix socket: a path for the system that leads to one place, whatever is moved or
/// linked meanwhile, as long as this lives.
#[derive(Debug)]
pub struct SocketPath {
    path: PathBuf,
    /// The path goes through this handle.
    _held: std::fs::File,
}

impl SocketPath {
    /// For a bind or connect of the system.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// An open directory. No path given to it can lead out of it: neither `..` nor an absolute path
/// nor a symbolic link, not even one that appears during the call; such a path is `Perm`.
pub trait Directory: Send + Sync {
    /// For operations on two directories, which only work between two of one provider.
    fn as_any(&self) -> &dyn Any;
    /// Opens a file or a directory.
    fn open(&self, path: String, request: OpenRequest) -> Reply<'_, Opened>;
    /// Opens a directory inside, to be given to a process that shall see no more than it.
    fn open_child_dir(&self, path: String) -> Reply<'_, Arc<dyn Directory>>;
    /// All entries but `.` and `..`; `Nomem` if they take more than `bytes_max`, counting
    /// [`ENTRY_BYTES`] and the name for each.
    fn entries(&self, bytes_max: usize) -> Reply<'_, Vec<Entry>>;
    /// Metadata of this directory itself.
    fn metadata(&self) -> Reply<'_, Metadata>;
    /// Sets times of this directory itself.
    fn set_times(&self, times: NewTimes) -> Reply<'_, ()>;
    /// Waits until the directory is on the disk.
    fn sync(&self) -> Reply<'_, ()>;
    /// Metadata of something inside.
    fn metadata_at(&self, path: String, follow: bool) -> Reply<'_, Metadata>;
    /// Sets times of something inside.
    fn set_times_at(&self, path: String, follow: bool, times: NewTimes) -> Reply<'_, ()>;
    /// Makes a directory.
    fn create_directory(&self, path: String) -> Reply<'_, ()>;
    /// Removes an empty directory.
    fn remove_directory(&self, path: String) -> Reply<'_, ()>;
    /// Removes anything but a directory.
    fn unlink_file(&self, path: String) -> Reply<'_, ()>;
    /// The text of a symbolic link; absolute ones are refused, they would name host paths.
    fn read_link(&self, path: String) -> Reply<'_, Vec<u8>>;
    /// Makes a symbolic link at `path`; an absolute `target` is refused.
    fn symlink(&self, target: String, path: String) -> Reply<'_, ()>;
    /// Makes a hard link in `to`; a symbolic link at the end of `path` is not followed.
    fn link<'a>(&'a self, path: String, to: &'a dyn Directory, new_path: String) -> Reply<'a, ()>;
    /// Moves something to `to`, replacing what POSIX replaces.
    fn rename<'a>(&'a self, path: String, to: &'a dyn Directory, new_path: String)
    -> Reply<'a, ()>;
    /// The way to a unix socket inside. A symbolic link at the end is not followed. `Notsup` where
    /// the system has no way that cannot lead out.
    fn socket_path(&self, path: String, usage: SocketUse) -> Reply<'_, SocketPath>;
}
