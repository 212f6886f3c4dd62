//! What delivery promises: the order of a pair, nothing lost or doubled, answers for the dead, and
//! the silence after unlink and demonitor.
mod common;

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{
    GO, READY, Random, drain, message, next, read, run, spawn, spawn_waiting, spawn_with, yield_now,
};
use lunatic_model::{Envelope, ExitReason, Filter, Limits, Pid, Tag, TrapExit};
use lunatic_node::Process;

const LINK: Tag = Tag(9);

/// Checks that the numbers of each sender come as 0, 1, 2 …
#[derive(Default)]
struct PairOrder(HashMap<Pid, u64>);

impl PairOrder {
    fn check(&mut self, envelope: &Envelope) {
        let (from, number) = read(envelope);
        let expected = self.0.entry(from).or_default();
        assert_eq!(number, *expected, "from {from}");
        *expected += 1;
    }
}

/// A process that sends `count` numbers to `to` as soon as it gets [`GO`].
fn spawn_sender(root: &Arc<Process>, to: Pid, count: u64) -> Arc<Process> {
    spawn(root.environment(), |me| async move {
        me.receive(Filter::Reply(GO), None).await;
        for number in 0..count {
            me.send(to, message(READY, number)).await;
        }
        ExitReason::Normal
    })
}

async fn many_senders(root: Arc<Process>, senders: u64, count: u64, limits: Limits) {
    let receiver = spawn_with(root.environment(), limits, |me| async move {
        let mut order = PairOrder::default();
        for _ in 0..senders * count {
            order.check(&next(&me).await);
        }
        assert!(order.0.values().all(|numbers| *numbers == count));
        assert!(drain(&me).await.is_empty(), "doubled");
        ExitReason::Normal
    });
    let senders: Vec<_> =
        (0..senders).map(|_| spawn_sender(&root, receiver.pid(), count)).collect();
    for sender in &senders {
        root.send(sender.pid(), message(GO, 0)).await;
    }
    assert_eq!(receiver.join().await, ExitReason::Normal);
    for sender in senders {
        assert_eq!(sender.join().await, ExitReason::Normal);
    }
}

#[test]
fn messages_of_one_sender_arrive_once_and_in_order() {
    for workers in [1, 2, 4] {
        run(workers, |root| many_senders(root, 16, 10_000, Limits::default()));
    }
}

#[test]
fn order_holds_for_senders_that_wait_at_a_full_mailbox() {
    for (workers, room) in [(1, 1), (1, 7), (2, 1), (2, 7), (4, 1), (4, 100)] {
        let limits = Limits { mailbox_messages_max: room, ..Limits::default() };
        run(workers, |root| many_senders(root, 16, 500, limits));
    }
}

#[test]
fn order_holds_between_many_that_send_to_each_other_at_random() {
    const PROCESSES: u64 = 20;
    const SENDS: u64 = 4000;
    for workers in [1, 2, 4] {
        let received = run(workers, |root| async move {
            let mut random = Random::new();
            let received = Arc::new(AtomicU64::new(0));
            let peers = Arc::new(std::sync::OnceLock::<Vec<Pid>>::new());
            let processes: Vec<_> = (0..PROCESSES)
                .map(|_| {
                    let (mut random, received) = (random.fork(), received.clone());
                    let peers = peers.clone();
                    spawn(root.environment(), |me| async move {
                        me.receive(Filter::Reply(GO), None).await;
                        let mut order = PairOrder::default();
                        let mut sent: HashMap<Pid, u64> = HashMap::new();
                        for _ in 0..SENDS {
                            let to = peers.get().unwrap()[random.below(PROCESSES) as usize];
                            let number = sent.entry(to).or_default();
                            me.send(to, message(READY, *number)).await;
                            *number += 1;
                            match random.below(4) {
                                0 => {
                                    for envelope in drain(&me).await {
                                        order.check(&envelope);
                                        received.fetch_add(1, Ordering::Relaxed);
                                    }
                                }
                                1 => yield_now().await,
                                _ => {}
                            }
                        }
                        // Its own last number to each is followed by nothing else of it.
                        loop {
                            order.check(&next(&me).await);
                            if received.fetch_add(1, Ordering::Relaxed) + 1 == PROCESSES * SENDS {
                                return ExitReason::Exit(1);
                            }
                        }
                    })
                })
                .collect();
            peers.set(processes.iter().map(|process| process.pid()).collect()).unwrap();
            root.set_trap_exit(TrapExit::All);
            for process in &processes {
                root.link(process.pid(), LINK);
                root.environment().signal(process.pid(), signal(message(GO, 0)));
            }
            // All have received all when one says so; a failed check would come here, too.
            let Envelope::Exit { reason, .. } = next(&root).await else { panic!("no exit") };
            assert_eq!(reason, ExitReason::Exit(1));
            processes.iter().for_each(|process| process.kill());
            received.load(Ordering::Relaxed)
        });
        assert_eq!(received, PROCESSES * SENDS);
    }
}

