//! Supervisors: processes that start, watch, restart and stop others. OTP's `supervisor`.
//!
//! What a supervisor does is data: a [`Supervisor`] with the [`ChildSpec`]s of its children. It
//! follows OTP's: the order of start and stop, the three strategies, dynamic children
//! (`simple_one_for_one`), restart types, intensity and period, shutdown with a timeout,
//! significant children, and what happens when starts and restarts fail. A supervisor is a
//! [`Server`](crate::server::Server), so that system messages work on it, too.
//!
//! Reasons that differ from OTP's in their writing: where OTP gives
//! `{shutdown, {failed_to_start_child, Id, Reason}}`, the reason is a shutdown with a
//! [`FailedToStart`].
//!
//! ```
//! use lunatic::supervisor::{ChildSpec, Restart, Strategy, Supervisor};
//! # use lunatic::server::{Init, Next, Server};
//! # struct Cache;
//! # impl Server for Cache {
//! #     type Argument = u32;
//! #     type Call = ();
//! #     type Cast = ();
//! #     type Message = ();
//! #     fn init(_: u32) -> Init<Self> { Init::ok(Cache) }
//! #     fn handle_call(&mut self, _: ()) -> Next<Self> { Next::wait() }
//! # }
//!
//! let supervisor = Supervisor::new(Strategy::OneForAll)
//!     .child(ChildSpec::server::<Cache>("first", &16))
//!     .child(ChildSpec::server::<Cache>("second", &32).restart(Restart::Transient))
//!     .start_link()
//!     .unwrap();
//! println!("{}", supervisor.tree());
//! ```

mod children;
#[cfg(test)]
mod decision_tests;
mod decisions;
mod dynamic_children;
#[cfg(test)]
mod dynamic_tests;
mod process;
mod restarts;
mod spec;
#[cfg(test)]
mod stand;
mod start;
mod tree;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use crate::behaviour::StartError;
use crate::call::CallError;
use crate::format::{self, Bytes};
use crate::server::{Options, ServerRef};
use crate::{ExitReason, Pid, sys};

pub use children::{ChildState, Counts};
use process::{Call, Process};
pub use spec::{AutoShutdown, ChildKind, ChildSpec, Flags, Restart, Shutdown, SpecError, Strategy};
pub(crate) use start::Start;
pub use start::StartResult;
pub use tree::Tree;

/// What a supervisor is to do, as data. See the [module](self) for an example.
///
/// ```
/// # use lunatic::server::{Init, Next, Server};
/// # struct Cache;
/// # impl Server for Cache {
/// #     type Argument = u32;
/// #     type Call = ();
/// #     type Cast = ();
/// #     type Message = ();
/// #     fn init(_: u32) -> Init<Self> { Init::ok(Cache) }
/// #     fn handle_call(&mut self, _: ()) -> Next<Self> { Next::wait() }
/// # }
/// use std::time::Duration;
/// use lunatic::supervisor::{AutoShutdown, ChildSpec, Restart, Strategy, Supervisor};
///
/// let first = ChildSpec::server::<Cache>("first", &16).restart(Restart::Transient).significant();
/// let plan = Supervisor::new(Strategy::RestForOne)
///     .name("caches")
///     .intensity(3, Duration::from_secs(60))
///     // When the first one has done its work, all end.
///     .auto_shutdown(AutoShutdown::AnySignificant)
///     .child(first)
///     .child(ChildSpec::server::<Cache>("second", &32));
/// let caches = plan.start_link().unwrap();
/// assert_eq!(lunatic::whereis("caches"), Some(caches.pid()));
///
/// // Any number of caches, each with a size of its own.
/// let pool = Supervisor::dynamic(ChildSpec::server_template::<Cache>("cache"));
/// pool.start_link().unwrap().start_dynamic(&64u32).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Supervisor {
    pub(crate) flags: Flags,
    pub(crate) children: Vec<ChildSpec>,
    /// All children are of the one kind in `children`, and none are started at first.
    pub(crate) dynamic: bool,
    name: Option<String>,
}

impl Supervisor {
    /// A supervisor with this strategy and without children: one restart within five seconds.
    pub fn new(strategy: Strategy) -> Self {
        let flags = Flags { strategy, ..Flags::default() };
        Self { flags, children: Vec::new(), dynamic: false, name: None }
    }

