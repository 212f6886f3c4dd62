//! Event managers, as OTP's `gen_event` behaves.

use lunatic::event::{Ending, EventManager, Gone, Handler, HandlerError, HandlerGone, Info, Next};
use lunatic::server::Options;
use lunatic::sys::Term;
use lunatic::{ExitReason, Mailbox, Pid, Process, process, spawn, spawn_link, sys};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Event {
    Say(String),
    Crash(String),
    Remove(String),
    Swap(String),
}

/// Tells a process what it is told, with its name.
struct Teller {
    name: String,
    to: Process<String>,
}

#[derive(Serialize, Deserialize)]
enum Call {
    Name,
    Crash,
    Remove,
}

impl Teller {
    fn tell(&self, what: impl std::fmt::Display) {
        self.to.send(format!("{} {what}", self.name));
    }
}

impl Handler for Teller {
    type Event = Event;
    type Argument = (String, Process<String>);
    type Call = Call;
    type Answer = String;

    fn init((name, to): Self::Argument) -> Result<Self, ExitReason> {
        match &*name {
            "refused" => Err("no".into()),
            "crash" => panic!("in init"),
            _ => Ok(Teller { name, to }),
        }
    }

    fn init_instead(argument: Self::Argument, term: Option<Term>) -> Result<Self, ExitReason> {
        let this = Self::init(argument)?;
        let term: Option<String> = term.map(|term| term.decode().unwrap());
        this.tell(format_args!("instead {term:?}"));
        Ok(this)
    }

    fn handle_event(&mut self, event: &Event) -> Next<Event> {
        match event {
            Event::Say(text) => self.tell(text),
            Event::Crash(name) if *name == self.name => panic!("asked to"),
            Event::Remove(name) if *name == self.name => return Next::remove(),
            Event::Swap(name) if *name == self.name => {
                return Next::swap::<Teller>("swap", "new", &("new".into(), self.to));
            }
            _ => self.tell("other"),
        }
        Next::keep()
    }

    fn handle_call(&mut self, call: Call) -> (String, Next<Event>) {
        match call {
            Call::Name => (self.name.clone(), Next::keep()),
            Call::Crash => panic!("asked to in a call"),
            Call::Remove => ("gone".into(), Next::remove()),
        }
    }

    fn handle_info(&mut self, info: &Info<Event>) -> Next<Event> {
        match info {
            Info::Message(event) => self.tell(format_args!("info {event:?}")),
            Info::Exit(_) => self.tell("info exit"),
            Info::Down(_) | Info::Timeout => {}
        }
        Next::keep()
    }

    fn terminate(&mut self, ending: &Ending) -> Term {
        match ending {
            Ending::Argument(term) => {
                let argument: String = term.decode().unwrap();
                self.tell(format_args!("ends by {argument}"));
                assert_ne!(argument, "crash");
            }
            Ending::Crashed(ExitReason::Error(text)) => {
                self.tell(format_args!("ends by {}", text.rsplit(": ").next().unwrap()));
            }
            other => self.tell(format_args!("ends by {other:?}")),
        }
        Term::of(&format!("last words of {}", self.name))
    }

    fn state(&self) -> Term {
        Term::of(&self.name)
    }
}

type Manager = EventManager<Event>;

fn manager() -> Manager {
    Manager::start_link().unwrap()
}

fn add(manager: Manager, id: &str, to: &Mailbox<String>) {
    manager.add::<Teller>(id, &(id.to_owned(), to.this())).unwrap();
}

fn said(mailbox: &Mailbox<String>, expected: &[&str]) {
    for text in expected {
        assert_eq!(mailbox.receive().unwrap(), *text);
    }
    assert!(mailbox.receive_timeout(std::time::Duration::ZERO).is_err(), "nothing else is said");
}

fn say(text: &str) -> Event {
    Event::Say(text.to_owned())
}

#[lunatic::test]
fn the_handler_that_was_added_last_gets_an_event_first(mailbox: Mailbox<String>) {
    let manager = manager();
    add(manager, "a", &mailbox);
    add(manager, "b", &mailbox);
    manager.sync_notify(&say("one")).unwrap();
    manager.notify(&say("two"));
    assert_eq!(manager.handlers().unwrap(), ["b", "a"]);
    said(&mailbox, &["b one", "a one", "b two", "a two"]);
}

#[lunatic::test]
fn a_handler_that_panics_is_removed_and_the_others_do_not_notice(mailbox: Mailbox<String>) {
    let manager = manager();
    add(manager, "a", &mailbox);
    add(manager, "b", &mailbox);
    for _ in 0..3 {
        add(manager, "bad", &mailbox);
        manager.sync_notify(&Event::Crash("bad".into())).unwrap();
        said(&mailbox, &["bad ends by asked to", "b other", "a other"]);
    }
    assert_eq!(manager.handlers().unwrap(), ["b", "a"]);
}

