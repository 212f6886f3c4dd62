//! How a process ends, where it is when it ends, and what others see of it: the whole product.
mod common;

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{
    GO, READY, block_on, custom, drain, message, next, node, prepare, run, spawn, spawn_waiting,
    spawn_with, yield_now,
};
use lunatic_model::{Envelope, ExitReason, Filter, Limits, Message, Pid, Resource, Tag, TrapExit};
use lunatic_node::{Environment, ExitReport, Node, NodeOptions, Observer, Process};

/// The tag of the links that the observers make.
const LINK: Tag = Tag(9);

/// Where the subject is when its end comes.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Place {
    NotStarted,
    Receiving,
    Sleeping,
    AtFullMailbox,
    Yielding,
}

/// How the subject ends.
#[derive(Clone, Copy, PartialEq, Debug)]
enum End {
    Returns,
    ReturnsFailure,
    Panics,
    Killed,
    ExitSignal,
    LinkExit,
}

const PLACES: [Place; 5] =
    [Place::NotStarted, Place::Receiving, Place::Sleeping, Place::AtFullMailbox, Place::Yielding];
const ENDS: [End; 6] =
    [End::Returns, End::ReturnsFailure, End::Panics, End::Killed, End::ExitSignal, End::LinkExit];

impl End {
    fn by_itself(self) -> bool {
        matches!(self, End::Returns | End::ReturnsFailure | End::Panics)
    }

    /// What others hear.
    fn reason(self) -> ExitReason {
        match self {
            End::Returns => ExitReason::Normal,
            End::ReturnsFailure => ExitReason::Exit(3),
            End::Panics => ExitReason::HostPanic("on purpose".into()),
            End::Killed => ExitReason::Killed,
            End::ExitSignal => custom("asked to"),
            End::LinkExit => ExitReason::Exit(7),
        }
    }
}

/// What the subject of a case runs.
async fn subject(
    me: Arc<Process>,
    (place, end): (Place, End),
    gate: Arc<AtomicBool>,
    full: Pid,
    root: Pid,
) -> ExitReason {
    if place != Place::NotStarted {
        me.send(root, message(READY, 0)).await;
    }
    match place {
        Place::NotStarted if end.by_itself() => {}
        Place::NotStarted => pending().await,
        Place::Receiving => drop(me.receive(Filter::Reply(GO), None).await),
        Place::Sleeping => {
            let day = Duration::from_secs(86_400);
            me.sleep(if end.by_itself() { Duration::from_millis(1) } else { day }).await;
        }
        Place::AtFullMailbox => me.send(full, message(READY, 0)).await,
        Place::Yielding => {
            while !gate.load(Ordering::Relaxed) {
                yield_now().await;
            }
        }
    }
    match end {
        End::Returns | End::ReturnsFailure => end.reason(),
        End::Panics => panic!("on purpose"),
        End::Killed | End::ExitSignal | End::LinkExit => ExitReason::Error("it went on".into()),
    }
}

/// A process with a full mailbox, which takes what is in it when it gets [`GO`].
async fn full_receiver(root: &Arc<Process>) -> Arc<Process> {
    let limits = Limits { mailbox_messages_max: 1, ..Limits::default() };
    let full = spawn_with(root.environment(), limits, |me| async move {
        me.receive(Filter::Reply(GO), None).await;
        loop {
            next(&me).await;
        }
    });
    root.send(full.pid(), message(READY, 0)).await;
    full
}

/// A process linked to the subject that writes down what it finds in its mailbox after [`GO`].
struct Watcher {
    process: Arc<Process>,
    trap_exit: TrapExit,
    found: Arc<Mutex<Vec<Envelope>>>,
}

