//! Timers: never early, cancelled once and only by their owner, in order, bounded, and released.
mod common;

use std::future::pending;
use std::time::{Duration, Instant};

use common::{
    READY, block_on, drain, message, next, read, run, run_in, spawn, spawn_with, yield_now,
};
use lunatic_model::{ExitReason, Filter, Limits, NodeLimits};
use lunatic_node::{Node, NodeOptions};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_timer_fires_not_before_its_time() {
    for workers in [1, 2] {
        run(workers, |root| async move {
            for micros in [0, 1, 50, 333, 1000, 5000, 20_000] {
                let delay = Duration::from_micros(micros);
                let start = Instant::now();
                root.send_after(root.pid(), message(READY, micros), delay).await.unwrap();
                assert_eq!(read(&next(&root).await), (root.pid(), micros));
                assert!(start.elapsed() >= delay);

                let start = Instant::now();
                root.sleep(delay).await;
                assert!(start.elapsed() >= delay);

                let start = Instant::now();
                assert!(root.receive(Filter::Any, Some(delay)).await.is_none());
                assert!(start.elapsed() >= delay);
            }
        });
    }
}

#[test]
fn a_timer_is_cancelled_once_and_then_sends_nothing() {
    run(2, |root| async move {
        let cancelled = root.send_after(root.pid(), message(READY, 0), HOUR).await.unwrap();
        assert!(root.cancel_timer(cancelled).is_some());
        assert!(root.cancel_timer(cancelled).is_none());
        let fired = root.send_after(root.pid(), message(READY, 1), Duration::ZERO).await.unwrap();
        assert_eq!(read(&next(&root).await).1, 1);
        assert!(root.cancel_timer(fired).is_none());
        assert!(root.cancel_timer(u64::MAX).is_none());
        assert!(drain(&root).await.is_empty());
    });
}

#[test]
fn cancel_says_whether_the_message_comes() {
    for workers in [1, 2, 4] {
        run(workers, |root| async move {
            for number in 0..3000 {
                let delay = Duration::from_nanos(number * 7 % 2000);
                let timer =
                    root.send_after(root.pid(), message(READY, number), delay).await.unwrap();
                if number % 3 == 0 {
                    yield_now().await;
                }
                if root.cancel_timer(timer).is_none() {
                    assert_eq!(read(&next(&root).await).1, number);
                }
                assert!(drain(&root).await.is_empty(), "it came although it was cancelled");
            }
        });
    }
}

#[test]
fn another_process_cannot_cancel_a_timer() {
    run(2, |root| async move {
        let delay = Duration::from_millis(5);
        let timer = root.send_after(root.pid(), message(READY, 4), delay).await.unwrap();
        let other = spawn(root.environment(), |me| async move {
            assert!(me.cancel_timer(timer).is_none());
            ExitReason::Normal
        });
        assert_eq!(other.join().await, ExitReason::Normal);
        assert_eq!(read(&next(&root).await).1, 4);
    });
}

#[test]
fn timers_fire_by_deadline_and_equal_ones_in_the_order_in_which_they_were_set() {
    for workers in [1, 2, 4] {
        run(workers, |root| async move {
            // Busy workers fire timers, and so does the thread of the timers.
            let busy: Vec<_> = (0..workers)
                .map(|_| {
                    spawn(root.environment(), |_| async {
                        loop {
                            yield_now().await;
                        }
                    })
                })
                .collect();
            for _ in 0..20 {
                for number in 0..300 {
                    let delay = Duration::from_micros(500);
                    root.send_after(root.pid(), message(READY, number), delay).await.unwrap();
                }
                for expected in 0..300 {
                    assert_eq!(read(&next(&root).await).1, expected);
                }
            }
            busy.iter().for_each(|process| process.kill());
        });
    }
}

#[test]
fn a_timer_set_last_but_due_first_fires_first() {
    run(2, |root| async move {
        root.send_after(root.pid(), message(READY, 2), Duration::from_millis(30)).await.unwrap();
        root.send_after(root.pid(), message(READY, 1), Duration::from_millis(10)).await.unwrap();
        root.send_after(root.pid(), message(READY, 0), Duration::ZERO).await.unwrap();
        for expected in 0..3 {
            assert_eq!(read(&next(&root).await).1, expected);
        }
    });
}

