//! What a server is asked for whose clients are redirected to it, and what it answers.
//!
//! What must stay true: the variants of a [`Request`] stand in the order of `abi/redirect.md`,
//! whose numbers they are.

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::format::Bytes;
use crate::net::TcpStream;
use crate::server::Caller;

/// Why a request fails, as the program sees it: an error number of WASI, from 1 to 76.
///
/// ```
/// use lunatic::redirect::Errno;
///
/// assert_eq!(Errno::NOENT, Errno(44));
/// let answer: Result<u64, Errno> = Err(Errno::NOTSUP);
/// # let _ = answer;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errno(pub u16);

impl Errno {
    /// There is no such file.
    pub const NOENT: Errno = Errno(44);
    /// This cannot be done here.
    pub const NOTSUP: Errno = Errno(58);
}

/// The token with which a request is answered.
///
/// ```
/// use lunatic::redirect::{Answer, Errno, Metadata};
///
/// fn stat(path: &str, answer: Answer<Metadata>) {
///     match path {
///         "data/a.txt" => answer.reply(&Ok(Metadata { kind: 4, size: 5, ..Default::default() })),
///         _ => answer.reply(&Err(Errno::NOENT)),
///     }
/// }
/// ```
pub type Answer<T> = Caller<Result<T, Errno>>;

/// What was opened.
///
/// ```
/// use lunatic::redirect::{Errno, Opened, Request};
///
/// fn open(request: Request) {
///     match request {
///         Request::Open { path, answer, .. } if path == "data" => {
///             answer.reply(&Ok(Opened::Directory));
///         }
///         Request::Open { path, answer, .. } if path == "data/a.txt" => {
///             answer.reply(&Ok(Opened::File(1)));
///         }
///         Request::Open { answer, .. } => answer.reply(&Err(Errno::NOENT)),
///         other => other.refuse(),
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Opened {
    /// A file, with a handle for the requests that follow.
    File(u64),
    /// A directory.
    Directory,
}

/// What there is to know of a file. Times are nanoseconds since 1970.
///
/// ```
/// use lunatic::redirect::Metadata;
///
/// let file = Metadata { kind: 4, size: 1 << 20, links: 1, inode: 7, ..Metadata::default() };
/// assert_eq!(file.modified, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// 3 for a directory, 4 for a regular file, 7 for a symbolic link.
    pub kind: u8,
    /// Bytes.
    pub size: u64,
    /// Names.
    pub links: u64,
    /// Last read.
    pub accessed: u64,
    /// Last written.
    pub modified: u64,
    /// Last changed, also in what is said here.
    pub changed: u64,
    /// Its number.
    pub inode: u64,
}

/// One name in a directory.
///
/// ```
/// use lunatic::redirect::{Entry, Request};
///
/// fn list(request: Request) {
///     let Request::List { answer, .. } = request else { return request.refuse() };
///     let entry = |name: &str, inode| Entry { name: name.as_bytes().into(), inode, kind: 4 };
///     answer.reply(&Ok(vec![entry("a.txt", 1), entry("b.txt", 2)]));
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The name.
    pub name: Bytes,
    /// The file's number.
    pub inode: u64,
    /// As in [`Metadata`].
    pub kind: u8,
}

/// How a time changes.
///
/// ```
/// use lunatic::redirect::{Time, Times};
///
/// /// The time of the last change that a request asks for.
/// fn changed((_accessed, modified): Times, before: u64, now: u64) -> u64 {
///     match modified {
///         Time::Keep => before,
///         Time::Now => now,
///         Time::At(time) => time,
///     }
/// }
///
/// assert_eq!(changed((Time::Keep, Time::At(7)), 1, 2), 7);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Time {
    /// It stays.
    Keep,
    /// It is now.
    Now,
    /// Nanoseconds since 1970.
    At(u64),
}

/// The times of a file: read, written.
///
/// ```
/// use lunatic::redirect::{Time, Times};
///
/// let touched: Times = (Time::Keep, Time::Now);
/// assert_eq!(touched.1, Time::Now);
/// ```
pub type Times = (Time, Time);

/// The stream that a program gets which wanted to connect. It moves in the answer as a resource
/// alone, so nobody but the runtime can read it.
///
/// ```
/// use lunatic::net::TcpStream;
/// use lunatic::redirect::{Connected, Errno, Request};
///
/// /// Wherever somebody wants to connect: it is this machine's.
/// fn connect(request: Request) {
///     let Request::Connect { port, answer, .. } = request else { return request.refuse() };
///     match TcpStream::connect(("127.0.0.1", port)) {
///         Ok(stream) => answer.reply(&Ok(Connected(stream))),
///         Err(_) => answer.reply(&Err(Errno::NOENT)),
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Connected(pub TcpStream);

impl Serialize for Connected {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.push().map_err(S::Error::custom)?;
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Connected {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("only the runtime reads such an answer"))
    }
}

/// What a clock shows, in nanoseconds.
///
/// ```
/// use lunatic::redirect::{Request, Shown};
///
/// /// Time stands still, but for sleeps, which are over at once.
/// fn show(request: Request) {
///     let now = |monotonic| Shown { realtime: 1_000_000_000 + monotonic, monotonic };
///     match request {
///         Request::Clock { answer } => answer.reply(&Ok(now(0))),
///         Request::Wait { until, answer } => answer.reply(&Ok(now(until))),
///         other => other.refuse(),
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Since 1970.
    pub realtime: u64,
    /// Since a moment of the server's choice.
    pub monotonic: u64,
}

