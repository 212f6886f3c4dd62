//! Aliases, sends with a deadline, and monitors by name, between running processes.
mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{
    GO, READY, Random, block_on, custom, drain, message, next, node, prepare, read, run, run_in,
    spawn, spawn_waiting, spawn_with, yield_now,
};
use lunatic_model::{
    AliasMode, Envelope, ExitReason, Filter, Kinds, Limits, Message, MonitorOptions, Pattern, Pid,
    Ref,
};
use lunatic_node::{Destination, Process, RegisterError};

const WORKERS: [usize; 3] = [1, 2, 4];
const NOW: Option<Duration> = Some(Duration::ZERO);

fn alias(reference: Ref) -> Destination {
    Destination::Alias { reference, priority: false }
}

/// The reference rides in the message, as a client of a server sends it.
fn request(reference: Ref) -> Message {
    message(GO, reference.serial)
}

fn replies_to(envelope: &Envelope) -> (Pid, Ref) {
    let (client, serial) = read(envelope);
    (client, Ref { node: 0, incarnation: 0, serial })
}

/// Waits for a reply through the alias, or the end of who owes it.
async fn answer(me: &Arc<Process>, reference: Ref) -> Envelope {
    let of = Some(reference);
    let kinds = Kinds::MESSAGE | Kinds::DOWN;
    let wanted = Filter::patterns([Pattern { kinds, reference: of, ..Pattern::ANY }]);
    me.receive(wanted, None).await.expect("there is no deadline")
}

#[test]
fn a_reply_alias_lets_one_message_through_and_no_more() {
    for workers in WORKERS {
        run(workers, |root| async move {
            let reference = root.alias(AliasMode::Reply, false);
            let senders: Vec<_> = (0..8)
                .map(|n| {
                    spawn(root.environment(), move |me| async move {
                        let sent = me.send_until(alias(reference), message(READY, n), None).await;
                        if sent.is_ok() { ExitReason::Normal } else { ExitReason::Shutdown }
                    })
                })
                .collect();
            for sender in &senders {
                assert_eq!(sender.join().await, ExitReason::Normal, "the rest is dropped");
            }
            assert_eq!(drain(&root).await.len(), 1);
            assert!(!root.unalias(reference), "the message ended it");
        });
    }
}

#[test]
fn each_call_of_a_server_that_may_die_gets_one_answer_and_nothing_later() {
    for workers in WORKERS {
        let mut random = Random::new();
        run(workers, move |root| async move {
            for _ in 0..300 {
                let choice = random.below(4);
                let server = spawn(root.environment(), move |me| async move {
                    let (_, reference) = replies_to(&next(&me).await);
                    for n in 0..choice {
                        let _ = me.send_until(alias(reference), message(READY, n), None).await;
                    }
                    ExitReason::Shutdown
                });
                let mode = Some((AliasMode::ReplyDemonitor, false));
                let options = MonitorOptions { alias: mode, ..MonitorOptions::default() };
                let reference = root.monitor_with(server.pid(), options);
                root.send(server.pid(), request(reference)).await;
                if random.below(3) == 0 {
                    server.kill();
                }
                answer(&root, reference).await;
                server.join().await;
                let late = drain(&root).await;
                assert!(late.is_empty(), "a reply or a down, never both: {late:?}");
                assert!(!root.unalias(reference));
                assert!(!root.demonitor(reference, true));
            }
        });
    }
}

#[test]
fn an_alias_leads_nowhere_after_its_owner() {
    run(2, |root| async move {
        let parent = root.pid();
        let owner = spawn(root.environment(), move |me| async move {
            let reference = me.alias(AliasMode::ExplicitUnalias, false);
            me.send(parent, request(reference)).await;
            ExitReason::Normal
        });
        let (_, reference) = replies_to(&next(&root).await);
        owner.join().await;
        assert!(root.send_until(alias(reference), message(GO, 1), NOW).await.is_ok());
        assert!(!root.unalias(reference), "only the owner ends it");
    });
}

#[test]
fn only_the_owner_ends_an_alias() {
    run(1, |root| async move {
        let reference = root.alias(AliasMode::ExplicitUnalias, false);
        let other = spawn(root.environment(), move |me| async move {
            assert!(!me.unalias(reference));
            ExitReason::Normal
        });
        other.join().await;
        assert!(root.unalias(reference));
    });
}

