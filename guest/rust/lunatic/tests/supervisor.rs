//! What a supervisor does with real children, as OTP's does. The decisions have tests of their own
//! (`src/supervisor/decision_tests.rs`); here are starts, stops and reasons on the runtime.

use std::time::Duration;

use lunatic::message::{self, Pattern};
use lunatic::process::trap_exit;
use lunatic::server::{Info, Init, Next, Server, ServerRef, StartError};
use lunatic::supervisor::{
    AutoShutdown, ChildSpec, ChildState, FailedToStart, ManageError, Restart, Shutdown, Started,
    Strategy, Supervisor, SupervisorRef,
};
use lunatic::{ExitReason, Mailbox, Pid, Process, sys, whereis};
use serde::{Deserialize, Serialize};

/// A child that tells of its start and its end, and traps exits.
struct Worker {
    argument: Argument,
}

#[derive(Clone, Serialize, Deserialize)]
struct Argument {
    observer: Process<String>,
    name: String,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Kind {
    Good,
    Ignores,
    Fails,
    Panics,
    /// Does not end when it is asked to.
    Stays,
    /// Starts once, and fails at every other start: who starts first has the name "once".
    Once,
}

impl Worker {
    fn tell(&self, what: &str) {
        self.argument.observer.send(format!("{what}{}", self.argument.name));
    }
}

impl Server for Worker {
    type Argument = Argument;
    type Call = ();
    type Cast = ExitReason;
    type Message = ();

    fn init(argument: Argument) -> Init<Self> {
        trap_exit(true);
        let kind = argument.kind;
        let worker = Worker { argument };
        match kind {
            Kind::Ignores => return Init::ignore(),
            Kind::Fails => return Init::stop("no".into()),
            Kind::Panics => panic!("no"),
            Kind::Once if whereis("once").is_some() => return Init::stop("twice".into()),
            Kind::Once => {
                let keeper = lunatic::spawn((), |(), mailbox: Mailbox<()>| {
                    mailbox.receive().map_err(|_| "")
                });
                lunatic::register("once", keeper).expect("the name is free");
            }
            Kind::Good | Kind::Stays => {}
        }
        worker.tell("+");
        Init::ok(worker)
    }

    fn handle_call(&mut self, (): ()) -> Next<Self> {
        Next::wait()
    }

    fn handle_cast(&mut self, reason: ExitReason) -> Next<Self> {
        Next::stop(reason)
    }

    fn handle_info(&mut self, _: Info<()>) -> Next<Self> {
        Next::wait()
    }

