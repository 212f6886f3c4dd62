//! Registries and groups: who goes by a key, and who belongs to a group. Elixir's `Registry` and
//! OTP's `pg`, on one node.
//!
//! A registry is a process. What must stay true: with unique keys at most one process has a key;
//! with duplicate ones each registration counts, so that a process that has joined a group twice
//! leaves it twice; a process that ends leaves all its keys, which a monitor tells the registry.
//!
//! ```
//! use lunatic::Pid;
//! use lunatic::registry::{Keys, Registry};
//!
//! let rooms = Registry::start_link(Keys::Duplicate).unwrap();
//! rooms.join("lobby", Pid::this()).unwrap();
//! assert_eq!(rooms.members("lobby").unwrap(), [Pid::this()]);
//! ```

use core::fmt;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::server::{Caller, Info, Init, Next, Options, Server, ServerRef, StartError};
use crate::{CallError, Monitor, Pid};

/// How many processes can have one key.
///
/// ```
/// use lunatic::registry::{Keys, Registry};
/// use lunatic::Pid;
///
/// let names = Registry::start_link(Keys::Unique).unwrap();
/// let groups = Registry::start_link(Keys::Duplicate).unwrap();
/// for _ in 0..2 {
///     names.join("me", Pid::this()).ok();
///     groups.join("us", Pid::this()).unwrap();
/// }
/// assert_eq!(names.members("me").unwrap().len(), 1);
/// assert_eq!(groups.members("us").unwrap().len(), 2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Keys {
    /// One.
    Unique,
    /// Any number, and each as often as it joins: groups.
    Duplicate,
}

/// A process did not join.
///
/// ```
/// use lunatic::registry::{JoinError, Keys, Registry};
/// use lunatic::Pid;
///
/// let names = Registry::start_link(Keys::Unique).unwrap();
/// let (me, other) = (Pid::this(), Pid::new(0, 999_999_999));
/// names.join("chief", me).unwrap();
/// assert_eq!(names.join("chief", other), Err(JoinError::Taken(me)));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum JoinError {
    /// Keys are unique, and this process has the key.
    Taken(Pid),
    /// The registry did not answer.
    Call(CallError),
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken(pid) => write!(f, "the key belongs to {pid}"),
            Self::Call(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for JoinError {}

/// A registry, for those that use it.
///
/// ```
/// use lunatic::registry::{Keys, Registry};
/// use lunatic::Pid;
///
/// let rooms = Registry::start_link_named(Keys::Duplicate, "rooms").unwrap();
/// assert_eq!(Registry::find("rooms").map(Registry::pid), Some(rooms.pid()));
/// rooms.join("kitchen", Pid::this()).unwrap();
/// rooms.join("attic", Pid::this()).unwrap();
/// assert_eq!(rooms.keys().unwrap(), ["attic", "kitchen"]);
/// assert_eq!(rooms.members("attic").unwrap(), [Pid::this()]);
/// assert!(rooms.leave("attic", Pid::this()).unwrap());
/// assert!(!rooms.leave("attic", Pid::this()).unwrap());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry {
    server: ServerRef<Process>,
}

impl Registry {
    /// Starts a registry that is linked to this process.
    ///
    /// # Errors
    ///
    /// If it did not start.
    pub fn start_link(keys: Keys) -> Result<Self, StartError> {
        Process::start_link(keys).map(|server| Self { server })
    }

    /// The same with a name for the registry itself.
    ///
    /// # Errors
    ///
    /// If it did not start, or another process has the name.
    pub fn start_link_named(keys: Keys, name: &str) -> Result<Self, StartError> {
        Options::new().name(name).start_link::<Process>(keys).map(|server| Self { server })
    }

    /// The registry that has a name now.
    pub fn find(name: &str) -> Option<Self> {
        ServerRef::find(name).map(|server| Self { server })
    }

    /// Its pid.
    pub fn pid(self) -> Pid {
        self.server.pid()
    }

    /// Gives a process a key, or puts it into a group.
    ///
    /// # Errors
    ///
    /// If the key is taken, or the registry has ended. A process that has ended joins and leaves at
    /// once.
    pub fn join(self, key: &str, pid: Pid) -> Result<(), JoinError> {
        let joined = self.server.call(|caller| Call::Join(key.to_owned(), pid, caller));
        match joined.map_err(JoinError::Call)? {
            None => Ok(()),
            Some(owner) => Err(JoinError::Taken(owner)),
        }
    }

