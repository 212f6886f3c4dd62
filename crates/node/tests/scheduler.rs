//! The scheduler: everything that can run does, nothing that was woken is forgotten, and nobody
//! who never pauses keeps others from running.
mod common;

use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use common::{
    GO, READY, Random, block_on, eventually, message, next, node, prepare, read, run, run_in,
    spawn, yield_now,
};
use lunatic_model::{ExitReason, Filter, Limits, Pid};
use lunatic_node::{Environment, Process};

const WORKERS: [usize; 3] = [1, 2, 4];

#[test]
fn a_hundred_thousand_processes_are_spawned_and_joined() {
    for workers in WORKERS {
        let node = node(workers);
        let environment = node.environment(1);
        let ran = Arc::new(AtomicU64::new(0));
        let count = ran.clone();
        run_in(&environment, |root| async move {
            let children: Vec<_> = (0..100_000)
                .map(|_| {
                    let count = count.clone();
                    spawn(root.environment(), |_| async move {
                        yield_now().await;
                        count.fetch_add(1, Ordering::Relaxed);
                        ExitReason::Normal
                    })
                })
                .collect();
            for child in children {
                assert_eq!(child.join().await, ExitReason::Normal);
            }
        });
        assert_eq!(ran.load(Ordering::Relaxed), 100_000);
        assert_eq!(environment.processes(), []);
        eventually("all places to be free", || node.usage().processes == 0);
        assert_eq!(node.usage().exits, 100_001);
    }
}

#[test]
fn a_spawned_child_does_not_run_before_its_parent_pauses() {
    for workers in WORKERS {
        run(workers, |root| async move {
            for _ in 0..500 {
                let ran = Arc::new(AtomicBool::new(false));
                let flag = ran.clone();
                let child = spawn(root.environment(), |_| async move {
                    flag.store(true, Ordering::SeqCst);
                    ExitReason::Normal
                });
                for _ in 0..2000 {
                    std::hint::spin_loop();
                }
                assert!(!ran.load(Ordering::SeqCst));
                child.join().await;
                assert!(ran.load(Ordering::SeqCst));
            }
        });
    }
}

#[test]
fn on_one_worker_no_child_of_many_runs_before_their_parent_pauses() {
    run(1, |root| async move {
        let ran = Arc::new(AtomicU64::new(0));
        let children: Vec<_> = (0..1000)
            .map(|_| {
                let count = ran.clone();
                spawn(root.environment(), |_| async move {
                    count.fetch_add(1, Ordering::SeqCst);
                    ExitReason::Normal
                })
            })
            .collect();
        assert_eq!(ran.load(Ordering::SeqCst), 0);
        for child in children {
            child.join().await;
        }
        assert_eq!(ran.load(Ordering::SeqCst), 1000);
    });
}

/// Two processes that send each other one message for ever.
fn spawn_pair(environment: &Arc<Environment>) -> [Arc<Process>; 2] {
    let pair = [(); 2].map(|()| prepare(environment, Limits::default()));
    for (index, process) in pair.iter().enumerate() {
        let (me, peer) = (process.clone(), pair[1 - index].pid());
        let body = async move {
            if index == 0 {
                me.send(peer, message(READY, 0)).await;
            }
            loop {
                next(&me).await;
                me.send(peer, message(READY, 0)).await;
            }
        };
        environment.start(process.clone(), Box::pin(body), None);
    }
    pair
}

fn spawn_yielding(environment: &Arc<Environment>) -> Arc<Process> {
    spawn(environment, |_| async {
        loop {
            yield_now().await;
        }
    })
}

/// Uses every way in which a process can be woken.
async fn use_everything(root: Arc<Process>) {
    for _ in 0..50 {
        yield_now().await;
        root.sleep(Duration::from_micros(50)).await;
        let child = common::spawn_waiting(root.environment(), ExitReason::Exit(1));
        root.monitor(child.pid());
        root.send(child.pid(), message(GO, 0)).await;
        next(&root).await;
        assert!(root.receive(Filter::Any, Some(Duration::from_micros(10))).await.is_none());
    }
}

/// Runs [`use_everything`] beside `busy`, from a process and from threads of others.
fn check_that_others_run(environment: &Arc<Environment>, busy: Vec<Arc<Process>>) {
    run_in(environment, use_everything);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| run_in(environment, use_everything));
        }
    });
    for process in busy {
        assert!(environment.exists(process.pid()), "it was to be busy all the time");
        process.kill();
        assert_eq!(block_on(process.join()), ExitReason::Killed);
    }
}

