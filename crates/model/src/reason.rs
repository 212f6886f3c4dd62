//! Exit reasons: why a process ended, as a value that carries its cause.
//!
//! A reason is cloned to every link and monitor of a process, so what is large sits behind an
//! `Arc`.

use std::fmt;
use std::sync::Arc;

/// Why a process ended, or why an exit signal asks it to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ExitReason {
    /// The entry function returned, or the program called `proc_exit(0)`.
    Normal,
    /// An orderly stop was asked for.
    Shutdown,
    /// `kill`: as the reason of an exit signal that is not from a link, it cannot be trapped.
    /// Through a link it is an ordinary reason.
    Kill,
    /// The process was killed. What others hear of a process that received `Kill`.
    Killed,
    /// The process at the other end never existed or had ended already.
    NoProcess,
    /// The node of the other process was lost.
    NoConnection,
    /// The program called `proc_exit` with this status, which is not 0.
    Exit(i32),
    /// WebAssembly or a host function trapped.
    Trap(Arc<Trap>),
    /// The process could not do what its spawner asked, for example its entry does not exist.
    Error(Arc<str>),
    /// A bug of the runtime ended this process, and only this one.
    HostPanic(Arc<str>),
    /// The process went over the limit of this name.
    Limit(&'static str),
    /// Data that a program chose.
    Custom(Arc<[u8]>),
}

/// What is known of a trap.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Trap {
    /// What happened, in one sentence.
    pub message: String,
    /// The calls that led there, innermost first.
    pub frames: Vec<Frame>,
}

/// One call in the backtrace of a trap.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Frame {
    /// The function's demangled name, or its index where the module has no names.
    pub function: String,
}

impl ExitReason {
    /// Everything but [`ExitReason::Normal`]: what the old ABI calls a failure.
    pub fn is_failure(&self) -> bool {
        *self != ExitReason::Normal
    }

    /// Bytes of what it carries.
    pub fn bytes(&self) -> usize {
        match self {
            ExitReason::Normal
            | ExitReason::Shutdown
            | ExitReason::Kill
            | ExitReason::Killed
            | ExitReason::NoProcess
            | ExitReason::NoConnection
            | ExitReason::Exit(_)
            | ExitReason::Limit(_) => 0,
            ExitReason::Trap(trap) => {
                let frames = trap.frames.iter().map(|frame| frame.function.len());
                frames.fold(trap.message.len(), usize::saturating_add)
            }
            ExitReason::Error(text) | ExitReason::HostPanic(text) => text.len(),
            ExitReason::Custom(data) => data.len(),
        }
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExitReason::Normal => f.write_str("normal"),
            ExitReason::Shutdown => f.write_str("shutdown"),
            ExitReason::Kill => f.write_str("kill"),
            ExitReason::Killed => f.write_str("killed"),
            ExitReason::NoProcess => f.write_str("noproc"),
            ExitReason::NoConnection => f.write_str("noconnection"),
            ExitReason::Exit(code) => write!(f, "exited with status {code}"),
            ExitReason::Trap(trap) => write!(f, "trap: {}", trap.message),
            ExitReason::Error(text) => write!(f, "error: {text}"),
            ExitReason::HostPanic(text) => write!(f, "bug in the runtime: {text}"),
            ExitReason::Limit(name) => write!(f, "went over its limit {name}"),
            ExitReason::Custom(data) => write_custom(f, data),
        }
    }
}

/// Text as it is; other data as its length, which tells more than its bytes taken for letters. An
/// orderly end that says why begins as `guest/wire.md` says.
fn write_custom(f: &mut fmt::Formatter<'_>, data: &[u8]) -> fmt::Result {
    let data = match data.strip_prefix(b"shutdown:") {
        Some(why) => {
            f.write_str("shutdown: ")?;
            why
        }
        None => data,
    };
    match str::from_utf8(data) {
        Ok(text) if !text.chars().any(char::is_control) => f.write_str(text),
        Ok(_) | Err(_) => write!(f, "a value of {} bytes", data.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::ExitReason;

    #[test]
    fn data_that_is_no_text_is_shown_by_its_length() {
        let shown = [
            (&b"out of paper"[..], "out of paper"),
            (b"\x17", "a value of 1 bytes"),
            (b"\xff\xff", "a value of 2 bytes"),
            (b"shutdown:\x05cache", "shutdown: a value of 6 bytes"),
            (b"shutdown:moved", "shutdown: moved"),
        ];
        for (data, expected) in shown {
            assert_eq!(ExitReason::Custom(data.into()).to_string(), expected);
        }
    }
}
