//! The process of an event manager, which is a server.
//!
//! What must stay true: it traps exits; a handler that goes has been told why, and its supervising
//! process after it; links with supervising processes stay until the manager ends, as in OTP, and
//! its end is no exit for them, since they are told.

use serde::{Deserialize, Serialize};

use crate::format::Bytes;
use crate::process::trap_exit;
use crate::server::{Caller, Info, Init, Next, Server};
use crate::sys::Term;
use crate::{ExitReason, Pid};

use super::erased::{Boxed, New, Supervision};
use super::roster::{Entry, Gone, Roster, Wish};
use super::{Ending, Event, HandlerGone, Replace};

/// Why a handler did not do what was asked for, on the wire.
#[doc(hidden)]
#[derive(Serialize, Deserialize)]
pub(crate) enum Failure {
    NotFound,
    Refused(ExitReason),
    Crashed(ExitReason),
    Type(String),
}

type Answer<R> = Caller<Result<R, Failure>>;

/// What a manager is asked for.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(super) enum Call<E> {
    Add(New<E>, Option<Supervision>, Answer<()>),
    Delete(String, Term, Answer<Term>),
    Swap(String, Term, New<E>, Option<Supervision>, Answer<()>),
    SyncNotify(Term, Caller<()>),
    Handler(String, Bytes, Answer<Bytes>),
    Which(Caller<Vec<String>>),
}

/// A handler, and how its supervising process is told of its end.
struct Kept<E> {
    handler: Boxed<E>,
    supervision: Option<Supervision>,
}

/// The state of a manager.
pub(super) struct Process<E> {
    roster: Roster<Kept<E>>,
}

impl<E: Event> Process<E> {
    fn add(&mut self, new: &New<E>, supervision: Option<Supervision>) -> Result<(), Failure> {
        let entry = entry(new, supervision, None)?;
        if let Some(pid) = entry.supervisor {
            pid.link();
        }
        self.roster.add(entry);
        Ok(())
    }

    fn delete(&mut self, id: &str, argument: Term) -> Result<Term, Failure> {
        let entry = self.roster.take(id).ok_or(Failure::NotFound)?;
        leave(entry, &Ending::Argument(argument), Gone::Normal).map_err(Failure::Crashed)
    }

    fn swap(
        &mut self,
        old: &str,
        argument: Term,
        new: &New<E>,
        supervision: Option<Supervision>,
    ) -> Result<(), Failure> {
        let (mut handed_over, mut supervision) = (None, supervision);
        if let Some(entry) = self.roster.take(old) {
            supervision = supervision.or_else(|| entry.handler.supervision.clone());
            let supervisor = supervision.as_ref().map(|supervision| supervision.pid);
            let gone = Gone::Swapped(new.id.clone(), supervisor);
            handed_over = leave(entry, &Ending::Argument(argument), gone).ok();
        }
        let entry = entry(new, supervision, Some(handed_over))?;
        if let Some(pid) = entry.supervisor {
            pid.link();
        }
        self.roster.add(entry);
        Ok(())
    }

    fn notify(&mut self, event: &E) {
        self.roster.each(|kept| kept.handler.event(event), follow);
    }

    fn tell_info(&mut self, info: &Info<E>) {
        self.roster.each(|kept| kept.handler.info(info), follow);
    }

    fn call(&mut self, id: &str, request: &Bytes) -> Result<Bytes, Failure> {
        let at = self.roster.position(id).ok_or(Failure::NotFound)?;
        let mut answer = Err(Failure::NotFound);
        let ask = |kept: &mut Kept<E>| {
            let (given, wish) = kept.handler.call(request);
            answer = given;
            wish
        };
        self.roster.one(at, ask, follow);
        answer
    }
}

/// Makes a handler.
fn entry<E: Event>(
    new: &New<E>,
    supervision: Option<Supervision>,
    handed_over: Option<Option<Term>>,
) -> Result<Entry<Kept<E>>, Failure> {
    let handler = new.make(handed_over)?;
    let supervisor = supervision.as_ref().map(|supervision| supervision.pid);
    Ok(Entry { id: new.id.clone(), supervisor, handler: Kept { handler, supervision } })
}

