//! What a supervisor is told: its flags and the specifications of its children, as data.
//!
//! Owns what makes a specification valid. What must stay true: a supervisor that runs has only
//! valid ones, with each id once; the defaults are those of OTP.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Start;

/// Which children are restarted when one ends.
///
/// ```
/// use lunatic::supervisor::{Strategy, Supervisor};
///
/// assert_eq!(Strategy::default(), Strategy::OneForOne);
/// // What was started later depends on what was started before.
/// let _pipeline = Supervisor::new(Strategy::RestForOne);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Strategy {
    /// The one that ended.
    #[default]
    OneForOne,
    /// All: the others are stopped first, the last started first.
    OneForAll,
    /// The one that ended and those that were started after it, which are stopped first.
    RestForOne,
}

/// When a child that ended is restarted.
///
/// ```
/// use lunatic::supervisor::{ChildSpec, Restart, Strategy, Supervisor};
///
/// let below = Supervisor::new(Strategy::OneForOne);
/// let spec = ChildSpec::supervisor("below", &below);
/// assert_eq!(spec.restart_type(), Restart::Permanent);
/// assert_eq!(spec.restart(Restart::Transient).restart_type(), Restart::Transient);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Restart {
    /// Always.
    #[default]
    Permanent,
    /// Unless it ended as it should: with normal, shutdown, or a shutdown that says more.
    Transient,
    /// Never; its specification is forgotten when it ends.
    Temporary,
}

/// How a child is stopped.
///
/// ```
/// use std::time::Duration;
/// use lunatic::supervisor::{ChildSpec, Shutdown, Strategy, Supervisor};
///
/// let below = Supervisor::new(Strategy::OneForOne);
/// let hasty = Shutdown::Timeout(Duration::from_millis(100));
/// let spec = ChildSpec::supervisor("below", &below).shutdown(hasty);
/// assert_eq!(spec.shutdown_type(), hasty);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shutdown {
    /// By a kill.
    BrutalKill,
    /// By an exit signal with the reason shutdown; by a kill if it is still there after this time.
    Timeout(Duration),
    /// By an exit signal with the reason shutdown, however long that takes.
    Infinity,
}

/// What a child is.
///
/// ```
/// use lunatic::supervisor::{ChildKind, ChildSpec, Strategy, Supervisor};
///
/// let below = Supervisor::new(Strategy::OneForAll);
/// assert_eq!(ChildSpec::supervisor("below", &below).child_kind(), ChildKind::Supervisor);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChildKind {
    /// A process that works.
    #[default]
    Worker,
    /// A process that supervises others.
    Supervisor,
}

/// Whether a supervisor ends by itself when significant children do.
///
/// ```
/// use lunatic::supervisor::{AutoShutdown, Strategy, Supervisor};
///
/// assert_eq!(AutoShutdown::default(), AutoShutdown::Never);
/// let _batch = Supervisor::new(Strategy::OneForOne).auto_shutdown(AutoShutdown::AllSignificant);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AutoShutdown {
    /// No. Children cannot be significant.
    #[default]
    Never,
    /// When one of them has ended by itself.
    AnySignificant,
    /// When all of them have ended by themselves.
    AllSignificant,
}

/// How a supervisor treats its children.
///
/// ```
/// use std::time::Duration;
/// use lunatic::supervisor::{Flags, Strategy};
///
/// let Flags { strategy, intensity, period, .. } = Flags::default();
/// assert_eq!((strategy, intensity), (Strategy::OneForOne, 1));
/// assert_eq!(period, Duration::from_secs(5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flags {
    /// Which children are restarted when one ends.
    pub strategy: Strategy,
    /// How many restarts may be made within [`period`](Self::period).
    pub intensity: u32,
    /// The time within which restarts count; more than zero.
    pub period: Duration,
    /// Whether the supervisor ends with its significant children.
    pub auto_shutdown: AutoShutdown,
}

/// One restart within five seconds, one_for_one, no automatic shutdown.
impl Default for Flags {
    fn default() -> Self {
        Self {
            strategy: Strategy::OneForOne,
            intensity: 1,
            period: Duration::from_secs(5),
            auto_shutdown: AutoShutdown::Never,
        }
    }
}