    /// Takes back one `join`. `false` if there is none.
    ///
    /// # Errors
    ///
    /// If the registry has ended.
    pub fn leave(self, key: &str, pid: Pid) -> Result<bool, CallError> {
        self.server.call(|caller| Call::Leave(key.to_owned(), pid, caller))
    }

    /// Who has the key, in the order of joining; whoever joined twice is there twice.
    ///
    /// # Errors
    ///
    /// If the registry has ended.
    pub fn members(self, key: &str) -> Result<Vec<Pid>, CallError> {
        self.server.call(|caller| Call::Members(key.to_owned(), caller))
    }

    /// All keys that somebody has, in their order.
    ///
    /// # Errors
    ///
    /// If the registry has ended.
    pub fn keys(self) -> Result<Vec<String>, CallError> {
        self.server.call(Call::Keys)
    }
}

/// Who has which key.
struct Table {
    keys: Keys,
    members: BTreeMap<String, Vec<Pid>>,
}

impl Table {
    /// Gives who has the key, if that is in the way.
    fn join(&mut self, key: String, pid: Pid) -> Option<Pid> {
        let members = self.members.entry(key).or_default();
        match (self.keys, members.first()) {
            (Keys::Unique, Some(owner)) => Some(*owner),
            (Keys::Unique, None) | (Keys::Duplicate, _) => {
                members.push(pid);
                None
            }
        }
    }

    fn leave(&mut self, key: &str, pid: Pid) -> bool {
        let Some(members) = self.members.get_mut(key) else { return false };
        let Some(at) = members.iter().position(|member| *member == pid) else { return false };
        members.remove(at);
        if members.is_empty() {
            self.members.remove(key);
        }
        true
    }

    fn leave_all(&mut self, pid: Pid) {
        self.members.retain(|_, members| {
            members.retain(|member| *member != pid);
            !members.is_empty()
        });
    }

    fn has(&self, pid: Pid) -> bool {
        self.members.values().any(|members| members.contains(&pid))
    }
}

/// The process of a registry.
pub(crate) struct Process {
    table: Table,
    /// One for each process that has a key.
    monitors: BTreeMap<Pid, Monitor>,
}

/// What a registry is asked for.
#[doc(hidden)]
#[derive(Serialize, Deserialize)]
pub(crate) enum Call {
    Join(String, Pid, Caller<Option<Pid>>),
    Leave(String, Pid, Caller<bool>),
    Members(String, Caller<Vec<Pid>>),
    Keys(Caller<Vec<String>>),
}

impl Server for Process {
    type Argument = Keys;
    type Call = Call;
    type Cast = ();
    type Message = ();

    fn init(keys: Keys) -> Init<Self> {
        let table = Table { keys, members: BTreeMap::new() };
        Init::ok(Self { table, monitors: BTreeMap::new() })
    }

    fn handle_call(&mut self, call: Call) -> Next<Self> {
        match call {
            Call::Join(key, pid, caller) => {
                let owner = self.table.join(key, pid);
                if owner.is_none() {
                    self.monitors.entry(pid).or_insert_with(|| pid.monitor());
                }
                caller.reply(&owner);
            }
            Call::Leave(key, pid, caller) => {
                let left = self.table.leave(&key, pid);
                if left && !self.table.has(pid) {
                    self.monitors.remove(&pid).map(Monitor::demonitor);
                }
                caller.reply(&left);
            }
            Call::Members(key, caller) => {
                caller.reply(&self.table.members.get(&key).cloned().unwrap_or_default());
            }
            Call::Keys(caller) => caller.reply(&self.table.members.keys().cloned().collect()),
        }
        Next::wait()
    }

    fn handle_info(&mut self, info: Info<()>) -> Next<Self> {
        if let Info::Down(down) = info {
            self.monitors.remove(&down.from);
            self.table.leave_all(down.from);
        }
        Next::wait()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_are_counted_unless_keys_are_unique() {
        let (a, b) = (Pid::new(0, 1), Pid::new(0, 2));
        let table = |keys| Table { keys, members: BTreeMap::new() };
        let mut groups = table(Keys::Duplicate);
        assert_eq!([a, b, a].map(|pid| groups.join("k".into(), pid)), [None; 3]);
        assert!(groups.leave("k", a));
        assert_eq!(groups.members["k"], [b, a]);
        groups.leave_all(a);
        assert!(!groups.has(a) && groups.has(b));
        assert!(groups.leave("k", b) && !groups.leave("k", b));
        assert!(groups.members.is_empty(), "a key that nobody has is forgotten");
        let mut unique = table(Keys::Unique);
        assert_eq!([a, b, a].map(|pid| unique.join("k".into(), pid)), [None, Some(a), Some(a)]);
    }
}
