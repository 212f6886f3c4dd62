//! Priorities: who goes first, and that nobody is kept from running for ever.
mod common;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use common::{GO, Random, message, next, prepare, read, run, yield_now};
use lunatic_model::{ExitReason, Limits, Priority};
use lunatic_node::{Environment, Process};

const ALL: [Priority; 4] = [Priority::Low, Priority::Normal, Priority::High, Priority::Max];

fn spawn<F, Fut>(environment: &Arc<Environment>, priority: Priority, body: F) -> Arc<Process>
where
    F: FnOnce(Arc<Process>) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let process = prepare(environment, Limits::default());
    process.set_priority(priority);
    let body = body(process.clone());
    let body = async move {
        body.await;
        ExitReason::Normal
    };
    environment.start(process.clone(), Box::pin(body), None);
    process
}

#[test]
fn what_is_ready_runs_in_the_order_of_priorities() {
    run(1, |root| async move {
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut children = Vec::new();
        for _ in 0..4 {
            for priority in ALL {
                let order = order.clone();
                children.push(spawn(root.environment(), priority, |_| async move {
                    order.lock().unwrap().push(priority);
                }));
            }
        }
        for child in &children {
            child.join().await;
        }
        let order = order.lock().unwrap().clone();
        let last_urgent = order.iter().rposition(|priority| *priority >= Priority::High);
        let (urgent, rest): (Vec<_>, Vec<_>) =
            order.iter().copied().partition(|priority| *priority >= Priority::High);
        assert!(urgent.is_sorted_by(|one, two| one >= two), "{order:?}");
        assert!(rest.is_sorted_by(|one, two| one >= two), "{order:?}");
        // One turn in sixteen belongs to the others.
        assert!(last_urgent.is_some_and(|place| place <= 8), "{order:?}");
    });
}

#[test]
fn one_of_low_priority_has_an_eighth_of_the_turns_of_a_normal_one() {
    run(1, |root| async move {
        let turns = [(); 2].map(|()| Arc::new(AtomicU64::new(0)));
        let over = Arc::new(AtomicBool::new(false));
        let children = [(Priority::Low, &turns[0]), (Priority::Normal, &turns[1])];
        let children = children.map(|(priority, turns)| {
            let (turns, over) = (turns.clone(), over.clone());
            spawn(root.environment(), priority, |_| async move {
                while !over.load(Ordering::Relaxed) {
                    turns.fetch_add(1, Ordering::Relaxed);
                    yield_now().await;
                }
            })
        });
        while turns[1].load(Ordering::Relaxed) < 8000 {
            yield_now().await;
        }
        over.store(true, Ordering::Relaxed);
        for child in &children {
            child.join().await;
        }
        let [low, normal] = turns.map(|turns| turns.load(Ordering::Relaxed));
        assert!((900..=1100).contains(&low), "{low} turns beside {normal}");
    });
}

#[test]
fn urgent_processes_that_never_pause_keep_nobody_from_running() {
    for workers in [1, 2, 4] {
        run(workers, |root| async move {
            let over = Arc::new(AtomicBool::new(false));
            let busy: Vec<_> = (0..8)
                .map(|n| {
                    let (over, urgent) = (over.clone(), ALL[2 + n % 2]);
                    spawn(root.environment(), urgent, |_| async move {
                        while !over.load(Ordering::Relaxed) {
                            yield_now().await;
                        }
                    })
                })
                .collect();
            for priority in [Priority::Normal, Priority::Low] {
                let child = spawn(root.environment(), priority, |_| async {
                    for _ in 0..100 {
                        yield_now().await;
                    }
                });
                child.join().await;
            }
            over.store(true, Ordering::Relaxed);
            for process in &busy {
                process.join().await;
            }
        });
    }
}

#[test]
fn no_wake_up_is_lost_whatever_the_priorities_and_their_changes() {
    for workers in [1, 2, 4] {
        let mut random = Random::new();
        run(workers, move |root| async move {
            let mut ring = Vec::new();
            for _ in 0..16 {
                let mut random = random.fork();
                let to = ring.last().map_or(root.pid(), |last: &Arc<Process>| last.pid());
                let priority = ALL[random.below(4) as usize];
                ring.push(spawn(root.environment(), priority, move |me| async move {
                    loop {
                        let (_, number) = read(&next(&me).await);
                        me.set_priority(ALL[random.below(4) as usize]);
                        me.send(to, message(GO, number)).await;
                        if number == 0 {
                            return;
                        }
                    }
                }));
            }
            let first = ring.last().expect("there are sixteen").pid();
            for number in (0..2000).rev() {
                root.send(first, message(GO, number)).await;
                assert_eq!(read(&next(&root).await).1, number);
            }
            for process in &ring {
                process.join().await;
            }
        });
    }
}

#[test]
fn a_child_has_normal_priority_whatever_its_parent_has() {
    run(2, |root| async move {
        assert_eq!(root.set_priority(Priority::High), Priority::Normal);
        let child = common::spawn_waiting(root.environment(), ExitReason::Normal);
        assert_eq!((root.priority(), child.priority()), (Priority::High, Priority::Normal));
        child.kill();
    });
}
