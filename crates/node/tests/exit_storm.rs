//! Many ends at once: links by the hundred thousand, chains, meshes, and the end of an environment.
mod common;

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use common::{GO, READY, block_on, eventually, message, next, node, run_in, spawn, yield_now};
use lunatic_model::{Envelope, ExitReason, Limits, LinkOutcome, Tag, TrapExit};
use lunatic_node::{Body, Environment, ExitReport, Node, NodeOptions, Observer, SpawnError};

const LINK: Tag = Tag(9);
const MANY: usize = 100_000;

/// Nothing of any process is left: neither in the table nor in memory.
fn assert_nothing_left(node: &Node, environment: &Arc<Environment>) {
    assert_eq!(environment.processes(), []);
    // A worker may still hold the handle of the process that it ran last.
    eventually("the last process to be freed", || node.usage().processes == 0);
}

#[derive(Default)]
struct LastReport(Mutex<Option<ExitReport>>);

impl Observer for LastReport {
    fn exited(&self, report: &ExitReport) {
        *self.0.lock().unwrap() = Some(report.clone());
    }
}

#[test]
fn a_hundred_thousand_linked_processes_die_with_their_hub() {
    let reports = Arc::new(LastReport::default());
    let observer: Arc<dyn Observer> = reports.clone();
    let options = NodeOptions { observer: Some(observer), workers: Some(2), ..Default::default() };
    let node = Node::start(options).unwrap();
    let environment = node.environment(1);
    run_in(&environment, |root| async move {
        let spokes: Vec<_> = (0..MANY).map(|_| spawn(root.environment(), |_| pending())).collect();
        let pids: Vec<_> = spokes.iter().map(|spoke| spoke.pid()).collect();
        let hub = spawn(root.environment(), |me| async move {
            pids.iter().for_each(|pid| me.link(*pid, LINK));
            ExitReason::Exit(9)
        });
        assert_eq!(hub.join().await, ExitReason::Exit(9));
        let mut turns = 0;
        for spoke in spokes {
            assert_eq!(spoke.join().await, ExitReason::Exit(9));
            turns += spoke.turns() as usize;
        }
        // Each runs once to wait and once to end, and may be let run in between for nothing; the
        // hub tells hundreds in a turn.
        assert!(turns <= 3 * MANY, "{turns} turns for {MANY} ends");
        assert!(hub.turns() as usize <= MANY / 100, "{} turns of the hub", hub.turns());
    });
    assert_nothing_left(&node, &environment);
    // All ends but the first are part of its report, which names few and counts the rest.
    let report = reports.0.lock().unwrap().take().unwrap();
    assert_eq!(report.links.len() + report.links_unlisted, MANY);
    assert!(report.links.len() <= 16);
    assert!(report.links.iter().all(|(_, outcome)| *outcome == LinkOutcome::Died));
}

#[test]
fn a_process_that_traps_exits_hears_of_a_hundred_thousand_ends() {
    let node = node(2);
    let environment = node.environment(1);
    run_in(&environment, |root| async move {
        root.set_trap_exit(TrapExit::All);
        for _ in 0..MANY {
            let process = spawn(root.environment(), |_| async { ExitReason::Exit(1) });
            root.link(process.pid(), LINK);
        }
        for _ in 0..MANY {
            let envelope = next(&root).await;
            // One that has ended before the link was made answers that it is gone.
            let Envelope::Exit { reason, .. } = envelope else { panic!("{envelope:?}") };
            assert!([ExitReason::Exit(1), ExitReason::NoProcess].contains(&reason));
        }
    });
    assert_nothing_left(&node, &environment);
}

#[test]
fn an_exit_runs_through_a_chain_of_a_hundred_thousand_links() {
    let node = node(2);
    let environment = node.environment(1);
    run_in(&environment, |root| async move {
        let chain: Vec<_> = (0..MANY).map(|_| spawn(root.environment(), |_| pending())).collect();
        for pair in chain.windows(2) {
            pair[0].link(pair[1].pid(), LINK);
        }
        root.exit(chain[0].pid(), ExitReason::Exit(2));
        let mut turns = 0;
        for process in &chain {
            assert_eq!(process.join().await, ExitReason::Exit(2));
            turns += process.turns() as usize;
        }
        assert!(turns <= 3 * MANY, "{turns} turns for {MANY} ends");
    });
    assert_nothing_left(&node, &environment);
}