impl Watcher {
    fn spawn(environment: &Arc<Environment>, trap_exit: TrapExit) -> Watcher {
        let found = Arc::new(Mutex::new(Vec::new()));
        let list = found.clone();
        let process = spawn(environment, |me| async move {
            me.receive(Filter::Reply(GO), None).await;
            let envelopes = drain(&me).await;
            list.lock().unwrap().extend(envelopes);
            ExitReason::Normal
        });
        process.set_trap_exit(trap_exit);
        Watcher { process, trap_exit, found }
    }

    /// Checks what the end of `subject` did here, once everybody has been told.
    async fn check(self, root: &Arc<Process>, subject: Pid, reason: &ExitReason, case: &str) {
        let dies = self.trap_exit == TrapExit::Off && reason.is_failure();
        assert_eq!(self.process.is_exiting(), dies, "{case}: {:?}", self.trap_exit);
        root.send(self.process.pid(), message(GO, 0)).await;
        let own_reason = if dies { reason.clone() } else { ExitReason::Normal };
        assert_eq!(self.process.join().await, own_reason, "{case}: {:?}", self.trap_exit);
        let told = match self.trap_exit {
            TrapExit::Off => false,
            TrapExit::Failures => reason.is_failure(),
            TrapExit::All => true,
        };
        let found = self.found.lock().unwrap();
        match found.as_slice() {
            [] => assert!(!told, "{case}: {:?} was not told", self.trap_exit),
            [Envelope::Exit { from, reason: heard, tag }] => {
                assert!(told, "{case}: {:?} was told", self.trap_exit);
                assert_eq!((*from, heard, *tag), (subject, reason, LINK), "{case}");
            }
            more => panic!("{case}: {:?} found {more:?}", self.trap_exit),
        }
    }
}

/// Brings the subject's end about. It is in its place.
async fn bring_about(
    root: &Arc<Process>,
    (place, end): (Place, End),
    subject: &Arc<Process>,
    (gate, full, peer): (&AtomicBool, Pid, Pid),
) {
    match end {
        End::Killed => root.exit(subject.pid(), ExitReason::Kill),
        End::ExitSignal => root.exit(subject.pid(), end.reason()),
        End::LinkExit => root.send(peer, message(GO, 0)).await,
        End::Returns | End::ReturnsFailure | End::Panics => match place {
            Place::NotStarted | Place::Sleeping => {}
            Place::Receiving => root.send(subject.pid(), message(GO, 0)).await,
            Place::AtFullMailbox => root.send(full, message(GO, 0)).await,
            Place::Yielding => gate.store(true, Ordering::Relaxed),
        },
    }
}

async fn check(root: Arc<Process>, place: Place, end: End) {
    let case = &format!("{end:?} at {place:?}");
    let environment = root.environment().clone();
    let full = full_receiver(&root).await;
    let peer = spawn_waiting(&environment, End::LinkExit.reason());
    let watchers = [TrapExit::Off, TrapExit::Failures, TrapExit::All]
        .map(|trap_exit| Watcher::spawn(&environment, trap_exit));
    yield_now().await;

    let gate = Arc::new(AtomicBool::new(false));
    let heard = Arc::new(Mutex::new(None));
    let process = prepare(&environment, Limits::default());
    let (joined, list) = (process.clone(), heard.clone());
    let joiner = spawn(&environment, |_| async move {
        let reason = joined.join().await;
        *list.lock().unwrap() = Some(reason);
        ExitReason::Normal
    });
    yield_now().await;

    let body = subject(process.clone(), (place, end), gate.clone(), full.pid(), root.pid());
    environment.start(process.clone(), Box::pin(body), None);
    // The subject has not run yet: a child starts when its parent pauses.
    assert!(environment.put_name(case, process.pid()));
    for watcher in &watchers {
        watcher.process.link(process.pid(), LINK);
    }
    peer.link(process.pid(), LINK);
    let reference = root.monitor(process.pid());
    assert!(environment.exists(process.pid()), "{case}");
    assert_eq!(environment.whereis(case), Some(process.pid()));

    if place != Place::NotStarted {
        root.receive(Filter::Reply(READY), None).await;
    }
    bring_about(&root, (place, end), &process, (&gate, full.pid(), peer.pid())).await;

    let reason = end.reason();
    match next(&root).await {
        Envelope::Down { reference: of, from, reason: heard, name: None } => {
            assert_eq!((of, from, &heard), (reference, process.pid(), &reason), "{case}");
        }
        other => panic!("{case}: {other:?}"),
    }
    // Whoever hears of the end finds names free and the process gone.
    assert_eq!(environment.whereis(case), None, "{case}");
    assert!(!environment.exists(process.pid()), "{case}");
    assert!(!environment.processes().contains(&process.pid()), "{case}");
    assert_eq!(process.join().await, reason, "{case}");
    assert_eq!(process.ended(), Some(&reason), "{case}");
    for watcher in watchers {
        watcher.check(&root, process.pid(), &reason, case).await;
    }
    joiner.join().await;
    assert_eq!(*heard.lock().unwrap(), Some(reason), "{case}");
    assert!(drain(&root).await.is_empty(), "{case}: told twice");
    full.kill();
    peer.kill();
}

