//! The full mailbox: who waits there, in which order, and what gets in all the same.
mod common;

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::{GO, READY, custom, drain, message, next, read, run, spawn, spawn_with, yield_now};
use lunatic_model::{
    Envelope, ExitReason, Filter, Limits, MESSAGE_OVERHEAD_BYTES, Message, Pid, Tag, TrapExit,
};
use lunatic_node::Process;

const REPLY: Tag = Tag(7);

fn room_for(messages: usize) -> Limits {
    Limits { mailbox_messages_max: messages, ..Limits::default() }
}

/// A process that sends the numbers below `count` and counts those that have gone.
fn spawn_sender(root: &Arc<Process>, to: Pid, count: u64) -> (Arc<Process>, Arc<AtomicU64>) {
    let sent = Arc::new(AtomicU64::new(0));
    let gone = sent.clone();
    let sender = spawn(root.environment(), |me| async move {
        for number in 0..count {
            me.send(to, message(READY, number)).await;
            gone.fetch_add(1, Ordering::Relaxed);
        }
        ExitReason::Normal
    });
    (sender, sent)
}

/// Waits for [`GO`] with a mailbox of `limits`, then does the rest.
fn spawn_receiver<F, Fut>(root: &Arc<Process>, limits: Limits, rest: F) -> Arc<Process>
where
    F: FnOnce(Arc<Process>) -> Fut + Send + 'static,
    Fut: Future<Output = ExitReason> + Send + 'static,
{
    spawn_with(root.environment(), limits, |me| async move {
        me.receive(Filter::Reply(GO), None).await;
        rest(me).await
    })
}

/// Lets every other process run until it waits; on one worker that is all there is to wait for.
async fn settle() {
    for _ in 0..100 {
        yield_now().await;
    }
}

async fn suspends(root: Arc<Process>, limits: Limits, room: u64) {
    let receiver = spawn_receiver(&root, limits, |me| async move {
        for expected in 0..10 {
            assert_eq!(read(&next(&me).await).1, expected);
        }
        ExitReason::Normal
    });
    let (sender, sent) = spawn_sender(&root, receiver.pid(), 10);
    settle().await;
    assert_eq!(sent.load(Ordering::Relaxed), room);
    assert!(root.environment().exists(sender.pid()));
    root.send(receiver.pid(), message(GO, 0)).await;
    assert_eq!(receiver.join().await, ExitReason::Normal);
    assert_eq!(sender.join().await, ExitReason::Normal);
}

#[test]
fn a_mailbox_full_of_messages_suspends_the_sender_until_one_is_taken() {
    run(1, |root| suspends(root, room_for(3), 3));
}

#[test]
fn a_mailbox_full_of_bytes_suspends_the_sender_until_one_is_taken() {
    let bytes = 4 * (MESSAGE_OVERHEAD_BYTES + 8) + 20;
    let limits = Limits { mailbox_bytes_max: bytes, ..Limits::default() };
    run(1, |root| suspends(root, limits, 4));
}

#[test]
fn a_message_larger_than_the_mailbox_gets_in_when_the_receiver_waits_for_it() {
    run(2, |root| async move {
        let limits = Limits { mailbox_bytes_max: 1000, ..Limits::default() };
        let receiver = spawn_receiver(&root, limits, |me| async move {
            for size in [1, 100_000] {
                let Envelope::Message(message) = next(&me).await else { panic!("no message") };
                assert_eq!(message.data.len(), size);
            }
            ExitReason::Normal
        });
        let to = receiver.pid();
        let sender = spawn(root.environment(), |me| async move {
            for size in [1, 100_000] {
                me.send(to, Message { data: vec![0; size], ..Message::default() }).await;
            }
            ExitReason::Normal
        });
        settle().await;
        root.send(to, message(GO, 0)).await;
        assert_eq!(receiver.join().await, ExitReason::Normal);
        assert_eq!(sender.join().await, ExitReason::Normal);
    });
}

