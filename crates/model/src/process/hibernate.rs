//! Waiting for a message without taking one.

use super::Process;
use crate::Filter;

impl Process {
    /// Whether there is a message. If not, the process waits for whatever comes next, as in
    /// [`Process::receive`]; it takes nothing. Once its end has begun there is nothing for it.
    pub fn has_message(&mut self) -> bool {
        if self.exiting.is_some() {
            return false;
        }
        let is_there = !self.mailbox.is_empty();
        self.waiting = (!is_there).then_some(Filter::Any);
        is_there
    }
}
