//! The life of a machine, from its argument to its end.

use core::any::type_name;
use std::time::{Duration, Instant};

use crate::behaviour::{Argument, Received, StartError, receive};
use crate::mailbox::Mailbox;
use crate::message::{Envelope, Exit, tag};
use crate::server::decode_call;
use crate::sys::{self, After, System, Term};
use crate::{ExitReason, Pid, Postcard, format};

use super::queue::{Change, Queue, Timer};
use super::step::{StartStep, Step, To};
use super::{Event, Machine};

/// Where a machine's process starts; gives the reason with which it ends.
pub(super) fn entry<M: Machine>(argument: Argument, _: Mailbox<()>) -> ExitReason {
    let body = match format::from_slice(&argument.body) {
        Ok(body) => body,
        Err(cause) => {
            let text = format!("the argument of {} cannot be read: {cause}", type_name::<M>());
            return argument.failed(StartError::Exit(ExitReason::Error(text)));
        }
    };
    match M::init(body).0 {
        StartStep::Ok(machine, state) => {
            argument.started();
            let (queue, clock) = (Queue::new(), Instant::now());
            Life { machine, state, queue, clock, parent: argument.parent }.run()
        }
        StartStep::Ignore => argument.failed(StartError::Ignored),
        StartStep::Stop(reason) => argument.failed(StartError::Exit(reason)),
    }
}

struct Life<M: Machine> {
    machine: M,
    state: M::State,
    queue: Queue<Event<M>>,
    clock: Instant,
    parent: Pid,
}

impl<M: Machine> Life<M> {
    fn run(mut self) -> ExitReason {
        let first = self.state.clone();
        let mut end = self.enter(&first);
        loop {
            if let Some(reason) = end {
                self.machine.terminate(&self.state, &reason);
                if !reason.is_orderly() {
                    log::error!("{} ends: {reason}", type_name::<M>());
                }
                return reason;
            }
            end = match self.event() {
                Ok(event) => {
                    let step = self.machine.handle(&self.state, event);
                    self.take(step)
                }
                Err(reason) => Some(reason),
            };
        }
    }

    /// Does what a step says. Gives the reason to end with, if it says so.
    fn take(&mut self, step: Step<M>) -> Option<ExitReason> {
        let (enters, state) = match step.to {
            To::Stop(reason) => return Some(reason),
            To::Keep => (false, None),
            To::Repeat => (true, None),
            To::State(state) => (state != self.state, Some(state)),
        };
        let changes = enters && state.is_some();
        let Step { postponed, next, timers, .. } = step;
        let now = self.clock.elapsed();
        self.queue.handled(Change { changes, postponed, next, timers }, now);
        if !enters {
            return None;
        }
        let old = self.state.clone();
        self.state = state.unwrap_or_else(|| old.clone());
        self.enter(&old)
    }

    fn enter(&mut self, old: &M::State) -> Option<ExitReason> {
        let step = self.machine.enter(&self.state, old);
        if let To::Stop(reason) = step.to {
            return Some(reason);
        }
        self.queue.entered(step.next, step.timers, self.clock.elapsed());
        None
    }

    /// What is to be handled next; or why the machine ends.
    fn event(&mut self) -> Result<Event<M>, ExitReason> {
        loop {
            if let Some(event) = self.queue.pop() {
                return Ok(event);
            }
            let now = self.clock.elapsed();
            if let Some(timer) = self.queue.due(now) {
                return Ok(match timer {
                    Timer::Event => Event::EventTimeout,
                    Timer::State => Event::StateTimeout,
                    Timer::Named(name) => Event::Timeout(name),
                });
            }
            if let Some(event) = self.receive(self.queue.wait(now))? {
                return Ok(event);
            }
        }
    }

    /// Receives one thing; `None` if it was none for the machine, or time has passed.
    fn receive(&mut self, timeout: Option<Duration>) -> Result<Option<Event<M>>, ExitReason> {
        match receive(&[], timeout) {
            None => Ok(None),
            Some(Received::Message(envelope)) => self.message(envelope),
            Some(Received::Exit(Exit { from, reason, .. })) if from == self.parent => Err(reason),
            Some(Received::Exit(exit)) => Ok(Some(Event::Exit(exit))),
            Some(Received::Down(down)) => Ok(Some(Event::Down(down))),
        }
    }

    fn message(&mut self, envelope: Envelope) -> Result<Option<Event<M>>, ExitReason> {
        let (tag, sender) = (envelope.tag(), envelope.sender());
        let event = match tag {
            tag::CALL => decode_call(envelope).map(Event::Call),
            tag::CAST => {
                envelope.decode::<_, Postcard>().map(Event::Cast).map_err(|error| error.cause)
            }
            tag::SYSTEM => {
                return match sys::handle(envelope, self.parent, self) {
                    After::Continue => Ok(None),
                    After::Terminate(reason) => Err(reason),
                };
            }
            0.. => envelope.decode::<_, Postcard>().map(Event::Message).map_err(|e| e.cause),
            _ => {
                let name = type_name::<M>();
                log::warn!("{name} got a message of the unknown tag {tag} from {sender}");
                return Ok(None);
            }
        };
        event.map(Some).or_else(|cause| {
            let name = type_name::<M>();
            log::error!("{name} got a message of tag {tag} from {sender} that is none: {cause}");
            Ok(None)
        })
    }
}

impl<M: Machine> System for Life<M> {
    fn state(&self) -> Term {
        self.machine.snapshot(&self.state)
    }

    fn replace_state(&mut self, state: &Term) -> Result<(), String> {
        self.machine.restore(&mut self.state, state)
    }

    fn code_change(&mut self, old_version: &str, extra: &Term) -> Result<(), String> {
        self.machine.code_change(&mut self.state, old_version, extra)
    }

    fn format_status(&self) -> String {
        self.machine.format_status(&self.state)
    }
}
