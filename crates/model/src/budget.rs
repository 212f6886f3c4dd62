//! Budgets: what a process, or it with all that it spawns, may use.
//!
//! The budget of a process is narrowed from parent to child, kind by kind. The budget of a subtree
//! binds all that live in it together: what is used there counts in each account above, so that a
//! descendant's own can never widen it.

use std::sync::Arc;

/// Whom a budget binds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// One process.
    Process,
    /// A process and all its descendants together.
    Subtree,
}

/// What is budgeted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Budgeted {
    /// Bytes of memory at present: linear memories, tables, and what the host holds.
    Memory = 0,
    /// Milliseconds of processor time, all in all.
    CpuTime = 1,
    /// Thousandths of a core.
    CpuRate = 2,
    /// Live children; for a subtree, live descendants.
    Children = 3,
    /// Milliseconds from the spawn on.
    Lifetime = 4,
    /// Messages sent in a second.
    MessagesOut = 5,
    /// Messages received in a second.
    MessagesIn = 6,
    /// Bytes sent and received on the network, all in all.
    Network = 7,
    /// Sockets, files and databases that are open.
    Descriptors = 8,
}

/// What happens at the limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Policy {
    /// What would go beyond it fails.
    Error = 0,
    /// The process waits until it has something again.
    Wait = 1,
    /// The process ends, with the limit's name as its reason.
    End = 2,
}

/// The number of kinds.
const KINDS: usize = 9;

impl Budgeted {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Budgeted; KINDS] = [
        Budgeted::Memory,
        Budgeted::CpuTime,
        Budgeted::CpuRate,
        Budgeted::Children,
        Budgeted::Lifetime,
        Budgeted::MessagesOut,
        Budgeted::MessagesIn,
        Budgeted::Network,
        Budgeted::Descriptors,
    ];

    /// The kind with this number, if there is one.
    pub fn from_number(number: u64) -> Option<Budgeted> {
        Budgeted::ALL.into_iter().find(|kind| *kind as u64 == number)
    }

    /// The name of the limit, which is also the reason of those who end at it.
    pub fn limit(self, scope: Scope) -> &'static str {
        match (scope, self) {
            (Scope::Process, Budgeted::Memory) => "total_memory_max",
            (Scope::Process, Budgeted::CpuTime) => "cpu_time_max",
            (Scope::Process, Budgeted::CpuRate) => "cpu_rate_max",
            (Scope::Process, Budgeted::Children) => "children_max",
            (Scope::Process, Budgeted::Lifetime) => "lifetime_max",
            (Scope::Process, Budgeted::MessagesOut) => "messages_out_max",
            (Scope::Process, Budgeted::MessagesIn) => "messages_in_max",
            (Scope::Process, Budgeted::Network) => "network_bytes_max",
            (Scope::Process, Budgeted::Descriptors) => "descriptors_max",
            (Scope::Subtree, Budgeted::Memory) => "tree_total_memory_max",
            (Scope::Subtree, Budgeted::CpuTime) => "tree_cpu_time_max",
            (Scope::Subtree, Budgeted::CpuRate) => "tree_cpu_rate_max",
            (Scope::Subtree, Budgeted::Children) => "tree_children_max",
            (Scope::Subtree, Budgeted::Lifetime) => "tree_lifetime_max",
            (Scope::Subtree, Budgeted::MessagesOut) => "tree_messages_out_max",
            (Scope::Subtree, Budgeted::MessagesIn) => "tree_messages_in_max",
            (Scope::Subtree, Budgeted::Network) => "tree_network_bytes_max",
            (Scope::Subtree, Budgeted::Descriptors) => "tree_descriptors_max",
        }
    }

    /// The scope and the kind of a limit's name.
    pub fn from_limit(name: &str) -> Option<(Scope, Budgeted)> {
        let scopes = [Scope::Process, Scope::Subtree];
        let all = scopes.into_iter().flat_map(|s| Budgeted::ALL.map(|kind| (s, kind)));
        all.into_iter().find(|(scope, kind)| kind.limit(*scope) == name)
    }

    /// What happens at the limit unless something else is asked for.
    pub fn usual_policy(self) -> Policy {
        match self {
            Budgeted::Memory | Budgeted::Children | Budgeted::Network | Budgeted::Descriptors => {
                Policy::Error
            }
            Budgeted::CpuRate | Budgeted::MessagesOut | Budgeted::MessagesIn => Policy::Wait,
            Budgeted::CpuTime | Budgeted::Lifetime => Policy::End,
        }
    }

    /// Whether this can happen at the limit: processor time that is used up cannot be an error.
    pub fn allows(self, policy: Policy) -> bool {
        policy == self.usual_policy()
            || policy == Policy::End && self.usual_policy() == Policy::Error
    }
}