#[test]
fn a_timer_survives_its_creator() {
    run(2, |root| async move {
        let to = root.pid();
        let creator = spawn(root.environment(), |me| async move {
            me.send_after(to, message(READY, 8), Duration::from_millis(5)).await.unwrap();
            ExitReason::Normal
        });
        assert_eq!(creator.join().await, ExitReason::Normal);
        assert_eq!(read(&next(&root).await), (creator.pid(), 8));
    });
}

#[test]
fn a_timer_to_the_dead_is_dropped() {
    run(2, |root| async move {
        let dead = spawn(root.environment(), |_| async { ExitReason::Normal });
        dead.join().await;
        root.send_after(dead.pid(), message(READY, 0), Duration::ZERO).await.unwrap();
        root.send_after(root.pid(), message(READY, 1), Duration::ZERO).await.unwrap();
        assert_eq!(read(&next(&root).await).1, 1);
    });
}

#[test]
fn a_process_has_timers_max_running_and_what_fired_or_was_cancelled_counts_no_more() {
    run(2, |root| async move {
        let limits = Limits { timers_max: 3, ..Limits::default() };
        let process = spawn_with(root.environment(), limits, |me| async move {
            let set = |delay| me.send_after(me.pid(), message(READY, 0), delay);
            let mut timers = Vec::new();
            for delay in [HOUR, HOUR, Duration::ZERO] {
                timers.push(set(delay).await.unwrap());
            }
            next(&me).await;
            let third = set(HOUR).await.unwrap();
            assert!(me.cancel_timer(timers[0]).is_some());
            set(HOUR).await.unwrap();
            let refused = set(HOUR).await.unwrap_err();
            assert!(me.cancel_timer(third).is_some() && me.cancel_timer(timers[1]).is_some());
            refused
        });
        assert_eq!(process.join().await, ExitReason::Limit("timers_max"));
    });
}

/// A node on which one timer can run.
fn node_for_one_timer() -> Node {
    let limits = NodeLimits { node_timers_max: 1, ..NodeLimits::default() };
    Node::start(NodeOptions { workers: Some(2), limits, ..Default::default() }).unwrap()
}

#[test]
fn a_sleep_cut_off_by_a_kill_is_released() {
    let node = node_for_one_timer();
    run_in(&node.environment(1), |root| async move {
        for _ in 0..100 {
            let sleepers = [0, 1].map(|kind| {
                let pid = root.pid();
                spawn(root.environment(), |me| async move {
                    me.send(pid, message(READY, 0)).await;
                    match kind {
                        0 => me.sleep(HOUR).await,
                        _ => drop(me.receive(Filter::Any, Some(HOUR)).await),
                    }
                    pending().await
                })
            });
            for _ in &sleepers {
                next(&root).await;
            }
            for sleeper in sleepers {
                sleeper.kill();
                assert_eq!(sleeper.join().await, ExitReason::Killed);
            }
            let timer = root.send_after(root.pid(), message(READY, 0), HOUR).await.unwrap();
            assert!(root.cancel_timer(timer).is_some());
        }
    });
}

#[test]
fn a_node_has_timers_max_running() {
    let node = node_for_one_timer();
    let reason = run_in(&node.environment(1), |root| async move {
        root.send_after(root.pid(), message(READY, 0), HOUR).await.unwrap();
        let other = spawn(root.environment(), |me| async move {
            me.send_after(me.pid(), message(READY, 0), HOUR).await.unwrap_err()
        });
        other.join().await
    });
    assert_eq!(reason, ExitReason::Limit("node_timers_max"));
}

#[test]
fn a_sleep_can_be_awaited_outside_of_processes() {
    let node = common::node(1);
    let process = spawn(&node.environment(1), |_| pending());
    block_on(process.sleep(Duration::from_millis(2)));
    process.kill();
    block_on(process.join());
}
