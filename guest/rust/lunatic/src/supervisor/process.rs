//! The process of a supervisor: what it is asked for, and how it reaches its children.
//!
//! What must stay true: the decisions are those of `children.rs` and `dynamic_children.rs`; here
//! are their effects alone. A child that is stopped is monitored before it is asked to end and
//! unlinked when it has, so that no end is missed and none is heard of twice.

use std::fmt;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::behaviour::{StartError, left, send, unlink_flush};
use crate::format::Bytes;
use crate::message::{Destination, tag};
use crate::process::{Monitor, trap_exit};
use crate::server::{Caller, Info, Init, Next, Server};
use crate::sys::Term;
use crate::{Exit, ExitReason, Pid};

use super::children::Children;
use super::decisions::{Again, Effects, Event, Outcome, Report};
use super::dynamic_children::DynamicChildren;
use super::{
    ChildInfo, ChildSpec, Counts, FailedToStart, Flags, ManageError, Shutdown, SpecError, Start,
    Started, Supervisor,
};

/// What a supervisor is asked for.
#[derive(Serialize, Deserialize)]
pub(crate) enum Call {
    StartChild(ChildSpec, Caller<Result<Started, ManageError>>),
    StartDynamic(Bytes, Caller<Result<Started, ManageError>>),
    TerminateChild(String, Caller<Result<(), ManageError>>),
    TerminateDynamic(Pid, Caller<Result<(), ManageError>>),
    RestartChild(String, Caller<Result<Started, ManageError>>),
    DeleteChild(String, Caller<Result<(), ManageError>>),
    ChildSpec(String, Caller<Result<ChildSpec, ManageError>>),
    WhichChildren(Caller<Vec<ChildInfo>>),
    CountChildren(Caller<Counts>),
    Describe(Caller<Description>),
}

/// A supervisor as the tree shows it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Description {
    pub(super) flags: Flags,
    pub(super) dynamic: bool,
    /// In the order of start.
    pub(super) children: Vec<ChildInfo>,
}

/// The state of a supervisor.
pub(crate) struct Process {
    kind: Kind,
    hands: Hands,
}

enum Kind {
    Static(Children),
    Dynamic(DynamicChildren),
}

impl Kind {
    /// Nothing is started yet.
    fn new(supervisor: Supervisor) -> Result<Self, SpecError> {
        let Supervisor { flags, mut children, dynamic, .. } = supervisor;
        match (dynamic, children.pop()) {
            (true, Some(template)) => DynamicChildren::new(flags, template).map(Kind::Dynamic),
            (_, last) => {
                children.extend(last);
                Children::new(flags, children).map(Kind::Static)
            }
        }
    }
}

impl Server for Process {
    type Argument = Supervisor;
    type Call = Call;
    type Cast = Again;
    type Message = ();

    fn init(supervisor: Supervisor) -> Init<Self> {
        trap_exit(true);
        let mut hands = Hands;
        let mut kind = match Kind::new(supervisor) {
            Ok(kind) => kind,
            Err(error) => return Init::stop(ExitReason::Error(error.to_string())),
        };
        if let Kind::Static(children) = &mut kind
            && let Err((id, error)) = children.start_all(&mut hands)
        {
            let reason = ExitReason::shutdown_with(&FailedToStart { id, error });
            return Init::stop(reason.unwrap_or(ExitReason::Shutdown));
        }
        Init::ok(Self { kind, hands })
    }

    fn handle_call(&mut self, call: Call) -> Next<Self> {
        match call {
            Call::WhichChildren(caller) => caller.reply(&self.infos()),
            Call::CountChildren(caller) => caller.reply(&match &self.kind {
                Kind::Static(children) => children.count(&mut self.hands),
                Kind::Dynamic(children) => children.count(),
            }),
            Call::Describe(caller) => {
                let mut children = self.infos();
                children.reverse();
                let (flags, dynamic) = match &self.kind {
                    Kind::Static(children) => (*children.flags(), false),
                    Kind::Dynamic(children) => (*children.flags(), true),
                };
                caller.reply(&Description { flags, dynamic, children });
            }
            other => match &mut self.kind {
                Kind::Static(children) => manage(children, &mut self.hands, other),
                Kind::Dynamic(children) => manage_dynamic(children, &mut self.hands, other),
            },
        }
        Next::wait()
    }