    fn terminate(&mut self, _: &ExitReason) {
        if self.argument.kind == Kind::Stays {
            lunatic::sleep(Duration::MAX);
        }
        self.tell("-");
    }
}

fn worker(name: &str, kind: Kind) -> ChildSpec {
    let observer = Pid::this().typed();
    let argument = Argument { observer, name: name.to_owned(), kind };
    ChildSpec::server::<Worker>(name, &argument)
}

fn three(strategy: Strategy) -> (SupervisorRef, Mailbox<String>) {
    let supervisor = Supervisor::new(strategy)
        .intensity(5, Duration::from_secs(1000))
        .child(worker("a", Kind::Good))
        .child(worker("b", Kind::Good))
        .child(worker("c", Kind::Good))
        .start_link()
        .expect("they start");
    let mailbox = Mailbox::new();
    assert_eq!(log(&mailbox, 3), "+a +b +c");
    (supervisor, mailbox)
}

fn log(mailbox: &Mailbox<String>, count: usize) -> String {
    let lines: Vec<_> = (0..count).map(|_| mailbox.receive().expect("a line")).collect();
    lines.join(" ")
}

fn pid_of(supervisor: SupervisorRef, id: &str) -> Pid {
    let children = supervisor.which_children().expect("it answers");
    match children.iter().find(|child| child.id == id).map(|child| child.state) {
        Some(ChildState::Running(pid)) => pid,
        other => panic!("{id} does not run: {other:?}"),
    }
}

fn end(pid: Pid, reason: ExitReason) {
    ServerRef::<Worker>::from_pid(pid).cast(&reason);
}

#[lunatic::test]
fn children_stop_in_the_reverse_order_of_their_start() {
    let (supervisor, mailbox) = three(Strategy::OneForOne);
    trap_exit(true);
    supervisor.stop().unwrap();
    assert_eq!(log(&mailbox, 3), "-c -b -a");
}

#[lunatic::test]
fn each_strategy_restarts_whom_it_names() {
    let cases = [
        (Strategy::OneForOne, "+b"),
        (Strategy::RestForOne, "-c +b +c"),
        (Strategy::OneForAll, "-c -a +a +b +c"),
    ];
    trap_exit(true);
    for (strategy, expected) in cases {
        let (supervisor, mailbox) = three(strategy);
        pid_of(supervisor, "b").kill();
        assert_eq!(log(&mailbox, expected.split(' ').count()), expected, "{strategy:?}");
        supervisor.stop().unwrap();
        assert_eq!(log(&mailbox, 3), "-c -b -a", "{strategy:?}");
        // The exit of this supervisor must not lie in the next one's way.
        let _ = message::receive(&[Pattern::EXIT], None);
    }
}

#[lunatic::test]
fn a_child_that_fails_in_its_start_stops_those_before_it() {
    trap_exit(true);
    let cases = [(Kind::Fails, "no"), (Kind::Panics, ": no")];
    for (kind, expected) in cases {
        let failed = Supervisor::new(Strategy::OneForOne)
            .child(worker("a", Kind::Good))
            .child(worker("b", kind))
            .child(worker("c", Kind::Good))
            .start_link();
        let Err(StartError::Exit(reason)) = failed else { panic!("it fails: {failed:?}") };
        let why = FailedToStart::from_reason(&reason).expect("it says which");
        assert_eq!(why.id, "b");
        let StartError::Exit(ExitReason::Error(text)) = &why.error else { panic!("{why:?}") };
        assert!(text.ends_with(expected), "{text}");
        assert_eq!(log(&Mailbox::new(), 2), "+a -a");
    }
}

#[lunatic::test]
fn too_many_restarts_end_the_supervisor_with_shutdown() {
    trap_exit(true);
    let supervisor = Supervisor::new(Strategy::OneForOne)
        .intensity(1, Duration::from_secs(1000))
        .child(worker("a", Kind::Good))
        .child(worker("b", Kind::Good))
        .start_link()
        .unwrap();
    let mailbox = Mailbox::new();
    let monitor = supervisor.pid().monitor();
    assert_eq!(log(&mailbox, 2), "+a +b");
    pid_of(supervisor, "a").kill();
    assert_eq!(log(&mailbox, 1), "+a");
    pid_of(supervisor, "a").kill();
    assert_eq!(log(&mailbox, 1), "-b");
    assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Shutdown);
}

#[lunatic::test]
fn a_restart_that_fails_is_tried_again_until_the_intensity_is_reached() {
    trap_exit(true);
    let supervisor = Supervisor::new(Strategy::OneForOne)
        .intensity(10, Duration::from_secs(1000))
        .child(worker("a", Kind::Once))
        .start_link()
        .unwrap();
    let monitor = supervisor.pid().monitor();
    pid_of(supervisor, "a").kill();
    assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Shutdown);
}

#[lunatic::test]
fn a_child_that_does_not_stop_in_time_is_killed() {
    trap_exit(true);
    for how in [Shutdown::Timeout(Duration::from_millis(1)), Shutdown::BrutalKill] {
        let supervisor = Supervisor::new(Strategy::OneForOne)
            .child(worker("a", Kind::Good))
            .child(worker("b", Kind::Stays).shutdown(how))
            .start_link()
            .unwrap();
        let monitor = pid_of(supervisor, "b").monitor();
        supervisor.stop().unwrap();
        assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Killed);
        assert_eq!(log(&Mailbox::new(), 3), "+a +b -a");
        let _ = message::receive(&[Pattern::EXIT], None);
    }
}

