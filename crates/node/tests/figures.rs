//! What a node says about itself: nothing is lost or counted twice, whichever thread counts.
mod common;

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use common::{
    GO, block_on, custom, eventually, message, next, node, prepare, run_in, spawn, spawn_with,
    yield_now,
};
use lunatic_model::{
    ExitReason, Filter, Limits, MESSAGE_OVERHEAD_BYTES, Message, Pid, Signal, Tag, Trap,
};
use lunatic_node::{Environment, Figures, Mailboxes, Node, Process};

const TAG: Tag = Tag(5);

/// The ends that are not zero.
fn ends(figures: &Figures) -> Vec<(&'static str, Option<&'static str>, u64)> {
    let ends = figures.ends.iter().filter(|ends| ends.count > 0);
    ends.map(|ends| (ends.reason, ends.limit, ends.count)).collect()
}

/// A process that takes messages until it has had so many.
fn sink(environment: &Arc<Environment>, messages: u64) -> Arc<Process> {
    spawn(environment, move |me| async move {
        for _ in 0..messages {
            next(&me).await;
        }
        ExitReason::Normal
    })
}

/// Sends a message that is counted and does nothing else.
fn tell_nobody(environment: &Environment) {
    environment.signal(environment.pid_of(0), Signal::Message(Message::default()));
}

#[test]
fn a_node_that_did_nothing_has_counted_nothing() {
    let figures = node(3).figures();
    assert_eq!((figures.processes, figures.workers, figures.spawns), (0, 3, 0));
    assert_eq!((figures.messages_sent, figures.messages_delivered), (0, 0));
    assert_eq!((figures.run_queue, figures.timers, figures.names), (0, 0, 0));
    assert_eq!(figures.mailboxes, Mailboxes::default());
    assert_eq!(ends(&figures), []);
    // A reason that has not happened yet is there, so that its first time is seen as a change.
    assert!(figures.ends.iter().any(|ends| ends.reason == "trap"));
}

#[test]
fn no_count_is_lost_between_workers_and_other_threads() {
    const SENDERS: u64 = 40;
    const EACH: u64 = 500;
    const UNHEARD: u64 = 100_000;
    let node = node(4);
    let environment = node.environment(1);
    let sinks: Vec<_> = (0..4).map(|_| sink(&environment, SENDERS * EACH / 4)).collect();
    let pids: Vec<Pid> = sinks.iter().map(|sink| sink.pid()).collect();
    thread::scope(|scope| {
        // Four threads that are no workers spawn processes, whose children send from workers, and
        // send themselves, to nobody.
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..SENDERS / 4 {
                    let pids = pids.clone();
                    spawn(&environment, |me| async move {
                        let child = spawn(me.environment(), |me| async move {
                            for number in 0..EACH {
                                me.send(pids[number as usize % 4], message(TAG, number)).await;
                            }
                            ExitReason::Exit(1)
                        });
                        child.join().await
                    });
                }
                for _ in 0..UNHEARD {
                    tell_nobody(&environment);
                }
            });
        }
    });
    sinks.iter().for_each(|sink| assert_eq!(block_on(sink.join()), ExitReason::Normal));
    let all = 4 + 2 * SENDERS;
    eventually("the end of all senders", || node.usage().exits == all);
    let figures = node.figures();
    assert_eq!(figures.spawns, all);
    assert_eq!(figures.messages_sent, SENDERS * EACH + 4 * UNHEARD);
    assert_eq!(figures.messages_delivered, SENDERS * EACH);
    assert_eq!(ends(&figures), [("normal", None, 4), ("exit", None, 2 * SENDERS)]);
}

#[test]
fn a_worker_of_one_node_that_acts_on_another_takes_nothing_from_its_counts() {
    const EACH: u64 = 300_000;
    let nodes = [node(1), node(1)];
    let environments = nodes.each_ref().map(|node| node.environment(1));
    // The only worker of each node sends in both at the same time, as fast as it can: to nobody.
    let senders = environments.each_ref().map(|own| {
        let both = environments.clone();
        spawn(own, |_| async move {
            for _ in 0..EACH {
                both.iter().for_each(|environment| tell_nobody(environment));
            }
            ExitReason::Normal
        })
    });
    senders.iter().for_each(|sender| assert_eq!(block_on(sender.join()), ExitReason::Normal));
    for node in &nodes {
        assert_eq!(node.figures().messages_sent, 2 * EACH);
    }
}

#[test]
fn ends_are_counted_by_the_kind_of_their_reason() {
    let trap = ExitReason::Trap(Arc::new(Trap::default()));
    let cases = [
        (ExitReason::Normal, ("normal", None)),
        (ExitReason::Shutdown, ("shutdown", None)),
        (ExitReason::Killed, ("killed", None)),
        (ExitReason::NoProcess, ("noproc", None)),
        (ExitReason::NoConnection, ("noconnection", None)),
        (ExitReason::Exit(3), ("exit", None)),
        (trap, ("trap", None)),
        (ExitReason::Error("no entry".into()), ("error", None)),
        (ExitReason::HostPanic("bug".into()), ("host_panic", None)),
        (ExitReason::Limit("links_max"), ("limit", Some("links_max"))),
        (custom("mine"), ("custom", None)),
    ];
    for (reason, (word, limit)) in cases {
        let node = node(1);
        let environment = node.environment(1);
        let process = spawn(&environment, |_| async { reason });
        block_on(process.join());
        assert_eq!(ends(&node.figures()), [(word, limit, 1)]);
    }
}