    fn handle_cast(&mut self, again: Again) -> Next<Self> {
        next(match (&mut self.kind, again) {
            (Kind::Static(children), Again::Id(id)) => {
                children.try_again(&id, now(), &mut self.hands)
            }
            (Kind::Dynamic(children), Again::Was(pid)) => {
                children.try_again(pid, now(), &mut self.hands)
            }
            (Kind::Static(_), Again::Was(_)) | (Kind::Dynamic(_), Again::Id(_)) => {
                Outcome::Continue
            }
        })
    }

    fn handle_info(&mut self, info: Info<()>) -> Next<Self> {
        let Info::Exit(Exit { from: pid, reason, .. }) = info else {
            log::error!("supervisor {} got a message that is none of its own", Pid::this());
            return Next::wait();
        };
        next(match &mut self.kind {
            Kind::Static(children) => children.exited(pid, &reason, now(), &mut self.hands),
            Kind::Dynamic(children) => children.exited(pid, &reason, now(), &mut self.hands),
        })
    }

    fn terminate(&mut self, _reason: &ExitReason) {
        match &mut self.kind {
            Kind::Static(children) => children.stop_all(&mut self.hands),
            Kind::Dynamic(children) => children.stop_all(&mut self.hands),
        }
    }

    fn state(&self) -> Term {
        Term::of(&self.infos())
    }

    /// The extra data is a [`Supervisor`]: its flags and children hold from now on.
    fn code_change(&mut self, _old_version: &str, extra: &Term) -> Result<(), String> {
        let new: Supervisor = extra.decode().map_err(|cause| cause.to_string())?;
        let result = match &mut self.kind {
            Kind::Static(children) if !new.dynamic => children.change(new.flags, new.children),
            Kind::Dynamic(children) if new.dynamic && new.children.len() == 1 => {
                let [template] = new.children.try_into().map_err(|_| "one template".to_owned())?;
                children.change(new.flags, template)
            }
            Kind::Static(_) | Kind::Dynamic(_) => {
                return Err("a supervisor cannot become dynamic, or cease to be".to_owned());
            }
        };
        result.map_err(|error| error.to_string())
    }

    fn format_status(&self) -> String {
        "a supervisor".to_owned()
    }
}

impl Process {
    fn infos(&self) -> Vec<ChildInfo> {
        let info = |(spec, state): (&ChildSpec, _)| ChildInfo {
            id: spec.id().to_owned(),
            state,
            kind: spec.child_kind(),
            restart: spec.restart_type(),
        };
        match &self.kind {
            Kind::Static(children) => children.iter().map(info).collect(),
            Kind::Dynamic(children) => children.iter().map(info).collect(),
        }
    }
}

fn next(outcome: Outcome) -> Next<Process> {
    match outcome {
        Outcome::Continue => Next::wait(),
        Outcome::Shutdown => Next::stop(ExitReason::Shutdown),
    }
}

fn manage(children: &mut Children, hands: &mut Hands, call: Call) {
    match call {
        Call::StartChild(spec, caller) => caller.reply(&children.start_child(spec, hands)),
        Call::TerminateChild(id, caller) => caller.reply(&children.terminate_child(&id, hands)),
        Call::RestartChild(id, caller) => caller.reply(&children.restart_child(&id, hands)),
        Call::DeleteChild(id, caller) => caller.reply(&children.delete_child(&id)),
        Call::ChildSpec(id, caller) => caller.reply(&children.spec(&id).cloned()),
        Call::StartDynamic(_, caller) => caller.reply(&Err(ManageError::WrongKind)),
        Call::TerminateDynamic(_, caller) => caller.reply(&Err(ManageError::NotFound)),
        Call::WhichChildren(_) | Call::CountChildren(_) | Call::Describe(_) => {
            unreachable!("these are answered for both kinds")
        }
    }
}