#[test]
fn every_end_at_every_place_is_seen_by_links_monitors_joiners_and_names() {
    for workers in [1, 2, 4] {
        run(workers, |root| async move {
            for place in PLACES {
                for end in ENDS {
                    check(root.clone(), place, end).await;
                }
            }
        });
    }
}

#[test]
fn a_process_killed_before_it_is_started_ends_without_a_step() {
    for workers in [1, 2] {
        let node = node(workers);
        let environment = node.environment(1);
        for _ in 0..2000 {
            let process = prepare(&environment, Limits::default());
            process.kill();
            let ran = Arc::new(AtomicBool::new(false));
            let flag = ran.clone();
            let body = async move {
                flag.store(true, Ordering::Relaxed);
                ExitReason::Normal
            };
            environment.start(process.clone(), Box::pin(body), None);
            assert_eq!(block_on(process.join()), ExitReason::Killed);
            assert!(!ran.load(Ordering::Relaxed));
            assert_eq!(environment.processes(), []);
        }
    }
}

#[test]
fn a_prepared_process_that_is_dropped_leaves_nothing() {
    let node = node(1);
    let environment = node.environment(1);
    let process = prepare(&environment, Limits::default());
    assert_eq!(node.usage().processes, 1);
    assert!(!environment.exists(process.pid()));
    drop(process);
    assert_eq!(node.usage().processes, 0);
    assert_eq!(environment.processes(), []);
}

#[test]
fn a_child_started_with_a_link_takes_its_parent_along() {
    run(2, |root| async move {
        let parent = spawn(root.environment(), |me| async move {
            let child = prepare(me.environment(), Limits::default());
            let body = Box::pin(async { ExitReason::Exit(4) });
            me.environment().start(child, body, Some((&me, LINK)));
            pending().await
        });
        assert_eq!(parent.join().await, ExitReason::Exit(4));
    });
}

#[test]
fn a_child_linked_to_a_parent_that_has_ended_hears_noproc() {
    run(2, |root| async move {
        let environment = root.environment();
        let parent = spawn(environment, |_| async { ExitReason::Normal });
        parent.join().await;
        let child = prepare(environment, Limits::default());
        environment.start(child.clone(), Box::pin(pending()), Some((&parent, LINK)));
        assert_eq!(child.join().await, ExitReason::NoProcess);
    });
}