#[test]
fn processes_that_wake_each_other_for_ever_do_not_starve_others() {
    for workers in WORKERS {
        let node = node(workers);
        let environment = node.environment(1);
        let busy = (0..=workers).flat_map(|_| spawn_pair(&environment)).collect();
        check_that_others_run(&environment, busy);
    }
}

#[test]
fn bodies_that_yield_for_ever_do_not_block_others() {
    for workers in WORKERS {
        let node = node(workers);
        let environment = node.environment(1);
        let busy = (0..=workers).map(|_| spawn_yielding(&environment)).collect();
        check_that_others_run(&environment, busy);
    }
}

#[test]
fn processes_that_yield_have_equal_shares() {
    run(1, |root| async move {
        let turns: Vec<_> = (0..10).map(|_| Arc::new(AtomicU64::new(0))).collect();
        let processes: Vec<_> = turns
            .iter()
            .map(|turns| {
                let turns = turns.clone();
                spawn(root.environment(), |_| async move {
                    loop {
                        turns.fetch_add(1, Ordering::Relaxed);
                        yield_now().await;
                    }
                })
            })
            .collect();
        while turns[0].load(Ordering::Relaxed) < 1000 {
            yield_now().await;
        }
        let counts: Vec<_> = turns.iter().map(|turns| turns.load(Ordering::Relaxed)).collect();
        assert!(counts.iter().all(|count| count.abs_diff(counts[0]) <= 2), "{counts:?}");
        processes.iter().for_each(|process| process.kill());
    });
}

#[test]
fn a_spawn_from_a_foreign_thread_wakes_a_sleeping_worker() {
    for workers in WORKERS {
        let node = node(workers);
        let environment = node.environment(1);
        for _ in 0..5000 {
            let process = spawn(&environment, |_| async { ExitReason::Normal });
            assert_eq!(block_on(process.join()), ExitReason::Normal);
        }
    }
}

/// A number that a foreign thread raises and a process waits for, without any lock of the node.
#[derive(Default)]
struct Bell {
    rings: AtomicU64,
    waker: Mutex<Option<Waker>>,
}

impl Bell {
    fn ring(&self) {
        self.rings.fetch_add(1, Ordering::SeqCst);
        if let Some(waker) = self.waker.lock().unwrap().take() {
            waker.wake();
        }
    }

