//! Erlang's runtime guarantees as programs: run on a real `erl`, on native processes and on
//! WebAssembly guests, and compared with what the process model allows.
//!
//! A [`program`] is data. A runner plays it and gives a trace; the [`checker`] decides whether the
//! model of `lunatic-model` allows that trace. A trace of `erl` that it refuses is a fault of the
//! model; a trace of this runtime that it refuses is a fault of the runtime. Model and runtime
//! share code, so that their agreement alone proves nothing: only `erl` confirms a guarantee.
//!
//! Invariants of this room:
//! * only the order within a process and within a pair of processes decides, never how long
//!   something took: a timer may be late, and is only asked not to be early;
//! * a program or a failure is replayed by its seed;
//! * every runner plays exactly the steps that are written, and writes down what it saw.
#![forbid(unsafe_code)]

pub mod applications;
mod beam;
pub mod behaviours;
pub mod board;
pub mod campaign;
mod causes;
pub mod checker;
pub mod codec;
pub mod erl;
pub mod generator;
pub mod mutation;
pub mod native;
mod native_sockets;
mod pause;
pub mod program;
pub mod rows;
pub mod scenarios;
mod scope;
pub mod shrink;
pub mod soak;
mod spelling;
mod steps;
pub mod text;
pub mod walk;
pub mod wasm;
pub mod words;
pub mod world;

pub use steps::Did;