#[lunatic::test]
fn restart_types_follow_the_reason() {
    let supervisor = Supervisor::new(Strategy::OneForOne)
        .intensity(5, Duration::from_secs(1000))
        .child(worker("transient", Kind::Good).restart(Restart::Transient))
        .child(worker("temporary", Kind::Good).restart(Restart::Temporary))
        .child(worker("ignored", Kind::Ignores))
        .start_link()
        .unwrap();
    let mailbox = Mailbox::new();
    assert_eq!(log(&mailbox, 2), "+transient +temporary");
    end(pid_of(supervisor, "temporary"), "no".into());
    assert_eq!(log(&mailbox, 1), "-temporary");
    end(pid_of(supervisor, "transient"), "no".into());
    assert_eq!(log(&mailbox, 2), "-transient +transient");
    let transient = pid_of(supervisor, "transient");
    let monitor = transient.monitor();
    end(transient, ExitReason::shutdown_with(&1u8).unwrap());
    monitor.wait(None).unwrap();
    assert_eq!(log(&mailbox, 1), "-transient");
    // Its exit and this request come from two processes: ask until the first has arrived.
    let ids = loop {
        let children = supervisor.which_children().unwrap();
        if children.iter().all(|child| child.state == ChildState::Stopped) {
            break children.into_iter().map(|child| child.id).collect::<Vec<_>>();
        }
    };
    assert_eq!(ids, ["ignored", "transient"]);
    let counts = supervisor.count_children().unwrap();
    assert_eq!((counts.specs, counts.active, counts.workers), (2, 0, 2));
}

#[lunatic::test]
fn children_are_managed_while_the_supervisor_runs() {
    let (supervisor, mailbox) = three(Strategy::OneForOne);
    let Started::Running(pid) = supervisor.start_child(worker("d", Kind::Good)).unwrap() else {
        panic!("it runs");
    };
    let again = supervisor.start_child(worker("d", Kind::Good));
    assert_eq!(again, Err(ManageError::AlreadyStarted(pid)));
    assert_eq!(supervisor.delete_child("d"), Err(ManageError::Running));
    assert_eq!(supervisor.terminate_child("d"), Ok(()));
    assert_eq!(supervisor.start_child(worker("d", Kind::Good)), Err(ManageError::AlreadyPresent));
    assert!(matches!(supervisor.restart_child("d"), Ok(Started::Running(_))));
    assert_eq!(supervisor.terminate_child("d"), Ok(()));
    assert_eq!(supervisor.delete_child("d"), Ok(()));
    assert_eq!(supervisor.child_spec("d"), Err(ManageError::NotFound));
    assert_eq!(supervisor.child_spec("a").unwrap().id(), "a");
    assert_eq!(log(&mailbox, 4), "+d -d +d -d");
    let failed = supervisor.start_child(worker("e", Kind::Fails));
    let no = StartError::Exit("no".into());
    assert_eq!(failed, Err(ManageError::Start(no)));
    assert_eq!(supervisor.child_spec("e"), Err(ManageError::NotFound));
}

#[lunatic::test]
fn a_significant_child_ends_its_supervisor() {
    trap_exit(true);
    let supervisor = Supervisor::new(Strategy::OneForOne)
        .auto_shutdown(AutoShutdown::AnySignificant)
        .child(worker("a", Kind::Good))
        .child(worker("b", Kind::Good).restart(Restart::Transient).significant())
        .start_link()
        .unwrap();
    let monitor = supervisor.pid().monitor();
    end(pid_of(supervisor, "b"), ExitReason::Normal);
    assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Shutdown);
    assert_eq!(log(&Mailbox::new(), 4), "+a +b -b -a");
}

