//! The life of a server, from its argument to its end.

use core::any::type_name;
use std::time::Duration;

use crate::behaviour::{Argument, Received, StartError, receive};
use crate::mailbox::Mailbox;
use crate::message::{Envelope, Exit, tag};
use crate::process::hibernate;
use crate::sys::{self, After, System, Term};
use crate::{ExitReason, Pid, Postcard, format};

use super::next::{InitStep, Next, Step};
use super::{Info, Server, decode_call};

/// Where a server's process starts; gives the reason with which it ends.
pub(super) fn entry<S: Server>(argument: Argument, _: Mailbox<()>) -> ExitReason {
    if let Err(error) = argument.take_name() {
        return argument.failed(error);
    }
    let body = match format::from_slice(&argument.body) {
        Ok(body) => body,
        Err(cause) => {
            let text = format!("the argument of {} cannot be read: {cause}", type_name::<S>());
            return argument.failed(StartError::Exit(ExitReason::Error(text)));
        }
    };
    match S::init(body).0 {
        InitStep::Ok(state, next) => {
            argument.started();
            Life { state, parent: argument.parent }.run(next)
        }
        InitStep::Ignore => argument.failed(StartError::Ignored),
        InitStep::Stop(reason) => argument.failed(StartError::Exit(reason)),
    }
}

struct Life<S> {
    state: S,
    parent: Pid,
}

impl<S: Server> Life<S> {
    fn run(mut self, mut next: Next<S>) -> ExitReason {
        loop {
            next = match next.0 {
                Step::Wait(timeout) => self.receive(timeout),
                Step::Hibernate => hibernate(self, Self::wake),
                Step::Continue(function) => function(&mut self.state),
                Step::Stop(reason, reply) => {
                    self.state.terminate(&reason);
                    if let Some(reply) = reply {
                        reply.send();
                    }
                    if !reason.is_orderly() {
                        log::error!("{} ends: {reason}", type_name::<S>());
                    }
                    return reason;
                }
            };
        }
    }

    /// Goes on after hibernating.
    fn wake(self, _: Mailbox<()>) -> ExitReason {
        self.run(Next::wait())
    }

    /// Receives one thing and handles it. A system message gives the time to wait anew, as in OTP.
    fn receive(&mut self, timeout: Option<Duration>) -> Next<S> {
        match receive(&[], timeout) {
            None => self.state.handle_info(Info::Timeout),
            Some(Received::Message(envelope)) => self.message(envelope, timeout),
            Some(Received::Exit(Exit { from, reason, .. })) if from == self.parent => {
                Next::stop(reason)
            }
            Some(Received::Exit(exit)) => self.state.handle_info(Info::Exit(exit)),
            Some(Received::Down(down)) => self.state.handle_info(Info::Down(down)),
        }
    }

    fn message(&mut self, envelope: Envelope, timeout: Option<Duration>) -> Next<S> {
        let (tag, sender) = (envelope.tag(), envelope.sender());
        let handled = match tag {
            tag::CALL => decode_call(envelope).map(|call| self.state.handle_call(call)),
            tag::CAST => envelope
                .decode::<_, Postcard>()
                .map(|cast| self.state.handle_cast(cast))
                .map_err(|error| error.cause),
            tag::SYSTEM => {
                let mut callbacks = Callbacks(&mut self.state);
                return match sys::handle(envelope, self.parent, &mut callbacks) {
                    After::Continue => Next(Step::Wait(timeout)),
                    After::Terminate(reason) => Next::stop(reason),
                };
            }
            0.. => envelope
                .decode::<_, Postcard>()
                .map(|message| self.state.handle_info(Info::Message(message)))
                .map_err(|error| error.cause),
            _ => {
                let name = type_name::<S>();
                log::warn!("{name} got a message of the unknown tag {tag} from {sender}");
                return Next(Step::Wait(timeout));
            }
        };
        handled.unwrap_or_else(|cause| {
            let name = type_name::<S>();
            log::error!("{name} got a message of tag {tag} from {sender} that is none: {cause}");
            Next(Step::Wait(timeout))
        })
    }
}

/// A server as what system messages see.
struct Callbacks<'a, S>(&'a mut S);

impl<S: Server> System for Callbacks<'_, S> {
    fn state(&self) -> Term {
        self.0.state()
    }

    fn replace_state(&mut self, state: &Term) -> Result<(), String> {
        self.0.replace_state(state)
    }

    fn code_change(&mut self, old_version: &str, extra: &Term) -> Result<(), String> {
        self.0.code_change(old_version, extra)
    }

    fn format_status(&self) -> String {
        self.0.format_status()
    }
}