/// How a child is started, restarted and stopped. It is data: it can be kept, compared and sent to
/// other processes of the same module.
///
/// ```
/// use std::time::Duration;
/// use lunatic::Pid;
/// use lunatic::supervisor::{ChildSpec, Restart, Shutdown, StartError};
///
/// fn start(size: u32) -> Result<Pid, StartError> {
///     Err(StartError::Ignored)
/// }
///
/// let spec = ChildSpec::new("cache", start, &16)
///     .restart(Restart::Transient)
///     .shutdown(Shutdown::Timeout(Duration::from_secs(1)));
/// assert_eq!(spec.id(), "cache");
/// ```
///
/// What is in one, and its other kinds:
///
/// ```
/// use std::time::Duration;
/// use lunatic::supervisor::{
///     ChildKind, ChildSpec, Restart, Shutdown, StartResult, Strategy, Supervisor,
/// };
/// use lunatic::{Mailbox, spawn_link};
///
/// fn start(name: String) -> StartResult {
///     Ok(spawn_link(name, |_, mailbox: Mailbox<()>| drop(mailbox.receive())).pid())
/// }
///
/// let spec = ChildSpec::new("one", start, &"one".to_owned())
///     .restart(Restart::Temporary)
///     .significant();
/// assert_eq!((spec.restart_type(), spec.is_significant()), (Restart::Temporary, true));
/// assert_eq!(spec.shutdown_type(), Shutdown::Timeout(Duration::from_secs(5)));
/// assert_eq!(spec.child_kind(), ChildKind::Worker);
/// let spec = ChildSpec::supervisor("tree", &Supervisor::new(Strategy::OneForOne));
/// assert_eq!(spec.shutdown_type(), Shutdown::Infinity);
///
/// let pool = ChildSpec::template("many", start).kind(ChildKind::Worker);
/// let pool = Supervisor::dynamic(pool).start_link().unwrap();
/// pool.start_dynamic(&"two".to_owned()).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildSpec {
    pub(crate) id: String,
    pub(crate) start: Start,
    pub(crate) restart: Restart,
    /// None is the default of the kind.
    pub(crate) shutdown: Option<Shutdown>,
    pub(crate) significant: bool,
    pub(crate) kind: ChildKind,
}

impl ChildSpec {
    /// A permanent worker that is given five seconds to stop.
    pub(crate) fn from_start(id: impl Into<String>, start: Start) -> Self {
        Self {
            id: id.into(),
            start,
            restart: Restart::default(),
            shutdown: None,
            significant: false,
            kind: ChildKind::default(),
        }
    }

    /// When the child is restarted; [`Restart::Permanent`] unless this is called.
    pub fn restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }

    /// How the child is stopped; five seconds for a worker and [`Shutdown::Infinity`] for a
    /// supervisor unless this is called.
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.shutdown = Some(shutdown);
        self
    }

    /// Makes the child significant: see [`AutoShutdown`]. A permanent child cannot be.
    pub fn significant(mut self) -> Self {
        self.significant = true;
        self
    }

    /// What the child is; [`ChildKind::Worker`] unless this is called.
    pub fn kind(mut self, kind: ChildKind) -> Self {
        self.kind = kind;
        self
    }

    /// The name of the child within its supervisor.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When it is restarted.
    pub fn restart_type(&self) -> Restart {
        self.restart
    }

    /// How it is stopped.
    pub fn shutdown_type(&self) -> Shutdown {
        self.shutdown.unwrap_or(match self.kind {
            ChildKind::Worker => Shutdown::Timeout(Duration::from_secs(5)),
            ChildKind::Supervisor => Shutdown::Infinity,
        })
    }

    /// Whether it is significant.
    pub fn is_significant(&self) -> bool {
        self.significant
    }

    /// What it is.
    pub fn child_kind(&self) -> ChildKind {
        self.kind
    }
}

/// Why a supervisor cannot work with what it was told. Nothing was started then.
///
/// ```
/// use lunatic::supervisor::{ChildSpec, ManageError, SpecError, Strategy, Supervisor};
///
/// let supervisor = Supervisor::new(Strategy::OneForOne).start_link().unwrap();
/// let below = Supervisor::new(Strategy::OneForAll);
/// let significant = ChildSpec::supervisor("below", &below).significant();
/// let error = SpecError::SignificantWithoutAutoShutdown("below".into());
/// assert_eq!(supervisor.start_child(significant), Err(ManageError::Spec(error)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpecError {
    /// Two children have this id.
    DuplicateId(String),
    /// This child is significant and permanent, which would never end the supervisor.
    SignificantPermanent(String),
    /// This child is significant, but the supervisor never shuts down by itself.
    SignificantWithoutAutoShutdown(String),
    /// The period of the restart intensity is zero.
    ZeroPeriod,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateId(id) => write!(f, "two children have the id \"{id}\""),
            Self::SignificantPermanent(id) => write!(
                f,
                "the child \"{id}\" is significant and permanent; make it transient or temporary"
            ),
            Self::SignificantWithoutAutoShutdown(id) => write!(
                f,
                "the child \"{id}\" is significant, but its supervisor never shuts down by itself; \
                 choose another auto_shutdown"
            ),
            Self::ZeroPeriod => {
                write!(f, "the period of the restart intensity is zero; it must be longer")
            }
        }
    }
}

impl std::error::Error for SpecError {}

/// Whether flags make sense.
pub(crate) fn check_flags(flags: &Flags) -> Result<(), SpecError> {
    if flags.period.is_zero() { Err(SpecError::ZeroPeriod) } else { Ok(()) }
}

/// Whether a child can have this specification below a supervisor with these flags.
pub(crate) fn check_child(spec: &ChildSpec, flags: &Flags) -> Result<(), SpecError> {
    if !spec.significant {
        return Ok(());
    }
    if flags.auto_shutdown == AutoShutdown::Never {
        return Err(SpecError::SignificantWithoutAutoShutdown(spec.id.clone()));
    }
    if spec.restart == Restart::Permanent {
        return Err(SpecError::SignificantPermanent(spec.id.clone()));
    }
    Ok(())
}
