//! Panics become exit reasons: the process ends with an error that says what and where.
//!
//! The report on standard error has the form of std's, with the pid in the place of the thread's
//! name, since tools (`lunatic test` for one) read it.

use std::panic::PanicHookInfo;

use crate::pid::Pid;
use crate::process::exit;
use crate::reason::ExitReason;

/// What panics call from now on, in this process. Entries that this crate spawns and the attributes
/// `main` and `test` call it; a plain `main` may.
pub fn install() {
    std::panic::set_hook(Box::new(hook));
}

fn hook(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("a value that is no text");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    eprintln!("thread '{}' panicked at {place}:\n{message}", Pid::this());
    exit(ExitReason::Error(format!("panicked at {place}: {message}")));
}