#[lunatic::test]
fn dynamic_children_have_arguments_of_their_own() {
    trap_exit(true);
    let template = ChildSpec::server_template::<Worker>("w");
    let supervisor =
        Supervisor::dynamic(template).intensity(5, Duration::from_secs(1000)).start_link().unwrap();
    let mailbox = Mailbox::<String>::new();
    let start = |name: &str, kind| {
        let argument = Argument { observer: mailbox.this(), name: name.to_owned(), kind };
        supervisor.start_dynamic(&argument)
    };
    let Ok(Started::Running(a)) = start("a", Kind::Good) else { panic!("a runs") };
    let Ok(Started::Running(b)) = start("b", Kind::Good) else { panic!("b runs") };
    assert_eq!(start("i", Kind::Ignores), Ok(Started::Ignore));
    assert!(matches!(start("f", Kind::Fails), Err(ManageError::Start(_))));
    assert_eq!(log(&mailbox, 2), "+a +b");
    a.kill();
    assert_eq!(log(&mailbox, 1), "+a");
    assert_eq!(supervisor.terminate_dynamic(b), Ok(()));
    assert_eq!(supervisor.terminate_dynamic(b), Ok(()));
    assert_eq!(supervisor.terminate_dynamic(Pid::this()), Err(ManageError::NotFound));
    assert_eq!(log(&mailbox, 1), "-b");
    assert_eq!(supervisor.restart_child("w"), Err(ManageError::WrongKind));
    assert_eq!(supervisor.count_children().unwrap().active, 1);
    supervisor.stop().unwrap();
    assert_eq!(log(&mailbox, 1), "-a");
}

#[lunatic::test]
fn a_tree_prints_itself_and_ends_as_a_whole() {
    trap_exit(true);
    let pool = Supervisor::new(Strategy::OneForAll)
        .intensity(3, Duration::from_secs(5))
        .child(worker("b", Kind::Good).restart(Restart::Transient))
        .child(worker("c", Kind::Ignores));
    let supervisor = Supervisor::new(Strategy::OneForOne)
        .name("top")
        .child(worker("a", Kind::Good))
        .child(ChildSpec::supervisor("pool", &pool))
        .child(worker("d", Kind::Good))
        .start_link()
        .unwrap();
    assert_eq!(SupervisorRef::find("top"), Some(supervisor));
    let inner = SupervisorRef::from_pid(pid_of(supervisor, "pool"));
    let (top, a, d) = (supervisor.pid(), pid_of(supervisor, "a"), pid_of(supervisor, "d"));
    let (pool, b) = (inner.pid(), pid_of(inner, "b"));
    let expected = format!(
        "{top} supervisor, OneForOne, 1 in 5s\n\
         |- a {a} worker, Permanent\n\
         |- pool {pool} supervisor, OneForAll, 3 in 5s\n\
         |  |- b {b} worker, Transient\n\
         |  '- c (stopped) worker, Permanent\n\
         '- d {d} worker, Permanent"
    );
    assert_eq!(supervisor.tree().to_string(), expected);
    supervisor.stop().unwrap();
    assert_eq!(log(&Mailbox::new(), 6), "+a +b +d -d -b -a");
}

#[lunatic::test]
fn a_supervisor_understands_system_messages() {
    let (supervisor, mailbox) = three(Strategy::OneForOne);
    sys::suspend(supervisor.pid()).unwrap();
    pid_of_suspended(supervisor, "a").kill();
    let new = Supervisor::new(Strategy::OneForAll)
        .intensity(5, Duration::from_secs(1000))
        .child(worker("a", Kind::Good))
        .child(worker("b", Kind::Good));
    assert_eq!(sys::code_change(supervisor.pid(), "1", &new), Ok(Ok(())));
    sys::resume(supervisor.pid()).unwrap();
    // The one that is no more in the list was kept, as the last.
    assert_eq!(log(&mailbox, 5), "-c -b +a +b +c");
}

fn pid_of_suspended(supervisor: SupervisorRef, id: &str) -> Pid {
    let children: Vec<lunatic::supervisor::ChildInfo> = sys::get_state(supervisor.pid()).unwrap();
    match children.iter().find(|child| child.id == id).map(|child| child.state) {
        Some(ChildState::Running(pid)) => pid,
        other => panic!("{id} does not run: {other:?}"),
    }
}
