//! The one mapping from how wasm code ended to why its process ended.

use std::sync::Arc;

use lunatic_model::{ExitReason, Frame, Trap};
use wasmtime::{Error, Instance, Store, WasmBacktrace};

use crate::hibernate::Hibernation;
use crate::stack;
use crate::state::State;

/// Ends the calling process with a reason; it cannot be caught by `lunatic::trap::catch`.
#[derive(Debug, thiserror::Error)]
#[error("the process ends: {0}")]
pub(crate) struct HostExit(pub(crate) ExitReason);

impl HostExit {
    /// Ends the process with this reason.
    pub(crate) fn error(reason: ExitReason) -> Error {
        Error::new(HostExit(reason))
    }

    /// Ends the process because it went over a limit.
    pub(crate) fn limit(name: &'static str) -> Error {
        HostExit::error(ExitReason::Limit(name))
    }
}

/// Whether the error passes by whoever would catch it: an exit, fuel that is used up, or a call
/// stack that the program gives up.
pub(crate) fn is_final(error: &Error) -> bool {
    error.is::<HostExit>() || error.is::<Hibernation>() || is_out_of_fuel(error)
}

fn is_out_of_fuel(error: &Error) -> bool {
    matches!(error.downcast_ref(), Some(wasmtime::Trap::OutOfFuel))
}

/// Why a process ended whose entry gave this result.
pub(crate) fn reason(result: Result<(), Error>) -> ExitReason {
    let Err(error) = result else { return ExitReason::Normal };
    if let Some(HostExit(reason)) = error.downcast_ref() {
        return reason.clone();
    }
    if is_out_of_fuel(&error) {
        return ExitReason::Limit("fuel_max");
    }
    ExitReason::Trap(Arc::new(Trap { message: cause(&error), frames: frames(&error) }))
}

/// Why a process ended whose instance has failed with this error.
pub(crate) fn failed(error: Error, store: &mut Store<State>, instance: &Instance) -> ExitReason {
    let overflow = stack::overflow(&error, store, instance);
    match (reason(Err(error)), overflow) {
        (ExitReason::Trap(trap), Some(why)) => {
            let message = format!("{}: {why}", trap.message);
            ExitReason::Trap(Arc::new(Trap { message, frames: trap.frames.clone() }))
        }
        (reason, _) => reason,
    }
}

/// The text of an error with its causes, outermost first.
pub(crate) fn text(error: &Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
    }
    text
}

/// The text of an error without the backtrace that it carries.
pub(crate) fn cause(error: &Error) -> String {
    match error.downcast_ref::<wasmtime::Trap>() {
        // Its text starts with "wasm trap: ", which the reason says already.
        Some(trap) => trap.to_string().trim_start_matches("wasm trap: ").to_owned(),
        // The outermost context is the backtrace, which is kept on its own.
        None if error.is::<WasmBacktrace>() => error.root_cause().to_string(),
        None => text(error),
    }
}

fn frames(error: &Error) -> Vec<Frame> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    backtrace.frames().iter().map(frame).collect()
}

fn frame(frame: &wasmtime::FrameInfo) -> Frame {
    let function = match frame.func_name() {
        Some(name) => demangled(name),
        None => format!("function {}", frame.func_index()),
    };
    Frame { function }
}

fn demangled(name: &str) -> String {
    let name = rustc_demangle::demangle(name);
    format!("{name:#}")
}
