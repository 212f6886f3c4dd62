//! Exit reasons: why a process ended, as a value and as a Rust error.
//!
//! The numbers of the kinds and the form of the data are the ABI's (`abi/process.md`), with the one
//! convention of `guest/wire.md`: `shutdown:` and a term. Reading is total: what a newer runtime or
//! another language gives is a reason, too.

use core::fmt;
use std::borrow::Cow;
use std::error::Error;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::format;

/// What the data of an orderly end with a term begins with.
const SHUTDOWN_PREFIX: &[u8] = b"shutdown:";

/// Why a process ended, or is asked to.
///
/// It is an [`Error`], so that a function of a process can return it with `?`; it arrives at linked
/// processes and at monitors as it was given.
///
/// ```
/// use lunatic::{ExitReason, Mailbox, spawn_monitor};
///
/// fn worker(work: u32, _: Mailbox<()>) -> Result<(), ExitReason> {
///     if work == 0 {
///         return Err("there is nothing to do".into());
///     }
///     Ok(())
/// }
///
/// let (_, monitor) = spawn_monitor(0, worker);
/// let down = monitor.wait(None).unwrap();
/// assert_eq!(down.reason, ExitReason::Error("there is nothing to do".into()));
/// ```
///
/// Reasons are told apart, and taken to their parts and back:
///
/// ```
/// use lunatic::ExitReason;
///
/// assert!(ExitReason::Shutdown.is_orderly() && !ExitReason::Killed.is_orderly());
/// let reason = ExitReason::Error("no paper".into());
/// assert_eq!((reason.kind(), &reason.data()[..]), (8, &b"no paper"[..]));
/// assert_eq!(ExitReason::from_parts(8, b"no paper"), reason);
/// println!("{reason}"); // no paper
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ExitReason {
    /// It had nothing more to do. Linked processes are not ended by it.
    Normal,
    /// It was told to end in an orderly way, by its supervisor for example.
    Shutdown,
    /// An orderly end that says why: OTP's `{shutdown, Term}`. See
    /// [`ExitReason::shutdown_with`].
    ShutdownWith(Vec<u8>),
    /// Asks a process to end whatever it traps; others hear of [`ExitReason::Killed`].
    Kill,
    /// It was killed.
    Killed,
    /// There was no such process.
    NoProcess,
    /// The node of the process cannot be reached; the process may live.
    NoConnection,
    /// It called `exit` with a status that is not 0.
    Status(i32),
    /// A trap of WebAssembly: lines of text, first what happened, then the functions that were
    /// being called, innermost first.
    Trap(String),
    /// An error, for people. A panic is one: `panicked at src/main.rs:7:5: message`.
    Error(String),
    /// A bug of the runtime ended it.
    Bug(String),
    /// It went over the limit of this name.
    Limit(String),
    /// Data of the program's own. See [`ExitReason::custom`].
    Custom(Vec<u8>),
    /// A kind that this crate does not know, and its data.
    Unknown(u32, Vec<u8>),
}

impl ExitReason {
    /// A reason that carries a value, in the format [`Postcard`](crate::Postcard).
    ///
    /// # Errors
    ///
    /// If the value cannot be serialised.
    ///
    /// ```
    /// use lunatic::ExitReason;
    ///
    /// let reason = ExitReason::custom(&("disk", 93u8)).unwrap();
    /// assert_eq!(reason.decode::<(String, u8)>(), Some(("disk".to_owned(), 93)));
    /// ```
    pub fn custom<T: Serialize + ?Sized>(value: &T) -> Result<ExitReason, format::EncodeError> {
        format::to_vec(value).map(ExitReason::Custom)
    }

    /// An orderly end that carries a value. Supervisors treat it as [`ExitReason::Shutdown`].
    ///
    /// # Errors
    ///
    /// If the value cannot be serialised.
    ///
    /// ```
    /// use lunatic::ExitReason;
    ///
    /// let reason = ExitReason::shutdown_with(&"the shop closes").unwrap();
    /// assert!(reason.is_orderly());
    /// assert_eq!(reason.decode::<String>().as_deref(), Some("the shop closes"));
    /// ```
    pub fn shutdown_with<T: Serialize + ?Sized>(
        value: &T,
    ) -> Result<ExitReason, format::EncodeError> {
        format::to_vec(value).map(ExitReason::ShutdownWith)
    }