#[test]
fn a_link_of_start_is_whole_even_if_the_child_is_killed_at_once() {
    // Whoever guesses the pid can kill the child while it is being started.
    let node = node(2);
    let environment = node.environment(1);
    let stop = Arc::new(AtomicBool::new(false));
    let newest = Arc::new(AtomicU64::new(0));
    let killer = {
        let (environment, stop, newest) = (environment.clone(), stop.clone(), newest.clone());
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let pid = environment.pid_of(newest.load(Ordering::Relaxed));
                if let Some(process) = environment.find(pid) {
                    process.kill();
                }
            }
        })
    };
    for _ in 0..3000 {
        let parent = spawn(&environment, |_| pending());
        let child = prepare(&environment, Limits::default());
        newest.store(child.pid().serial, Ordering::Relaxed);
        environment.start(child.clone(), Box::pin(pending()), Some((&parent, LINK)));
        assert_eq!(block_on(child.join()), ExitReason::Killed);
        assert_eq!(block_on(parent.join()), ExitReason::Killed);
    }
    stop.store(true, Ordering::Relaxed);
    killer.join().unwrap();
}

#[test]
fn the_first_reason_wins() {
    run(1, |root| async move {
        let process = spawn_waiting(root.environment(), ExitReason::Normal);
        yield_now().await;
        root.exit(process.pid(), custom("first"));
        root.exit(process.pid(), custom("second"));
        root.exit(process.pid(), ExitReason::Kill);
        assert_eq!(process.join().await, custom("first"));
    });
}

#[test]
fn a_process_at_its_limit_of_links_or_monitors_ends_even_if_its_body_waits() {
    run(1, |root| async move {
        let limits = Limits { links_max: 1, monitors_max: 1, ..Limits::default() };
        let others = [(); 2].map(|()| spawn_waiting(root.environment(), ExitReason::Normal).pid());
        let linking = spawn_with(root.environment(), limits, |me| async move {
            for other in others {
                me.link(other, LINK);
            }
            pending().await
        });
        assert_eq!(linking.join().await, ExitReason::Limit("links_max"));
        let watching = spawn_with(root.environment(), limits, |me| async move {
            for other in others {
                me.monitor(other);
            }
            pending().await
        });
        assert_eq!(watching.join().await, ExitReason::Limit("monitors_max"));
    });
}

/// Panics when it is dropped, as a bug in a resource of the host would.
struct Faulty;

impl Drop for Faulty {
    fn drop(&mut self) {
        panic!("a resource that cannot be dropped");
    }
}

#[test]
fn a_bug_in_a_resource_that_nobody_took_does_not_end_a_worker() {
    run(1, |root| async move {
        for _ in 0..3 {
            let process = spawn_waiting(root.environment(), ExitReason::Normal);
            let resources = vec![Some(Resource(Box::new(Faulty)))];
            root.send(process.pid(), Message { resources, ..Message::default() }).await;
            root.send(process.pid(), message(GO, 0)).await;
            assert_eq!(process.join().await, ExitReason::Normal);
        }
    });
}

/// Keeps the reports of a node.
#[derive(Default)]
struct Reports(Mutex<Vec<ExitReport>>);

impl Observer for Reports {
    fn exited(&self, report: &ExitReport) {
        self.0.lock().unwrap().push(report.clone());
    }
}

#[test]
fn only_a_failure_on_its_own_account_is_reported() {
    let reports = Arc::new(Reports::default());
    let observer: Arc<dyn Observer> = reports.clone();
    let options = NodeOptions { observer: Some(observer), workers: Some(2), ..Default::default() };
    let node = Node::start(options).unwrap();
    for end in ENDS {
        let place = Place::Receiving;
        common::run_in(&node.environment(1), |root| check(root, place, end));
    }
    let reports = std::mem::take(&mut *reports.0.lock().unwrap());
    let reasons: Vec<_> = reports.iter().map(|report| report.reason.clone()).collect();
    // The last one is the peer whose exit the subject heard of.
    let expected = [End::ReturnsFailure, End::Panics, End::LinkExit].map(End::reason);
    assert_eq!(reasons, expected);
    assert_eq!(&*reports[0].entry, "test");
    assert_eq!(reports[0].names.len(), 1);
    assert_eq!(reports[0].links.len(), 4);
}