#[test]
fn a_priority_message_is_received_first_also_by_one_that_waits_behind_many() {
    run(1, |root| async move {
        let reference = root.alias(AliasMode::ExplicitUnalias, true);
        for n in 0..10 {
            root.send(root.pid(), message(READY, n)).await;
        }
        let parent = root.pid();
        spawn(root.environment(), move |me| async move {
            let to = Destination::Alias { reference, priority: true };
            for n in 100..102 {
                let _ = me.send_until(to, message(GO, n), None).await;
            }
            me.send(parent, message(GO, 102)).await;
            ExitReason::Normal
        });
        let first = root.receive(Filter::Reply(GO), None).await.expect("no deadline");
        assert_eq!(read(&first).1, 100, "it had searched the ten already");
        for expected in [101, 0] {
            assert_eq!(read(&next(&root).await).1, expected);
        }
    });
}

#[test]
fn a_send_gives_the_message_back_at_its_deadline_and_not_before_it_has_tried() {
    for workers in WORKERS {
        run(workers, |root| async move {
            let limits = Limits { mailbox_messages_max: 1, ..Limits::default() };
            let receiver = spawn_with(root.environment(), limits, |me| async move {
                me.receive(Filter::Reply(READY), None).await;
                assert_eq!(read(&next(&me).await).1, 1);
                assert_eq!(read(&next(&me).await).1, 3);
                ExitReason::Normal
            });
            let to = Destination::Process(receiver.pid());
            assert!(root.send_until(to, message(GO, 1), NOW).await.is_ok());
            for timeout in [NOW, Some(Duration::from_millis(1))] {
                let back = root.send_until(to, message(GO, 2), timeout).await;
                assert_eq!(back.expect_err("it is full").data, 2u64.to_le_bytes());
            }
            // What it waits for gets in.
            assert!(root.send_until(to, message(READY, 0), None).await.is_ok());
            assert!(root.send_until(to, message(GO, 3), None).await.is_ok());
            assert_eq!(receiver.join().await, ExitReason::Normal);
            assert!(root.send_until(to, message(GO, 4), NOW).await.is_ok(), "nobody is there");
        });
    }
}

#[test]
fn a_sender_that_gave_up_holds_up_nobody() {
    run(2, |root| async move {
        let limits = Limits { mailbox_messages_max: 1, ..Limits::default() };
        let receiver = spawn_with(root.environment(), limits, |me| async move {
            me.receive(Filter::Reply(READY), None).await;
            for _ in 0..2 {
                next(&me).await;
            }
            ExitReason::Normal
        });
        let to = Destination::Process(receiver.pid());
        assert!(root.send_until(to, message(GO, 1), NOW).await.is_ok());
        let mut gave_up = Vec::new();
        for _ in 0..5 {
            gave_up.push(spawn(root.environment(), move |me| async move {
                let soon = Some(Duration::from_micros(100));
                let back = me.send_until(to, message(GO, 9), soon).await;
                if back.is_err() { ExitReason::Normal } else { ExitReason::Shutdown }
            }));
        }
        for sender in &gave_up {
            assert_eq!(sender.join().await, ExitReason::Normal);
        }
        let last = spawn(root.environment(), move |me| async move {
            let sent = me.send_until(to, message(GO, 2), None).await;
            if sent.is_ok() { ExitReason::Normal } else { ExitReason::Shutdown }
        });
        yield_now().await;
        root.send(receiver.pid(), message(READY, 0)).await;
        assert_eq!(last.join().await, ExitReason::Normal);
        assert_eq!(receiver.join().await, ExitReason::Normal);
    });
}

