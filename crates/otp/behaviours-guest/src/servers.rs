//! Servers in behaviour scenarios, as erl/behaviour_server.erl has them: a server that tells of its
//! start and its end, holds calls and answers them later, those that call it, and system messages.
//!
//! What must stay true: a caller whose server has ended is waited for.

use std::collections::BTreeMap;
use std::time::Duration;

use lunatic::message::{self, Kind, Pattern};
use lunatic::process::trap_exit;
use lunatic::server::{Caller, Info, Init, Next, Options, Server, ServerRef, StartError};
use lunatic::supervisor::StartResult;
use lunatic::sys::{self, Term};
use lunatic::{CallError, ExitReason, Mailbox, Pid};
use serde::{Deserialize, Serialize};

use crate::recorder::{self, await_end, await_event, begins, ending, event, failing};
use crate::words;

const HOUR: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(1);

pub type Words = Vec<String>;

pub fn owned(words: &[&str]) -> Words {
    words.iter().map(|word| (*word).to_owned()).collect()
}

pub fn has(words: &[String], word: &str) -> bool {
    words.iter().any(|other| other == word)
}

pub fn option<'a>(words: &'a [String], name: &str, default: &'a str) -> &'a str {
    let at = words.iter().position(|word| word == name);
    at.map_or(default, |at| &words[at + 1])
}

/// Calls that a server holds: the word, who calls, and the server.
#[derive(Default)]
pub struct Servers {
    held: BTreeMap<String, (Pid, Pid)>,
}

impl Servers {
    /// Does a step and gives what came of it; none if it is no step of servers.
    pub fn step(&mut self, verb: &str, rest: &[&str]) -> Option<Option<String>> {
        Some(match (verb, rest) {
            ("server", [name, words @ ..]) => Some(start(name, owned(words))),
            ("call", [server, kind, word, rest @ ..]) => {
                let timeout = rest.first().map(|_| Duration::ZERO);
                let result = call(server, kind, word, timeout);
                match *kind {
                    "early" => await_event(format!("{server} went on {word}")),
                    "then" => await_event(format!("{server} continue {word}")),
                    "zero" => await_event(format!("{server} timeout")),
                    _ => {}
                }
                Some(result)
            }
            ("ask", [client, server, kind, word]) => {
                self.ask(client, server, kind, word);
                None
            }
            ("release", [server, word]) => self.answer(server, word, Order::Release),
            ("hand_on", [server, word]) => self.answer(server, word, Order::HandOn),
            ("cast", [server, word]) => {
                told(server, |to| to.cast(&Order::Word((*word).to_owned())))
            }
            ("info", [server, word]) => told(server, |to| to.send(&(*word).to_owned())),
            ("halt", [server, reason]) => Some(halt(server, &words::term(reason))),
            ("hear", [name]) => {
                let pid = recorder::last(name).expect("it has begun");
                let exit = message::receive(&[Pattern::EXIT.and_sender(pid)], None);
                let exit = exit.and_then(|envelope| envelope.exit()).expect("it is an exit");
                Some(format!("exit {}", words::reason(&exit.reason)))
            }
            ("mailbox", []) => Some(mailbox()),
            ("suspend" | "resume" | "state" | "replace" | "change", [server, rest @ ..]) => {
                let word = rest.first().copied().unwrap_or_default();
                Some(match recorder::pid(server) {
                    Some(pid) => system(verb, pid, word),
                    None => "not running".to_owned(),
                })
            }
            _ => return None,
        })
    }

    fn ask(&mut self, client: &str, server: &str, kind: &str, word: &str) {
        let argument = [client, server, kind, word].map(str::to_owned);
        let (process, monitor) = lunatic::spawn_monitor(argument, |argument, _: Mailbox<()>| {
            let [client, server, kind, word] = argument;
            begins(&client);
            let result = call(&server, &kind, &word, None);
            ending(format!("{client} {result}"));
        });
        if kind == "later" {
            monitor.demonitor();
            await_event(format!("{server} holds {word}"));
            let server = recorder::pid(server).expect("it holds a call");
            self.held.insert(word.to_owned(), (process.pid(), server));
        } else {
            monitor.wait(None);
            await_end(process.pid());
        }
    }

    fn answer(&mut self, server: &str, word: &str, order: fn(String) -> Order) -> Option<String> {
        destination(server).cast(&order(word.to_owned()));
        match self.held.remove(word) {
            Some((client, _)) => await_end(client),
            None => await_event(format!("{server} answers {word}")),
        }
        None
    }

    /// Waits for the end of those whose server has ended.
    pub fn quiesce(&mut self) {
        self.held.retain(|_, (client, server)| {
            let lives = server.is_alive();
            if !lives {
                await_end(*client);
            }
            lives
        });
    }
}

