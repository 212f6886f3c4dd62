//! Why a process was not spawned.

use core::fmt;
use std::error::Error;

use crate::format::EncodeError;
use crate::host_error::HostError;

/// Why no process was spawned. Nothing is left of it.
///
/// ```
/// use lunatic::{Config, Mailbox, Spawn, SpawnError};
///
/// let config = Config::new().unwrap().dir("/a/directory/that/nobody/has");
/// let result = Spawn::new().config(&config).spawn((), |(), _: Mailbox<()>| ());
/// let SpawnError::Refused(error) = result.unwrap_err() else { panic!() };
/// println!("{error}");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum SpawnError {
    /// The node takes no more, or the module cannot be instantiated.
    Refused(HostError),
    /// The argument cannot be written.
    Argument(EncodeError),
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpawnError::Refused(error) => write!(f, "cannot spawn a process: {error}"),
            SpawnError::Argument(error) => write!(f, "cannot spawn a process: {error}"),
        }
    }
}

impl Error for SpawnError {}

impl From<EncodeError> for SpawnError {
    fn from(error: EncodeError) -> SpawnError {
        SpawnError::Argument(error)
    }
}