/// Lets a handler go: it is told, then its supervising process.
fn leave<E>(mut entry: Entry<Kept<E>>, ending: &Ending, why: Gone) -> Result<Term, ExitReason> {
    if let Gone::Crashed(reason) = &why {
        let name = entry.handler.handler.type_name();
        log::error!("the handler {} ({name}) crashed and is removed: {reason}", entry.id);
    }
    let result = entry.handler.handler.terminate(ending);
    if let Some(supervision) = &entry.handler.supervision {
        let (manager, id) = (Pid::this(), core::mem::take(&mut entry.id));
        supervision.tell(HandlerGone { manager, id, why });
    }
    if result.is_err() || matches!(ending, Ending::Crashed(_)) {
        // What a panic has left half done is not to be touched by destructors.
        core::mem::forget(entry);
    }
    result
}

/// Does what a handler wants that is not kept, and gives the one that takes its place.
fn follow<E: Event>(entry: Entry<Kept<E>>, wish: Wish<Replace<E>>) -> Option<Entry<Kept<E>>> {
    match wish {
        Wish::Keep => Some(entry),
        Wish::Remove => {
            let _ = leave(entry, &Ending::Removed, Gone::Normal);
            None
        }
        Wish::Crashed(reason) => {
            let _ = leave(entry, &Ending::Crashed(reason.clone()), Gone::Crashed(reason));
            None
        }
        Wish::Swap(Replace { argument, new }) => {
            let supervision = entry.handler.supervision.clone();
            let gone = Gone::Swapped(new.id.clone(), entry.supervisor);
            let handed_over = leave(entry, &Ending::Argument(argument), gone).ok();
            match self::entry(&new, supervision, Some(handed_over)) {
                Ok(entry) => Some(entry),
                Err(_) => {
                    log::error!("the handler {} that was to take a place is not added", new.id);
                    None
                }
            }
        }
    }
}

impl<E: Event> Server for Process<E> {
    type Argument = ();
    type Call = Call<E>;
    type Cast = E;
    type Message = E;

    fn init((): ()) -> Init<Self> {
        trap_exit(true);
        Init::ok(Self { roster: Roster::new() })
    }

    fn handle_call(&mut self, call: Call<E>) -> Next<Self> {
        match call {
            Call::Add(new, supervision, caller) => caller.reply(&self.add(&new, supervision)),
            Call::Delete(id, argument, caller) => caller.reply(&self.delete(&id, argument)),
            Call::Swap(old, argument, new, supervision, caller) => {
                caller.reply(&self.swap(&old, argument, &new, supervision));
            }
            Call::SyncNotify(event, caller) => {
                match event.decode() {
                    Ok(event) => self.notify(&event),
                    Err(cause) => log::error!("an event that is none: {cause}"),
                }
                caller.reply(&());
            }
            Call::Handler(id, request, caller) => caller.reply(&self.call(&id, &request)),
            Call::Which(caller) => caller.reply(&self.roster.ids()),
        }
        Next::wait()
    }

    fn handle_cast(&mut self, event: E) -> Next<Self> {
        self.notify(&event);
        Next::wait()
    }

    fn handle_info(&mut self, info: Info<E>) -> Next<Self> {
        if let Info::Exit(exit) = &info {
            for entry in self.roster.take_supervised_by(exit.from) {
                let ending = Ending::SupervisorEnded(exit.reason.clone());
                let _ = leave(entry, &ending, Gone::Shutdown);
            }
        }
        self.tell_info(&info);
        Next::wait()
    }

    fn terminate(&mut self, _: &ExitReason) {
        for entry in self.roster.take_all() {
            let supervisor = entry.supervisor;
            let _ = leave(entry, &Ending::Stop, Gone::Shutdown);
            if let Some(pid) = supervisor {
                pid.unlink();
            }
        }
    }

    fn state(&self) -> Term {
        let states = self.roster.iter().map(|entry| {
            let state = entry.handler.handler.state();
            (entry.id.clone(), state)
        });
        Term::of(&states.collect::<Vec<_>>())
    }

    fn code_change(&mut self, old_version: &str, extra: &Term) -> Result<(), String> {
        self.roster
            .iter_mut()
            .try_for_each(|entry| entry.handler.handler.code_change(old_version, extra))
    }

    fn format_status(&self) -> String {
        format!("an event manager with the handlers {}", self.roster.ids().join(", "))
    }
}