    async fn wait(&self, rings: u64) {
        poll_fn(|cx| {
            *self.waker.lock().unwrap() = Some(cx.waker().clone());
            if self.rings.load(Ordering::SeqCst) >= rings { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

#[test]
fn wake_ups_from_foreign_threads_are_not_lost() {
    for workers in WORKERS {
        let node = node(workers);
        let environment = node.environment(1);
        let mut random = Random::new();
        thread::scope(|scope| {
            for _ in 0..4 {
                let (mut random, environment) = (random.fork(), &environment);
                scope.spawn(move || {
                    let (ask, answer) = (Arc::new(Bell::default()), Arc::new(Bell::default()));
                    let (asked, answered) = (ask.clone(), answer.clone());
                    let process = spawn(environment, |_| async move {
                        for round in 1..=2000 {
                            asked.wait(round).await;
                            answered.ring();
                        }
                        ExitReason::Normal
                    });
                    for round in 1..=2000 {
                        // Sometimes the workers have the time to fall asleep, sometimes not.
                        for _ in 0..random.below(3000) {
                            std::hint::spin_loop();
                        }
                        ask.ring();
                        block_on(answer.wait(round));
                    }
                    assert_eq!(block_on(process.join()), ExitReason::Normal);
                });
            }
        });
    }
}

#[test]
fn wake_ups_by_timers_are_not_lost_while_workers_fall_asleep() {
    for workers in WORKERS {
        run(workers, |root| async move {
            let mut random = Random::new();
            let sleepers: Vec<_> = (0..100)
                .map(|_| {
                    let mut random = random.fork();
                    spawn(root.environment(), |me| async move {
                        for _ in 0..50 {
                            me.sleep(Duration::from_micros(random.below(1500))).await;
                            if random.below(4) == 0 {
                                yield_now().await;
                            }
                        }
                        ExitReason::Normal
                    })
                })
                .collect();
            for sleeper in sleepers {
                assert_eq!(sleeper.join().await, ExitReason::Normal);
            }
        });
    }
}

/// Passes what it gets on to the next of a ring, sometimes later, until it has seen `rounds`.
async fn member(me: Arc<Process>, next_one: Arc<Mutex<Pid>>, mut random: Random, rounds: u64) {
    let next_one = || *next_one.lock().unwrap();
    for _ in 0..rounds {
        let mut envelope = None;
        while envelope.is_none() {
            let patience = Duration::from_micros(random.below(300));
            envelope = me.receive(Filter::Any, Some(patience)).await;
        }
        let number = read(&envelope.unwrap()).1 + 1;
        match random.below(3) {
            0 => {
                let delay = Duration::from_micros(random.below(100));
                me.send_after(next_one(), message(READY, number), delay).await.unwrap();
            }
            1 => {
                me.sleep(Duration::from_micros(random.below(100))).await;
                me.send(next_one(), message(READY, number)).await;
            }
            _ => me.send(next_one(), message(READY, number)).await,
        }
    }
}

#[test]
fn a_message_is_not_lost_to_a_receive_whose_deadline_passes() {
    const MEMBERS: u64 = 10;
    const ROUNDS: u64 = 100;
    for workers in WORKERS {
        let last = run(workers, |root| async move {
            let mut random = Random::new();
            let places: Vec<_> = (0..MEMBERS).map(|_| Arc::new(Mutex::new(root.pid()))).collect();
            let members: Vec<_> = places
                .iter()
                .map(|place| {
                    let (place, random) = (place.clone(), random.fork());
                    spawn(root.environment(), |me| async move {
                        member(me, place, random, ROUNDS).await;
                        ExitReason::Normal
                    })
                })
                .collect();
            // The last one still leads to the root, which passes on as a member of the ring.
            for (place, member) in places.iter().zip(&members[1..]) {
                *place.lock().unwrap() = member.pid();
            }
            let mut number = 0;
            for _ in 0..ROUNDS {
                root.send(members[0].pid(), message(READY, number)).await;
                number = read(&next(&root).await).1;
            }
            number
        });
        assert_eq!(last, MEMBERS * ROUNDS);
    }
}

#[test]
fn a_process_woken_many_times_at_once_never_runs_on_two_workers() {
    let node = node(4);
    let environment = node.environment(1);
    let stop = Arc::new(AtomicBool::new(false));
    let bell = Arc::new(Bell::default());
    let inside = Arc::new(AtomicBool::new(false));
    let (rung, entered, stopped) = (bell.clone(), inside.clone(), stop.clone());
    let process = spawn(&environment, |_| {
        poll_fn(move |cx| {
            assert!(!entered.swap(true, Ordering::SeqCst), "two workers run it");
            *rung.waker.lock().unwrap() = Some(cx.waker().clone());
            let done = stopped.load(Ordering::SeqCst);
            entered.store(false, Ordering::SeqCst);
            if done { Poll::Ready(ExitReason::Normal) } else { Poll::Pending }
        })
    });
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| (0..20_000).for_each(|_| bell.ring()));
        }
    });
    stop.store(true, Ordering::SeqCst);
    bell.ring();
    assert_eq!(block_on(process.join()), ExitReason::Normal);
    assert!(!inside.load(Ordering::SeqCst));
}

#[test]
fn a_waker_kept_beyond_the_end_of_its_process_does_nothing() {
    let node = node(2);
    let environment = node.environment(1);
    let bell = Arc::new(Bell::default());
    let rung = bell.clone();
    let process = spawn(&environment, |_| async move {
        rung.wait(u64::MAX).await;
        ExitReason::Normal
    });
    eventually("the process to wait", || bell.waker.lock().unwrap().is_some());
    let waker = bell.waker.lock().unwrap().clone().unwrap();
    process.kill();
    assert_eq!(block_on(process.join()), ExitReason::Killed);
    for _ in 0..100 {
        waker.wake_by_ref();
    }
    drop((process, waker, bell));
    eventually("the process to be freed", || node.usage().processes == 0);
}

#[test]
fn a_process_may_use_the_io_runtime() {
    run(1, |_| async {
        let thread = tokio::task::spawn_blocking(|| 7).await;
        assert_eq!(thread.unwrap(), 7);
        tokio::time::sleep(Duration::from_millis(1)).await;
    });
}

#[test]
fn a_process_that_waits_for_nothing_can_be_killed() {
    run(2, |root| async move {
        let process = spawn(root.environment(), |_| pending());
        yield_now().await;
        process.kill();
        assert_eq!(process.join().await, ExitReason::Killed);
    });
}