#[lunatic::test]
fn a_call_goes_to_one_handler(mailbox: Mailbox<String>) {
    let manager = manager();
    add(manager, "a", &mailbox);
    assert_eq!(manager.call::<Teller>("a", &Call::Name).unwrap(), "a");
    assert_eq!(manager.call::<Teller>("b", &Call::Name), Err(HandlerError::NotFound));
    let Err(HandlerError::Crashed(ExitReason::Error(text))) =
        manager.call::<Teller>("a", &Call::Crash)
    else {
        panic!("it crashed")
    };
    assert!(text.ends_with(": asked to in a call"), "{text}");
    assert!(manager.handlers().unwrap().is_empty());
    add(manager, "a", &mailbox);
    assert_eq!(manager.call::<Teller>("a", &Call::Remove).unwrap(), "gone");
    assert!(manager.handlers().unwrap().is_empty());
    said(&mailbox, &["a ends by asked to in a call", "a ends by Removed"]);
}

#[lunatic::test]
fn a_handler_that_does_not_start_is_not_added(mailbox: Mailbox<String>) {
    let manager = manager();
    let start = |name: &str| manager.add::<Teller>(name, &(name.to_owned(), mailbox.this()));
    assert_eq!(start("refused"), Err(HandlerError::Refused("no".into())));
    assert!(matches!(start("crash"), Err(HandlerError::Crashed(ExitReason::Error(_)))));
    assert!(manager.handlers().unwrap().is_empty());
}

#[lunatic::test]
fn a_deleted_handler_gives_what_its_terminate_gives(mailbox: Mailbox<String>) {
    let manager = manager();
    add(manager, "a", &mailbox);
    let words = manager.delete("a", "me").unwrap();
    assert_eq!(words.decode::<String>().unwrap(), "last words of a");
    assert_eq!(manager.delete("a", "me"), Err(HandlerError::NotFound));
    add(manager, "a", &mailbox);
    assert!(matches!(manager.delete("a", "crash"), Err(HandlerError::Crashed(_))));
    assert!(manager.handlers().unwrap().is_empty());
    said(&mailbox, &["a ends by me", "a ends by crash"]);
}

#[lunatic::test]
fn who_takes_a_place_gets_what_the_other_hands_over(mailbox: Mailbox<String>) {
    let manager = manager();
    add(manager, "a", &mailbox);
    add(manager, "b", &mailbox);
    let swap = |old| manager.swap::<Teller>(old, "swap", "c", &("c".into(), mailbox.this()));
    swap("a").unwrap();
    assert_eq!(manager.handlers().unwrap(), ["c", "b"]);
    swap("nobody").unwrap();
    assert_eq!(manager.handlers().unwrap(), ["c", "c", "b"]);
    let words = "c instead Some(\"last words of a\")";
    said(&mailbox, &["a ends by swap", words, "c instead None"]);
}

