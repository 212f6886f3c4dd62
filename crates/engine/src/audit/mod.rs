//! Auditing: what a process asks of the host, told to who listens.
//!
//! A process that is not audited pays nothing: its imports are the host functions themselves. For
//! one that is, each import is wrapped when it is instantiated, so that nothing can be called
//! around it; children inherit the listeners of their parent, and cannot get rid of them.
//!
//! **Invariants:** a listener never holds a worker, and a call behaves as without one. A call that
//! never came back, because its process was killed or its call ended it, is told as well.

mod texts;
mod uses;
mod wrap;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lunatic_model::Pid;

pub(crate) use wrap::instantiate;

/// How many listeners one process may have, its ancestors' included.
pub const LISTENERS_MAX: usize = 8;

/// The use of a right.
#[derive(Clone, Copy, Debug)]
pub struct Use<'a> {
    /// Who uses it.
    pub process: Pid,
    /// The right as it is written in `--allow` and policies, no wider than the call needs.
    pub grant: &'a str,
    /// For what.
    pub call: &'a str,
}

/// One call of a host function.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Who called.
    pub process: Pid,
    /// When it began.
    pub at: SystemTime,
    /// How long it took, waiting included.
    pub took: Duration,
    /// The namespace of the function.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// What it was given. A pointer to a text and its length count as one: the text.
    pub arguments: &'a [Value],
    /// How it ended.
    pub outcome: Outcome<'a>,
}

/// A value that went in or came out.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// An integer of 32 or 64 bits, read as signed.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// A text, as much of it as is kept.
    Text(Box<str>),
    /// Something that has no simple form.
    Other,
}

/// How a call ended.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Outcome<'a> {
    /// It gave these results.
    Returned(&'a [Value]),
    /// It ended in a trap or ended its process, for this reason.
    Failed(&'a str),
    /// Its process was ended while it waited.
    Ended,
}

/// Who listens to a process: the last one that was added first.
#[derive(Clone, Default)]
pub struct Audit {
    listeners: Vec<Arc<dyn Listener>>,
}

/// Hears of each call. It is called on the worker that runs the process, and must not wait.
pub trait Listener: Send + Sync {
    /// A call has come back, or never will.
    fn called(&self, call: &Call<'_>);

    /// A process that has a right makes use of it. What it lacks is told by the node.
    fn used(&self, _used: &Use<'_>) {}
}

impl Audit {
    /// The same with one listener more. There is none beyond [`LISTENERS_MAX`].
    pub fn with(&self, listener: Arc<dyn Listener>) -> Option<Audit> {
        if self.listeners.len() >= LISTENERS_MAX {
            return None;
        }
        let listeners = std::iter::once(listener).chain(self.listeners.iter().cloned()).collect();
        Some(Audit { listeners })
    }

    /// Tells of a right that was used.
    pub(crate) fn used(&self, process: Pid, grant: &str, call: &str) {
        for listener in &self.listeners {
            listener.used(&Use { process, grant, call });
        }
    }

    fn tell(&self, call: &Call<'_>) {
        for listener in &self.listeners {
            listener.called(call);
        }
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit").field("listeners", &self.listeners.len()).finish()
    }
}