fn start(name: &str, words: Words) -> String {
    let waits = [("continue", "continue first"), ("zero", "timeout")];
    let waits = waits.into_iter().filter(|(word, _)| has(&words, word));
    let waits: Vec<String> = waits.map(|(_, text)| format!("{name} {text}")).collect();
    match start_worker((name.to_owned(), words)) {
        Ok(_) => {
            waits.into_iter().for_each(await_event);
            "ok".to_owned()
        }
        Err(StartError::Ignored) => "ignored".to_owned(),
        Err(error @ StartError::AlreadyStarted(_)) => words::start_error(&error),
        Err(error) => format!("error {}", words::start_error(&error)),
    }
}

/// A name with @ is a registered one.
fn destination(server: &str) -> ServerRef<Worker> {
    match server.strip_prefix('@') {
        Some(name) => ServerRef::find(name).unwrap_or(ServerRef::from_pid(Pid::NONE)),
        None => ServerRef::from_pid(recorder::last(server).unwrap_or(Pid::NONE)),
    }
}

fn call(server: &str, kind: &str, word: &str, timeout: Option<Duration>) -> String {
    let make = |caller| Call::Ask(kind.to_owned(), word.to_owned(), caller);
    match destination(server).call_with(timeout, make) {
        Ok(answer) => format!("got {answer}"),
        Err(CallError::Timeout) => "timeout".to_owned(),
        Err(CallError::Down(reason)) => format!("down {}", words::reason(&reason)),
        Err(other) => panic!("{other}"),
    }
}

/// Tells a server something, and waits until it has taken it, or has ended.
fn told(server: &str, tell: impl FnOnce(ServerRef<Worker>)) -> Option<String> {
    let destination = destination(server);
    tell(destination);
    // It has ended if it does not answer.
    let _ = sys::get_state::<String>(destination.pid());
    None
}

fn halt(server: &str, reason: &ExitReason) -> String {
    let pid = recorder::pid(server).unwrap_or(Pid::NONE);
    let result = sys::stop(pid, reason, None);
    await_end(pid);
    match result {
        Ok(()) => "ok".to_owned(),
        Err(CallError::Down(reason)) => words::reason(&reason),
        Err(other) => panic!("{other}"),
    }
}

/// What has come to the process that does the steps.
fn mailbox() -> String {
    // What the dead have sent is here when this has been answered.
    assert!(!recorder::ended().into_iter().any(Pid::is_alive), "they have ended");
    let mut items = Vec::new();
    while let Some(envelope) = message::receive(&[Pattern::ANY], Some(Duration::ZERO)) {
        items.push(match (envelope.kind(), envelope.exit()) {
            (Kind::Exit, Some(exit)) => {
                format!("exit {} {}", recorder::name(exit.from), words::reason(&exit.reason))
            }
            _ => "message".to_owned(),
        });
    }
    items.sort();
    if items.is_empty() { "empty".to_owned() } else { items.join(", ") }
}

fn system(verb: &str, pid: Pid, word: &str) -> String {
    let refused = |result: Result<(), String>| match result {
        Ok(()) => "ok".to_owned(),
        Err(_) => "refused".to_owned(),
    };
    let result = match verb {
        "suspend" => sys::suspend(pid).map(|()| "ok".to_owned()),
        "resume" => sys::resume(pid).and_then(|()| {
            sys::get_state::<String>(pid)?;
            Ok("ok".to_owned())
        }),
        "replace" => sys::replace_state(pid, word).map(refused),
        "change" => sys::code_change(pid, "old", word).map(refused),
        _ => sys::get_state(pid),
    };
    result.unwrap_or_else(|error| panic!("{error}"))
}

/// How the start of this number goes.
pub fn planned(count: u32, words: &[String]) -> &str {
    let plans = words.windows(3).filter(|three| three[0] == "at");
    let mut plans = plans.filter(|three| three[1] == count.to_string());
    plans.next().map_or("ok", |three| &three[2])
}

/// Starts a server with a link.
pub fn start_worker((name, words): (String, Words)) -> StartResult {
    let mut options = Options::new();
    if has(&words, "name") {
        options = options.name(option(&words, "name", ""));
    }
    if has(&words, "within") {
        options = options.timeout(SHORT);
    }
    options.start_link::<Worker>((name, words)).map(|worker| worker.pid())
}

/// A server that tells of its start and its end.
pub struct Worker {
    name: String,
    words: Words,
    /// Calls that were not answered yet.
    held: Vec<(String, Caller<String>)>,
    state: String,
    /// What `continued` is to tell.
    next: String,
}

#[derive(Serialize, Deserialize)]
pub enum Call {
    Ask(String, String, Caller<String>),
}

#[derive(Serialize, Deserialize)]
pub enum Order {
    Stop(String),
    Crash,
    Word(String),
    Release(String),
    HandOn(String),
}

