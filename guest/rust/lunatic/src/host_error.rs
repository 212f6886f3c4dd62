//! Errors that the runtime gives: their text is read at once, and the resource let go.

use core::fmt;
use std::error::Error;
use std::io;

use crate::abi;

/// What the runtime said why something cannot be done.
///
/// ```
/// let error = lunatic::Module::compile(b"no module").unwrap_err();
/// println!("{error}");
/// let error: std::io::Error = error.into();
/// assert_eq!(error.kind(), std::io::ErrorKind::Other);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct HostError(String);

impl HostError {
    pub(crate) fn new(text: &str) -> HostError {
        HostError(text.to_owned())
    }

    /// Takes the error of this id.
    pub(crate) fn take(id: u64) -> HostError {
        // SAFETY: the id is one that the host has just given; the place has the size that it says.
        unsafe {
            let size = abi::error::string_size(id) as usize;
            let mut text = vec![0; size];
            abi::error::to_string(id, text.as_mut_ptr());
            abi::error::drop(id);
            HostError(String::from_utf8_lossy(&text).into_owned())
        }
    }

    /// As the result of a host function: 0 or an error at `place`.
    pub(crate) fn check(result: i32, place: u64) -> Result<(), HostError> {
        if result == 0 { Ok(()) } else { Err(HostError::take(place)) }
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for HostError {}

impl From<HostError> for io::Error {
    fn from(error: HostError) -> io::Error {
        io::Error::other(error)
    }
}
