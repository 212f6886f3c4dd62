//! What a process is: pids, signals, exit reasons, links, monitors, mailboxes, names, timers,
//! rights and limits, as pure values and state machines.
//!
//! Invariants of this room:
//! * no async, no wasm, no clock, no randomness, no I/O: time and ids come in as arguments;
//! * a decision returns what is to be done, it never does it;
//! * every queue and table has a limit in [`Limits`], and what happens there is a returned value.
//!
//! The rules are those of Erlang/OTP ("ref_man_processes" of its reference manual); where a rule
//! of the old Lunatic ABI differs, `docs/semantics.md` lists it.
#![forbid(unsafe_code)]

mod bucket;
mod budget;
mod filter;
mod flags;
mod limits;
mod mailbox;
mod message;
mod names;
mod network;
mod network_rule;
mod permit;
mod pid;
mod process;
mod reason;
mod redirect;
mod rights;
mod signal;
mod timers;

pub use bucket::Bucket;
pub use budget::{Budget, Budgeted, Budgets, Policy, Scope};
pub use filter::{Filter, Kinds, Pattern};
pub use flags::{MemoryPolicy, Priority};
pub use limits::{Limits, NodeLimits};
pub use mailbox::{Envelope, Mailbox, Position, SCAN_MAX, Scan};
pub use message::{MESSAGE_OVERHEAD_BYTES, Message, Resource};
pub use names::{NameRefused, Names};
pub use network::{Access, NETWORK_RULES_MAX, NetworkRights, Protocol, TooManyRules};
pub use network_rule::{NetworkRule, NetworkRuleError};
pub use permit::{FileDeed, PERMIT_BYTES_MAX, Permit};
pub use pid::{Pid, Ref, Tag};
pub use process::{
    AliasDelivery, AliasMode, Delivery, Leftovers, LinkOutcome, MonitorOptions, NotSuspended,
    Obituary, Process, Snapshot, TrapExit,
};
pub use reason::{ExitReason, Frame, Trap};
pub use redirect::{
    LossPolicy, PathPattern, REDIRECTION_BYTES_MAX, Redirection, RedirectionError, Routes,
    SinkOption, Target, What,
};
pub use rights::{Deed, Extent, Grant, GrantError, Reach, Right, RightError, Rights};
pub use signal::Signal;
pub use timers::{TimerKey, TimerQueue};