impl Worker {
    fn tell(&self, what: &str) {
        event(format!("{} {what}", self.name));
    }

    fn continued(&mut self) -> Next<Self> {
        self.tell(&format!("continue {}", self.next));
        Next::wait()
    }

    fn change(&mut self, state: &Term) -> Result<(), String> {
        let state: String = state.decode().map_err(|cause| cause.to_string())?;
        if state == "bad" {
            return Err("no".to_owned());
        }
        self.state = state;
        Ok(())
    }
}

impl Server for Worker {
    type Argument = (String, Words);
    type Call = Call;
    type Cast = Order;
    type Message = String;

    fn init((name, words): (String, Words)) -> Init<Self> {
        trap_exit(has(&words, "traps"));
        if has(&words, "hang") {
            lunatic::sleep(Duration::MAX);
        }
        match planned(begins(&name), &words) {
            "ignore" => {
                failing(format!("ignore {name}"));
                return Init::ignore();
            }
            "fail" => {
                failing(format!("fail {name}"));
                return Init::stop("oops".into());
            }
            "crash" => {
                failing(format!("fail {name}"));
                panic!("it was told to")
            }
            _ => event(format!("start {name}")),
        }
        let next = match (has(&words, "continue"), has(&words, "zero")) {
            (true, _) => Next::then(Worker::continued),
            (_, true) => Next::wait_for(Duration::ZERO),
            _ => Next::wait(),
        };
        let (held, state) = (Vec::new(), "new".to_owned());
        Init::ok_then(Worker { name, words, held, state, next: "first".to_owned() }, next)
    }

    fn handle_call(&mut self, Call::Ask(kind, word, caller): Call) -> Next<Self> {
        match kind.as_str() {
            "early" => {
                caller.reply(&word);
                self.tell(&format!("went on {word}"));
            }
            "later" => {
                self.tell(&format!("holds {word}"));
                self.held.push((word, caller));
            }
            "then" => {
                caller.reply(&word);
                self.next = word;
                return Next::then(Worker::continued);
            }
            "zero" | "far" => {
                caller.reply(&word);
                return Next::wait_for(if kind == "zero" { Duration::ZERO } else { HOUR });
            }
            "stop" => return Next::stop_with_reply(words::term(&word), caller, &word),
            "leave" => return Next::stop(words::term(&word)),
            "crash" => panic!("it was told to"),
            "state" => caller.reply(&self.state),
            "myself" => {
                let me = ServerRef::<Worker>::from_pid(Pid::this());
                let result = me.call_with(None, |caller| Call::Ask("echo".into(), word, caller));
                caller.reply(&match result {
                    Err(CallError::Down(ExitReason::Error(text))) => {
                        text.split(':').next().unwrap_or_default().to_owned()
                    }
                    other => format!("{other:?}"),
                });
            }
            _ => caller.reply(&word),
        }
        Next::wait()
    }

    fn handle_cast(&mut self, order: Order) -> Next<Self> {
        let (word, hand_on) = match order {
            Order::Stop(reason) => return Next::stop(words::term(&reason)),
            Order::Crash => panic!("it was told to"),
            Order::Word(word) => {
                self.tell(&format!("cast {word}"));
                self.state = word;
                return Next::wait();
            }
            Order::Release(word) => (word, false),
            Order::HandOn(word) => (word, true),
        };
        let at = self.held.iter().position(|(held, _)| *held == word).expect("it holds this");
        let (word, caller) = self.held.remove(at);
        self.tell(&format!("answers {word}"));
        if hand_on {
            lunatic::spawn((word, caller), answer_for_another);
        } else {
            caller.reply(&word);
        }
        Next::wait()
    }

    fn handle_info(&mut self, info: Info<String>) -> Next<Self> {
        match info {
            Info::Exit(exit) => {
                event(format!("signal {} {}", self.name, words::reason(&exit.reason)));
            }
            Info::Message(word) => self.tell(&format!("info {word}")),
            Info::Timeout => self.tell("timeout"),
            Info::Down(_) => {}
        }
        Next::wait()
    }

    fn terminate(&mut self, reason: &ExitReason) {
        if has(&self.words, "stubborn") {
            lunatic::sleep(Duration::MAX);
        }
        ending(format!("stop {} {}", self.name, words::reason(reason)));
    }

    fn state(&self) -> Term {
        Term::of(&self.state)
    }

    fn replace_state(&mut self, state: &Term) -> Result<(), String> {
        self.change(state)
    }

    fn code_change(&mut self, _: &str, state: &Term) -> Result<(), String> {
        self.change(state)
    }
}

fn answer_for_another((word, caller): (String, Caller<String>), _: Mailbox<()>) {
    caller.reply(&word);
}