/// What a server is asked for: mostly in
/// [`Server::handle_call`](crate::server::Server::handle_call); [`Request::Close`] comes as a
/// cast. Paths are named as the directories of the program name them.
///
/// ```
/// use lunatic::redirect::{Redirect, Request};
/// use lunatic::server::{Init, Next, Server};
/// use lunatic::{Config, ExitReason, Mailbox, Spawn};
///
/// /// Random numbers for tests: all bytes are seven.
/// struct Seven;
///
/// impl Server for Seven {
///     type Argument = ();
///     type Call = Request;
///     type Cast = Request;
///     type Message = ();
///
///     fn init((): ()) -> Init<Self> {
///         Init::ok(Seven)
///     }
///
///     fn handle_call(&mut self, request: Request) -> Next<Self> {
///         match request {
///             Request::Random { length, answer } => {
///                 answer.reply(&Ok(vec![7; length as usize].into()));
///             }
///             other => other.refuse(),
///         }
///         Next::wait()
///     }
/// }
///
/// let ask = Redirect::ask("random", Seven::start(()).unwrap());
/// let config = Config::new().unwrap().allow("random").unwrap().redirect(&ask).unwrap();
/// let (_, monitor) = Spawn::new()
///     .config(&config)
///     .spawn_monitor((), |(), _: Mailbox<()>| {
///         use std::hash::{BuildHasher, RandomState};
///         // Two processes with these numbers hash alike.
///         println!("{}", RandomState::new().hash_one("seven"));
///     })
///     .unwrap();
/// assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Normal);
/// ```
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Request {
    Open { path: String, flags: u32, answer: Answer<Opened> },
    Close { handle: u64 },
    Read { handle: u64, offset: u64, length: u64, answer: Answer<Bytes> },
    Write { handle: u64, offset: u64, data: Bytes, answer: Answer<u64> },
    Append { handle: u64, data: Bytes, answer: Answer<(u64, u64)> },
    StatOpen { handle: u64, answer: Answer<Metadata> },
    SetSize { handle: u64, size: u64, answer: Answer<()> },
    Allocate { handle: u64, offset: u64, length: u64, answer: Answer<()> },
    SetTimesOpen { handle: u64, times: Times, answer: Answer<()> },
    Sync { handle: u64, metadata: bool, answer: Answer<()> },
    List { path: String, answer: Answer<Vec<Entry>> },
    Stat { path: String, follow: bool, answer: Answer<Metadata> },
    SetTimes { path: String, follow: bool, times: Times, answer: Answer<()> },
    CreateDirectory { path: String, answer: Answer<()> },
    RemoveDirectory { path: String, answer: Answer<()> },
    Unlink { path: String, answer: Answer<()> },
    ReadLink { path: String, answer: Answer<Bytes> },
    Symlink { text: String, path: String, answer: Answer<()> },
    Link { path: String, new: String, answer: Answer<()> },
    Rename { path: String, new: String, answer: Answer<()> },
    WriteStream { source: String, data: Bytes, answer: Answer<u64> },
    Random { length: u64, answer: Answer<Bytes> },
    Connect { address: Bytes, port: u16, answer: Answer<Connected> },
    Resolve { name: String, port: u16, answer: Answer<Vec<Bytes>> },
    ReadStream { source: String, offset: u64, length: u64, answer: Answer<Bytes> },
    Clock { answer: Answer<Shown> },
    Wait { until: u64, answer: Answer<Shown> },
}

impl Request {
    /// Answers that this cannot be done: for all requests that a server does not know.
    pub fn refuse(self) {
        fn no<T: Serialize + serde::de::DeserializeOwned>(answer: Answer<T>) {
            answer.reply(&Err(Errno::NOTSUP));
        }
        match self {
            Self::Close { .. } => {}
            Self::Open { answer, .. } => no(answer),
            Self::Append { answer, .. } => no(answer),
            Self::StatOpen { answer, .. } | Self::Stat { answer, .. } => no(answer),
            Self::List { answer, .. } => no(answer),
            Self::Connect { answer, .. } => no(answer),
            Self::Resolve { answer, .. } => no(answer),
            Self::Clock { answer } | Self::Wait { answer, .. } => no(answer),
            Self::Write { answer, .. } | Self::WriteStream { answer, .. } => no(answer),
            Self::Read { answer, .. }
            | Self::ReadStream { answer, .. }
            | Self::ReadLink { answer, .. }
            | Self::Random { answer, .. } => no(answer),
            Self::SetSize { answer, .. }
            | Self::Allocate { answer, .. }
            | Self::SetTimesOpen { answer, .. }
            | Self::Sync { answer, .. }
            | Self::SetTimes { answer, .. }
            | Self::CreateDirectory { answer, .. }
            | Self::RemoveDirectory { answer, .. }
            | Self::Unlink { answer, .. }
            | Self::Symlink { answer, .. }
            | Self::Link { answer, .. }
            | Self::Rename { answer, .. } => no(answer),
        }
    }
}