    /// The value that [`custom`](ExitReason::custom) or
    /// [`shutdown_with`](ExitReason::shutdown_with) put in; `None` for other reasons and for data
    /// of another type.
    pub fn decode<T: DeserializeOwned>(&self) -> Option<T> {
        match self {
            ExitReason::Custom(data) | ExitReason::ShutdownWith(data) => {
                format::from_slice(data).ok()
            }
            _ => None,
        }
    }

    /// Whether a process that ends so has done what it should: normal, shutdown, or an orderly end
    /// with a term. Supervisors do not restart a transient child then.
    pub fn is_orderly(&self) -> bool {
        matches!(self, ExitReason::Normal | ExitReason::Shutdown | ExitReason::ShutdownWith(_))
    }

    /// The number of the kind in the ABI.
    pub fn kind(&self) -> u32 {
        match self {
            ExitReason::Normal => 0,
            ExitReason::Shutdown => 1,
            ExitReason::Kill => 2,
            ExitReason::Killed => 3,
            ExitReason::NoProcess => 4,
            ExitReason::NoConnection => 5,
            ExitReason::Status(_) => 6,
            ExitReason::Trap(_) => 7,
            ExitReason::Error(_) => 8,
            ExitReason::Bug(_) => 9,
            ExitReason::Limit(_) => 10,
            ExitReason::Custom(_) | ExitReason::ShutdownWith(_) => 11,
            ExitReason::Unknown(kind, _) => *kind,
        }
    }

    /// The data of the reason in the ABI.
    pub fn data(&self) -> Cow<'_, [u8]> {
        match self {
            ExitReason::Normal
            | ExitReason::Shutdown
            | ExitReason::Kill
            | ExitReason::Killed
            | ExitReason::NoProcess
            | ExitReason::NoConnection => Cow::Borrowed(&[]),
            ExitReason::Status(status) => Cow::Owned(status.to_le_bytes().to_vec()),
            ExitReason::Trap(text)
            | ExitReason::Error(text)
            | ExitReason::Bug(text)
            | ExitReason::Limit(text) => Cow::Borrowed(text.as_bytes()),
            ExitReason::Custom(data) | ExitReason::Unknown(_, data) => Cow::Borrowed(data),
            ExitReason::ShutdownWith(data) => Cow::Owned([SHUTDOWN_PREFIX, data].concat()),
        }
    }

    /// The reason of a kind and its data.
    pub fn from_parts(kind: u32, data: &[u8]) -> ExitReason {
        let text = || String::from_utf8_lossy(data).into_owned();
        match kind {
            0 => ExitReason::Normal,
            1 => ExitReason::Shutdown,
            2 => ExitReason::Kill,
            3 => ExitReason::Killed,
            4 => ExitReason::NoProcess,
            5 => ExitReason::NoConnection,
            6 => match data.try_into() {
                Ok(bytes) => ExitReason::Status(i32::from_le_bytes(bytes)),
                Err(_) => ExitReason::Unknown(kind, data.to_vec()),
            },
            7 => ExitReason::Trap(text()),
            8 => ExitReason::Error(text()),
            9 => ExitReason::Bug(text()),
            10 => ExitReason::Limit(text()),
            11 => match data.strip_prefix(SHUTDOWN_PREFIX) {
                Some(term) => ExitReason::ShutdownWith(term.to_vec()),
                None => ExitReason::Custom(data.to_vec()),
            },
            _ => ExitReason::Unknown(kind, data.to_vec()),
        }
    }

    /// What can be given to the runtime: bugs and limits are its own, and are told as errors.
    pub(crate) fn parts_to_give(&self) -> (u32, Cow<'_, [u8]>) {
        match self {
            ExitReason::Bug(text) => (8, Cow::Owned(format!("bug: {text}").into_bytes())),
            ExitReason::Limit(name) => {
                (8, Cow::Owned(format!("went over the limit {name}").into_bytes()))
            }
            ExitReason::Unknown(_, data) => (11, Cow::Borrowed(data)),
            ExitReason::Status(0) => (0, Cow::Borrowed(&[])),
            other => (other.kind(), other.data()),
        }
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExitReason::Normal => f.write_str("normal"),
            ExitReason::Shutdown => f.write_str("shutdown"),
            ExitReason::ShutdownWith(data) => write!(f, "shutdown with {} bytes", data.len()),
            ExitReason::Kill => f.write_str("kill"),
            ExitReason::Killed => f.write_str("killed"),
            ExitReason::NoProcess => f.write_str("noproc"),
            ExitReason::NoConnection => f.write_str("noconnection"),
            ExitReason::Status(status) => write!(f, "exit status {status}"),
            ExitReason::Trap(text) => write!(f, "trap: {}", text.lines().next().unwrap_or("")),
            ExitReason::Error(text) => f.write_str(text),
            ExitReason::Bug(text) => write!(f, "bug of the runtime: {text}"),
            ExitReason::Limit(name) => write!(f, "went over the limit {name}"),
            ExitReason::Custom(data) => write!(f, "custom reason of {} bytes", data.len()),
            ExitReason::Unknown(kind, _) => write!(f, "reason of the unknown kind {kind}"),
        }
    }
}

