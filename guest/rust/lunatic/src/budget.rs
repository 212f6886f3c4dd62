//! Budgets: how much of something a process, or a process with all its descendants, may use; and
//! the accounts of what they have used. `abi/budgets.md` has the rules.
//!
//! What must stay true: a [`Budget`] has a policy that its kind allows, so that setting one cannot
//! fail.

use core::fmt;
use std::error::Error;
use std::time::Duration;

use crate::abi;
use crate::config::Config;
use crate::pid::Pid;

const KINDS: usize = 9;

const MEMORY: usize = 0;
const CPU_TIME: usize = 1;
const CPU_SHARE: usize = 2;
const CHILDREN: usize = 3;
const LIFETIME: usize = 4;
const MESSAGES_OUT: usize = 5;
const MESSAGES_IN: usize = 6;
const NETWORK_BYTES: usize = 7;
const DESCRIPTORS: usize = 8;

const REFUSE: u32 = 0;
const WAIT: u32 = 1;
const END: u32 = 2;

/// How much there may be of something, and what happens beyond.
///
/// ```
/// use std::time::Duration;
/// use lunatic::{Budget, Config, ExitReason, Mailbox, Spawn};
///
/// let config = Config::new()
///     .unwrap()
///     .process_budget(Budget::memory(4 << 20))
///     .tree_budget(Budget::cpu_time(Duration::from_millis(50)));
/// let (_, monitor) = Spawn::new()
///     .config(&config)
///     .spawn_monitor((), |(), _: Mailbox<()>| loop { core::hint::spin_loop() })
///     .unwrap();
/// let reason = monitor.wait(None).unwrap().reason;
/// assert_eq!(reason, ExitReason::Limit("tree_cpu_time_max".into()));
/// ```
///
/// With all kinds:
///
/// ```
/// use std::time::Duration;
/// use lunatic::{Budget, Config, Mailbox, Spawn};
///
/// let config = Config::new()
///     .unwrap()
///     .can_spawn(true)
///     // A quarter of a core, for a minute.
///     .process_budget(Budget::cpu_share(250))
///     .process_budget(Budget::lifetime(Duration::from_secs(60)))
///     .process_budget(Budget::messages_out(1000))
///     .process_budget(Budget::messages_in(1000))
///     // Sockets, files and databases that are open at once.
///     .process_budget(Budget::descriptors(10))
///     // One descendant too many ends the one that spawns it, instead of refusing it.
///     .tree_budget(Budget::children(1).ending())
///     // Counted, and not limited.
///     .tree_budget(Budget::network_bytes(0).counted());
/// let (_, monitor) = Spawn::new()
///     .config(&config)
///     .spawn_monitor((), |(), _: Mailbox<()>| {
///         for _ in 0..2 {
///             lunatic::spawn((), |(), mailbox: Mailbox<()>| drop(mailbox.receive()));
///         }
///     })
///     .unwrap();
/// let reason = monitor.wait(None).unwrap().reason;
/// assert_eq!(reason.to_string(), "went over the limit tree_children_max");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub struct Budget {
    kind: usize,
    amount: u64,
    policy: u32,
}

impl Budget {
    /// Bytes of memory: its own, and what the runtime holds for it. More is refused.
    pub const fn memory(bytes: u64) -> Budget {
        Budget { kind: MEMORY, amount: bytes, policy: REFUSE }
    }

    /// Processor time, in whole milliseconds. Beyond it the process ends.
    pub fn cpu_time(time: Duration) -> Budget {
        Budget { kind: CPU_TIME, amount: crate::message::milliseconds(Some(time)), policy: END }
    }

    /// A share of processors, in thousandths of a core. Beyond it the process waits.
    pub const fn cpu_share(thousandths: u64) -> Budget {
        Budget { kind: CPU_SHARE, amount: thousandths, policy: WAIT }
    }

    /// Children that live; for a subtree, descendants. More are refused.
    pub const fn children(count: u64) -> Budget {
        Budget { kind: CHILDREN, amount: count, policy: REFUSE }
    }

    /// Time from the spawn on, in whole milliseconds. After it the process ends.
    pub fn lifetime(time: Duration) -> Budget {
        Budget { kind: LIFETIME, amount: crate::message::milliseconds(Some(time)), policy: END }
    }

    /// Messages sent in a second. Beyond it the process waits.
    pub const fn messages_out(per_second: u64) -> Budget {
        Budget { kind: MESSAGES_OUT, amount: per_second, policy: WAIT }
    }