#[test]
fn a_sender_can_be_killed_at_a_full_mailbox_and_its_message_was_not_sent() {
    run(1, |root| async move {
        let receiver = spawn_receiver(&root, room_for(2), |me| async move {
            let numbers: Vec<_> =
                drain(&me).await.iter().map(|envelope| read(envelope).1).collect();
            assert_eq!(numbers, [0, 1]);
            ExitReason::Normal
        });
        let (sender, sent) = spawn_sender(&root, receiver.pid(), 3);
        settle().await;
        assert_eq!(sent.load(Ordering::Relaxed), 2);
        sender.kill();
        assert_eq!(sender.join().await, ExitReason::Killed);
        root.send(receiver.pid(), message(GO, 0)).await;
        assert_eq!(receiver.join().await, ExitReason::Normal);
    });
}

#[test]
fn a_sender_killed_in_line_does_not_hold_up_those_behind_it() {
    run(1, |root| async move {
        // It takes one message and never looks at its mailbox again: there is room for one sender.
        let receiver = spawn_receiver(&root, room_for(1), |me| async move {
            next(&me).await;
            pending().await
        });
        let (first, _) = spawn_sender(&root, receiver.pid(), 1);
        first.join().await;
        let (killed, _) = spawn_sender(&root, receiver.pid(), 1);
        settle().await;
        let (waiting, _) = spawn_sender(&root, receiver.pid(), 1);
        settle().await;
        killed.kill();
        killed.join().await;
        root.send(receiver.pid(), message(GO, 0)).await;
        assert_eq!(waiting.join().await, ExitReason::Normal);
    });
}

#[test]
fn a_sender_killed_on_its_turn_passes_it_on() {
    run(1, |root| async move {
        let receiver = spawn_receiver(&root, room_for(1), |me| async move {
            let (victim, _) = read(&next(&me).await);
            // The room has just been offered to the victim, who cannot have run since.
            me.exit(victim, ExitReason::Kill);
            pending().await
        });
        let (killed, _) = spawn_sender(&root, receiver.pid(), 2);
        settle().await;
        let (waiting, _) = spawn_sender(&root, receiver.pid(), 1);
        settle().await;
        root.send(receiver.pid(), message(GO, 0)).await;
        assert_eq!(killed.join().await, ExitReason::Killed);
        assert_eq!(waiting.join().await, ExitReason::Normal);
    });
}

#[test]
fn an_awaited_reply_passes_a_flood() {
    for workers in [1, 2] {
        run(workers, |root| async move {
            let receiver = spawn_with(root.environment(), room_for(4), |me| async move {
                for expected in 0..100 {
                    let reply = me.receive(Filter::Reply(REPLY), None).await;
                    assert_eq!(read(&reply.unwrap()).1, expected);
                }
                ExitReason::Normal
            });
            // Sends to the dead never pause, so the flood ends some time.
            let flood: Vec<_> =
                (0..8).map(|_| spawn_sender(&root, receiver.pid(), 1000).0).collect();
            settle().await;
            for number in 0..100 {
                root.send(receiver.pid(), message(REPLY, number)).await;
            }
            assert_eq!(receiver.join().await, ExitReason::Normal);
            for sender in flood {
                assert_eq!(sender.join().await, ExitReason::Normal, "the dead swallow the rest");
            }
        });
    }
}

#[test]
fn a_reply_that_waits_behind_a_flood_gets_in_when_it_is_awaited() {
    run(1, |root| async move {
        let receiver = spawn_receiver(&root, room_for(1), |me| async move {
            me.receive(Filter::Reply(REPLY), None).await;
            ExitReason::Normal
        });
        let flood: Vec<_> = (0..8).map(|_| spawn_sender(&root, receiver.pid(), 10).0).collect();
        settle().await;
        let to = receiver.pid();
        let replier = spawn(root.environment(), |me| async move {
            me.send(to, message(REPLY, 0)).await;
            ExitReason::Normal
        });
        settle().await;
        assert!(root.environment().exists(replier.pid()), "the reply is not awaited yet");
        root.send(to, message(GO, 0)).await;
        assert_eq!(receiver.join().await, ExitReason::Normal);
        assert_eq!(replier.join().await, ExitReason::Normal);
        for sender in flood {
            assert_eq!(sender.join().await, ExitReason::Normal, "the dead swallow the rest");
        }
    });
}

#[test]
fn a_message_to_itself_that_does_not_fit_ends_the_process() {
    run(1, |root| async move {
        let process = spawn_with(root.environment(), room_for(2), |me| async move {
            for number in 0..3 {
                me.send(me.pid(), message(READY, number)).await;
            }
            pending().await
        });
        assert_eq!(process.join().await, ExitReason::Limit("mailbox_limit"));
    });
}