fn signal(message: lunatic_model::Message) -> lunatic_model::Signal {
    lunatic_model::Signal::Message(message)
}

#[test]
fn what_a_process_sent_arrives_before_the_news_of_its_end() {
    for workers in [1, 2, 4] {
        run(workers, |root| async move {
            root.set_trap_exit(TrapExit::All);
            let mut sent = HashMap::new();
            for count in 0..100_u64 {
                let sender = spawn_sender(&root, root.pid(), count);
                root.monitor(sender.pid());
                root.link(sender.pid(), LINK);
                sent.insert(sender.pid(), count);
                root.send(sender.pid(), message(GO, 0)).await;
            }
            let mut order = PairOrder::default();
            let mut news = 0;
            while news < 200 {
                match next(&root).await {
                    Envelope::Down { from, .. } | Envelope::Exit { from, .. } => {
                        let arrived = order.0.get(&from).copied().unwrap_or(0);
                        assert_eq!(arrived, sent[&from]);
                        news += 1;
                    }
                    envelope => order.check(&envelope),
                }
            }
        });
    }
}

#[test]
fn signals_of_a_pair_keep_their_order_across_kinds() {
    for workers in [1, 2] {
        run(workers, |root| async move {
            for _ in 0..500 {
                let receiver = spawn(root.environment(), |me| async move {
                    me.set_trap_exit(TrapExit::All);
                    let first = next(&me).await;
                    let second = next(&me).await;
                    let third = next(&me).await;
                    assert!(matches!(first, Envelope::Message(_)), "{first:?}");
                    assert!(matches!(second, Envelope::Exit { .. }), "{second:?}");
                    assert!(matches!(third, Envelope::Message(_)), "{third:?}");
                    ExitReason::Normal
                });
                receiver.set_trap_exit(TrapExit::All);
                root.send(receiver.pid(), message(READY, 0)).await;
                root.exit(receiver.pid(), ExitReason::Shutdown);
                root.send(receiver.pid(), message(READY, 1)).await;
                assert_eq!(receiver.join().await, ExitReason::Normal);
            }
        });
    }
}

#[test]
fn links_and_monitors_of_the_dead_tell_noproc_at_once() {
    run(2, |root| async move {
        let dead = spawn(root.environment(), |_| async { ExitReason::Exit(1) });
        dead.join().await;
        let never = root.environment().pid_of(u64::MAX);
        root.set_trap_exit(TrapExit::All);
        for pid in [dead.pid(), never] {
            root.link(pid, LINK);
            let reference = root.monitor(pid);
            match drain(&root).await.as_slice() {
                [
                    Envelope::Exit { from, reason: ExitReason::NoProcess, tag: LINK },
                    Envelope::Down {
                        reference: of,
                        from: down,
                        reason: ExitReason::NoProcess,
                        name: None,
                    },
                ] => assert_eq!((*from, *of, *down), (pid, reference, pid)),
                other => panic!("{other:?}"),
            }
            // A message to the dead is swallowed, and an unlink finds nothing.
            root.send(pid, message(READY, 0)).await;
            root.unlink(pid);
            assert!(drain(&root).await.is_empty());
        }
    });
}

#[test]
fn a_link_to_the_dead_ends_a_process_that_does_not_trap() {
    run(2, |root| async move {
        let never = root.environment().pid_of(u64::MAX);
        let process = spawn(root.environment(), |me| async move {
            me.link(never, LINK);
            pending().await
        });
        assert_eq!(process.join().await, ExitReason::NoProcess);
    });
}