fn manage_dynamic(children: &mut DynamicChildren, hands: &mut Hands, call: Call) {
    match call {
        Call::StartDynamic(argument, caller) => {
            let started = children.start_child(argument, hands);
            caller.reply(&started.map_err(ManageError::Start));
        }
        Call::TerminateDynamic(pid, caller) => {
            caller.reply(&children.terminate_child(pid, hands));
        }
        Call::ChildSpec(_, caller) => caller.reply(&Ok(children.template().clone())),
        Call::StartChild(_, caller) | Call::RestartChild(_, caller) => {
            caller.reply(&Err(ManageError::WrongKind));
        }
        Call::TerminateChild(_, caller) | Call::DeleteChild(_, caller) => {
            caller.reply(&Err(ManageError::WrongKind));
        }
        Call::WhichChildren(_) | Call::CountChildren(_) | Call::Describe(_) => {
            unreachable!("these are answered for both kinds")
        }
    }
}

/// A time that never goes back.
fn now() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// The real effects.
struct Hands;

impl Effects for Hands {
    fn start(&mut self, start: &Start) -> Result<Started, StartError> {
        match start.run() {
            Ok(pid) => Ok(Started::Running(pid)),
            Err(StartError::Ignored) => Ok(Started::Ignore),
            Err(error) => Err(error),
        }
    }

    fn stop(&mut self, pid: Pid, how: Shutdown) -> ExitReason {
        stop_all(&[pid], how).pop().expect("one child, one reason")
    }

    fn stop_together(&mut self, pids: &[Pid], how: Shutdown) -> Vec<ExitReason> {
        stop_all(pids, how)
    }

    fn is_alive(&mut self, pid: Pid) -> bool {
        pid.is_alive()
    }

    fn report(&mut self, report: Report<'_>) {
        let Report { event, child, pid, reason } = report;
        let me = Pid::this();
        let process = pid.map_or_else(String::new, |pid| format!(" ({pid})"));
        let id = child.id();
        match event {
            Event::Started => log::info!("supervisor {me}: child {id}{process} started"),
            Event::StartError
            | Event::ChildTerminated
            | Event::ShutdownError
            | Event::MaxIntensity => {
                log::error!("supervisor {me}: {event}, child {id}{process}: {reason}");
            }
        }
    }

    fn try_again(&mut self, child: Again) {
        send(Destination::Pid(Pid::this()), tag::CAST, &child);
    }
}

/// Asks all to end, then waits for each; what is late is killed.
fn stop_all(pids: &[Pid], how: Shutdown) -> Vec<ExitReason> {
    let (request, deadline) = match how {
        Shutdown::BrutalKill => (ExitReason::Kill, None),
        Shutdown::Infinity => (ExitReason::Shutdown, None),
        Shutdown::Timeout(time) => (ExitReason::Shutdown, Instant::now().checked_add(time)),
    };
    let monitors: Vec<Monitor> = pids
        .iter()
        .map(|pid| {
            let monitor = pid.monitor();
            pid.exit(request.clone());
            monitor
        })
        .collect();
    let mut deadline = deadline;
    let mut reasons = Vec::with_capacity(pids.len());
    for (index, (pid, monitor)) in pids.iter().zip(&monitors).enumerate() {
        let down = monitor.wait(left(deadline)).or_else(|| {
            for late in &pids[index..] {
                late.kill();
            }
            deadline = None;
            monitor.wait(None)
        });
        let reason = down.expect("a down comes, and is waited for without a timeout").reason;
        // The exit may say more than the down: whoever had ended before the monitor gives noproc.
        reasons.push(unlink_flush(*pid).unwrap_or(reason));
    }
    reasons
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Event::Started => "started",
            Event::StartError => "start error",
            Event::ChildTerminated => "child terminated",
            Event::ShutdownError => "shutdown error",
            Event::MaxIntensity => "shutdown",
        })
    }
}