#[test]
fn a_mesh_dies_of_one_member() {
    let node = node(4);
    let environment = node.environment(1);
    run_in(&environment, |root| async move {
        let mesh: Vec<_> = (0..300).map(|_| spawn(root.environment(), |_| pending())).collect();
        for (index, process) in mesh.iter().enumerate() {
            mesh[..index].iter().for_each(|other| process.link(other.pid(), LINK));
        }
        mesh[150].kill();
        for process in &mesh {
            assert_eq!(process.join().await, ExitReason::Killed);
        }
    });
    assert_nothing_left(&node, &environment);
}

#[test]
fn a_process_with_many_watchers_tells_each_of_them() {
    let node = node(2);
    let environment = node.environment(1);
    run_in(&environment, |root| async move {
        let target = common::spawn_waiting(root.environment(), ExitReason::Exit(3));
        let (watched, to) = (target.pid(), root.pid());
        let watchers: Vec<_> = (0..20_000)
            .map(|_| {
                spawn(root.environment(), |me| async move {
                    let reference = me.monitor(watched);
                    me.send(to, message(READY, 0)).await;
                    match next(&me).await {
                        Envelope::Down { reference: of, .. } if of == reference => {}
                        other => panic!("{other:?}"),
                    }
                    ExitReason::Normal
                })
            })
            .collect();
        for _ in &watchers {
            next(&root).await;
        }
        root.send(target.pid(), message(GO, 0)).await;
        for watcher in watchers {
            assert_eq!(watcher.join().await, ExitReason::Normal);
        }
    });
    assert_nothing_left(&node, &environment);
}

/// Spawns two more of itself, as long as its environment lets it.
fn breed(environment: Arc<Environment>, born: Arc<AtomicUsize>) -> Body {
    Box::pin(async move {
        loop {
            for _ in 0..2 {
                match environment.prepare("breed", Arc::new(Limits::default())) {
                    Ok(child) => {
                        born.fetch_add(1, Ordering::Relaxed);
                        environment.start(child, breed(environment.clone(), born.clone()), None);
                    }
                    Err(SpawnError::Closing) => return ExitReason::Normal,
                    Err(error) => panic!("{error}"),
                }
            }
            yield_now().await;
        }
    })
}

#[test]
fn the_end_of_an_environment_also_ends_what_it_is_spawning() {
    for workers in [1, 2, 4] {
        for round in 0..10 {
            let node = node(workers);
            let environment = node.environment(1);
            let born = Arc::new(AtomicUsize::new(0));
            let first = spawn(&environment, |_| breed(environment.clone(), born.clone()));
            eventually("processes", || born.load(Ordering::Relaxed) > 100 * round);
            environment.kill_all();
            block_on(first.join());
            drop(first);
            eventually("the end of all", || node.usage().processes == 0);
            assert_eq!(environment.processes(), []);
            let late = environment.prepare("late", Arc::new(Limits::default()));
            assert_eq!(late.err(), Some(SpawnError::Closing));
        }
    }
}

#[test]
fn other_environments_live_on_when_one_ends() {
    let node = node(2);
    let [one, other] = [1, 2].map(|public_id| node.environment(public_id));
    let ended = spawn(&one, |_| pending());
    let living = common::spawn_waiting(&other, ExitReason::Exit(1));
    one.kill_all();
    assert_eq!(block_on(ended.join()), ExitReason::Killed);
    assert!(other.exists(living.pid()));
    run_in(&other, |root| async move {
        root.send(living.pid(), message(GO, 0)).await;
        assert_eq!(living.join().await, ExitReason::Exit(1));
    });
}

#[test]
fn a_full_node_refuses_a_spawn_and_takes_one_again_when_another_has_ended() {
    let limits = lunatic_model::NodeLimits { processes_max: 10, ..Default::default() };
    let node = Node::start(NodeOptions { limits, ..Default::default() }).unwrap();
    let environment = node.environment(1);
    let prepare = || environment.prepare("test", Arc::new(Limits::default()));
    let mut places: Vec<_> = (0..10).map(|_| prepare().unwrap()).collect();
    assert_eq!(prepare().err(), Some(SpawnError::ProcessesMax(10)));
    let last = places.pop().unwrap();
    environment.start(last.clone(), Box::pin(async { ExitReason::Normal }), None);
    assert_eq!(block_on(last.join()), ExitReason::Normal);
    drop(last);
    eventually("the place to be free", || prepare().is_ok());
}
