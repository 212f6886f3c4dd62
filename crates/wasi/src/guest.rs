//! What a call needs from the running guest, and the two ways in which a call can fail.
//!
//! A failure the guest may handle is an [`Errno`]; one it may not (a pointer outside its memory,
//! the end of the process) is a [`Failure`]. Inside this crate both travel as [`Stop`], so that
//! `?` serves for each, and [`answer`] parts them again at the rim.

use std::any::Any;

use crate::errno::Errno;
use crate::table::Wasi;

/// What a call needs from the running guest. Implemented by the engine over its caller.
pub trait Guest: Send {
    /// The linear memory exported as `memory`. Fetched again after each await: it may have moved.
    ///
    /// # Errors
    /// [`Fault::NoMemory`] if the guest exports none.
    fn memory(&mut self) -> Result<&mut [u8], Fault>;

    /// This process's WASI state, built on first use.
    fn wasi(&mut self) -> &mut Wasi;

    /// A place for one more file or directory that the guest opens; `None` where nobody counts. It
    /// is dropped with the descriptor.
    ///
    /// # Errors
    /// Nothing more may be open; nothing is opened then.
    fn place(&mut self) -> Result<Option<Place>, NoPlace>;
}

/// What counts an open descriptor, until it is dropped.
pub type Place = Box<dyn Any + Send + Sync>;

/// No more may be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPlace {
    /// The guest is told, by [`Errno::Mfile`].
    Refused,
    /// The guest ends for it, with the name of this limit.
    Ends(&'static str),
}

/// The guest broke the contract of the ABI: the engine traps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is no memory to read arguments from or to write results to.
    #[error("the module calls WASI but exports no memory named `memory`: export it")]
    NoMemory,
    /// A pointer or a length reaches past the end of the memory. Nothing was done.
    #[error(
        "a WASI call was given {length} bytes at address {address}, but the guest's memory ends \
         at {memory}: check the pointer and the length that the guest passes"
    )]
    OutOfBounds {
        /// First byte of the range.
        address: u64,
        /// Length of the range in bytes.
        length: u64,
        /// Size of the memory in bytes.
        memory: u64,
    },
    /// `proc_raise`: there are no signals to deliver, so it ends the guest.
    #[error("the guest raised signal {0} with proc_raise, which always traps")]
    Raised(u32),
}

/// Why a call does not return to the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The engine traps with this cause.
    Fault(Fault),
    /// `proc_exit` with this code: the engine ends the process.
    Exit(i32),
    /// The engine ends the process, with the name of this limit.
    Limit(&'static str),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Failure::Fault(fault)
    }
}

/// What every call hands back: an error number for the guest, or the end of the call.
pub type Answer = Result<Errno, Failure>;

/// Anything that ends a call early.
#[derive(Debug)]
pub(crate) enum Stop {
    Errno(Errno),
    Failure(Failure),
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Self {
        Stop::Errno(errno)
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Stop::Failure(Failure::Fault(fault))
    }
}

impl From<NoPlace> for Stop {
    fn from(full: NoPlace) -> Self {
        match full {
            NoPlace::Refused => Stop::Errno(Errno::Mfile),
            NoPlace::Ends(limit) => Stop::Failure(Failure::Limit(limit)),
        }
    }
}

/// Parts errors for the guest from failures of the guest.
pub(crate) fn answer(result: Result<(), Stop>) -> Answer {
    match result {
        Ok(()) => Ok(Errno::Success),
        Err(Stop::Errno(errno)) => Ok(errno),
        Err(Stop::Failure(failure)) => Err(failure),
    }
}
