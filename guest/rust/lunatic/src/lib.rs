//! Erlang-like processes for WebAssembly programs in Rust, on the runtime
//! [Lunatic](https://github.com/lunatic-solutions/lunatic).
//!
//! A process is an instance of the program with a memory of its own. Spawning one takes
//! microseconds; a crash never leaves it, and others hear of it. All code is plain blocking code.
//!
//! ```
//! use lunatic::{ExitReason, Mailbox, spawn_monitor};
//!
//! let mailbox = Mailbox::<String>::new();
//! let (_, monitor) = spawn_monitor(mailbox.this(), |parent, _: Mailbox<()>| {
//!     parent.send("hello from another process".to_owned());
//! });
//! assert_eq!(mailbox.receive().unwrap(), "hello from another process");
//! assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Normal);
//! ```
//!
//! # Where to find what
//!
//! * [`spawn`], [`spawn_link`], [`spawn_monitor`], and [`Spawn`] with all options.
//! * [`Mailbox`] and [`Process`]: typed messages; [`mod@format`] says how they are written.
//! * [`Pid`]: links, monitors, ends, suspending, [`Info`]; [`process`] for what a process does with
//!   itself; [`register`] and [`whereis`] for names.
//! * [`ExitReason`]: why a process ended. [`call`](call()): a request and its answer. [`timer`].
//! * Sockets: [`net`].
//! * [`server`]: processes with a state that answer calls, OTP's `gen_server`; [`statem`]: state
//!   machines, its `gen_statem`; [`event`]: managers of event handlers, its `gen_event`.
//! * [`supervisor`]: trees of processes that are restarted; [`application`]: parts of a program
//!   that start and stop in order; [`sys`]: what all behaviours understand.
//! * [`registry`]: keys and groups; [`task`]: functions whose result is waited for.
//! * [`Given`]: processes and aliases that may be used by who receives them.
//! * [`Config`]: what a child may do, [`budget`]: how much of it, [`redirect`]: where it leads,
//!   and [`audit`]: what it does. [`Module`]: code in other languages.
//! * [`logger`], [`mod@panic`]: what people see: the facades `log` and (a feature) `tracing`.
//! * [`message`] and [`abi`]: what all of this is built on.
//!
//! Files, clocks, randomness, arguments and environment are std's. State that belongs to a process
//! is a `static` or [`process_local!`]: no other process sees it.

pub mod abi;
mod allocator;
pub mod application;
pub mod audit;
mod behaviour;
pub mod budget;
mod call;
mod config;
mod entry;
mod envelope;
mod error;
pub mod event;
pub mod format;
mod given;
mod hibernate;
mod host_error;
mod info;
pub mod logger;
mod mailbox;
pub mod message;
mod monitor;
pub mod net;
mod output;
pub mod panic;
mod pattern;
mod pid;
pub mod process;
mod reason;
pub mod redirect;
pub mod registry;
pub mod server;
#[cfg(feature = "tracing")]
mod spans;
mod spawn;
mod spawn_error;
pub mod statem;
pub mod supervisor;
pub mod sys;
pub mod task;
pub mod timer;

pub use budget::Budget;
pub use call::{CallError, call, call_tagged};
pub use config::{Config, ConfigDenied, Module};
pub use entry::{Outcome, argument};
#[doc(hidden)]
pub use entry::{run_main, run_test};
pub use format::{Bytes, Format, Postcard, Raw};
pub use given::{Give, Given};
pub use host_error::HostError;
pub use info::{Info, Status};
/// ```
/// use lunatic::{ExitReason, Mailbox};
///
/// #[lunatic::main]
/// fn main(mailbox: Mailbox<String>) -> Result<(), ExitReason> {
///     mailbox.this().send("hello, me".to_owned());
///     assert_eq!(mailbox.receive().unwrap(), "hello, me");
///     Ok(())
/// }
/// ```
pub use lunatic_macros::main;
/// ```
/// use lunatic::Mailbox;
///
/// #[lunatic::test]
/// fn a_message_arrives(mailbox: Mailbox<u8>) {
///     mailbox.this().send(7);
///     assert_eq!(mailbox.receive().unwrap(), 7);
/// }
///
/// #[lunatic::test]
/// #[should_panic(expected = "no room")]
/// fn there_is_no_room() {
///     panic!("there is no room");
/// }
/// ```
pub use lunatic_macros::test;
pub use mailbox::{Mailbox, Process, Received};
pub use message::{DecodeError, Down, Exit, ReceiveError, SendError};
pub use pid::{Pid, Ref};
pub use process::{Alias, Monitor, RegisterError, exit, register, sleep, unregister, whereis};
pub use reason::ExitReason;
pub use spawn::{Spawn, SpawnError, spawn, spawn_link, spawn_monitor};

/// State that belongs to the process: std's `thread_local!`, since each process has its own.
///
/// ```
/// use std::cell::Cell;
/// use lunatic::{Mailbox, Process, process_local, spawn_link};
///
/// process_local! {
///     static COUNT: Cell<u32> = const { Cell::new(0) };
/// }
///
/// COUNT.set(5);
/// let mailbox = Mailbox::<u32>::new();
/// // Another process has its own.
/// spawn_link(mailbox.this(), |parent: Process<u32>, _: Mailbox<()>| parent.send(COUNT.get()));
/// assert_eq!((mailbox.receive(), COUNT.get()), (Ok(0), 5));
/// ```
pub use std::thread_local as process_local;

use message::Destination;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Sends a plain message in the format of the libraries to a pid, a name or an alias, of which no
/// type is known.
///
/// # Errors
///
/// If nobody has the name, or the message cannot be written.
///
/// ```
/// use lunatic::{Mailbox, Pid, register, send, unregister};
///
/// register("counter", Pid::this()).unwrap();
/// send("counter", 7u32).unwrap();
/// send(Pid::this(), 8u32).unwrap();
/// let mailbox = Mailbox::<u32>::new();
/// assert_eq!((mailbox.receive(), mailbox.receive()), (Ok(7), Ok(8)));
/// # unregister("counter");
/// ```
pub fn send<'a, M: Serialize + DeserializeOwned>(
    to: impl Into<Destination<'a>>,
    message: M,
) -> Result<(), SendError> {
    message::send::<M, Postcard>(to.into(), message::tag::NONE, &message, None)
}
