//! The host functions: one file for each namespace, functions in the order of the ABI. What is
//! newer than the old ABI (`abi/process.md`) has a file for each subject.
//!
//! Each function decodes what the guest passed, checks rights, calls the node or the model, and
//! encodes the result. Nothing of guest memory is borrowed while a process waits. Functions that
//! never wait are linked without a future, which makes them cheap.

mod audit;
mod bonds;
mod budgets;
mod distributed;
mod entry;
mod error;
mod exit;
mod flags;
mod hibernate;
pub(crate) mod identity;
mod info;
pub(crate) mod legacy;
mod message;
pub(crate) mod metrics;
mod network_config;
mod networking;
mod process;
mod reason;
mod receive;
mod redirect;
mod registry;
mod send;
mod spawn;
mod sqlite;
mod timer;
mod trap;
mod version;
pub(crate) mod wasi;
mod wasi_config;

use std::sync::Arc;

use lunatic_node::{OpenDescriptor, OverBudget};
use wasmtime::{Caller, Engine, Linker, Result};

pub(crate) use wasi_config::containing;

use crate::exit::HostExit;
use crate::memory;
use crate::state::State;

/// A deadline has passed.
pub(crate) const TIMED_OUT: i32 = 9027;
/// Bytes in the text of an error; what is longer is cut off.
const ERROR_TEXT_BYTES_MAX: usize = 4096;
/// The timeout that means "none".
const NO_TIMEOUT: u64 = u64::MAX;

/// All host functions for one engine.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    error::link(&mut linker)?;
    message::link(&mut linker)?;
    networking::link(&mut linker)?;
    timer::link(&mut linker)?;
    process::link(&mut linker)?;
    redirect::link(&mut linker)?;
    audit::link(&mut linker)?;
    bonds::link(&mut linker)?;
    exit::link(&mut linker)?;
    flags::link(&mut linker)?;
    hibernate::link(&mut linker)?;
    info::link(&mut linker)?;
    spawn::link(&mut linker)?;
    receive::link(&mut linker)?;
    send::link(&mut linker)?;
    registry::link(&mut linker)?;
    wasi_config::link(&mut linker)?;
    distributed::link(&mut linker)?;
    metrics::link(&mut linker)?;
    sqlite::link(&mut linker)?;
    trap::link(&mut linker)?;
    version::link(&mut linker)?;
    wasi::link(&mut linker)?;
    legacy::link(&mut linker)?;
    Ok(linker)
}

/// Result 1: makes an error resource and stores its id at `pointer`.
fn fail(caller: &mut Caller<'_, State>, text: impl Into<Arc<str>>, pointer: i32) -> Result<i32> {
    let text: Arc<str> = text.into();
    // It may quote what the guest passed, and the guest may keep thousands of them.
    let text = match text.floor_char_boundary(ERROR_TEXT_BYTES_MAX) {
        end if end < text.len() => text[..end].into(),
        _ => text,
    };
    let id = caller.data_mut().add_error(text)?;
    memory::write_u64(caller, pointer, id)?;
    Ok(1)
}

/// A place in the budgets for something that the process is about to open. If they have none, the
/// error for the guest, or the end of the process.
fn free_place(state: &State) -> Result<std::result::Result<OpenDescriptor, OverBudget>> {
    match OpenDescriptor::new(state.process.account()) {
        Err(over) if over.ends => Err(HostExit::limit(over.limit)),
        place => Ok(place),
    }
}

/// A timeout of the ABI: milliseconds, or none.
fn timeout(milliseconds: i64) -> Option<std::time::Duration> {
    let milliseconds = milliseconds.cast_unsigned();
    (milliseconds != NO_TIMEOUT).then(|| std::time::Duration::from_millis(milliseconds))
}