    /// A dynamic supervisor: any number of children of one kind, without an order, each for
    /// itself. OTP's `simple_one_for_one`.
    pub fn dynamic(template: ChildSpec) -> Self {
        let children = vec![template];
        Self { children, dynamic: true, ..Self::new(Strategy::OneForOne) }
    }

    /// How many restarts may be made within which time; one more ends the supervisor with the
    /// reason shutdown.
    pub fn intensity(mut self, intensity: u32, period: Duration) -> Self {
        self.flags.intensity = intensity;
        self.flags.period = period;
        self
    }

    /// Whether the supervisor ends with its significant children.
    pub fn auto_shutdown(mut self, auto_shutdown: AutoShutdown) -> Self {
        self.flags.auto_shutdown = auto_shutdown;
        self
    }

    /// Adds a child, the last to be started.
    pub fn child(mut self, child: ChildSpec) -> Self {
        self.children.push(child);
        self
    }

    /// The name that the supervisor will have.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Starts the supervisor and its children, and waits for all of them.
    ///
    /// # Errors
    ///
    /// If a specification is not valid, or a child does not start: those before it are stopped
    /// again, and the reason is a shutdown with a [`FailedToStart`].
    pub fn start_link(&self) -> Result<SupervisorRef, StartError> {
        let mut options = Options::new();
        if let Some(name) = &self.name {
            options = options.name(name.clone());
        }
        options.start_link::<Process>(self.clone()).map(|server| SupervisorRef { server })
    }
}

/// Why a supervisor ended in its start.
///
/// ```
/// # use lunatic::server::{Init, Next, Server};
/// # struct Ill;
/// # impl Server for Ill {
/// #     type Argument = ();
/// #     type Call = ();
/// #     type Cast = ();
/// #     type Message = ();
/// #     fn init(_: ()) -> Init<Self> { Init::stop("no".into()) }
/// #     fn handle_call(&mut self, _: ()) -> Next<Self> { Next::wait() }
/// # }
/// use lunatic::supervisor::{ChildSpec, FailedToStart, StartError, Strategy, Supervisor};
/// use lunatic::{Mailbox, spawn_monitor};
///
/// let (_, monitor) = spawn_monitor((), |(), _: Mailbox<()>| {
///     let plan =
///         Supervisor::new(Strategy::OneForOne).child(ChildSpec::server::<Ill>("ill", &()));
///     // The supervisor is linked, so this process ends with it.
///     plan.start_link().map(drop).map_err(|error| error.to_string())
/// });
/// let reason = monitor.wait(None).unwrap().reason;
/// let FailedToStart { id, error } = FailedToStart::from_reason(&reason).unwrap();
/// assert_eq!((id.as_str(), error), ("ill", StartError::Exit("no".into())));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedToStart {
    /// Which child.
    pub id: String,
    /// Why it did not start.
    pub error: StartError,
}

impl FailedToStart {
    /// What such a reason carries; `None` for other reasons.
    pub fn from_reason(reason: &ExitReason) -> Option<Self> {
        match reason {
            ExitReason::ShutdownWith(_) => reason.decode(),
            _ => None,
        }
    }
}

/// How a start went.
///
/// ```
/// # use lunatic::server::{Init, Next, Server};
/// # struct Maybe;
/// # impl Server for Maybe {
/// #     type Argument = bool;
/// #     type Call = ();
/// #     type Cast = ();
/// #     type Message = ();
/// #     fn init(yes: bool) -> Init<Self> { if yes { Init::ok(Maybe) } else { Init::ignore() } }
/// #     fn handle_call(&mut self, _: ()) -> Next<Self> { Next::wait() }
/// # }
/// use lunatic::supervisor::{ChildSpec, Started, Supervisor};
///
/// let pool = Supervisor::dynamic(ChildSpec::server_template::<Maybe>("maybe"));
/// let pool = pool.start_link().unwrap();
/// assert!(matches!(pool.start_dynamic(&true), Ok(Started::Running(_))));
/// assert_eq!(pool.start_dynamic(&false), Ok(Started::Ignore));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Started {
    /// The child runs as this process.
    Running(Pid),
    /// The child did not want to run.
    Ignore,
}