#[test]
fn exits_downs_and_timers_never_wait() {
    run(1, |root| async move {
        let receiver = spawn_receiver(&root, room_for(1), |me| async move {
            let envelopes = drain(&me).await;
            assert_eq!(envelopes.len(), 4, "{envelopes:?}");
            ExitReason::Normal
        });
        receiver.set_trap_exit(TrapExit::All);
        // Who sets a timer waits for room; what fires later does not.
        let delay = Duration::from_millis(300);
        root.send_after(receiver.pid(), message(READY, 1), delay).await.unwrap();
        root.send_after(root.pid(), message(READY, 2), delay).await.unwrap();
        root.send(receiver.pid(), message(READY, 0)).await;
        let ended = spawn(root.environment(), |_| async { ExitReason::Normal });
        receiver.monitor(ended.pid());
        ended.join().await;
        root.exit(receiver.pid(), custom("asked to"));
        next(&root).await;
        root.send(receiver.pid(), message(GO, 0)).await;
        assert_eq!(receiver.join().await, ExitReason::Normal);
    });
}

#[test]
fn who_sets_a_timer_for_a_full_mailbox_waits_and_one_for_its_own_ends() {
    run(1, |root| async move {
        let receiver = spawn_receiver(&root, room_for(1), |me| async move {
            let numbers = [read(&next(&me).await).1, read(&next(&me).await).1];
            assert_eq!(numbers, [0, 1]);
            ExitReason::Normal
        });
        root.send(receiver.pid(), message(READY, 0)).await;
        let setter = spawn(root.environment(), {
            let to = receiver.pid();
            move |me| async move {
                me.send_after(to, message(READY, 1), Duration::ZERO).await.unwrap();
                ExitReason::Normal
            }
        });
        settle().await;
        assert!(setter.ended().is_none());
        root.send(receiver.pid(), message(GO, 0)).await;
        assert_eq!(setter.join().await, ExitReason::Normal);
        assert_eq!(receiver.join().await, ExitReason::Normal);
        let flooder = spawn_with(root.environment(), room_for(3), |me| async move {
            loop {
                if let Err(reason) =
                    me.send_after(me.pid(), message(READY, 1), Duration::ZERO).await
                {
                    break reason;
                }
            }
        });
        assert_eq!(flooder.join().await, ExitReason::Limit("mailbox_limit"));
    });
}

#[test]
fn waiting_senders_have_their_turn_in_the_order_in_which_they_came() {
    run(1, |root| async move {
        let receiver = spawn_receiver(&root, room_for(1), |me| async move {
            let mut senders = Vec::new();
            for _ in 0..21 {
                senders.push(read(&next(&me).await).0);
            }
            assert!(senders.is_sorted(), "{senders:?}");
            ExitReason::Normal
        });
        let mut senders = Vec::new();
        for _ in 0..21 {
            senders.push(spawn_sender(&root, receiver.pid(), 1).0);
            settle().await;
        }
        root.send(receiver.pid(), message(GO, 0)).await;
        assert_eq!(receiver.join().await, ExitReason::Normal);
    });
}

#[test]
fn no_waiting_sender_gets_far_ahead_of_another() {
    const SENDERS: u64 = 20;
    const COUNT: u64 = 200;
    for workers in [1, 2, 4] {
        run(workers, |root| async move {
            let receiver = spawn_receiver(&root, room_for(1), |me| async move {
                let mut taken = BTreeMap::<Pid, u64>::new();
                // Before the first of them is done, all have their share.
                loop {
                    let (from, number) = read(&next(&me).await);
                    taken.insert(from, number + 1);
                    if number + 1 == COUNT {
                        break;
                    }
                }
                assert_eq!(taken.len() as u64, SENDERS);
                let least = *taken.values().min().unwrap();
                assert!(least >= COUNT / 2, "{taken:?}");
                ExitReason::Normal
            });
            let senders: Vec<_> =
                (0..SENDERS).map(|_| spawn_sender(&root, receiver.pid(), COUNT).0).collect();
            settle().await;
            root.send(receiver.pid(), message(GO, 0)).await;
            assert_eq!(receiver.join().await, ExitReason::Normal);
            for sender in senders {
                assert_eq!(sender.join().await, ExitReason::Normal);
            }
        });
    }
}