#[test]
fn a_bug_counts_once_although_it_ends_those_that_are_linked() {
    let node = node(1);
    let environment = node.environment(1);
    let linked = spawn(&environment, |me| async move {
        let bug = prepare(me.environment(), Limits::default());
        let body = Box::pin(async { panic!("on purpose") });
        me.environment().start(bug, body, Some((&me, Tag::NONE)));
        pending().await
    });
    block_on(linked.join());
    let figures = node.figures();
    assert_eq!(figures.host_panics, 1);
    assert_eq!(ends(&figures), [("host_panic", None, 2)]);
}

#[test]
fn a_message_that_meets_nobody_is_sent_but_not_delivered() {
    let node = node(1);
    run_in(&node.environment(1), |me| async move {
        let dead = spawn(me.environment(), |_| async { ExitReason::Normal });
        dead.join().await;
        let soon = Duration::from_millis(1);
        me.send(dead.pid(), message(TAG, 1)).await;
        me.send_after(dead.pid(), message(TAG, 2), soon).await.expect("no limit is met");
        me.send(me.pid(), message(TAG, 3)).await;
        // Fires after the one before: they are set in this order.
        me.send_after(me.pid(), message(TAG, 4), soon).await.expect("no limit is met");
        next(&me).await;
        next(&me).await;
    });
    // The thread of the timers counts a message after it was delivered, perhaps after all this.
    let figures = loop {
        let figures = node.figures();
        if figures.messages_sent >= 4 {
            break figures;
        }
        std::thread::yield_now();
    };
    assert_eq!((figures.messages_sent, figures.messages_delivered), (4, 2));
}

#[test]
fn a_message_counts_once_although_its_sender_waited_at_a_full_mailbox() {
    let node = Arc::new(node(1));
    let asked = node.clone();
    run_in(&node.environment(1), |me| async move {
        let limits = Limits { mailbox_messages_max: 1, ..Limits::default() };
        let slow = spawn_with(me.environment(), limits, |me| async move {
            me.receive(Filter::Reply(GO), None).await;
            next(&me).await;
            next(&me).await;
            ExitReason::Normal
        });
        yield_now().await;
        me.send(slow.pid(), message(TAG, 1)).await;
        let mut waiting = pin!(me.send(slow.pid(), message(TAG, 2)));
        let first = poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx))).await;
        assert!(first.is_pending());
        assert_eq!(asked.figures().messages_sent, 1);
        assert!(me.try_send(slow.pid(), message(GO, 3)).is_ok(), "it is waited for");
        waiting.await;
        slow.join().await;
    });
    let figures = node.figures();
    assert_eq!((figures.messages_sent, figures.messages_delivered), (3, 3));
}

#[test]
fn what_lies_in_mailboxes_is_seen_in_every_environment() {
    let node = node(1);
    let environments = [node.environment(1), node.environment(2)];
    let idle = environments.each_ref().map(|environment| spawn(environment, |_| pending()));
    for (environment, (to, count)) in environments.iter().zip([(&idle[0], 3), (&idle[1], 8)]) {
        let to = to.pid();
        run_in(environment, move |me| async move {
            for _ in 0..count {
                let message = Message { data: vec![0; 1_000], ..Message::default() };
                me.send(to, message).await;
            }
        });
    }
    let bytes = 11 * (1_000 + MESSAGE_OVERHEAD_BYTES as u64);
    let mailboxes = node.figures().mailboxes;
    assert_eq!(mailboxes, Mailboxes { messages: 11, bytes, deepest: 8 });
    idle[1].kill();
    block_on(idle[1].join());
    let mailboxes = node.figures().mailboxes;
    assert_eq!((mailboxes.messages, mailboxes.deepest), (3, 3));
    drop(idle);
    drop(environments);
}

#[test]
fn processes_that_wait_for_a_worker_are_the_run_queue() {
    let node = Arc::new(node(1));
    let asked = node.clone();
    let queued = run_in(&node.environment(1), |me| async move {
        let children: Vec<_> =
            (0..10).map(|_| spawn(me.environment(), |_| async { ExitReason::Normal })).collect();
        let queued = asked.figures().run_queue;
        for child in children {
            child.join().await;
        }
        queued
    });
    assert_eq!(queued, 9, "the tenth is the one that runs next");
    assert_eq!(node.figures().run_queue, 0);
}

#[test]
fn timers_and_names_are_counted_while_they_last() {
    let node = node(1);
    let environment = node.environment(1);
    let day = Duration::from_secs(86_400);
    let process = spawn(&environment, move |me| async move {
        me.send_after(me.pid(), message(TAG, 0), day).await.expect("no limit is met");
        me.environment().put_name("one", me.pid());
        me.environment().put_name("two", me.pid());
        me.receive(Filter::Any, Some(day)).await;
        ExitReason::Normal
    });
    let both = |node: &Node| (node.figures().timers, node.figures().names);
    eventually("the process to wait", || both(&node) == (2, 2));
    process.kill();
    block_on(process.join());
    // What is sent later survives its sender.
    assert_eq!(both(&node), (1, 0));
}
