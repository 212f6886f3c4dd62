//! Suspending: a suspended process does not run, loses nothing, and can always be ended.
mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use common::{GO, READY, Random, eventually, message, next, read, run, spawn, yield_now};
use lunatic_model::{ExitReason, Filter, NotSuspended};
use lunatic_node::{Environment, Process, SuspendError};

const WORKERS: [usize; 3] = [1, 2, 4];

/// A process that never pauses for long, and what can be seen of its steps from outside.
struct Busy {
    process: Arc<Process>,
    steps: Arc<AtomicU64>,
    stepping: Arc<AtomicBool>,
}

impl Busy {
    fn spawn(environment: &Arc<Environment>) -> Busy {
        let steps = Arc::new(AtomicU64::new(0));
        let stepping = Arc::new(AtomicBool::new(false));
        let (count, inside) = (steps.clone(), stepping.clone());
        let process = spawn(environment, |_| async move {
            loop {
                inside.store(true, Ordering::SeqCst);
                for _ in 0..100 {
                    count.fetch_add(1, Ordering::SeqCst);
                }
                inside.store(false, Ordering::SeqCst);
                yield_now().await;
            }
        });
        Busy { process, steps, stepping }
    }

    fn steps(&self) -> u64 {
        self.steps.load(Ordering::SeqCst)
    }

    /// Waits until it has run again, so that it is known to go on.
    async fn runs(&self) {
        let before = self.steps();
        while self.steps() == before {
            yield_now().await;
        }
    }

    async fn stands_still(&self) {
        let before = self.steps();
        for _ in 0..200 {
            assert!(!self.stepping.load(Ordering::SeqCst), "it is inside of a step");
            yield_now().await;
        }
        assert_eq!(self.steps(), before);
    }
}

#[test]
fn a_suspended_process_does_not_run_from_the_moment_on_at_which_suspend_returns() {
    for workers in WORKERS {
        run(workers, |root| async move {
            let busy = Busy::spawn(root.environment());
            for _ in 0..50 {
                busy.runs().await;
                root.suspend(busy.process.pid()).await.expect("it lives");
                busy.stands_still().await;
                root.resume(busy.process.pid()).expect("it was suspended");
            }
            busy.runs().await;
            busy.process.kill();
        });
    }
}

#[test]
fn suspending_nests_and_each_suspender_counts_for_itself() {
    run(2, |root| async move {
        let busy = Busy::spawn(root.environment());
        let target = busy.process.pid();
        for _ in 0..2 {
            root.suspend(target).await.expect("it lives");
        }
        let other = spawn(root.environment(), |me| async move {
            me.suspend(target).await.expect("it lives");
            assert!(me.resume(target).is_ok());
            assert_eq!(me.resume(target), Err(NotSuspended), "the others are not its own");
            ExitReason::Normal
        });
        assert_eq!(other.join().await, ExitReason::Normal);
        busy.stands_still().await;
        assert!(root.resume(target).is_ok());
        busy.stands_still().await;
        assert!(root.resume(target).is_ok());
        busy.runs().await;
        assert_eq!(root.resume(target), Err(NotSuspended));
        busy.process.kill();
    });
}

#[test]
fn the_end_of_the_suspender_resumes() {
    for workers in WORKERS {
        run(workers, |root| async move {
            let busy = Busy::spawn(root.environment());
            let (target, parent) = (busy.process.pid(), root.pid());
            let suspender = spawn(root.environment(), |me| async move {
                for _ in 0..3 {
                    me.suspend(target).await.expect("it lives");
                }
                me.send(parent, message(READY, 0)).await;
                me.receive(Filter::Reply(GO), None).await;
                ExitReason::Normal
            });
            next(&root).await;
            busy.stands_still().await;
            suspender.kill();
            busy.runs().await;
            busy.process.kill();
        });
    }
}

#[test]
fn a_suspended_process_receives_and_finds_everything_in_order_when_it_is_resumed() {
    for workers in WORKERS {
        run(workers, |root| async move {
            let parent = root.pid();
            let echo = spawn(root.environment(), |me| async move {
                loop {
                    let (_, number) = read(&next(&me).await);
                    me.send(parent, message(READY, number)).await;
                }
            });
            for round in 0..50 {
                root.suspend(echo.pid()).await.expect("it lives");
                for number in 0..10 {
                    root.send(echo.pid(), message(GO, round * 10 + number)).await;
                }
                for _ in 0..20 {
                    yield_now().await;
                }
                let early = root.receive(Filter::Any, Some(std::time::Duration::ZERO)).await;
                assert!(early.is_none(), "it ran: {early:?}");
                root.resume(echo.pid()).expect("it was suspended");
                for number in 0..10 {
                    assert_eq!(read(&next(&root).await).1, round * 10 + number);
                }
            }
            echo.kill();
        });
    }
}

