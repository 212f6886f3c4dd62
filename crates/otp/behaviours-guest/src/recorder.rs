//! Writes down what the processes of a scenario do, in the order of its causes. The same as
//! erl/behaviour_recorder.erl, on the calls of the library alone.
//!
//! What must stay true: whoever tells something goes on only when it is written down; a step is
//! settled when all that must have ended by then have: those that have said that they end, those
//! that are dead already, and those whose supervisor is dead.

use std::collections::BTreeMap;
use std::mem::take;

use lunatic::message::{self, Pattern};
use lunatic::{Mailbox, Pid, Postcard, Ref, call};
use serde::{Deserialize, Serialize};

use crate::words;

const NAME: &str = "recorder";

#[derive(Serialize, Deserialize)]
enum Request {
    Attempt(String),
    Born(String, u32, Pid, Pid),
    Event(String, Pid, Mark),
    Pid(String),
    Last(String),
    Name(Pid),
    Ended,
    Await(String),
    AwaitEnd(Pid),
    Settle,
}

/// What an event says of who tells it.
#[derive(PartialEq, Serialize, Deserialize)]
enum Mark {
    Goes,
    Ends,
    Fails,
}

#[derive(Serialize, Deserialize)]
enum Answer {
    Done,
    Count(u32),
    Pid(Option<Pid>),
    Pids(Vec<Pid>),
    Text(String),
    Settled(Vec<String>, Vec<String>),
}

/// Starts it. It ends with the environment.
pub fn start() {
    let recorder = lunatic::spawn((), |(), _: Mailbox<()>| run());
    lunatic::register(NAME, recorder).expect("nobody has the name");
}

fn ask(request: &Request) -> Answer {
    call::<Request, Answer, Postcard>(NAME, request, None).expect("the recorder answers")
}

/// The calling process is another one of this name: tells which, counted from 1.
pub fn begins(name: &str) -> u32 {
    let count = attempt(name);
    let parent = Pid::this().info().and_then(|info| info.parent).unwrap_or(Pid::NONE);
    ask(&Request::Born(name.to_owned(), count, Pid::this(), parent));
    count
}

/// The first step of that, for a process that cannot tell of itself: its parent does both.
pub fn attempt(name: &str) -> u32 {
    let Answer::Count(count) = ask(&Request::Attempt(name.to_owned())) else { unreachable!() };
    count
}

/// The second step.
pub fn born(name: &str, count: u32, pid: Pid) {
    ask(&Request::Born(name.to_owned(), count, pid, Pid::this()));
}

/// Something has happened.
pub fn event(text: impl Into<String>) {
    ask(&Request::Event(text.into(), Pid::this(), Mark::Goes));
}

/// The same, and the caller ends now.
pub fn ending(text: impl Into<String>) {
    ask(&Request::Event(text.into(), Pid::this(), Mark::Ends));
}

/// The same, and its start has failed: with what reason it ends is not told, since whoever started
/// it may hear of the failure, and end, before.
pub fn failing(text: impl Into<String>) {
    ask(&Request::Event(text.into(), Pid::this(), Mark::Fails));
}

/// The calling process is about to answer another one, which ends then.
pub fn answered(pid: Pid, text: impl Into<String>) {
    ask(&Request::Event(text.into(), pid, Mark::Ends));
}

/// Waits until this has been told since the last step.
pub fn await_event(text: impl Into<String>) {
    ask(&Request::Await(text.into()));
}

/// Waits until the process has ended.
pub fn await_end(pid: Pid) {
    ask(&Request::AwaitEnd(pid));
}

/// What was told since the last step, and who ended why, the oldest first.
pub fn settle() -> (Vec<String>, Vec<String>) {
    let Answer::Settled(log, ends) = ask(&Request::Settle) else { unreachable!() };
    (log, ends)
}

/// The process that has the name: the last that began and has not ended.
pub fn pid(name: &str) -> Option<Pid> {
    let Answer::Pid(pid) = ask(&Request::Pid(name.to_owned())) else { unreachable!() };
    pid
}

/// The same, be it alive or not.
pub fn last(name: &str) -> Option<Pid> {
    let Answer::Pid(pid) = ask(&Request::Last(name.to_owned())) else { unreachable!() };
    pid
}

/// All that have ended.
pub fn ended() -> Vec<Pid> {
    let Answer::Pids(pids) = ask(&Request::Ended) else { unreachable!() };
    pids
}

