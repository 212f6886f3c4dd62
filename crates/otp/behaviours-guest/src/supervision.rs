//! Supervisors in behaviour scenarios, as erl/behaviour_supervision.erl has them: the library's
//! supervisor, with the servers of servers.rs.
//!
//! What must stay true: a step is over when no supervisor lists a process that is dead, or a child
//! that is being restarted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lunatic::server::{ServerRef, StartError};
use lunatic::supervisor::{
    AutoShutdown, ChildInfo, ChildKind, ChildSpec, ChildState, Restart, Shutdown, StartResult,
    Strategy, Supervisor, SupervisorRef,
};
use lunatic::{CallError, ExitReason, Pid};

use crate::recorder::{self, await_end, await_event, event};
use crate::servers::{Order, Words, Worker, has, option, owned, planned, start_worker};
use crate::words;

const HOUR: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(1);

/// What a scenario has declared, and the supervisors that it has started.
#[derive(Default)]
pub struct Supervision {
    supervisors: BTreeMap<String, (String, Words)>,
    children: BTreeMap<String, Vec<String>>,
    attributes: BTreeMap<String, Words>,
    tops: Vec<Pid>,
    /// Servers whose parent is this process.
    own: BTreeSet<String>,
}

impl Supervision {
    /// Takes a declaration; false if the line is none.
    pub fn declare(&mut self, verb: &str, rest: &[&str]) -> bool {
        match (verb, rest) {
            ("supervisor", [name, strategy, words @ ..]) => {
                let declared = ((*strategy).to_owned(), owned(words));
                self.supervisors.insert((*name).to_owned(), declared);
                if let ["in", above, words @ ..] = words {
                    self.add(above, name, words);
                }
                true
            }
            ("child", [name, "in", above, words @ ..]) => {
                self.add(above, name, words);
                true
            }
            ("server", [name, words @ ..]) => {
                // A step, but signals to it depend on this.
                self.attributes.insert((*name).to_owned(), owned(words));
                self.own.insert((*name).to_owned());
                false
            }
            _ => false,
        }
    }

    fn add(&mut self, above: &str, name: &str, words: &[&str]) {
        self.attributes.insert(name.to_owned(), owned(words));
        self.children.entry(above.to_owned()).or_default().push(name.to_owned());
    }

    fn definition(&self, name: &str) -> Supervisor {
        let (strategy, words) = &self.supervisors[name];
        let none = Vec::new();
        let children = self.children.get(name).unwrap_or(&none);
        let mut supervisor = match strategy.as_str() {
            "simple_one_for_one" => {
                let template = ChildSpec::template(&*children[0], start_worker);
                let words = &self.attributes[&children[0]];
                Supervisor::dynamic(with_attributes(template, words))
            }
            other => children.iter().fold(
                Supervisor::new(match other {
                    "one_for_all" => Strategy::OneForAll,
                    "rest_for_one" => Strategy::RestForOne,
                    _ => Strategy::OneForOne,
                }),
                |supervisor, child| supervisor.child(self.spec(child)),
            ),
        };
        let intensity = option(words, "intensity", "1").parse().expect("a number");
        let period = if has(words, "zero_period") { Duration::ZERO } else { HOUR };
        supervisor = supervisor.intensity(intensity, period);
        supervisor.auto_shutdown(match option(words, "auto", "no") {
            "any" => AutoShutdown::AnySignificant,
            "all" => AutoShutdown::AllSignificant,
            _ => AutoShutdown::Never,
        })
    }

    fn spec(&self, name: &str) -> ChildSpec {
        let words = self.attributes[name].clone();
        let spec = if self.supervisors.contains_key(name) {
            let argument = (name.to_owned(), words.clone(), self.definition(name));
            ChildSpec::new(name, start_supervisor, &argument).kind(ChildKind::Supervisor)
        } else {
            ChildSpec::new(name, start_worker, &(name.to_owned(), words.clone()))
        };
        with_attributes(spec, &words)
    }

    /// Does a step and gives what came of it.
    pub fn step(&mut self, verb: &str, rest: &[&str]) -> Option<String> {
        match (verb, rest) {
            ("start", [name]) => {
                let argument = ((*name).to_owned(), Vec::new(), self.definition(name));
                Some(match start_supervisor(argument) {
                    Ok(pid) => {
                        self.tops.push(pid);
                        "ok".to_owned()
                    }
                    Err(error) => format!("error {}", words::start_error(&error)),
                })
            }
            ("exit", [name, reason]) => {
                ends(name, |pid| worker(pid, Order::Stop((*reason).into())))
            }
            ("crash", [name]) => ends(name, |pid| worker(pid, Order::Crash)),
            ("kill", [name]) => ends(name, Pid::kill),
            ("signal", [name, reason]) => self.signal(name, reason),
            (_, [supervisor, rest @ ..]) => {
                let Some(pid) = recorder::pid(supervisor) else { return Some(not_running()) };
                let name = rest.first().copied().unwrap_or("");
                let words = owned(rest.get(1..).unwrap_or(&[]));
                Some(self.manage(SupervisorRef::from_pid(pid), supervisor, verb, name, words))
            }
            _ => panic!("{verb} is no step"),
        }
    }

