//! The runners, where they can run on this machine.
#![allow(dead_code, reason = "every test file compiles this module and uses a part of it")]

use lunatic_otp::behaviours::players::{Library, Oracle};
use lunatic_otp::erl::{Erl, ErlError};
use lunatic_otp::native::Native;
use lunatic_otp::wasm::{Wasm, WasmError};

/// Enough for processes to run at the same time.
const WORKERS: usize = 2;

/// A real `erl`; none, with a message, where there is none.
pub fn erl() -> Option<Erl> {
    there(Erl::start())
}

/// OTP's own behaviours; none, with a message, where there is no `erl`.
pub fn oracle() -> Option<Oracle> {
    there(Oracle::start())
}

fn there<T>(started: Result<T, ErlError>) -> Option<T> {
    match started {
        Ok(erl) => Some(erl),
        Err(error @ ErlError::Missing) => {
            println!("SKIPPED: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Native bodies.
pub fn native() -> Native {
    Native::start(WORKERS).expect("the machine has threads to spare")
}

/// Guests; none, with a message, where they cannot be built.
pub fn wasm() -> Option<Wasm> {
    built(Wasm::start(WORKERS))
}

/// The Rust library for guests; none, with a message, where guests cannot be built.
pub fn library() -> Option<Library> {
    built(Library::start(WORKERS))
}

/// The same with rules that can be broken.
pub fn mutated_library() -> Option<Library> {
    built(Library::mutated(WORKERS))
}

fn built<T>(started: Result<T, WasmError>) -> Option<T> {
    match started {
        Ok(wasm) => Some(wasm),
        Err(error @ WasmError::Target) => {
            println!("SKIPPED: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}
