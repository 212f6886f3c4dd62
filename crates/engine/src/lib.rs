//! What makes a WebAssembly module a process body. The only room that knows Wasmtime.
//!
//! One process is one instance in one store, spawned from a module that is compiled once for each
//! kind of engine it runs in ([`engines::Kind`]). A process never changes its engine.
//!
//! Invariants of this room:
//! * compiling never happens on a worker: first use of a module in an engine compiles elsewhere;
//! * guest memory is reached through [`memory`] alone, and nothing of it is borrowed over an await;
//! * the number of mappings and descriptors does not depend on the number of processes;
//! * there is one mapping of errors to exit reasons: [`exit::reason`].

mod artifact;
mod audit;
mod bulk;
mod cache;
mod config;
mod cpu_clock;
mod databases;
mod engines;
mod exit;
mod hibernate;
mod host;
mod instance;
mod limiter;
mod memory;
mod module;
mod net;
mod paths;
mod prompt;
mod redirect;
mod refused;
mod reuse;
mod runtime;
mod slab;
mod stack;
mod state;
mod tables;

pub use artifact::{Compiling, ModuleError};
pub use audit::{Audit, Call, Hears, LISTENERS_MAX, Listener, Outcome, Use, Value};
pub use cache::{CacheError, CachePolicy, default_directory as default_cache_directory};
pub use config::ProcessConfig;
pub use engines::{Kind, Tier};
pub use host::metrics::{BOUNDS, Histogram, Metric, MetricKind};
pub use instance::SpawnError;
pub use module::Module;
pub use net::names::LookUp;
pub use paths::{ChosenPath, chosen_paths};
pub use redirect::{LineSink, Outside, Redirected, redirect_root};
pub use runtime::{Figures, Options, Root, Runtime, StartError};
pub use slab::Usage as SlabUsage;

pub use lunatic_model::{
    Access, Budget, Budgeted, Budgets, Deed, ExitReason, Extent, FileDeed, Frame, Grant,
    GrantError, Limits, LinkOutcome, NetworkRights, NetworkRule, NodeLimits, Permit, Pid, Reach,
    Right, Rights, Trap,
};
pub use lunatic_node::{DENIED_ADDRESSES_MAX, Denial, Environment, ExitReport, Observer};
