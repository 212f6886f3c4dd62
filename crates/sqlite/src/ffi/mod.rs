//! The border to C, and the only place of this room with `unsafe`: the allocator, the file system,
//! locks of the system, and the library's calls.
//!
//! C calls back into Rust here. A panic must not cross the border, so whatever can panic is caught
//! and becomes an error code.
#![allow(unsafe_code)]

mod allocator;
pub(crate) mod byte_lock;
mod database;
mod guard;
mod io;
mod library;
pub(crate) mod region;
mod statement;
mod vfs;

pub use database::Stopper;
pub(crate) use database::{Database, c_string};
pub(crate) use statement::Statement;
pub use statement::Step;
