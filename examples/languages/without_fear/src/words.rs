//! The C library `words.c`, as Rust sees it.
//!
//! The safe functions keep to what Rust can promise (a text has an end mark); what the library does
//! with its own memory nobody can promise. Here that is no reason to be afraid: the memory is that
//! of one process.

use std::ffi::CStr;

mod c {
    use std::ffi::c_char;

    unsafe extern "C" {
        pub fn words_length(text: *const c_char) -> u32;
        pub fn words_remember(name: *const c_char) -> u32;
        pub fn words_blanks(count: u32) -> u32;
        pub fn words_halve(number: u32) -> u32;
        pub fn words_sum(number: u32) -> u32;
    }
}

pub fn length(text: &CStr) -> u32 {
    // SAFETY: the text has an end mark.
    unsafe { c::words_length(text.as_ptr()) }
}

pub fn remember(name: &CStr) -> u32 {
    // SAFETY: the name has an end mark.
    unsafe { c::words_remember(name.as_ptr()) }
}

pub fn blanks(count: u32) -> u32 {
    // SAFETY: no pointers.
    unsafe { c::words_blanks(count) }
}

pub fn halve(number: u32) -> u32 {
    // SAFETY: no pointers.
    unsafe { c::words_halve(number) }
}

pub fn sum(number: u32) -> u32 {
    // SAFETY: no pointers.
    unsafe { c::words_sum(number) }
}
