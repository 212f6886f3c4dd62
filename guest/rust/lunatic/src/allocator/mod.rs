//! The allocator of a program: the functions `malloc` and its kin, for Rust and for C that is
//! linked with it, in the place of those of the C library, which write to the last page of the
//! memory that they get. The heap begins right behind the program's data, so that a small process
//! has both in the same pages.
//!
//! It is the feature `allocator`, which is on by default. A program that sets a
//! `#[global_allocator]` of its own does not use it.
//!
//! What must stay true: these are all functions through which the C library hands out memory, so
//! that none of its own allocator is linked; a process has one thread.

#[cfg_attr(not(all(target_family = "wasm", feature = "allocator")), allow(dead_code))]
mod heap;

#[cfg(all(target_family = "wasm", feature = "allocator"))]
mod symbols;
