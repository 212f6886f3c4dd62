//! Auditing: what a process asks of the host, told to who listens.
//!
//! A process that is not audited pays nothing: its imports are the host functions themselves. For
//! one that is, each import is wrapped when it is instantiated, so that nothing can be called
//! around it; children inherit the listeners of their parent, unless those hear of one process
//! alone, and cannot get rid of them.
//!
//! **Invariants:** a listener never holds a worker, and a call behaves as without one. A call that
//! never came back, because its process was killed or its call ended it, is told as well.

mod texts;
mod to_process;
mod uses;
mod wrap;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lunatic_model::Pid;

pub(crate) use to_process::ToProcess;
pub(crate) use wrap::instantiate;

/// How many listeners one process may have, its ancestors' included.
pub const LISTENERS_MAX: usize = 8;

/// The use of a right, or the attempt.
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
    listeners: Vec<Heard>,
}

#[derive(Clone)]
struct Heard {
    listener: Arc<dyn Listener>,
    /// Children do not inherit it.
    alone: bool,
}

/// What a listener wants to hear; the rest costs nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hears {
    /// Rights that a process lacked, each time.
    pub denied: bool,
    /// Rights of which a process made use.
    pub used: bool,
    /// Every call.
    pub calls: bool,
}

impl Hears {
    /// Nothing.
    pub const NONE: Hears = Hears { denied: false, used: false, calls: false };
    /// All there is.
    pub const ALL: Hears = Hears { denied: true, used: true, calls: true };

    fn or(self, other: Hears) -> Hears {
        Hears {
            denied: self.denied || other.denied,
            used: self.used || other.used,
            calls: self.calls || other.calls,
        }
    }
}

/// Hears of each call. It is called on the worker that runs the process, and must not wait.
pub trait Listener: Send + Sync {
    /// What it wants to hear.
    fn hears(&self) -> Hears;

    /// A call has come back, or never will.
    fn called(&self, _call: &Call<'_>) {}

    /// A process that has a right makes use of it.
    fn used(&self, _used: &Use<'_>) {}

    /// A process lacked a right. An observer of the node hears of the first time alone.
    fn denied(&self, _denied: &Use<'_>) {}
}

impl Audit {
    /// The same with one listener more. There is none beyond [`LISTENERS_MAX`].
    pub fn with(&self, listener: Arc<dyn Listener>) -> Option<Audit> {
        self.with_heard(Heard { listener, alone: false })
    }

    /// The same with one that does not hear of children.
    pub(crate) fn with_alone(&self, listener: Arc<dyn Listener>) -> Option<Audit> {
        self.with_heard(Heard { listener, alone: true })
    }

    fn with_heard(&self, heard: Heard) -> Option<Audit> {
        let known = self.listeners.iter().cloned();
        self.has_room().then(|| Audit { listeners: std::iter::once(heard).chain(known).collect() })
    }

    fn is_empty(&self) -> bool {
        self.listeners.is_empty()
    }

    /// Whether there may be one listener more.
    pub(crate) fn has_room(&self) -> bool {
        self.listeners.len() < LISTENERS_MAX
    }

    /// What children have of it: nothing, or listeners that hear of them, too.
    pub(crate) fn inherited(&self) -> Option<Audit> {
        let listeners: Vec<_> = self.listeners.iter().filter(|one| !one.alone).cloned().collect();
        (!listeners.is_empty()).then_some(Audit { listeners })
    }

    /// Children have all of it.
    pub(crate) fn is_inherited(&self) -> bool {
        self.listeners.iter().all(|one| !one.alone)
    }

    /// What anybody wants to hear.
    fn hears(&self) -> Hears {
        let all = self.listeners.iter().map(|one| one.listener.hears());
        all.fold(Hears::NONE, Hears::or)
    }

    fn those(&self, who: impl Fn(Hears) -> bool) -> impl Iterator<Item = &Arc<dyn Listener>> {
        let all = self.listeners.iter().map(|one| &one.listener);
        all.filter(move |listener| who(listener.hears()))
    }

    /// Tells of a right that was used.
    pub(crate) fn used(&self, process: Pid, grant: &str, call: &str) {
        let used = Use { process, grant, call };
        self.those(|hears| hears.used).for_each(|listener| listener.used(&used));
    }

    /// Tells of a right that was missing.
    fn denied(&self, process: Pid, grant: &str, call: &str) {
        let denied = Use { process, grant, call };
        self.those(|hears| hears.denied).for_each(|listener| listener.denied(&denied));
    }

    fn called(&self, call: &Call<'_>) {
        self.those(|hears| hears.calls).for_each(|listener| listener.called(call));
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit").field("listeners", &self.listeners.len()).finish()
    }
}
