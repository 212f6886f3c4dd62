//! Receiving: the one place where a process waits for its mailbox.
//!
//! Only the owner removes messages, so the position up to which it has searched stays valid while
//! others append: a wait goes on where it stopped, and a receive that is dropped has taken nothing.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use lunatic_model::{Envelope, Filter, Pid, Position, Process as State, Scan};

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

    /// Ends as soon as there is a message, which stays where it is.
    pub async fn await_message(self: &Arc<Self>) {
        std::future::poll_fn(|_| {
            let (is_there, sender) = self.with_state(|state| {
                let is_there = state.has_message();
                // Whatever is held up, even by its size, is what this process waits for.
                (is_there, (!is_there).then(|| state.next_sender()).flatten())
            });
            if let Some(sender) = sender {
                self.environment().wake(sender);
            }
            if is_there { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
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
            let mut called = None;
            let scan = receive.process.with_state(|state| {
                let scan = state.receive(&receive.filter, receive.searched);
                if state.has_senders() {
                    called = Some(call_senders(state, &scan, &receive.filter));
                }
                scan
            });
            for sender in called.into_iter().flatten() {
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

/// Who of those that wait for room may try again after a search. Apart from the path of a mailbox
/// at which nobody waits.
#[cold]
fn call_senders(state: &mut State, scan: &Scan, filter: &Filter) -> VecDeque<Pid> {
    let next = |state: &mut State| state.next_sender().into_iter().collect();
    match scan {
        Scan::Found(_) => next(state),
        Scan::Nothing(end) if *end == Position::START && *filter == Filter::Any => {
            // Any will do; when there is no room for one, each may hold what fits.
            let first: VecDeque<Pid> = next(state);
            if first.is_empty() { state.all_senders() } else { first }
        }
        // Each that waits for room may hold what this process waits for.
        Scan::Nothing(_) => state.all_senders(),
        Scan::Unfinished(_) => VecDeque::new(),
    }
}
