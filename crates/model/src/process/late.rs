//! Links and monitors that come when the end of a process has begun.
//!
//! Each is answered with `noproc`, as if it had come after the end: who asked the process to exit
//! must not hear that it lived on. The answer waits until all that the process owns is released.
//! What must stay true: answers go in the order of the questions, and repeating or taking back a
//! question does not make the list longer.

use std::collections::{BTreeMap, VecDeque};

use crate::{Pid, Ref, Signal, Tag};

#[derive(Debug, Default)]
pub(super) struct Late {
    asked: u64,
    questions: BTreeMap<u64, Signal>,
    links: BTreeMap<Pid, u64>,
    monitors: BTreeMap<Ref, u64>,
}

impl Late {
    pub(super) fn link(&mut self, from: Pid) {
        if !self.links.contains_key(&from) {
            let asked = self.ask(Signal::Link { from, tag: Tag::NONE });
            self.links.insert(from, asked);
        }
    }

    pub(super) fn monitor(&mut self, from: Pid, reference: Ref) {
        let asked = self.ask(Signal::Monitor { from, reference });
        self.monitors.insert(reference, asked);
    }

    pub(super) fn demonitor(&mut self, reference: Ref) {
        if let Some(asked) = self.monitors.remove(&reference) {
            self.questions.remove(&asked);
        }
    }

    fn ask(&mut self, question: Signal) -> u64 {
        self.asked += 1;
        self.questions.insert(self.asked, question);
        self.asked
    }

    /// What is to be answered, in this order.
    pub(super) fn into_questions(self) -> VecDeque<Signal> {
        self.questions.into_values().collect()
    }
}