/// How the process is called.
pub fn name(pid: Pid) -> String {
    let Answer::Text(name) = ask(&Request::Name(pid)) else { unreachable!() };
    name
}

struct Instance {
    name: String,
    count: u32,
    pid: Pid,
    parent: Pid,
    ending: bool,
    ended: Option<String>,
    told: bool,
}

impl Instance {
    /// Whether it has not ended yet and is to.
    fn must_end(&self) -> bool {
        let orphan = self.parent != Pid::NONE && !self.parent.is_alive();
        self.ended.is_none() && (self.ending || !self.pid.is_alive() || orphan)
    }
}

#[derive(Default)]
struct Recorder {
    log: Vec<String>,
    instances: Vec<Instance>,
    counts: BTreeMap<String, u32>,
    waits: Vec<(Ref, Request)>,
}

fn run() {
    let mut recorder = Recorder::default();
    while let Some(envelope) = message::receive(&[Pattern::ANY], None) {
        if let Some(down) = envelope.down() {
            let instances = recorder.instances.iter_mut();
            for instance in instances.filter(|instance| instance.pid == down.from) {
                instance.ended.get_or_insert_with(|| words::reason(&down.reason));
            }
        } else {
            let request = envelope.decode_call::<Request, Postcard>();
            let (to, request) = request.expect("only requests come here");
            match recorder.handle(request) {
                Ok(answer) => reply(to, &answer),
                Err(wait) => recorder.waits.push((to, wait)),
            }
        }
        for (to, wait) in take(&mut recorder.waits) {
            match recorder.answer(&wait) {
                Some(answer) => reply(to, &answer),
                None => recorder.waits.push((to, wait)),
            }
        }
    }
}

fn reply(to: Ref, answer: &Answer) {
    message::reply_postcard(to, answer).expect("an answer can be written");
}

impl Recorder {
    /// Answers, or gives back what has to wait.
    fn handle(&mut self, request: Request) -> Result<Answer, Request> {
        Ok(match request {
            Request::Attempt(name) => {
                let count = self.counts.entry(name).or_default();
                *count += 1;
                Answer::Count(*count)
            }
            Request::Born(name, count, pid, parent) => {
                pid.monitor();
                let (ending, ended, told) = (false, None, false);
                self.instances.push(Instance { name, count, pid, parent, ending, ended, told });
                Answer::Done
            }
            Request::Event(text, of, mark) => {
                self.log.push(text);
                for instance in self.instances.iter_mut().filter(|one| one.pid == of) {
                    instance.ending |= mark != Mark::Goes;
                    instance.told |= mark == Mark::Fails;
                }
                Answer::Done
            }
            Request::Pid(name) => {
                let live = |one: &&Instance| one.name == name && one.ended.is_none();
                Answer::Pid(self.instances.iter().rev().find(live).map(|one| one.pid))
            }
            Request::Last(name) => {
                let found = self.instances.iter().rev().find(|one| one.name == name);
                Answer::Pid(found.map(|one| one.pid))
            }
            Request::Ended => {
                let ended = self.instances.iter().filter(|one| one.ended.is_some());
                Answer::Pids(ended.map(|one| one.pid).collect())
            }
            Request::Name(pid) => {
                let found = self.instances.iter().rev().find(|one| one.pid == pid);
                let name = found.map(|one| format!("{}#{}", one.name, one.count));
                Answer::Text(name.unwrap_or_else(|| "somebody".to_owned()))
            }
            wait => return Err(wait),
        })
    }

    fn answer(&mut self, wait: &Request) -> Option<Answer> {
        match wait {
            Request::Await(text) => self.log.contains(text).then_some(Answer::Done),
            Request::AwaitEnd(pid) => {
                let lives = |one: &Instance| one.pid == *pid && one.ended.is_none();
                (!self.instances.iter().any(lives)).then_some(Answer::Done)
            }
            _ => {
                if self.instances.iter().any(Instance::must_end) {
                    return None;
                }
                let mut ends = Vec::new();
                for instance in self.instances.iter_mut().filter(|one| !one.told) {
                    if let Some(reason) = &instance.ended {
                        ends.push(format!("{} {reason}", instance.name));
                        instance.told = true;
                    }
                }
                Some(Answer::Settled(take(&mut self.log), ends))
            }
        }
    }
}