#[lunatic::test]
fn who_takes_a_place_during_an_event_stands_there(mailbox: Mailbox<String>) {
    let manager = manager();
    for id in ["a", "b", "c"] {
        add(manager, id, &mailbox);
    }
    manager.sync_notify(&Event::Swap("b".into())).unwrap();
    assert_eq!(manager.handlers().unwrap(), ["c", "new", "a"]);
    manager.sync_notify(&Event::Remove("c".into())).unwrap();
    let words = "new instead Some(\"last words of b\")";
    let first = ["c other", "b ends by swap", words, "a other"];
    let second = ["c ends by Removed", "new other", "a other"];
    said(&mailbox, &[&first[..], &second[..]].concat());
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Told {
    Gone(HandlerGone),
}

fn supervise(manager: Manager, id: &str, to: Process<String>) {
    manager.add_supervised::<Teller, _>(id, &(id.to_owned(), to), Told::Gone).unwrap();
}

/// Takes what handlers say, which is not what a test is about.
fn listener() -> Process<String> {
    spawn_link((), |(), mailbox: Mailbox<String>| while mailbox.receive().is_ok() {})
}

#[lunatic::test]
fn the_end_of_a_handler_is_told_to_the_process_that_supervises_it(mailbox: Mailbox<Told>) {
    let (manager, to) = (manager(), listener());
    let gone = |id: &str, why| {
        let expected = HandlerGone { manager: manager.pid(), id: id.into(), why };
        assert_eq!(mailbox.receive().unwrap(), Told::Gone(expected));
    };
    supervise(manager, "a", to);
    manager.delete("a", "me").unwrap();
    gone("a", Gone::Normal);
    supervise(manager, "b", to);
    manager.notify(&Event::Remove("b".into()));
    gone("b", Gone::Normal);
    supervise(manager, "c", to);
    manager.notify(&Event::Swap("c".into()));
    gone("c", Gone::Swapped("new".into(), Some(Pid::this())));
    manager.swap::<Teller>("new", "swap", "d", &("d".into(), to)).unwrap();
    gone("new", Gone::Swapped("d".into(), Some(Pid::this())));
    manager.notify(&Event::Crash("d".into()));
    let Told::Gone(HandlerGone { id, why: Gone::Crashed(ExitReason::Error(text)), .. }) =
        mailbox.receive().unwrap()
    else {
        panic!("it crashed")
    };
    assert!(id == "d" && text.starts_with("panicked at ") && text.ends_with(": asked to"));
    supervise(manager, "e", to);
    manager.stop().unwrap();
    gone("e", Gone::Shutdown);
}

#[lunatic::test]
fn the_end_of_a_supervising_process_ends_its_handlers(mailbox: Mailbox<String>) {
    let manager = manager();
    add(manager, "other", &mailbox);
    let owner = spawn((manager, mailbox.this()), |(manager, to), mailbox: Mailbox<u8>| {
        supervise(manager, "a", to);
        to.send("ready".into());
        let _ = mailbox.receive();
        lunatic::exit(ExitReason::Status(7))
    });
    said(&mailbox, &["ready"]);
    owner.send(0);
    let ended = format!("a ends by {:?}", Ending::SupervisorEnded(ExitReason::Status(7)));
    assert_eq!(mailbox.receive().unwrap(), ended);
    assert_eq!(mailbox.receive().unwrap(), "other info exit");
    assert_eq!(manager.handlers().unwrap(), ["other"]);
}

#[lunatic::test]
fn a_manager_that_ends_lets_its_handlers_go_first(mailbox: Mailbox<String>) {
    let manager = Manager::start_with(&Options::new().name("events")).unwrap();
    assert_eq!(Manager::find("events").unwrap().pid(), manager.pid());
    add(manager, "a", &mailbox);
    add(manager, "b", &mailbox);
    manager.stop().unwrap();
    said(&mailbox, &["b ends by Stop", "a ends by Stop"]);
    assert!(manager.sync_notify(&say("x")).is_err());
    manager.notify(&say("nobody hears this, and that is no error"));
}

#[lunatic::test]
fn the_end_of_the_parent_ends_a_manager_and_its_handlers(mailbox: Mailbox<String>) {
    process::trap_exit(true);
    let parent = spawn_link(mailbox.this(), |to, _: Mailbox<()>| {
        let manager = manager();
        manager.add::<Teller>("a", &("a".into(), to)).unwrap();
        lunatic::exit(ExitReason::Shutdown)
    });
    said_first(&mailbox, "a ends by Stop");
    parent.monitor().wait(None).unwrap();
}

fn said_first(mailbox: &Mailbox<String>, text: &str) {
    assert_eq!(mailbox.receive().unwrap(), text);
}

#[lunatic::test]
fn plain_messages_and_system_messages_arrive(mailbox: Mailbox<String>) {
    let manager = manager();
    add(manager, "a", &mailbox);
    manager.send(&say("hi"));
    let states: Vec<(String, Term)> = sys::get_state(manager.pid()).unwrap();
    assert_eq!(states.len(), 1);
    assert_eq!(states[0].1.decode::<String>().unwrap(), "a");
    said(&mailbox, &["a info Say(\"hi\")"]);
    sys::suspend(manager.pid()).unwrap();
    manager.notify(&say("later"));
    assert!(sys::get_status(manager.pid()).unwrap().contains("handlers a"));
    sys::resume(manager.pid()).unwrap();
    said_first(&mailbox, "a later");
}

#[lunatic::test]
fn a_request_of_another_type_is_an_error_and_the_handler_stays(mailbox: Mailbox<String>) {
    struct Other;
    impl Handler for Other {
        type Event = Event;
        type Argument = ();
        type Call = (u64, String);
        type Answer = ();
        fn init((): ()) -> Result<Self, ExitReason> {
            Ok(Other)
        }
        fn handle_event(&mut self, _: &Event) -> Next<Event> {
            Next::keep()
        }
        fn handle_call(&mut self, _: (u64, String)) -> ((), Next<Event>) {
            ((), Next::keep())
        }
    }
    let manager = manager();
    add(manager, "a", &mailbox);
    let result = manager.call::<Other>("a", &(1 << 40, "x".into()));
    assert!(matches!(result, Err(HandlerError::Type(_))), "{result:?}");
    assert_eq!(manager.handlers().unwrap(), ["a"]);
}