impl Error for ExitReason {}

impl From<&str> for ExitReason {
    fn from(text: &str) -> ExitReason {
        ExitReason::Error(text.to_owned())
    }
}

impl From<String> for ExitReason {
    fn from(text: String) -> ExitReason {
        ExitReason::Error(text)
    }
}

/// An exit reason in the box stays what it is; of any other error the text is kept, with its
/// causes.
impl From<Box<dyn Error>> for ExitReason {
    fn from(error: Box<dyn Error>) -> ExitReason {
        match error.downcast::<ExitReason>() {
            Ok(reason) => *reason,
            Err(error) => ExitReason::Error(with_causes(&*error)),
        }
    }
}

impl From<std::io::Error> for ExitReason {
    fn from(error: std::io::Error) -> ExitReason {
        ExitReason::Error(with_causes(&error))
    }
}

/// The text of an error and of what caused it, outermost first.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// A byte string; serde writes a `Vec<u8>` as a list otherwise, byte by byte.
struct Data<'a>(Cow<'a, [u8]>);

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl Serialize for ExitReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.kind(), Data(self.data())).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ExitReason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ExitReason, D::Error> {
        let (kind, data) = <(u32, Vec<u8>)>::deserialize(deserializer)?;
        Ok(ExitReason::from_parts(kind, &data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<ExitReason> {
        vec![
            ExitReason::Normal,
            ExitReason::Shutdown,
            ExitReason::ShutdownWith(vec![7]),
            ExitReason::Kill,
            ExitReason::Killed,
            ExitReason::NoProcess,
            ExitReason::NoConnection,
            ExitReason::Status(-3),
            ExitReason::Trap("unreachable\nf".into()),
            ExitReason::Error("no".into()),
            ExitReason::Bug("b".into()),
            ExitReason::Limit("fuel_max".into()),
            ExitReason::Custom(vec![0, 255]),
            ExitReason::Unknown(77, vec![1]),
        ]
    }

    #[test]
    fn every_reason_comes_back_from_its_parts_and_from_a_body() {
        for reason in all() {
            assert_eq!(ExitReason::from_parts(reason.kind(), &reason.data()), reason);
            let body = format::to_vec(&reason).unwrap();
            assert_eq!(format::from_slice::<ExitReason>(&body).unwrap(), reason);
        }
    }

    #[test]
    fn bodies_are_those_of_the_page_about_the_wire() {
        let cases: [(ExitReason, &[u8]); 4] = [
            (ExitReason::Shutdown, &[1, 0]),
            (ExitReason::Error("no".into()), &[8, 2, 0x6e, 0x6f]),
            (ExitReason::Status(2), &[6, 4, 2, 0, 0, 0]),
            (ExitReason::ShutdownWith(vec![7]), b"\x0b\x0ashutdown:\x07"),
        ];
        for (reason, bytes) in cases {
            assert_eq!(format::to_vec(&reason).unwrap(), bytes, "{reason}");
        }
    }

    #[test]
    fn any_data_of_any_kind_is_a_reason() {
        for kind in 0..20 {
            for data in [&b""[..], b"\xff\xfe", b"abcd", b"shutdown", b"shutdown:"] {
                let _ = ExitReason::from_parts(kind, data).to_string();
            }
        }
    }

    #[test]
    fn what_only_the_runtime_may_say_is_given_as_an_error() {
        for reason in all() {
            let (kind, _) = reason.parts_to_give();
            assert!(kind <= 8 || kind == 11, "{reason}");
        }
    }

    #[test]
    fn a_boxed_reason_stays_what_it_is_and_other_errors_keep_their_text() {
        let boxed: Box<dyn Error> = Box::new(ExitReason::Shutdown);
        assert_eq!(ExitReason::from(boxed), ExitReason::Shutdown);
        let boxed: Box<dyn Error> = "no".into();
        assert_eq!(ExitReason::from(boxed), ExitReason::Error("no".into()));
    }
}
