//! What the processes of one run write down, and how a runner of this runtime finds out that the
//! run is at rest.
//!
//! It is at rest when every live process has answered two probes inside an infinite receive without
//! a step in between, and every other one has told everybody of its end. This runtime handles a
//! signal before its sender goes on, so what was sent before the first answers had arrived before
//! the second probes. A process that then answered without a step had nothing in its mailbox that
//! it waits for; and who takes the first step after that would need a cause that somebody else's
//! step made. Timers are let run out in between.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lunatic_model::{ExitReason, Filter, Limits, Message, Pid, Signal, Tag};
use lunatic_node::{Environment, Process, Status};

use crate::program::{End, Outcome, Program, Trace, Who};
use crate::words::reason_of;

/// The tag of a probe, which no program uses. Its data is the number of the round.
pub const PROBE: Tag = Tag(i64::MIN);
/// The tag of the message that lets the first processes begin.
pub const GO: Tag = Tag(i64::MIN + 1);

/// How often the driver looks for ends, which nobody announces to it.
const LOOK: Duration = Duration::from_micros(50);
/// Far longer than any program takes: what has not happened by then never will.
const WATCHDOG: Duration = Duration::from_secs(120);

/// What is written down of one run.
pub struct Board {
    notes: Mutex<Notes>,
    changed: Condvar,
}

struct Notes {
    processes: Vec<Option<Arc<Process>>>,
    /// Also of those that had ended before anybody could look at them.
    pids: Vec<Option<Pid>>,
    /// Steps that were seen of each.
    steps: Vec<usize>,
    /// Each has begun an infinite receive and done no step since.
    waiting: Vec<bool>,
    /// A probe is on its way to each, or in its mailbox.
    probed: Vec<bool>,
    /// The last round that each has answered, and after how many steps.
    answers: Vec<Option<(u64, usize)>>,
    events: Vec<(Who, Outcome)>,
}