#[test]
fn each_monitor_is_told_once_and_a_removed_one_never() {
    run(2, |root| async move {
        let process = spawn_waiting(root.environment(), ExitReason::Exit(5));
        let kept = [root.monitor(process.pid()), root.monitor(process.pid())];
        let removed = root.monitor(process.pid());
        root.demonitor(removed, false);
        root.send(process.pid(), message(GO, 0)).await;
        process.join().await;
        let mut told: Vec<_> = drain(&root)
            .await
            .iter()
            .map(|envelope| match envelope {
                Envelope::Down { reference, .. } => *reference,
                other => panic!("{other:?}"),
            })
            .collect();
        told.sort();
        assert_eq!(told, kept);
    });
}

#[test]
fn after_unlink_no_exit_of_that_link_comes() {
    for workers in [1, 2, 4] {
        run(workers, |root| async move {
            let mut random = Random::new();
            root.set_trap_exit(TrapExit::All);
            for _ in 0..3000 {
                let peer = spawn_waiting(root.environment(), ExitReason::Exit(1));
                root.link(peer.pid(), LINK);
                root.send(peer.pid(), message(GO, 0)).await;
                // On several workers the peer dies while we unlink, on one before or after.
                if random.below(2) == 0 {
                    yield_now().await;
                }
                for _ in 0..random.below(200) {
                    std::hint::spin_loop();
                }
                root.unlink(peer.pid());
                drain(&root).await;
                peer.join().await;
                assert!(drain(&root).await.is_empty(), "an exit came after unlink");
            }
        });
    }
}

#[test]
fn after_unlink_a_process_that_does_not_trap_survives_its_peer() {
    for workers in [2, 4] {
        run(workers, |root| async move {
            let mut random = Random::new();
            for _ in 0..3000 {
                let peer = spawn_waiting(root.environment(), ExitReason::Exit(1));
                let process = spawn(root.environment(), |_| pending());
                process.link(peer.pid(), LINK);
                root.send(peer.pid(), message(GO, 0)).await;
                if random.below(2) == 0 {
                    yield_now().await;
                }
                for _ in 0..random.below(200) {
                    std::hint::spin_loop();
                }
                process.unlink(peer.pid());
                let died_before = process.is_exiting();
                peer.join().await;
                assert_eq!(process.is_exiting(), died_before, "an exit came after unlink");
                process.kill();
            }
        });
    }
}

#[test]
fn both_ends_may_unlink_and_link_again_at_the_same_time() {
    for workers in [2, 4] {
        run(workers, |root| async move {
            let mut random = Random::new();
            for _ in 0..300 {
                let a = spawn(root.environment(), |_| pending());
                let b = spawn(root.environment(), |_| pending());
                let ends = [(a.clone(), b.pid()), (b.clone(), a.pid())].map(|(process, peer)| {
                    let mut random = random.fork();
                    spawn(root.environment(), |_| async move {
                        for _ in 0..20 {
                            match random.below(3) {
                                0 => process.link(peer, LINK),
                                1 => process.unlink(peer),
                                _ => yield_now().await,
                            }
                        }
                        process.unlink(peer);
                        ExitReason::Normal
                    })
                });
                for end in ends {
                    end.join().await;
                }
                a.unlink(b.pid());
                // Linked once more, they share their fate: nothing of the old unlinks is left.
                a.link(b.pid(), LINK);
                root.exit(b.pid(), ExitReason::Exit(2));
                assert_eq!(a.join().await, ExitReason::Exit(2));
            }
        });
    }
}

#[test]
fn after_demonitor_with_flush_no_down_is_left() {
    for workers in [1, 2, 4] {
        run(workers, |root| async move {
            let mut random = Random::new();
            for _ in 0..3000 {
                let peer = spawn_waiting(root.environment(), ExitReason::Exit(1));
                let reference = root.monitor(peer.pid());
                root.send(peer.pid(), message(GO, 0)).await;
                if random.below(2) == 0 {
                    yield_now().await;
                }
                for _ in 0..random.below(200) {
                    std::hint::spin_loop();
                }
                root.demonitor(reference, true);
                peer.join().await;
                assert!(drain(&root).await.is_empty(), "a down is left");
            }
        });
    }
}