impl Policy {
    /// The policy with this number, if there is one.
    pub fn from_number(number: u64) -> Option<Policy> {
        [Policy::Error, Policy::Wait, Policy::End].into_iter().find(|p| *p as u64 == number)
    }
}

/// How much of each kind there may be, and what happens there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget([(u64, Policy); KINDS]);

impl Default for Budget {
    fn default() -> Budget {
        Budget(Budgeted::ALL.map(|kind| (Budget::UNBOUNDED, kind.usual_policy())))
    }
}

impl Budget {
    /// The amount that means "no limit": what is used is counted all the same.
    pub const UNBOUNDED: u64 = u64::MAX;

    /// Sets the amount of a kind; false, changing nothing, if the kind cannot have that policy.
    pub fn set(&mut self, kind: Budgeted, amount: u64, policy: Policy) -> bool {
        if !kind.allows(policy) {
            return false;
        }
        self.0[kind as usize] = (amount, policy);
        true
    }

    /// How much of a kind there may be.
    pub fn amount(&self, kind: Budgeted) -> u64 {
        self.0[kind as usize].0
    }

    /// What happens at the limit of a kind.
    pub fn policy(&self, kind: Budgeted) -> Policy {
        self.0[kind as usize].1
    }

    /// What a holder of `self` gives to somebody who asks for `wish`: of each kind the smaller
    /// amount, with what its giver wants to happen there. Of two that are the same, the holder's:
    /// nobody talks himself out of an end.
    #[must_use]
    pub fn narrowed(&self, wish: &Budget) -> Budget {
        let narrower = |kind: usize| {
            if wish.0[kind].0 < self.0[kind].0 { wish.0[kind] } else { self.0[kind] }
        };
        Budget(std::array::from_fn(narrower))
    }
}

/// What a process is given: a budget of its own, and one for it with its descendants. `None` is
/// no account at all, which costs nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Budgets {
    /// For each process that has this configuration.
    pub process: Option<Arc<Budget>>,
    /// For the subtree of the process that is spawned with this configuration.
    pub subtree: Option<Arc<Budget>>,
}

impl Budgets {
    /// The budget of a scope, which is made if there is none.
    pub fn of(&mut self, scope: Scope) -> &mut Budget {
        match scope {
            Scope::Process => Arc::make_mut(self.process.get_or_insert_default()),
            Scope::Subtree => Arc::make_mut(self.subtree.get_or_insert_default()),
        }
    }

    /// What a holder of `self` gives to a child for `wish`. The subtree's is the child's wish: it
    /// counts beside those above, not instead of them.
    #[must_use]
    pub fn narrowed(&self, wish: &Budgets) -> Budgets {
        let process = match (&self.process, &wish.process) {
            (Some(own), Some(wish)) => Some(Arc::new(own.narrowed(wish))),
            (Some(one), None) | (None, Some(one)) => Some(one.clone()),
            (None, None) => None,
        };
        Budgets { process, subtree: wish.subtree.clone() }
    }
}