/// A supervisor cannot do what it was asked for. Nothing has changed then.
///
/// ```
/// use lunatic::supervisor::{ManageError, Strategy, Supervisor};
///
/// let supervisor = Supervisor::new(Strategy::OneForOne).start_link().unwrap();
/// assert_eq!(supervisor.terminate_child("nobody"), Err(ManageError::NotFound));
/// assert_eq!(supervisor.start_dynamic(&1), Err(ManageError::WrongKind));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ManageError {
    /// No child has this id.
    NotFound,
    /// The child runs.
    Running,
    /// The child is being restarted.
    Restarting,
    /// A child with this id does not run; restart or delete it.
    AlreadyPresent,
    /// A child with this id runs as this process.
    AlreadyStarted(Pid),
    /// The child did not start.
    Start(StartError),
    /// The specification is not valid.
    Spec(SpecError),
    /// The supervisor is dynamic, which has no ids; or it is not, and has nothing else.
    WrongKind,
    /// The supervisor did not answer.
    Call(String),
}

impl fmt::Display for ManageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => write!(f, "the supervisor has no such child"),
            Self::Running => write!(f, "the child runs; terminate it first"),
            Self::Restarting => write!(f, "the child is being restarted"),
            Self::AlreadyPresent => {
                write!(f, "a child with this id is there and does not run; restart or delete it")
            }
            Self::AlreadyStarted(pid) => write!(f, "a child with this id runs as {pid}"),
            Self::Start(error) => write!(f, "{error}"),
            Self::Spec(error) => write!(f, "{error}"),
            Self::WrongKind => {
                write!(f, "children of a dynamic supervisor go by pid, others by id")
            }
            Self::Call(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for ManageError {}

impl From<CallError> for ManageError {
    fn from(error: CallError) -> Self {
        Self::Call(error.to_string())
    }
}

/// One child of a supervisor.
///
/// ```
/// # use lunatic::server::{Init, Next, Server};
/// # struct Cache;
/// # impl Server for Cache {
/// #     type Argument = ();
/// #     type Call = ();
/// #     type Cast = ();
/// #     type Message = ();
/// #     fn init(_: ()) -> Init<Self> { Init::ok(Cache) }
/// #     fn handle_call(&mut self, _: ()) -> Next<Self> { Next::wait() }
/// # }
/// use lunatic::supervisor::{
///     ChildInfo, ChildKind, ChildSpec, ChildState, Restart, Strategy, Supervisor,
/// };
///
/// let plan = Supervisor::new(Strategy::OneForOne).child(ChildSpec::server::<Cache>("cache", &()));
/// let supervisor = plan.start_link().unwrap();
/// for ChildInfo { id, state, kind, restart } in supervisor.which_children().unwrap() {
///     assert!(matches!(state, ChildState::Running(_)));
///     assert_eq!((&id[..], kind, restart), ("cache", ChildKind::Worker, Restart::Permanent));
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildInfo {
    /// Its id; that of the template for a dynamic child.
    pub id: String,
    /// Whether it runs.
    pub state: ChildState,
    /// What it is.
    pub kind: ChildKind,
    /// When it is restarted.
    pub restart: Restart,
}

/// A supervisor, for those that manage its children. All methods wait as long as it takes, as in
/// OTP.
///
/// ```
/// # use lunatic::server::{Init, Next, Server};
/// # struct Cache;
/// # impl Server for Cache {
/// #     type Argument = u32;
/// #     type Call = ();
/// #     type Cast = ();
/// #     type Message = ();
/// #     fn init(_: u32) -> Init<Self> { Init::ok(Cache) }
/// #     fn handle_call(&mut self, _: ()) -> Next<Self> { Next::wait() }
/// # }
/// use lunatic::supervisor::{ChildSpec, Counts, Started, Strategy, Supervisor, SupervisorRef};
///
/// let supervisor = Supervisor::new(Strategy::OneForOne).name("tree").start_link().unwrap();
/// assert_eq!(SupervisorRef::find("tree"), Some(supervisor));
/// assert_eq!(SupervisorRef::from_pid(supervisor.pid()), supervisor);
/// supervisor.start_child(ChildSpec::server::<Cache>("cache", &16)).unwrap();
/// supervisor.terminate_child("cache").unwrap();
/// assert!(matches!(supervisor.restart_child("cache"), Ok(Started::Running(_))));
/// assert_eq!(supervisor.child_spec("cache").unwrap().id(), "cache");
/// let counts = Counts { specs: 1, active: 1, supervisors: 0, workers: 1 };
/// assert_eq!(supervisor.count_children(), Ok(counts));
/// supervisor.terminate_child("cache").unwrap();
/// supervisor.delete_child("cache").unwrap();
/// assert!(supervisor.which_children().unwrap().is_empty());
///
/// let pool = Supervisor::dynamic(ChildSpec::server_template::<Cache>("cache"));
/// let pool = pool.start_link().unwrap();
/// let Started::Running(cache) = pool.start_dynamic(&16u32).unwrap() else { panic!() };
/// pool.terminate_dynamic(cache).unwrap();
/// for supervisor in [supervisor, pool] {
///     // Else this process ends with it, unless it traps exits.
///     supervisor.pid().unlink();
///     supervisor.stop().unwrap();
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupervisorRef {
    server: ServerRef<Process>,
}

impl SupervisorRef {
    /// Says that a process is a supervisor.
    pub fn from_pid(pid: Pid) -> Self {
        Self { server: ServerRef::from_pid(pid) }
    }

    /// The supervisor that has a name now.
    pub fn find(name: &str) -> Option<Self> {
        ServerRef::find(name).map(|server| Self { server })
    }

    /// Its pid.
    pub fn pid(self) -> Pid {
        self.server.pid()
    }

    /// Adds a child and starts it. A failed start leaves nothing.
    ///
    /// # Errors
    ///
    /// If a child has this id, the specification is not valid, or the child does not start.
    pub fn start_child(self, spec: ChildSpec) -> Result<Started, ManageError> {
        self.server.call_with(None, |caller| Call::StartChild(spec, caller))?
    }

    /// Starts a child of a dynamic supervisor with this argument.
    ///
    /// # Errors
    ///
    /// If the child does not start, or the supervisor is not dynamic.
    pub fn start_dynamic<A: Serialize>(self, argument: &A) -> Result<Started, ManageError> {
        let argument =
            format::to_vec(argument).map_err(|error| ManageError::Call(error.to_string()))?;
        self.server.call_with(None, |caller| Call::StartDynamic(Bytes(argument), caller))?
    }

    /// Stops a child. Its specification stays, unless it is temporary.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn terminate_child(self, id: &str) -> Result<(), ManageError> {
        self.server.call_with(None, |caller| Call::TerminateChild(id.to_owned(), caller))?
    }

    /// Stops a child of a dynamic supervisor. One that has ended is no error.
    ///
    /// # Errors
    ///
    /// If it is not one.
    pub fn terminate_dynamic(self, pid: Pid) -> Result<(), ManageError> {
        self.server.call_with(None, |caller| Call::TerminateDynamic(pid, caller))?
    }

    /// Starts a child that was stopped.
    ///
    /// # Errors
    ///
    /// If there is none, it runs or is being restarted, or it does not start.
    pub fn restart_child(self, id: &str) -> Result<Started, ManageError> {
        self.server.call_with(None, |caller| Call::RestartChild(id.to_owned(), caller))?
    }

    /// Forgets a child that was stopped.
    ///
    /// # Errors
    ///
    /// If there is none, or it runs or is being restarted.
    pub fn delete_child(self, id: &str) -> Result<(), ManageError> {
        self.server.call_with(None, |caller| Call::DeleteChild(id.to_owned(), caller))?
    }

    /// The specification of a child.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn child_spec(self, id: &str) -> Result<ChildSpec, ManageError> {
        self.server.call_with(None, |caller| Call::ChildSpec(id.to_owned(), caller))?
    }

    /// All children, the last started first.
    ///
    /// # Errors
    ///
    /// If the supervisor has ended.
    pub fn which_children(self) -> Result<Vec<ChildInfo>, CallError> {
        self.server.call_with(None, Call::WhichChildren)
    }

    /// How many children there are.
    ///
    /// # Errors
    ///
    /// If the supervisor has ended.
    pub fn count_children(self) -> Result<Counts, CallError> {
        self.server.call_with(None, Call::CountChildren)
    }

    /// Ends the supervisor with the reason shutdown, after its children, the last started first.
    ///
    /// # Errors
    ///
    /// If it had ended before, or ends with another reason.
    pub fn stop(self) -> Result<(), CallError> {
        sys::stop(self.pid(), &ExitReason::Shutdown, None)
    }

    /// The supervisor with all that is below it, to be printed.
    pub fn tree(self) -> Tree {
        Tree::gather(self)
    }
}