impl Board {
    /// An empty board for a program.
    pub fn new(program: &Program) -> Arc<Board> {
        let count = program.scripts.len();
        Arc::new(Board {
            notes: Mutex::new(Notes {
                processes: vec![None; count],
                pids: vec![None; count],
                steps: vec![0; count],
                waiting: vec![false; count],
                probed: vec![false; count],
                answers: vec![None; count],
                events: Vec::new(),
            }),
            changed: Condvar::new(),
        })
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        // Notes are whole between any two statements.
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A process is about to start, or has started.
    pub fn born(&self, who: Who, process: Arc<Process>) {
        let mut notes = self.notes();
        notes.pids[usize::from(who.0)] = Some(process.pid());
        notes.processes[usize::from(who.0)] = Some(process);
    }

    /// A process has ended before anybody could look at it.
    pub fn gone(&self, who: Who, pid: Pid) {
        self.notes().pids[usize::from(who.0)] = Some(pid);
    }

    /// A process, if it could be looked at.
    pub fn process(&self, who: Who) -> Option<Arc<Process>> {
        self.notes().processes.get(usize::from(who.0))?.clone()
    }

    /// Lets the first processes begin, now that all of them can be met.
    pub fn go(&self, environment: &Environment) {
        for process in self.notes().processes.iter().flatten() {
            let go = Message { tag: GO, ..Message::default() };
            environment.signal(process.pid(), Signal::Message(go));
        }
    }

    /// A step is done.
    pub fn seen(&self, who: Who, outcome: Outcome) {
        let mut notes = self.notes();
        notes.steps[usize::from(who.0)] += 1;
        notes.waiting[usize::from(who.0)] = false;
        notes.events.push((who, outcome));
    }

    /// A process begins an infinite receive.
    pub fn waits(&self, who: Who) {
        self.notes().waiting[usize::from(who.0)] = true;
        self.changed.notify_one();
    }

    /// A process has found a probe.
    pub fn found(&self, who: Who) {
        self.notes().probed[usize::from(who.0)] = false;
    }

    /// The messages that a process has, of which `count` includes a probe.
    pub fn messages(&self, of: Who, count: impl FnOnce() -> usize) -> usize {
        let notes = self.notes();
        count().saturating_sub(usize::from(notes.probed[usize::from(of.0)]))
    }

    /// A process answers a probe inside an infinite receive.
    pub fn answer(&self, who: Who, round: u64) {
        let mut notes = self.notes();
        let steps = notes.steps[usize::from(who.0)];
        notes.answers[usize::from(who.0)] = Some((round, steps));
        self.changed.notify_one();
    }

    /// The pid of a process that has been born.
    pub fn pid(&self, who: Who) -> Option<Pid> {
        self.notes().pids.get(usize::from(who.0)).copied().flatten()
    }

    /// The process that a pid belongs to.
    pub fn who(&self, pid: Pid) -> Option<Who> {
        let notes = self.notes();
        let mut pids = notes.pids.iter();
        pids.position(|known| *known == Some(pid)).map(|index| Who(index as u8))
    }

    /// Waits until the run is at rest, ends what is left of it, and gives its trace. `run_out` lets
    /// timers whose time has come fire.
    pub fn finish(&self, environment: &Environment, run_out: impl Fn()) -> Trace {
        // Probes that come later disturb less: who counts messages must not meet one. A process
        // that has been woken has not said so yet, but it is not idle.
        self.wait("all processes to wait or to end", |notes| {
            let mut processes = notes.processes.iter().zip(&notes.waiting);
            processes.all(|(process, waiting)| *waiting || has_ended(process))
                && notes.processes.iter().flatten().all(|process| is_idle(environment, process))
        });
        let mut round = 0;
        let mut before = None;
        loop {
            let answers = self.round(environment, round);
            if before.as_ref() == Some(&answers) {
                break;
            }
            before = Some(answers);
            run_out();
            round += 1;
        }
        let trace = {
            let mut notes = self.notes();
            let ends = notes.processes.iter().zip(&notes.pids).map(last_seen).collect();
            Trace { events: std::mem::take(&mut notes.events), ends }
        };
        environment.kill_all();
        self.wait("the last processes to end", |notes| notes.processes.iter().all(has_ended));
        // A body that never ran still holds this board.
        self.notes().processes.clear();
        trace
    }

    /// One round of probes: for each process whether it is there, and after how many steps it
    /// waits if it has not ended.
    fn round(&self, environment: &Environment, round: u64) -> Vec<Option<Option<usize>>> {
        let mut probed = Vec::new();
        self.wait("all processes to wait or to end", |notes| {
            // One that has just been spawned may not have said so yet.
            let known = |pid: &Pid| notes.pids.contains(&Some(*pid));
            let mut all = environment.processes().iter().all(known);
            for index in 0..notes.processes.len() {
                let process = notes.processes[index].clone();
                let Some(process) = process.filter(|process| process.ended().is_none()) else {
                    continue;
                };
                if !probed.contains(&index) {
                    probed.push(index);
                    notes.probed[index] = true;
                    let data = round.to_le_bytes().to_vec();
                    let probe = Message { tag: PROBE, data, ..Message::default() };
                    environment.signal(process.pid(), Signal::Message(probe));
                }
                all &= notes.answers[index].is_some_and(|(answered, _)| answered == round);
            }
            all
        });
        let notes = self.notes();
        let answers = notes.processes.iter().zip(&notes.answers);
        answers
            .map(|(process, answer)| {
                let process = process.as_ref()?;
                Some(match process.ended() {
                    Some(_) => None,
                    None => answer.map(|(_, steps)| steps),
                })
            })
            .collect()
    }

    fn wait(&self, what: &str, mut happened: impl FnMut(&mut Notes) -> bool) {
        let begin = Instant::now();
        let mut notes = self.notes();
        while !happened(&mut notes) {
            let waited = self.changed.wait_timeout(notes, LOOK);
            notes = waited.unwrap_or_else(PoisonError::into_inner).0;
            assert!(begin.elapsed() < WATCHDOG, "hang: waited for {what}");
        }
    }
}

fn has_ended(process: &Option<Arc<Process>>) -> bool {
    process.as_ref().is_none_or(|process| process.ended().is_some())
}

/// Whether it neither runs nor waits for a worker.
fn is_idle(environment: &Environment, process: &Process) -> bool {
    let info = environment.info(process.pid());
    info.is_none_or(|info| !matches!(info.status, Status::Running | Status::Runnable))
}

fn last_seen((process, pid): (&Option<Arc<Process>>, &Option<Pid>)) -> End {
    match process {
        None => pid.map_or(End::Unborn, |_| End::Gone),
        Some(process) => match process.ended() {
            Some(reason) => End::Ended(reason_of(reason)),
            None => End::Stuck,
        },
    }
}

/// Waits for a timer that is set now: those of the same node that were set before, for no time,
/// have fired by then.
pub fn run_out(environment: &Arc<Environment>) {
    let clock = environment.prepare("clock", Arc::new(Limits::default()));
    let clock = clock.expect("an environment that is not ending takes another process");
    let me = clock.clone();
    let body = Box::pin(async move {
        let set = me.send_after(me.pid(), Message::default(), Duration::ZERO).await;
        if set.is_ok() {
            me.receive(Filter::Any, None).await;
        }
        ExitReason::Normal
    });
    environment.start(clock.clone(), body, None);
    while clock.ended().is_none() {
        std::thread::yield_now();
    }
}
