//! Programs and what they do: processes with their steps, what a step was seen to do, traces.
//!
//! A program is data: every runner does the same steps with its own means. Processes, names,
//! monitors and timers are numbers into the program's tables of words, so that traces of different
//! runners compare. What must stay true: [`Program::check`] holds for every program that is run.

use std::collections::BTreeSet;

/// A process of the program.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Who(pub u8);

/// A name that can be registered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Name(pub u8);

/// A monitor. Its process creates it once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Watch(pub u8);

/// A timer. Its process sets it once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timer(pub u8);

/// An alias. Its process makes it once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Alias(pub u8);

/// Who is not a process of the program: the driver.
pub const NOBODY: Who = Who(u8::MAX);

/// Most processes in one program, and most steps of one process.
pub const PROCESSES_MAX: usize = 32;
/// Most steps of one process.
pub const STEPS_MAX: usize = 64;

/// Why a process ends, or is asked to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Reason {
    /// The end of its steps.
    Normal,
    /// An order to be killed.
    Kill,
    /// What becomes of `Kill`.
    Killed,
    /// An orderly stop.
    Shutdown,
    /// There was no such process.
    Noproc,
    /// A run-time error: an exception in Erlang, a trap in WebAssembly.
    Crash,
    /// A reason of the program's own: one of [`Reason::CUSTOM`].
    Custom(u8),
    /// Something that no program asked for: always a fault.
    Unknown,
}

impl Reason {
    /// How the reasons of a program's own are written.
    pub const CUSTOM: [&str; 3] = ["oops", "done", "late"];
}

/// How long a receive or a timer takes. No machine is too slow for these.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Wait {
    /// No time.
    Zero,
    /// Longer than any run.
    Far,
    /// For ever.
    Infinite,
}

/// Which messages a receive takes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Pattern {
    /// Everything.
    Any,
    /// Messages with a tag.
    Tag(u8),
    /// Messages of a process.
    From(Who),
    /// Messages of a process with a tag.
    FromTag(Who, u8),
    /// Trapped exits.
    Exit,
    /// Trapped exits of a process.
    ExitOf(Who),
    /// Downs.
    Down,
    /// The down of a monitor.
    DownOf(Watch),
}

/// To whom a step goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum To {
    /// By pid.
    Process(Who),
    /// By registered name.
    Name(Name),
    /// Through an alias. Only messages go there.
    Alias(Alias),
}

/// What ends an alias, besides its process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AliasMode {
    /// Nothing but `unalias`.
    Explicit,
    /// The end of the monitor that it was made with.
    Demonitor,
    /// That, and the first message.
    Reply,
}

/// What can be asked of a process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Query {
    /// The number of messages in its mailbox.
    Messages,
    /// The number of its links.
    Links,
    /// The number of its monitors.
    Monitors,
    /// The number of monitors that watch it.
    Watchers,
    /// Whether it traps exits.
    Traps,
}

/// How often a process runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Priority {
    /// Seldom.
    Low,
    /// As others.
    Normal,
    /// Before normal ones.
    High,
    /// A value that there is not.
    Wrong,
}

/// A socket: where Erlang has ports. One process listens, one connects.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Port(pub u8);

/// What is done with a socket.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Socket {
    /// Listens at an address of this machine.
    Listen(Port),
    /// Connects to that address.
    Connect(Port),
    /// Takes a connection.
    Accept(Port),
    /// Waits until the other end of the connection is closed.
    Closed(Port),
}

/// Where the messages of a process are kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum QueueData {
    /// With what it works on.
    OnHeap,
    /// Apart.
    OffHeap,
    /// A value that there is not.
    Wrong,
}

/// One step of a process.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs, reason = "the types of the fields say what they are")]
pub enum Step {
    /// Starts a process, linked and monitored in the same breath if so asked.
    Spawn { child: Who, link: bool, monitor: Option<Watch> },
    /// Sends a message.
    Send { to: To, tag: u8 },
    /// Takes the oldest message that a pattern matches.
    Receive { patterns: Vec<Pattern>, wait: Wait },
    /// Links itself.
    Link(Who),
    /// Removes the link.
    Unlink(Who),
    /// Watches.
    Monitor { to: To, watch: Watch, alias: Option<(Alias, AliasMode)> },
    /// Watches no more; with `flush`, takes the down out of the mailbox, too.
    Demonitor { watch: Watch, flush: bool },
    /// Asks a process, or itself, to exit.
    Exit { to: Who, reason: Reason },
    /// Ends with a reason.
    Raise(Reason),
    /// Ends with a run-time error.
    Crash,
    /// Whether exit signals become messages. Tells the old value.
    Trap(bool),
    /// Gives a process a name.
    Register { name: Name, to: Who },
    /// Takes a name away.
    Unregister(Name),
    /// Asks whom a name leads to.
    Whereis(Name),
    /// Sends a message later.
    Timer { timer: Timer, to: To, tag: u8, wait: Wait },
    /// Whether a timer is still running.
    Left(Timer),
    /// Cancels a timer. Tells whether it was in time.
    Cancel(Timer),
    /// Asks whether a process lives.
    Alive(Who),
    /// Makes an alias; with `reply`, one for a single message.
    Alias { alias: Alias, reply: bool },
    /// Ends an alias. Tells whether it was active.
    Unalias(Alias),
    /// Keeps a process from running.
    Suspend(Who),
    /// Takes one `Suspend` back.
    Resume(Who),
    /// Asks something about a process.
    Info { of: Who, query: Query },
    /// Sets how often it runs.
    Priority(Priority),
    /// Where its messages are kept: no difference that anybody could see.
    QueueData(QueueData),
    /// Does something with a socket.
    Socket(Socket),
    /// Sets a limit of memory that kills, a little above what it has.
    Limit,
    /// Asks for far more memory than that.
    Grow,
    /// Computes for ever, without a pause.
    Spin,
    /// Sets a timer, waits for it, and tells whether no less time went by.
    Nap,
    /// Asks whether the list of all processes has a process.
    Listed(Who),
    /// Gives up its call stack until there is a message, and goes on with the next step.
    Hibernate,
}

