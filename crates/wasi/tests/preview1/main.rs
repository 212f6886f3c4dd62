//! Preview 1 as a guest sees it: every function, called through a mock guest.
//!
//! One file per concern; `guest.rs` is the mock and the only place that lays out arguments.

mod access;
mod args;
mod bounds;
mod descriptors;
mod directories;
mod escapes;
mod files;
mod guest;
mod poll;
mod streams;
