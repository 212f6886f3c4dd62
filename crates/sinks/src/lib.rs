//! Sinks: where the lines go that processes write, when they are sent elsewhere.
//!
//! A [`Sink`] is a bounded queue and a task that empties it into a [`Destination`]. It knows no
//! process and no engine: who writes hands it bytes, through a [`Lines`] for each stream.
//!
//! What must stay true:
//! * a destination that is down, slow or full never holds a thread, and never makes the queue grow
//!   beyond its bounds: the writer waits, or a line is dropped, as the options say;
//! * every line that was taken is in exactly one of the [`Figures`]: arrived, dropped, or waiting;
//! * a line keeps its id over all attempts, so that a destination that knows ids stores it once.
#![forbid(unsafe_code)]

mod bulk;
mod deliver;
mod http;
mod lines;
mod options;
mod queue;
mod sink;
mod stream;
mod time;
mod tls;

pub use lines::{LINE_BYTES_MAX, Lines};
pub use options::{Destination, Loss, Options, Server, Trust};
pub use queue::Figures;
pub use sink::{Sink, StartError};
