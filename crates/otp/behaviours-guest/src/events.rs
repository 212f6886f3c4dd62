//! Event managers in behaviour scenarios, as erl/behaviour_events.erl has them: handlers that tell
//! what they hear.
//!
//! What must stay true: a step is over when the manager has answered; a handler whose supervising
//! process is dead is waited for.

use std::collections::BTreeMap;

use lunatic::event::{Ending, EventManager, Gone, Handler, HandlerError, HandlerGone, Info, Next};
use lunatic::message::{self, Pattern};
use lunatic::sys::Term;
use lunatic::{ExitReason, Mailbox, Pid, Process};

use crate::recorder::{await_event, begins, event, last};
use crate::servers::{Words, has, owned};
use crate::words;

/// The managers that a scenario has started.
#[derive(Default)]
pub struct Events {
    managers: BTreeMap<String, EventManager<String>>,
    /// Processes that supervise a handler.
    supervise: Vec<(Pid, String)>,
}

impl Events {
    /// Does a step and gives what came of it; none if it is no step of event managers.
    pub fn step(&mut self, verb: &str, rest: &[&str]) -> Option<Option<String>> {
        if let ("manager", [name]) = (verb, rest) {
            let manager = EventManager::start_link().expect("it starts");
            self.managers.insert((*name).to_owned(), manager);
            return Some(Some("ok".to_owned()));
        }
        if let ("supervise", [process, manager, name, words @ ..]) = (verb, rest) {
            return Some(Some(self.supervised_by(process, manager, name, owned(words))));
        }
        if let ("hear_handler", [name]) = (verb, rest) {
            return Some(Some(heard(name)));
        }
        if let ("delete", [_, name, _]) = (verb, rest) {
            self.supervise.retain(|(_, supervised)| supervised != name);
        }
        let manager = *self.managers.get(*rest.first()?)?;
        step(manager, verb, &rest[1..])
    }

    fn supervised_by(&mut self, process: &str, manager: &str, name: &str, words: Words) -> String {
        let mailbox = Mailbox::<String>::new();
        let argument = (mailbox.this(), process.to_owned(), self.managers[manager]);
        lunatic::spawn((argument, name.to_owned(), words), supervising);
        let result = mailbox.receive().expect("it says how that went");
        self.supervise.push((last(process).expect("it has begun"), name.to_owned()));
        result
    }

    /// Waits for the handlers of those that are dead.
    pub fn quiesce(&mut self) {
        self.supervise.retain(|(process, name)| {
            let lives = process.is_alive();
            if !lives {
                await_event(format!("{name} terminate supervisor"));
            }
            lives
        });
    }
}

type Supervising = ((Process<String>, String, EventManager<String>), String, Words);

fn supervising(argument: Supervising, _: Mailbox<()>) {
    let ((driver, process, manager), name, words) = argument;
    begins(&process);
    let argument = (name.clone(), words);
    let added = manager.add_supervised::<Telling, HandlerGone>(&name, &argument, |gone| gone);
    driver.send(result(added));
    // It goes on until it is ended, whatever it hears.
    while message::receive(&[Pattern::ANY], None).is_some() {}
}

fn step(manager: EventManager<String>, verb: &str, rest: &[&str]) -> Option<Option<String>> {
    let settle = || {
        manager.handlers().expect("it answers");
        None
    };
    Some(match (verb, rest) {
        ("add", ["supervised", name, words @ ..]) => {
            let argument = ((*name).to_owned(), owned(words));
            let added =
                manager.add_supervised::<Telling, HandlerGone>(name, &argument, |gone| gone);
            Some(result(added))
        }
        ("add", [name, words @ ..]) => {
            let argument = ((*name).to_owned(), owned(words));
            Some(result(manager.add::<Telling>(name, &argument)))
        }
        ("notify", words) => {
            words.iter().for_each(|word| manager.notify(&(*word).to_owned()));
            settle()
        }
        ("note", [word]) => {
            manager.send(&(*word).to_owned());
            settle()
        }
        ("sync", [word]) => {
            manager.sync_notify(&(*word).to_owned()).expect("it answers");
            Some("ok".to_owned())
        }
        ("ask_handler", [name, word]) => {
            let answer = manager.call::<Telling>(name, &(*word).to_owned());
            Some(answer.map_or_else(error, |answer| format!("got {answer}")))
        }
        ("delete", [name, word]) => {
            let given = manager.delete(name, *word);
            Some(given.map_or_else(error, |given| format!("gave {}", word_of(&given))))
        }
        ("swap", [old, word, new, words @ ..]) => {
            let argument = ((*new).to_owned(), owned(words));
            Some(result(manager.swap::<Telling>(old, *word, new, &argument)))
        }
        ("handlers", []) => {
            let handlers = manager.handlers().expect("it answers");
            Some(if handlers.is_empty() { "nobody".to_owned() } else { handlers.join(" ") })
        }
        ("stop_manager", []) => {
            manager.stop().expect("it stops");
            Some("ok".to_owned())
        }
        _ => return None,
    })
}

