//! What networks do to servers: clients that stall or flood, names that nobody answers, descriptors
//! that run out, listeners that crash. The process that has to do with it gets an error or waits
//! alone, the node serves on, and nothing is left of it afterwards.
//!
//! Apart from the other tests, because these count the descriptors of the whole program: they run
//! one at a time, whatever the number of test threads.

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod common;

mod clients;
mod connects;
#[cfg(unix)]
mod descriptors;
mod names;
mod restarts;
mod service;
