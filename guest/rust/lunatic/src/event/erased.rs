//! Handlers of any type behind one: how they are made from data, and called without their type.
//!
//! What must stay true: such data means something in processes of the same module alone, since
//! functions are numbers in its table (as for children of supervisors). Every callback runs inside
//! of `catch`, and no value that it may have left half changed is used but by `terminate`.

use core::any::type_name;
use core::marker::PhantomData;
use core::mem::transmute;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::behaviour::send;
use crate::format::{self, Bytes};
use crate::message::{Destination, tag};
use crate::panic::catch;
use crate::server::Info;
use crate::sys::Term;
use crate::{ExitReason, Pid};

use super::process::Failure;
use super::roster::Wish;
use super::{Ending, Event, Handler, HandlerGone, Next, Replace};

/// What a manager keeps of a handler.
pub(super) type Boxed<E> = Box<dyn Erased<E>>;

/// Makes a handler from its argument and what the one before it has handed over.
type Make<E> = fn(&Bytes, Option<Option<Term>>) -> Result<Boxed<E>, Failure>;

/// A handler that is to be added.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(super) struct New<E> {
    pub(super) id: String,
    /// A [`Make`].
    make: usize,
    argument: Bytes,
    event: PhantomData<fn(E)>,
}

impl<E: Event> New<E> {
    pub(super) fn of<H: Handler<Event = E>>(id: &str, argument: &H::Argument) -> Self {
        let argument = format::to_vec(argument).expect("an argument of a handler can be written");
        let make: Make<E> = make::<H>;
        Self { id: id.into(), make: make as usize, argument: argument.into(), event: PhantomData }
    }

    /// Makes it; `handed_over` is none if it takes nobody's place.
    pub(super) fn make(&self, handed_over: Option<Option<Term>>) -> Result<Boxed<E>, Failure> {
        // SAFETY: `of` has stored a function of this type; a number of another module is caught by
        // the check of the table.
        let make = unsafe { transmute::<usize, Make<E>>(self.make) };
        catch(|| make(&self.argument, handed_over)).map_err(Failure::Crashed)?
    }
}

fn make<H: Handler>(
    argument: &Bytes,
    handed_over: Option<Option<Term>>,
) -> Result<Boxed<H::Event>, Failure> {
    let argument = format::from_slice(argument).map_err(|cause| {
        Failure::Type(format!("the argument of {} cannot be read: {cause}", type_name::<H>()))
    })?;
    let handler = match handed_over {
        Some(term) => H::init_instead(argument, term),
        None => H::init(argument),
    };
    handler.map(|handler| Box::new(handler) as Boxed<H::Event>).map_err(Failure::Refused)
}

/// Who supervises a handler, and how that process is told.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Supervision {
    pub(super) pid: Pid,
    /// A `fn(Pid, usize, HandlerGone)`.
    tell: usize,
    /// The function that makes the message.
    message: usize,
}

impl Supervision {
    /// The process that runs supervises.
    pub(super) fn here<M>(message: fn(HandlerGone) -> M) -> Self
    where
        M: Serialize + DeserializeOwned,
    {
        let tell: fn(Pid, usize, HandlerGone) = tell::<M>;
        Self { pid: Pid::this(), tell: tell as usize, message: message as usize }
    }

    pub(super) fn tell(&self, gone: HandlerGone) {
        // SAFETY: `here` has stored a function of this type, in the same module.
        let tell = unsafe { transmute::<usize, fn(Pid, usize, HandlerGone)>(self.tell) };
        tell(self.pid, self.message, gone);
    }
}

fn tell<M: Serialize + DeserializeOwned>(to: Pid, message: usize, gone: HandlerGone) {
    // SAFETY: `Supervision::here` has stored a function of this type.
    let message = unsafe { transmute::<usize, fn(HandlerGone) -> M>(message) };
    if let Ok(message) = catch(|| message(gone)) {
        send(Destination::Pid(to), tag::NONE, &message);
    }
}

/// A handler without its type.
pub(super) trait Erased<E> {
    fn event(&mut self, event: &E) -> Wish<Replace<E>>;
    fn info(&mut self, info: &Info<E>) -> Wish<Replace<E>>;
    fn call(&mut self, request: &Bytes) -> (Result<Bytes, Failure>, Wish<Replace<E>>);
    fn terminate(&mut self, ending: &Ending) -> Result<Term, ExitReason>;
    fn state(&self) -> Term;
    fn code_change(&mut self, old_version: &str, extra: &Term) -> Result<(), String>;
    fn type_name(&self) -> &'static str;
}

fn wish<E>(result: Result<Next<E>, ExitReason>) -> Wish<Replace<E>> {
    match result {
        Ok(next) => next.0,
        Err(reason) => Wish::Crashed(reason),
    }
}

impl<H: Handler> Erased<H::Event> for H {
    fn event(&mut self, event: &H::Event) -> Wish<Replace<H::Event>> {
        wish(catch(|| self.handle_event(event)))
    }

    fn info(&mut self, info: &Info<H::Event>) -> Wish<Replace<H::Event>> {
        wish(catch(|| self.handle_info(info)))
    }

    fn call(&mut self, request: &Bytes) -> (Result<Bytes, Failure>, Wish<Replace<H::Event>>) {
        let request = match format::from_slice::<H::Call>(request) {
            Ok(request) => request,
            Err(cause) => {
                let text = format!("a request to {} cannot be read: {cause}", type_name::<H>());
                return (Err(Failure::Type(text)), Wish::Keep);
            }
        };
        match catch(|| self.handle_call(request)) {
            Ok((answer, next)) => {
                let answer = format::to_vec(&answer).map(Bytes);
                (answer.map_err(|error| Failure::Type(error.to_string())), next.0)
            }
            Err(reason) => (Err(Failure::Crashed(reason.clone())), Wish::Crashed(reason)),
        }
    }

    fn terminate(&mut self, ending: &Ending) -> Result<Term, ExitReason> {
        catch(|| Handler::terminate(self, ending))
    }

    fn state(&self) -> Term {
        catch(|| Handler::state(self)).unwrap_or_default()
    }

    fn code_change(&mut self, old_version: &str, extra: &Term) -> Result<(), String> {
        catch(|| Handler::code_change(self, old_version, extra))
            .unwrap_or_else(|reason| Err(reason.to_string()))
    }

    fn type_name(&self) -> &'static str {
        type_name::<H>()
    }
}