/// What lies in a mailbox.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs, reason = "the types of the fields say what they are")]
pub enum Item {
    /// A message.
    Message { from: Who, tag: u8 },
    /// A trapped exit.
    Exit { from: Who, reason: Reason },
    /// A down.
    Down { watch: Watch, reason: Reason },
}

impl Pattern {
    /// Whether the pattern takes the item.
    pub fn takes(self, item: &Item) -> bool {
        match (self, *item) {
            (Pattern::Any, _)
            | (Pattern::Exit, Item::Exit { .. })
            | (Pattern::Down, Item::Down { .. }) => true,
            (Pattern::Tag(wanted), Item::Message { tag, .. }) => tag == wanted,
            (Pattern::From(wanted), Item::Message { from, .. })
            | (Pattern::ExitOf(wanted), Item::Exit { from, .. }) => from == wanted,
            (Pattern::FromTag(who, wanted), Item::Message { from, tag }) => {
                (from, tag) == (who, wanted)
            }
            (Pattern::DownOf(wanted), Item::Down { watch, .. }) => watch == wanted,
            (
                Pattern::Tag(_)
                | Pattern::From(_)
                | Pattern::FromTag(..)
                | Pattern::Exit
                | Pattern::ExitOf(_)
                | Pattern::Down
                | Pattern::DownOf(_),
                _,
            ) => false,
        }
    }
}

/// What a step was seen to do. Steps that end their process have no outcome.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// It is done; there is nothing to tell.
    Ok,
    /// Yes or no.
    Is(bool),
    /// Refused: the caller used a name or a process that cannot be used so.
    Badarg,
    /// Nothing came.
    Timeout,
    /// What a receive took.
    Got(Item),
    /// Whom a name leads to; nobody also where something was asked about a dead process.
    Leads(Option<Who>),
    /// So many.
    Count(u8),
}

/// How a process was last seen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum End {
    /// Nobody has spawned it.
    Unborn,
    /// It has ended.
    Ended(Reason),
    /// It has ended, and nobody saw why.
    Gone,
    /// It waits, and nothing that could let it go on is on its way.
    Stuck,
}

/// What one run did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trace {
    /// Outcomes in about the order in which they came about. Only the order within one process is
    /// certain.
    pub events: Vec<(Who, Outcome)>,
    /// How each process was last seen.
    pub ends: Vec<End>,
}

impl Trace {
    /// The outcomes of one process.
    pub fn of(&self, who: Who) -> impl Iterator<Item = Outcome> + '_ {
        self.events.iter().filter(move |(by, _)| *by == who).map(|(_, outcome)| *outcome)
    }
}

/// One process.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Script {
    /// What it does; after that it ends with reason `normal`.
    pub steps: Vec<Step>,
}

/// A program. Processes that no step spawns are started together, before the first step of any.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Program {
    /// The processes.
    pub scripts: Vec<Script>,
    /// How they are written.
    pub processes: Vec<String>,
    /// How names are written.
    pub names: Vec<String>,
    /// How monitors are written.
    pub watches: Vec<String>,
    /// How timers are written.
    pub timers: Vec<String>,
    /// How aliases are written.
    pub aliases: Vec<String>,
    /// How sockets are written.
    pub ports: Vec<String>,
}

impl Program {
    /// All processes.
    pub fn everybody(&self) -> impl Iterator<Item = Who> + use<> {
        (0..self.scripts.len()).map(|index| Who(index as u8))
    }

    /// The steps of a process.
    pub fn steps(&self, who: Who) -> &[Step] {
        self.scripts.get(usize::from(who.0)).map_or(&[], |script| &script.steps)
    }

    /// Processes that are there from the beginning.
    pub fn roots(&self) -> BTreeSet<Who> {
        let mut roots: BTreeSet<Who> = self.everybody().collect();
        for step in self.scripts.iter().flat_map(|script| &script.steps) {
            if let Step::Spawn { child, .. } = step {
                roots.remove(child);
            }
        }
        roots
    }
}
