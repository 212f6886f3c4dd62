//! The runners, where they can run on this machine.
#![allow(dead_code, reason = "every test file compiles this module and uses a part of it")]

use lunatic_otp::erl::{Erl, ErlError};
use lunatic_otp::native::Native;
use lunatic_otp::wasm::{Wasm, WasmError};

/// Enough for processes to run at the same time.
const WORKERS: usize = 2;

/// A real `erl`; none, with a message, where there is none.
pub fn erl() -> Option<Erl> {
    match Erl::start() {
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
    match Wasm::start(WORKERS) {
        Ok(wasm) => Some(wasm),
        Err(error @ WasmError::Target) => {
            println!("SKIPPED: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}
