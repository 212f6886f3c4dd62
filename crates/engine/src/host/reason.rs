//! Exit reasons as a kind and data: what a guest gives, and what it is told.
//!
//! What a guest may give is what a process can decide: it can pass on the reason of another, but it
//! cannot claim that a limit was reached or that the runtime has a bug.

use std::sync::Arc;

use lunatic_model::{ExitReason, Frame, Trap};
use wasmtime::{Caller, Result, bail};

use crate::memory::{bytes, split, unsigned};
use crate::state::State;

const NORMAL: u32 = 0;
const SHUTDOWN: u32 = 1;
const KILL: u32 = 2;
const KILLED: u32 = 3;
const NO_PROCESS: u32 = 4;
const NO_CONNECTION: u32 = 5;
const STATUS: u32 = 6;
const TRAP: u32 = 7;
const ERROR: u32 = 8;
const HOST_PANIC: u32 = 9;
const LIMIT: u32 = 10;
const CUSTOM: u32 = 11;

/// The kind of a reason.
pub(super) fn kind(reason: &ExitReason) -> u32 {
    match reason {
        ExitReason::Normal => NORMAL,
        ExitReason::Shutdown => SHUTDOWN,
        ExitReason::Kill => KILL,
        ExitReason::Killed => KILLED,
        ExitReason::NoProcess => NO_PROCESS,
        ExitReason::NoConnection => NO_CONNECTION,
        ExitReason::Exit(_) => STATUS,
        ExitReason::Trap(_) => TRAP,
        ExitReason::Error(_) => ERROR,
        ExitReason::HostPanic(_) => HOST_PANIC,
        ExitReason::Limit(_) => LIMIT,
        ExitReason::Custom(_) => CUSTOM,
    }
}

/// The data of a reason.
pub(super) fn data(reason: &ExitReason) -> Arc<[u8]> {
    match reason {
        ExitReason::Normal
        | ExitReason::Shutdown
        | ExitReason::Kill
        | ExitReason::Killed
        | ExitReason::NoProcess
        | ExitReason::NoConnection => Arc::default(),
        ExitReason::Exit(status) => status.to_le_bytes().into(),
        ExitReason::Trap(trap) => {
            let frames = trap.frames.iter().map(|frame| frame.function.as_str());
            // A line is what ends with a line break, so one must not come from a name.
            let lines = std::iter::once(trap.message.as_str()).chain(frames);
            let lines: Vec<_> = lines.map(|line| line.replace('\n', " ")).collect();
            lines.join("\n").into_bytes().into()
        }
        ExitReason::Error(text) | ExitReason::HostPanic(text) => text.as_bytes().into(),
        ExitReason::Limit(name) => name.as_bytes().into(),
        ExitReason::Custom(data) => data.clone(),
    }
}

/// The reason that a guest gives.
pub(super) fn from_guest(
    caller: &mut Caller<'_, State>,
    kind: i32,
    pointer: i32,
    length: i32,
) -> Result<ExitReason> {
    let max = caller.data().process.limits().exit_reason_bytes_max;
    if unsigned(length) > max {
        bail!("the data of an exit reason has at most exit_reason_bytes_max = {max} bytes");
    }
    let (memory, _) = split(caller)?;
    decode(kind.cast_unsigned(), bytes(memory, pointer, length)?)
}

fn decode(kind: u32, data: &[u8]) -> Result<ExitReason> {
    let plain = match kind {
        NORMAL => ExitReason::Normal,
        SHUTDOWN => ExitReason::Shutdown,
        KILL => ExitReason::Kill,
        KILLED => ExitReason::Killed,
        NO_PROCESS => ExitReason::NoProcess,
        NO_CONNECTION => ExitReason::NoConnection,
        STATUS => {
            let Ok(status) = data.try_into() else {
                bail!("an exit status has 4 bytes, not {}", data.len());
            };
            return Ok(match i32::from_le_bytes(status) {
                0 => ExitReason::Normal,
                status => ExitReason::Exit(status),
            });
        }
        TRAP => {
            let mut lines = text(data)?.lines();
            let message = lines.next().unwrap_or_default().to_owned();
            let frames = lines.map(|line| Frame { function: line.to_owned() }).collect();
            return Ok(ExitReason::Trap(Arc::new(Trap { message, frames })));
        }
        ERROR => return Ok(ExitReason::Error(text(data)?.into())),
        CUSTOM => return Ok(ExitReason::Custom(data.into())),
        HOST_PANIC | LIMIT => bail!("exit reasons of kind {kind} are for the runtime alone"),
        _ => bail!("there is no kind {kind} of exit reasons"),
    };
    if !data.is_empty() {
        bail!("the exit reason `{plain}` carries no data; kind {CUSTOM} does");
    }
    Ok(plain)
}

fn text(data: &[u8]) -> Result<&str> {
    match std::str::from_utf8(data) {
        Ok(text) => Ok(text),
        Err(error) => bail!("the text of an exit reason is not valid UTF-8: {error}"),
    }
}