#[test]
fn a_suspended_process_can_be_killed_and_is_forgotten() {
    for workers in WORKERS {
        run(workers, |root| async move {
            let busy = Busy::spawn(root.environment());
            root.suspend(busy.process.pid()).await.expect("it lives");
            busy.process.kill();
            assert_eq!(busy.process.join().await, ExitReason::Killed);
            assert_eq!(root.resume(busy.process.pid()), Err(NotSuspended));
            let own = root.environment().info(root.pid()).expect("it lives");
            assert_eq!(own.state.suspending, []);
        });
    }
}

#[test]
fn neither_itself_nor_the_dead_can_be_suspended() {
    run(1, |root| async move {
        assert_eq!(root.suspend(root.pid()).await, Err(SuspendError::OfItself));
        let dead = spawn(root.environment(), |_| async { ExitReason::Normal });
        dead.join().await;
        assert_eq!(root.suspend(dead.pid()).await, Err(SuspendError::NoProcess));
        assert_eq!(root.resume(root.pid()), Err(NotSuspended));
    });
}

#[test]
fn two_that_suspend_each_other_can_still_be_ended() {
    run(2, |root| async move {
        for _ in 0..100 {
            let pair = [(); 2].map(|()| common::prepare(root.environment(), Default::default()));
            for (me, peer) in [(&pair[0], &pair[1]), (&pair[1], &pair[0])] {
                let (own, peer) = (me.clone(), peer.pid());
                let body = async move {
                    let _ = own.suspend(peer).await;
                    std::future::pending().await
                };
                root.environment().start(me.clone(), Box::pin(body), None);
            }
            yield_now().await;
            for process in &pair {
                process.kill();
                process.join().await;
            }
        }
    });
}

#[test]
fn random_suspends_resumes_and_kills_leave_everybody_able_to_run() {
    for workers in [2, 4] {
        let mut random = Random::new();
        run(workers, move |root| async move {
            let busy: Arc<Vec<Busy>> =
                Arc::new((0..4).map(|_| Busy::spawn(root.environment())).collect());
            let suspenders: Vec<_> = (0..6)
                .map(|_| {
                    let (busy, mut random) = (busy.clone(), random.fork());
                    spawn(root.environment(), |me| async move {
                        for _ in 0..60 {
                            let one = &busy[random.below(4) as usize];
                            me.suspend(one.process.pid()).await.expect("it lives");
                            let before = one.steps();
                            yield_now().await;
                            assert!(!one.stepping.load(Ordering::SeqCst));
                            assert_eq!(one.steps(), before, "it ran while it was suspended");
                            if random.below(20) == 0 {
                                return ExitReason::Normal;
                            }
                            me.resume(one.process.pid()).expect("it was suspended");
                        }
                        ExitReason::Normal
                    })
                })
                .collect();
            for (n, suspender) in suspenders.iter().enumerate() {
                if n == 0 {
                    suspender.kill();
                }
                let reason = suspender.join().await;
                assert!(n == 0 || reason == ExitReason::Normal, "{reason}");
            }
            for one in busy.iter() {
                one.runs().await;
                one.process.kill();
            }
        });
    }
}

#[test]
fn a_process_that_waits_for_a_deadline_goes_on_after_it_when_it_is_resumed() {
    run(2, |root| async move {
        let delay = std::time::Duration::from_millis(1);
        let sleeper = spawn(root.environment(), move |me| async move {
            me.sleep(delay).await;
            ExitReason::Shutdown
        });
        root.suspend(sleeper.pid()).await.expect("it lives");
        // Set later, so due later.
        root.sleep(delay).await;
        assert!(sleeper.ended().is_none());
        root.resume(sleeper.pid()).expect("it was suspended");
        assert_eq!(sleeper.join().await, ExitReason::Shutdown);
        eventually("its end", || sleeper.ended().is_some());
    });
}