fn word_of(term: &Term) -> String {
    term.decode().expect("it is a word")
}

fn result(added: Result<(), HandlerError>) -> String {
    added.map_or_else(error, |()| "ok".to_owned())
}

fn error(error: HandlerError) -> String {
    match error {
        HandlerError::NotFound => "not_found".to_owned(),
        HandlerError::Refused(reason) => format!("error {}", words::reason(&reason)),
        HandlerError::Crashed(reason) => words::reason(&reason),
        other => panic!("{other}"),
    }
}

/// Waits until this process hears of a handler that it supervises.
fn heard(name: &str) -> String {
    let mut others = Vec::new();
    loop {
        let envelope = message::receive(&[Pattern::tag(message::tag::NONE)], None);
        let gone = envelope.expect("it comes").decode::<HandlerGone, lunatic::Postcard>();
        let gone = gone.expect("nothing else comes here");
        if gone.id == *name {
            for other in others {
                lunatic::send(Pid::this(), other).expect("it can be sent");
            }
            return match gone.why {
                Gone::Normal => "gone normal".to_owned(),
                Gone::Shutdown => "gone shutdown".to_owned(),
                Gone::Swapped(id, _) => format!("gone swapped {id}"),
                Gone::Crashed(reason) => format!("gone {}", words::reason(&reason)),
            };
        }
        others.push(gone);
    }
}

/// A handler that tells what it hears.
struct Telling {
    name: String,
    words: Words,
    last: String,
}

impl Telling {
    fn tell(&self, what: &str) {
        event(format!("{} {what}", self.name));
    }

    fn happens(&mut self, word: &str) -> Next<String> {
        self.last = word.to_owned();
        let at = self.words.windows(2).position(|two| two[0] == "on" && two[1] == word);
        let rest = at.map_or(&[][..], |at| &self.words[at + 2..]);
        match rest.first().map(String::as_str) {
            Some("remove") => Next::remove(),
            Some("crash") => panic!("it was told to"),
            Some("swap") => {
                let new = &rest[1];
                Next::swap::<Telling>("swapped", new, &(new.clone(), Vec::new()))
            }
            _ => Next::keep(),
        }
    }
}

impl Handler for Telling {
    type Event = String;
    type Argument = (String, Words);
    type Call = String;
    type Answer = String;

    fn init((name, words): (String, Words)) -> Result<Self, ExitReason> {
        event(format!("{name} init"));
        if has(&words, "refuse") {
            return Err("oops".into());
        }
        assert!(!has(&words, "broken"), "it was told to");
        Ok(Telling { name, words, last: "new".to_owned() })
    }

    fn init_instead(
        (name, words): (String, Words),
        handed_over: Option<Term>,
    ) -> Result<Self, ExitReason> {
        let given = handed_over.map_or("nothing".to_owned(), |term| word_of(&term));
        event(format!("{name} init after {given}"));
        Ok(Telling { name, words, last: "new".to_owned() })
    }

    fn handle_event(&mut self, word: &String) -> Next<String> {
        self.tell(&format!("event {word}"));
        self.happens(word)
    }

    fn handle_call(&mut self, word: String) -> (String, Next<String>) {
        self.tell(&format!("call {word}"));
        let before = self.last.clone();
        (before, self.happens(&word))
    }

    fn handle_info(&mut self, info: &Info<String>) -> Next<String> {
        let Info::Message(word) = info else { return Next::keep() };
        self.tell(&format!("info {word}"));
        self.happens(word)
    }

    fn terminate(&mut self, ending: &Ending) -> Term {
        let why = match ending {
            Ending::Argument(argument) => format!("of {}", word_of(argument)),
            Ending::Removed => "removed".to_owned(),
            Ending::Stop => "stop".to_owned(),
            Ending::SupervisorEnded(_) => "supervisor".to_owned(),
            Ending::Crashed(_) => "crash".to_owned(),
        };
        self.tell(&format!("terminate {why}"));
        Term::of(&self.last)
    }
}