    /// Messages received in a second. Beyond it senders wait.
    pub const fn messages_in(per_second: u64) -> Budget {
        Budget { kind: MESSAGES_IN, amount: per_second, policy: WAIT }
    }

    /// Bytes sent and received on the network, all in all. More are refused.
    pub const fn network_bytes(bytes: u64) -> Budget {
        Budget { kind: NETWORK_BYTES, amount: bytes, policy: REFUSE }
    }

    /// Sockets, files and databases that are open, wherever they were sent. More are refused.
    pub const fn descriptors(count: u64) -> Budget {
        Budget { kind: DESCRIPTORS, amount: count, policy: REFUSE }
    }

    /// Ends the process where it would be refused more. Makes no difference to others.
    pub const fn ending(self) -> Budget {
        match self.policy {
            REFUSE => Budget { policy: END, ..self },
            _ => self,
        }
    }

    /// Only counts: there is no limit.
    pub const fn counted(self) -> Budget {
        Budget { amount: u64::MAX, ..self }
    }
}

/// Whose account.
///
/// ```
/// use lunatic::budget::{AccountError, Scope};
/// use lunatic::{Budget, Config, Mailbox, Process, Spawn};
///
/// let wait = |(), mailbox: Mailbox<()>| drop(mailbox.receive());
/// let config = Config::new().unwrap().tree_budget(Budget::memory(16 << 20));
/// let child: Process<()> = Spawn::new().config(&config).spawn((), wait).unwrap();
/// assert!(child.account(Scope::Subtree).is_ok());
/// child.kill();
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Scope {
    /// A process.
    Process = 0,
    /// A process with all its descendants: one that was spawned with a budget for these.
    Subtree = 1,
}

impl Config {
    /// A budget for each process that is spawned with this configuration.
    #[must_use]
    pub fn process_budget(self, budget: Budget) -> Config {
        self.budget(Scope::Process, budget)
    }

    /// A budget for a process that is spawned with this configuration and all its descendants
    /// together.
    #[must_use]
    pub fn tree_budget(self, budget: Budget) -> Config {
        self.budget(Scope::Subtree, budget)
    }

    fn budget(self, scope: Scope, budget: Budget) -> Config {
        let (Budget { kind, amount, policy }, mut error) = (budget, 0);
        // SAFETY: the place has eight bytes.
        let result = unsafe {
            let (scope, kind) = (scope as u32, kind as u32);
            abi::process::config_set_budget(self.id(), scope, kind, amount, policy, &raw mut error)
        };
        assert_eq!(result, 0, "a budget has a policy that its kind allows");
        self
    }
}

/// What was used of something, and how much there may be.
///
/// ```
/// use lunatic::budget::{Scope, Used};
/// use lunatic::{Budget, Config, Mailbox, Process, Spawn};
///
/// let wait = |(), mailbox: Mailbox<()>| drop(mailbox.receive());
/// let config = Config::new().unwrap().process_budget(Budget::children(3));
/// let child: Process<()> = Spawn::new().config(&config).spawn((), wait).unwrap();
/// let account = child.account(Scope::Process).unwrap();
/// assert_eq!(account.children(), Used { used: 0, max: Some(3) });
/// child.kill();
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Used {
    /// So much was used.
    pub used: u64,
    /// So much there may be.
    pub max: Option<u64>,
}

/// What a process or a subtree has used.
///
/// ```
/// use lunatic::budget::Scope;
/// use lunatic::{Budget, Config, Mailbox, Process, Spawn};
///
/// let wait = |(), mailbox: Mailbox<()>| drop(mailbox.receive());
/// let config = Config::new().unwrap().process_budget(Budget::memory(8 << 20));
/// let child: Process<()> = Spawn::new().config(&config).spawn((), wait).unwrap();
/// let account = child.account(Scope::Process).unwrap();
/// assert!(account.memory().used > 0 && account.memory().max == Some(8 << 20));
/// for other in [
///     account.cpu_time(),
///     account.cpu_share(),
///     account.lifetime(),
///     account.messages_out(),
///     account.messages_in(),
///     account.network_bytes(),
///     account.descriptors(),
/// ] {
///     println!("{} of {:?}", other.used, other.max);
/// }
/// child.kill();
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Account {
    entries: [Used; KINDS],
}

impl Account {
    /// Bytes of memory, at present.
    pub fn memory(&self) -> Used {
        self.entries[MEMORY]
    }

