//! The end of a node: it joins its threads, whatever they are doing.
mod common;

use std::cell::RefCell;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use common::{block_on, eventually, node, spawn, yield_now};
use lunatic_model::ExitReason;
use lunatic_node::{Node, NodeOptions};

thread_local! {
    static GUARDS: RefCell<Vec<Arc<()>>> = const { RefCell::new(Vec::new()) };
}

/// Leaves a handle on this thread that is dropped when the thread ends.
fn mark_thread(alive: &Arc<()>) {
    GUARDS.with_borrow_mut(|guards| guards.push(alive.clone()));
}

/// Leaves the mark on the thread that fires the timer.
struct MarkTimers(Mutex<Option<Arc<()>>>, AtomicUsize);

impl Wake for MarkTimers {
    fn wake(self: Arc<Self>) {
        mark_thread(&self.0.lock().unwrap().take().unwrap());
        self.1.store(1, Ordering::SeqCst);
    }
}

#[test]
fn a_dropped_node_has_joined_its_threads() {
    let alive = Arc::new(());
    let on_pulse = {
        let alive = alive.clone();
        Box::new(move || drop(alive.clone()))
    };
    let node = Node::start(NodeOptions { workers: Some(4), on_pulse, ..Default::default() });
    let node = node.unwrap();
    let environment = node.environment(1);
    // Each holds its worker until all four have one.
    let arrived = Arc::new(AtomicUsize::new(0));
    let marks: Vec<_> = (0..4)
        .map(|_| {
            let (alive, arrived) = (alive.clone(), arrived.clone());
            spawn(&environment, |_| async move {
                mark_thread(&alive);
                arrived.fetch_add(1, Ordering::SeqCst);
                eventually("all workers", || arrived.load(Ordering::SeqCst) == 4);
                ExitReason::Normal
            })
        })
        .collect();
    for mark in &marks {
        assert_eq!(block_on(mark.join()), ExitReason::Normal);
    }
    let mark = Arc::new(MarkTimers(Mutex::new(Some(alive.clone())), AtomicUsize::new(0)));
    let waker = Waker::from(mark.clone());
    let mut sleep = Box::pin(marks[0].sleep(Duration::from_millis(1)));
    assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    eventually("the timer", || mark.1.load(Ordering::SeqCst) == 1);
    assert!(Arc::strong_count(&alive) >= 6);
    drop(node);
    assert_eq!(Arc::strong_count(&alive), 1, "a thread of the node still lives");
}

#[test]
fn a_node_stops_while_its_processes_are_busy_or_wait() {
    for workers in [1, 2, 4] {
        for round in 0..20 {
            let node = node(workers);
            let environment = node.environment(1);
            for index in 0..round * 5 {
                spawn(&environment, |me| async move {
                    match index % 4 {
                        0 => loop {
                            yield_now().await;
                        },
                        1 => me.sleep(Duration::from_secs(3600)).await,
                        2 => loop {
                            me.sleep(Duration::from_micros(20)).await;
                        },
                        _ => {}
                    }
                    pending().await
                });
            }
            drop(node);
        }
    }
}

#[test]
fn a_node_can_be_stopped_twice_and_by_several_threads() {
    let node = node(2);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| node.stop());
        }
    });
    node.stop();
}

#[test]
fn a_stopped_node_runs_nothing_more() {
    let node = node(2);
    let environment = node.environment(1);
    node.stop();
    let ran = Arc::new(AtomicUsize::new(0));
    let count = ran.clone();
    let process = spawn(&environment, |_| async move {
        count.fetch_add(1, Ordering::SeqCst);
        ExitReason::Normal
    });
    process.kill();
    drop(node);
    assert_eq!(ran.load(Ordering::SeqCst), 0);
    assert_eq!(process.ended(), None);
}

#[test]
fn the_last_handle_of_a_node_may_be_dropped_by_one_of_its_processes() {
    let node = Arc::new(node(2));
    let environment = node.environment(1);
    let done = Arc::new(AtomicUsize::new(0));
    let (inner, finished) = (node.clone(), done.clone());
    let gate = Arc::new(AtomicUsize::new(0));
    let open = gate.clone();
    spawn(&environment, |_| async move {
        while open.load(Ordering::SeqCst) == 0 {
            yield_now().await;
        }
        drop(inner);
        finished.store(1, Ordering::SeqCst);
        ExitReason::Normal
    });
    drop(node);
    gate.store(1, Ordering::SeqCst);
    eventually("the node to be dropped", || done.load(Ordering::SeqCst) == 1);
}
