//! WASI preview 1 for processes that suspend instead of blocking.
//!
//! This room owns the meaning of the 46 functions of `wasi_snapshot_preview1` and what stands
//! behind them. It knows no WebAssembly engine and no other room: the engine hands each call a
//! [`Guest`] (memory and state), and everything outside of the process is reached through the
//! provider traits in [`provider`], which a configuration ([`WasiConfig`]) holds.
//!
//! What must stay true:
//! * No call blocks the thread that polls it, and a call may be dropped at any await.
//! * Guest input never causes a panic or an unbounded allocation; the bounds are in [`limits`].
//! * A path never leads out of its preopened directory, and rights only ever shrink.
//! * A pointer outside of guest memory is a [`Failure::Fault`], a bad argument an [`Errno`].
//!
//! Calls need a Tokio context (`spawn_blocking`, timers) where the real providers are used.
#![forbid(unsafe_code)]

pub mod call;
pub mod config;
mod errno;
mod guest;
pub mod limits;
mod memory;
pub mod provider;
mod replace;
mod table;
mod types;

pub use config::{Access, ConfigError, Preopen, WasiConfig};
pub use errno::Errno;
pub use guest::{Answer, Failure, Fault, Guest, NoPlace, Place};
pub use memory::{LAZY_BYTES_MAX, touch};
pub use replace::Replacement;
pub use table::Wasi;
pub use types::{FdFlags, FileType, Metadata, NewTime, NewTimes, Rights};
