//! Receiving: the one place where a process waits for its mailbox.
//!
//! Only the owner removes messages, so the position up to which it has searched stays valid while
//! others append: a wait goes on where it stopped, and a receive that is dropped has taken nothing.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use lunatic_model::{Envelope, Filter, Position, Scan};

use crate::process::Process;
use crate::timers::Sleep;

/// Ends with the first message that its filter takes, or with nothing at its deadline.
pub struct Receive<'a> {
    process: &'a Arc<Process>,
    filter: Filter,
    searched: Position,
    deadline: Option<Sleep>,
}

impl Process {
    /// Receives the oldest message that `filter` takes. What is in the mailbox is looked at before
    /// the deadline, so a `timeout` of zero polls. Without a timeout it waits for ever.
    pub fn receive(self: &Arc<Self>, filter: Filter, timeout: Option<Duration>) -> Receive<'_> {
        let deadline = timeout.map(|timeout| self.sleep(timeout));
        Receive { process: self, filter, searched: Position::START, deadline }
    }

    /// The same, of what arrives from now on: what is in the mailbox is not looked at.
    pub fn receive_new(self: &Arc<Self>, filter: Filter, timeout: Option<Duration>) -> Receive<'_> {
        let searched = self.with_state(|state| state.mailbox_end());
        Receive { searched, ..self.receive(filter, timeout) }
    }

    /// The same, from a position on, without a deadline.
    pub(crate) fn receive_from(
        self: &Arc<Self>,
        filter: Filter,
        searched: Position,
    ) -> Receive<'_> {
        Receive { searched, ..self.receive(filter, None) }
    }

    /// The same, of what has arrived since the mark; of everything, if it was never set.
    pub fn receive_marked(
        self: &Arc<Self>,
        filter: Filter,
        timeout: Option<Duration>,
    ) -> Receive<'_> {
        let searched = self.with_state(|state| state.mark());
        Receive { searched, ..self.receive(filter, timeout) }
    }

    /// Sets the mark: what is in the mailbox now was there before. A process has one mark.
    pub fn set_mark(&self) {
        self.with_state(|state| state.set_mark());
    }
}

impl Future for Receive<'_> {
    type Output = Option<Envelope>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Envelope>> {
        let receive = &mut *self;
        let environment = receive.process.environment();
        loop {
            let (scan, senders, next) = receive.process.with_state(|state| {
                match state.receive(&receive.filter, receive.searched) {
                    Scan::Found(envelope) => (Scan::Found(envelope), None, state.next_sender()),
                    Scan::Nothing(end) => {
                        let any_will_do = end == Position::START && receive.filter == Filter::Any;
                        match any_will_do.then(|| state.next_sender()).flatten() {
                            Some(first) => (Scan::Nothing(end), None, Some(first)),
                            // Each that waits for room may hold what this process waits for.
                            None => (Scan::Nothing(end), Some(state.all_senders()), None),
                        }
                    }
                    Scan::Unfinished(end) => (Scan::Unfinished(end), None, None),
                }
            });
            for sender in senders.into_iter().flatten().chain(next) {
                environment.wake(sender);
            }
            match scan {
                Scan::Found(envelope) => return Poll::Ready(Some(envelope)),
                Scan::Unfinished(end) => receive.searched = end,
                Scan::Nothing(end) => {
                    receive.searched = end;
                    break;
                }
            }
        }
        if let Some(deadline) = &mut receive.deadline {
            if deadline.has_passed() {
                receive.process.with_state(|state| state.stop_waiting());
                return Poll::Ready(None);
            }
            deadline.arm(cx.waker());
        }
        Poll::Pending
    }
}
