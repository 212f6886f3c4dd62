//! State machines in behaviour scenarios, as erl/behaviour_machine.erl has them: a machine whose
//! transitions are rules of the scenario.
//!
//! What must stay true: each rule is what the callback gives back, nothing else; every event that
//! the callback gets is told; a step is over when the machine has answered a system message, which
//! it receives only after all that need not be received.

use std::collections::BTreeMap;
use std::time::Duration;

use lunatic::process::trap_exit;
use lunatic::server::Caller;
use lunatic::statem::{Event, Machine, MachineRef, Start, Step};
use lunatic::{CallError, ExitReason, Mailbox, Pid, sys};
use serde::{Deserialize, Serialize};

use crate::recorder::{self, answered, await_end, await_event, begins, ending, event};
use crate::servers::{Words, has, owned};
use crate::words;

/// The rules that a scenario has declared.
#[derive(Default)]
pub struct Machines {
    rules: BTreeMap<String, Vec<Words>>,
    /// Who has asked which machine.
    asks: Vec<(Pid, Pid)>,
}

impl Machines {
    /// Takes a declaration; false if the line is none.
    pub fn declare(&mut self, verb: &str, rest: &[&str]) -> bool {
        let ("rule", [name, rule @ ..]) = (verb, rest) else { return false };
        self.rules.entry((*name).to_owned()).or_default().push(owned(rule));
        true
    }

    /// Does a step and gives what came of it; none if it is no step of machines.
    pub fn step(&mut self, verb: &str, rest: &[&str]) -> Option<Option<String>> {
        Some(match (verb, rest) {
            ("machine", [name, state, words @ ..]) => Some(self.start(name, state, words)),
            ("push", [name, words @ ..]) => {
                let machine = machine(name);
                words.iter().for_each(|word| machine.cast(&(*word).to_owned()));
                settle(machine);
                None
            }
            ("drop", [name, word]) => {
                machine(name).send(&(*word).to_owned());
                settle(machine(name));
                None
            }
            ("query", [name, word, rest @ ..]) => {
                let timeout = rest.first().map(|_| Duration::ZERO);
                let result = query(machine(name), word, timeout);
                settle(machine(name));
                Some(result)
            }
            ("query_by", [client, name, word]) => {
                let argument = (machine(name).pid(), [*client, *word].map(str::to_owned));
                lunatic::spawn(argument, |(pid, [client, word]), _: Mailbox<()>| {
                    begins(&client);
                    // Nobody answers before this is written down.
                    event(format!("{client} asks"));
                    let result = query(MachineRef::from_pid(pid), &word, None);
                    ending(format!("{client} {result}"));
                });
                await_event(format!("{client} asks"));
                await_event(format!("{name} was asked {word}"));
                let client = recorder::last(client).expect("it has begun");
                self.asks.push((client, machine(name).pid()));
                settle(machine(name));
                None
            }
            _ => return None,
        })
    }

    /// Waits for the end of those whose machine has ended.
    pub fn quiesce(&mut self) {
        self.asks.retain(|(client, machine)| {
            let lives = machine.is_alive();
            if !lives {
                await_end(*client);
            }
            lives
        });
    }

    fn start(&self, name: &str, state: &str, words: &[&str]) -> String {
        let rules = self.rules.get(name).cloned().unwrap_or_default();
        let argument = (name.to_owned(), state.to_owned(), owned(words), rules);
        match Ruled::start_link(argument) {
            Ok(machine) => {
                settle(machine);
                "ok".to_owned()
            }
            Err(error) => format!("error {}", words::start_error(&error)),
        }
    }
}

fn machine(name: &str) -> MachineRef<Ruled> {
    MachineRef::from_pid(recorder::last(name).unwrap_or(Pid::NONE))
}

fn query(machine: MachineRef<Ruled>, word: &str, timeout: Option<Duration>) -> String {
    match machine.call_with(timeout, |caller| Call::Ask(word.to_owned(), caller)) {
        Ok(answer) => format!("got {answer}"),
        Err(CallError::Timeout) => "timeout".to_owned(),
        Err(CallError::Down(reason)) => format!("down {}", words::reason(&reason)),
        Err(other) => panic!("{other}"),
    }
}

/// The machine has handled all that came before, or has ended.
fn settle(machine: MachineRef<Ruled>) {
    if sys::get_state::<()>(machine.pid()).is_err() {
        await_end(machine.pid());
    }
}

/// A machine that does what rules say.
pub struct Ruled {
    name: String,
    rules: Vec<Words>,
    held: BTreeMap<String, Caller<String>>,
    /// Calls that were told of; they may come again, when they were postponed.
    asked: Vec<(Pid, String)>,
}

#[derive(Serialize, Deserialize)]
pub enum Call {
    Ask(String, Caller<String>),
}

