//! Which process is redirected to which, so that no circle comes about.
//!
//! Were a process redirected to one that is redirected, by whatever way, to it, each could wait for
//! the other for ever. It does not matter what is redirected: a server that writes to its client
//! while the client waits for it is such a circle. **Invariant:** there is none.

use std::collections::{HashMap, HashSet};

use crate::Pid;

/// From each process to those that it is redirected to.
#[derive(Debug, Default)]
pub struct Routes {
    targets: HashMap<Pid, Vec<Pid>>,
}

impl Routes {
    /// Enters redirections of a process to others. False, and nothing is changed, if one of them
    /// would close a circle.
    pub fn add_all(&mut self, from: Pid, targets: &[Pid]) -> bool {
        if targets.iter().any(|to| self.leads(*to, from)) {
            return false;
        }
        for to in targets {
            let known = self.targets.entry(from).or_default();
            if !known.contains(to) {
                known.push(*to);
            }
        }
        true
    }

    /// Says all that a process is redirected to. They are some of those that it was redirected to
    /// before, or nobody is redirected to it: so no circle is closed.
    pub fn set(&mut self, from: Pid, targets: Vec<Pid>) {
        if targets.is_empty() {
            self.targets.remove(&from);
        } else {
            self.targets.insert(from, targets);
        }
    }

    /// Processes that are redirected to others.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether nobody is.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Whether a way leads from one to the other; from each to itself, one does.
    fn leads(&self, from: Pid, to: Pid) -> bool {
        let (mut next, mut seen) = (vec![from], HashSet::new());
        while let Some(pid) = next.pop() {
            if pid == to {
                return true;
            }
            if seen.insert(pid) {
                next.extend(self.targets.get(&pid).into_iter().flatten());
            }
        }
        false
    }
}
