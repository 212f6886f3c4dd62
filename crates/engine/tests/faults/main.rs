//! What networks and the system do to servers: clients that stall or flood, names that nobody
//! answers, descriptors and mappings that run out, listeners that crash, bursts. The process that
//! has to do with it gets an error or waits alone, the node serves on, and nothing is left of it
//! afterwards.
//!
//! Apart from the other tests, because these count the descriptors and the memory of the whole
//! program: they run one at a time, whatever the number of test threads.

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod common;

#[cfg(target_os = "linux")]
mod burst;
mod clients;
mod connects;
#[cfg(unix)]
mod descriptors;
#[cfg(target_os = "linux")]
mod mappings;
mod names;
mod restarts;
mod service;