impl Ruled {
    /// Tells of an event, and gives what the first rule for it says.
    fn rule(&self, state: &str, kind: &str, word: &str) -> Words {
        let line = format!("{} {state} {kind} {word}", self.name);
        event(line.trim_end());
        let fits = |rule: &&Words| {
            (rule[0] == "any" || rule[0] == state)
                && rule[1] == kind
                && (rule[2] == "any" || rule[2] == word)
        };
        self.rules.iter().find(fits).map_or(Vec::new(), |rule| rule[3..].to_vec())
    }

    fn reply(&self, caller: Caller<String>, word: &str) {
        answered(caller.pid(), format!("{} answers {word}", self.name));
        caller.reply(&word.to_owned());
    }

    fn act(&mut self, actions: &[String], mut event: Option<Event<Self>>) -> Step<Self> {
        let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
        let mut step = target(&actions);
        let mut rest = &actions[..];
        while let [action, more @ ..] = rest {
            rest = more;
            let word = more.first().copied().unwrap_or_default();
            if !matches!(*action, "repeat" | "postpone" | "hold") {
                rest = &more[1..];
            }
            step = match *action {
                "to" | "stop" | "repeat" => step,
                "next" => step.next(word.to_owned()),
                "state_timeout" => step.state_timeout(time(word)),
                "event_timeout" => step.event_timeout(time(word)),
                "timeout" => {
                    let named = step.timeout(word, time(rest[0]));
                    rest = &rest[1..];
                    named
                }
                "cancel" => step.cancel(word),
                "postpone" => match event.take() {
                    Some(event) => step.postpone(event),
                    None => step,
                },
                other => {
                    self.answer(other, word, &mut event);
                    step
                }
            };
        }
        step
    }

    fn answer(&mut self, action: &str, word: &str, event: &mut Option<Event<Self>>) {
        match (action, event.take()) {
            ("reply", Some(Event::Call(Call::Ask(_, caller)))) => self.reply(caller, word),
            ("hold", Some(Event::Call(Call::Ask(asked, caller)))) => {
                self.held.insert(asked, caller);
            }
            ("answer", other) => {
                *event = other;
                if let Some(caller) = self.held.remove(word) {
                    self.reply(caller, word);
                }
            }
            _ => panic!("{action} is no action for this"),
        }
    }
}

/// Where actions lead.
fn target(actions: &[&str]) -> Step<Ruled> {
    for (at, action) in actions.iter().enumerate() {
        match *action {
            "to" => return Step::to(actions[at + 1].to_owned()),
            "stop" => return Step::stop(words::term(actions[at + 1])),
            "repeat" => return Step::repeat(),
            _ => {}
        }
    }
    Step::keep()
}

fn time(word: &str) -> Duration {
    if word == "zero" { Duration::ZERO } else { Duration::from_secs(3600) }
}

impl Machine for Ruled {
    type Argument = (String, String, Words, Vec<Words>);
    type State = String;
    type Call = Call;
    type Cast = String;
    type Message = String;

    fn init((name, state, words, rules): Self::Argument) -> Start<Self> {
        trap_exit(has(&words, "traps"));
        begins(&name);
        event(format!("start {name}"));
        Start::ok(Ruled { name, rules, held: BTreeMap::new(), asked: Vec::new() }, state)
    }

    fn handle(&mut self, state: &String, event: Event<Self>) -> Step<Self> {
        if let Event::Call(Call::Ask(word, caller)) = &event {
            let asked = (caller.pid(), word.clone());
            if !self.asked.contains(&asked) {
                recorder::event(format!("{} was asked {word}", self.name));
                self.asked.push(asked);
            }
        }
        let actions = match &event {
            Event::Call(Call::Ask(word, _)) => self.rule(state, "call", word),
            Event::Cast(word) => self.rule(state, "cast", word),
            Event::Internal(word) => self.rule(state, "internal", word),
            Event::Message(word) => self.rule(state, "info", word),
            Event::Exit(exit) => self.rule(state, "exit", &words::reason(&exit.reason)),
            Event::Down(_) => Vec::new(),
            Event::EventTimeout => self.rule(state, "event_timeout", ""),
            Event::StateTimeout => self.rule(state, "state_timeout", ""),
            Event::Timeout(name) => self.rule(state, "timeout", name),
        };
        self.act(&actions, Some(event))
    }

    fn enter(&mut self, state: &String, old: &String) -> Step<Self> {
        let actions = self.rule(state, "enter", old);
        self.act(&actions, None)
    }

    fn terminate(&mut self, state: &String, reason: &ExitReason) {
        let reason = words::reason(reason);
        ending(format!("stop {} {reason} in {state}", self.name));
    }
}