    /// Milliseconds of processor time.
    pub fn cpu_time(&self) -> Used {
        self.entries[CPU_TIME]
    }

    /// How often a process had to wait for its share of processors; and that share.
    pub fn cpu_share(&self) -> Used {
        self.entries[CPU_SHARE]
    }

    /// Children, or descendants, that live.
    pub fn children(&self) -> Used {
        self.entries[CHILDREN]
    }

    /// Milliseconds since the spawn.
    pub fn lifetime(&self) -> Used {
        self.entries[LIFETIME]
    }

    /// Messages that were sent; and how many there may be in a second.
    pub fn messages_out(&self) -> Used {
        self.entries[MESSAGES_OUT]
    }

    /// Messages that were received; and how many there may be in a second.
    pub fn messages_in(&self) -> Used {
        self.entries[MESSAGES_IN]
    }

    /// Bytes sent and received on the network.
    pub fn network_bytes(&self) -> Used {
        self.entries[NETWORK_BYTES]
    }

    /// Sockets, files and databases that are open.
    pub fn descriptors(&self) -> Used {
        self.entries[DESCRIPTORS]
    }
}

/// An account cannot be read.
///
/// ```
/// use lunatic::budget::{AccountError, Scope};
/// use lunatic::Pid;
///
/// let nobody = Pid::new(0, 999_999_999);
/// assert_eq!(nobody.account(Scope::Process), Err(AccountError::NoProcess));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum AccountError {
    /// There is no such process.
    NoProcess,
    /// The process is neither this one nor a descendant of it.
    NoDescendant,
    /// It has no account of this scope: there is no budget above it.
    NoAccount,
}

impl fmt::Display for AccountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AccountError::NoProcess => "there is no such process",
            AccountError::NoDescendant => "the process is no descendant of this one",
            AccountError::NoAccount => "the process has no account: no budget is above it",
        })
    }
}

impl Error for AccountError {}

impl Pid {
    /// What the process, or the subtree of which it is the first, has used. A process reads its own
    /// account and those of its descendants.
    ///
    /// # Errors
    ///
    /// If there is no such account for this process to read.
    ///
    /// ```
    /// use lunatic::budget::{AccountError, Scope};
    /// use lunatic::{Budget, Config, Mailbox, Pid, Process, Spawn};
    ///
    /// let wait = |(), mailbox: Mailbox<()>| drop(mailbox.receive());
    /// let config = Config::new().unwrap().tree_budget(Budget::children(5));
    /// let child: Process<()> = Spawn::new().config(&config).spawn((), wait).unwrap();
    /// let account = child.account(Scope::Subtree).unwrap();
    /// assert_eq!((account.children().used, account.children().max), (0, Some(5)));
    /// assert_eq!(Pid::this().account(Scope::Subtree), Err(AccountError::NoAccount));
    /// ```
    pub fn account(self, scope: Scope) -> Result<Account, AccountError> {
        let mut place = [[0u64; 2]; KINDS];
        // SAFETY: the place has the length that is given.
        let result = unsafe {
            abi::process::account(
                self.node(),
                self.id(),
                scope as u32,
                place.as_mut_ptr().cast(),
                size_of_val(&place),
            )
        };
        match result {
            0 => {}
            1 => return Err(AccountError::NoProcess),
            2 => return Err(AccountError::NoDescendant),
            _ => return Err(AccountError::NoAccount),
        }
        let entries = place.map(|[used, max]| Used { used, max: (max != u64::MAX).then_some(max) });
        Ok(Account { entries })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_budget_has_a_policy_that_its_kind_allows() {
        let time = Duration::from_secs(1);
        let all = [
            (Budget::memory(1), &[REFUSE, END][..]),
            (Budget::cpu_time(time), &[END]),
            (Budget::cpu_share(1), &[WAIT]),
            (Budget::children(1), &[REFUSE, END]),
            (Budget::lifetime(time), &[END]),
            (Budget::messages_out(1), &[WAIT]),
            (Budget::messages_in(1), &[WAIT]),
            (Budget::network_bytes(1), &[REFUSE, END]),
            (Budget::descriptors(1), &[REFUSE, END]),
        ];
        for (kind, (budget, allowed)) in all.into_iter().enumerate() {
            assert_eq!(budget.kind, kind);
            assert!(allowed.contains(&budget.policy) && allowed.contains(&budget.ending().policy));
            assert_eq!(budget.counted().amount, u64::MAX);
        }
        assert_eq!(Budget::cpu_time(time).amount, 1000);
    }
}
