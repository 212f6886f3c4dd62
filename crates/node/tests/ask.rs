//! Asking a process on behalf of another: an answer, an end, and a call that is given up.
mod common;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use common::{GO, READY, drain, message, next, read, run, spawn, spawn_waiting, yield_now};
use lunatic_model::{ExitReason, Limits, Ref};
use lunatic_node::{Destination, Unanswered};

const WORKERS: [usize; 3] = [1, 2, 4];

/// Answers the serials of the references that it gets, each with this number.
async fn serve(me: std::sync::Arc<lunatic_node::Process>, number: u64) {
    let (_, serial) = read(&next(&me).await);
    let reference = Ref { node: 0, incarnation: 0, serial };
    let to = Destination::Alias { reference, priority: false };
    me.send_until(to, message(READY, number), None).await.expect("there is no deadline");
}

#[test]
fn the_answer_comes_past_what_is_in_the_mailbox_and_leaves_nothing_of_the_call() {
    for workers in WORKERS {
        run(workers, |root| async move {
            let server = spawn(root.environment(), |me| async move {
                serve(me.clone(), 7).await;
                serve(me, 8).await;
                ExitReason::Normal
            });
            root.send(root.pid(), message(GO, 1)).await;
            for number in [7, 8] {
                let answer = root.ask(server.pid(), |of| message(GO, of.serial)).await;
                let answer = lunatic_model::Envelope::Message(answer.expect("it answers"));
                assert_eq!(read(&answer).1, number);
            }
            server.join().await;
            assert_eq!(drain(&root).await.len(), 1, "only what was there before");
        });
    }
}

#[test]
fn a_process_that_does_not_exist_or_ends_is_told_at_once() {
    for workers in WORKERS {
        run(workers, |root| async move {
            let ends = spawn_waiting(root.environment(), ExitReason::Normal);
            for _ in 0..2 {
                let asked = root.ask(ends.pid(), |_| message(GO, 0)).await;
                assert_eq!(asked.err(), Some(Unanswered(ends.pid())));
            }
            let told = root.send_to_live(ends.pid(), message(GO, 0)).await;
            assert_eq!(told, Err(Unanswered(ends.pid())));
            assert!(drain(&root).await.is_empty());
        });
    }
}

#[test]
fn a_call_that_is_given_up_leaves_neither_monitor_nor_answer() {
    for workers in WORKERS {
        run(workers, |root| async move {
            let server = spawn(root.environment(), |me| async move {
                serve(me, 7).await;
                ExitReason::Normal
            });
            {
                let mut call = pin!(root.ask(server.pid(), |of| message(GO, of.serial)));
                poll_fn(|context| {
                    // With several workers the answer may be there already.
                    let answered = call.as_mut().poll(context).is_ready();
                    assert!(workers > 1 || !answered, "the server has not run");
                    Poll::Ready(())
                })
                .await;
                if workers == 1 {
                    // The server answers in between.
                    yield_now().await;
                }
            }
            server.join().await;
            assert!(drain(&root).await.is_empty());
        });
    }
}

#[test]
fn a_full_mailbox_holds_the_asker_up_until_there_is_room() {
    for workers in WORKERS {
        run(workers, |root| async move {
            let limits = Limits { mailbox_messages_max: 1, ..Limits::default() };
            let server = common::spawn_with(root.environment(), limits, |me| async move {
                // The first message is nobody's call.
                next(&me).await;
                serve(me, 7).await;
                ExitReason::Normal
            });
            root.send(server.pid(), message(GO, 1)).await;
            let answer = root.ask(server.pid(), |of| message(GO, of.serial)).await;
            assert!(answer.is_ok());
        });
    }
}