#[test]
fn a_child_is_linked_and_watched_before_its_first_step_however_soon_it_ends() {
    for workers in WORKERS {
        run(workers, |root| async move {
            root.set_trap_exit(lunatic_model::TrapExit::All);
            for n in 0..500 {
                let child = prepare(root.environment(), Limits::default());
                let body =
                    async move { if n % 2 == 0 { custom("over") } else { ExitReason::Normal } };
                let bonds = lunatic_node::Bonds {
                    link: Some(READY),
                    monitor: Some(MonitorOptions::default()),
                };
                let pid = child.pid();
                let reference = root.environment().start_child(child, Box::pin(body), &root, bonds);
                for _ in 0..2 {
                    match next(&root).await {
                        Envelope::Exit { from, tag, .. } => assert_eq!((from, tag), (pid, READY)),
                        Envelope::Down { reference: of, from, .. } => {
                            assert_eq!((Some(of), from), (reference, pid));
                        }
                        other @ Envelope::Message(_) => panic!("{other:?}"),
                    }
                }
            }
            assert!(drain(&root).await.is_empty());
        });
    }
}

#[test]
fn a_monitor_by_name_tells_the_name_also_where_nobody_has_it() {
    run(2, |root| async move {
        let environment = root.environment().clone();
        let nobody = root.monitor_name("clock", MonitorOptions::default());
        match next(&root).await {
            Envelope::Down { reference, from, name, reason: ExitReason::NoProcess } => {
                assert_eq!((reference, from.serial), (nobody, 0));
                assert_eq!(name.as_deref(), Some("clock"));
            }
            other => panic!("{other:?}"),
        }
        let clock = spawn_waiting(&environment, custom("stopped"));
        environment.register("clock", clock.pid()).expect("nobody has it");
        let watched = root.monitor_name("clock", MonitorOptions::default());
        assert!(environment.remove_name("clock"), "the monitor is of the process, not of the name");
        root.send(clock.pid(), message(GO, 0)).await;
        match next(&root).await {
            Envelope::Down { reference, from, name, reason } => {
                assert_eq!((reference, from), (watched, clock.pid()));
                assert_eq!((name.as_deref(), reason), (Some("clock"), custom("stopped")));
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_name_is_registered_by_otps_rules_and_put_by_its_own() {
    let node = node(1);
    let environment = node.environment(1);
    run_in(&environment.clone(), |root| async move {
        let refused = |result: Result<(), RegisterError>| result.expect_err("refused").to_string();
        let one = spawn_waiting(&environment, ExitReason::Normal);
        let two = spawn_waiting(&environment, ExitReason::Normal);
        assert_eq!(environment.register("a", one.pid()), Ok(()));
        assert!(refused(environment.register("a", two.pid())).contains("is taken"));
        assert!(refused(environment.register("b", one.pid())).contains("has the name `a`"));
        // The old ABI takes over, and gives several; OTP's rules look at all names alike.
        environment.put_name("a", two.pid());
        environment.put_name("c", two.pid());
        assert_eq!(environment.whereis("a"), Some(two.pid()));
        assert!(refused(environment.register("d", two.pid())).contains("has the name `a`"));
        assert_eq!(environment.register("b", one.pid()), Ok(()));
        assert!(environment.remove_name("b"));
        assert!(!environment.remove_name("b"));
        one.kill();
        one.join().await;
        let dead = environment.register("e", one.pid());
        assert_eq!(dead, Err(RegisterError::NoProcess(one.pid())));
        two.kill();
        drop(root);
    });
}

#[test]
fn whoever_waits_at_the_mailbox_of_an_alias_that_ends_goes_on_when_there_is_room() {
    let node = node(2);
    let environment = node.environment(1);
    let limits = Limits { mailbox_messages_max: 1, ..Limits::default() };
    let owner = prepare(&environment, limits);
    let reference = owner.alias(AliasMode::ExplicitUnalias, false);
    let me = owner.clone();
    let body = async move {
        me.receive(Filter::Reply(READY), None).await;
        me.unalias(reference);
        let queued = read(&next(&me).await).1;
        yield_now().await;
        if queued == 1 { ExitReason::Normal } else { ExitReason::Shutdown }
    };
    environment.start(owner.clone(), Box::pin(body), None);
    let to = owner.pid();
    let sender = spawn(&environment, move |me| async move {
        let mut sent = me.send_until(alias(reference), message(GO, 1), None).await.is_ok();
        me.send(to, message(READY, 0)).await;
        sent &= me.send_until(alias(reference), message(GO, 2), None).await.is_ok();
        if sent { ExitReason::Normal } else { ExitReason::Shutdown }
    });
    assert_eq!(block_on(sender.join()), ExitReason::Normal);
    assert_eq!(block_on(owner.join()), ExitReason::Normal);
}