    fn manage(
        &mut self,
        supervisor: SupervisorRef,
        above: &str,
        verb: &str,
        name: &str,
        words: Words,
    ) -> String {
        match verb {
            "start_child" => {
                self.attributes.insert(name.to_owned(), words);
                words::started(supervisor.start_child(self.spec(name)))
            }
            "start_dynamic" => {
                let words = self.attributes[&self.children[above][0]].clone();
                self.attributes.insert(name.to_owned(), words.clone());
                words::started(supervisor.start_dynamic(&(name.to_owned(), words)))
            }
            "terminate_child" => words::managed(supervisor.terminate_child(name)),
            "terminate_dynamic" => match recorder::pid(name) {
                Some(pid) => words::managed(supervisor.terminate_dynamic(pid)),
                None => not_running(),
            },
            "restart_child" => words::started(supervisor.restart_child(name)),
            "delete_child" => words::managed(supervisor.delete_child(name)),
            "which" => which(supervisor),
            "count" => {
                let counts = supervisor.count_children().expect("it answers");
                let lunatic::supervisor::Counts { specs, active, supervisors, workers } = counts;
                format!("specs {specs} active {active} supervisors {supervisors} workers {workers}")
            }
            "spec" => match supervisor.child_spec(name) {
                Ok(spec) => shown_spec(&spec),
                Err(error) => words::managed(Err(error)),
            },
            "stop" => {
                let result = supervisor.stop();
                await_end(supervisor.pid());
                match result {
                    Ok(()) => "ok".to_owned(),
                    Err(CallError::Down(reason)) => words::reason(&reason),
                    Err(other) => panic!("{other}"),
                }
            }
            _ => panic!("{verb} is no step"),
        }
    }

    fn signal(&self, name: &str, word: &str) -> Option<String> {
        let reason = words::term(word);
        let traps = self.attributes.get(name).is_some_and(|words| has(words, "traps"));
        let ended_by_parent =
            self.own.contains(name) && traps || self.supervisors.contains_key(name);
        if ended_by_parent || !traps && reason != ExitReason::Normal {
            return ends(name, |pid| pid.exit(reason));
        }
        let Some(pid) = recorder::pid(name) else { return Some(not_running()) };
        let text = format!("signal {name} {}", words::reason(&reason));
        pid.exit(reason);
        if traps {
            await_event(text);
        }
        None
    }

    /// Waits until all supervisors are at rest.
    pub fn quiesce(&self) {
        while !self.tops.iter().all(|top| at_rest(*top)) {}
    }
}

fn not_running() -> String {
    "not running".to_owned()
}

fn ends(name: &str, order: impl FnOnce(Pid)) -> Option<String> {
    let Some(pid) = recorder::pid(name) else { return Some(not_running()) };
    order(pid);
    await_end(pid);
    None
}

fn worker(pid: Pid, order: Order) {
    ServerRef::<Worker>::from_pid(pid).cast(&order);
}

/// One that is dead is at rest; one below another is seen in the list of that one.
fn at_rest(pid: Pid) -> bool {
    let Ok(children) = SupervisorRef::from_pid(pid).which_children() else {
        return !pid.is_alive();
    };
    children.iter().all(|child| match (child.state, child.kind) {
        (ChildState::Stopped, _) => true,
        (ChildState::Restarting, _) => false,
        (ChildState::Running(pid), ChildKind::Worker) => pid.is_alive(),
        (ChildState::Running(pid), ChildKind::Supervisor) => at_rest(pid) && pid.is_alive(),
    })
}

fn kind(kind: ChildKind) -> &'static str {
    match kind {
        ChildKind::Worker => "worker",
        ChildKind::Supervisor => "supervisor",
    }
}

fn which(supervisor: SupervisorRef) -> String {
    let children = supervisor.which_children().expect("it answers");
    let shown = |child: &ChildInfo| match child.state {
        ChildState::Running(pid) => format!("{}:{}", recorder::name(pid), kind(child.kind)),
        ChildState::Stopped => format!("{}:stopped:{}", child.id, kind(child.kind)),
        ChildState::Restarting => format!("{}:restarting:{}", child.id, kind(child.kind)),
    };
    let mut shown: Vec<String> = children.iter().map(shown).collect();
    // The children of a dynamic supervisor have one id, and no order.
    if children.windows(2).any(|two| two[0].id == two[1].id) {
        shown.sort();
    }
    shown.join(" ")
}

fn shown_spec(spec: &ChildSpec) -> String {
    let restart = match spec.restart_type() {
        Restart::Permanent => "permanent",
        Restart::Transient => "transient",
        Restart::Temporary => "temporary",
    };
    let shutdown = match spec.shutdown_type() {
        Shutdown::BrutalKill => "kill",
        Shutdown::Timeout(SHORT) => "short",
        Shutdown::Timeout(_) => "far",
        Shutdown::Infinity => "infinity",
    };
    let significant = if spec.is_significant() { " significant" } else { "" };
    format!("{restart} {} {shutdown}{significant}", kind(spec.child_kind()))
}

fn with_attributes(spec: ChildSpec, words: &[String]) -> ChildSpec {
    let restart = words.iter().find_map(|word| match word.as_str() {
        "permanent" => Some(Restart::Permanent),
        "transient" => Some(Restart::Transient),
        "temporary" => Some(Restart::Temporary),
        _ => None,
    });
    let mut spec = spec.restart(restart.unwrap_or_default());
    if has(words, "significant") {
        spec = spec.significant();
    }
    spec.shutdown(match option(words, "shutdown", "infinity") {
        "kill" => Shutdown::BrutalKill,
        "short" => Shutdown::Timeout(SHORT),
        "far" => Shutdown::Timeout(HOUR),
        _ => Shutdown::Infinity,
    })
}

fn start_supervisor((name, words, supervisor): (String, Words, Supervisor)) -> StartResult {
    let count = recorder::attempt(&name);
    match planned(count, &words) {
        "ignore" => {
            event(format!("ignore {name}"));
            Err(StartError::Ignored)
        }
        "fail" => {
            event(format!("fail {name}"));
            Err(StartError::Exit("oops".into()))
        }
        _ => {
            event(format!("start {name}"));
            let pid = supervisor.start_link()?.pid();
            recorder::born(&name, count, pid);
            Ok(pid)
        }
    }
}
