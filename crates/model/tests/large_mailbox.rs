//! What a receive costs in a mailbox of a million messages, in steps: each is one search of at most
//! [`SCAN_MAX`] messages under the lock.

mod support;

use lunatic_model::{Delivery, Filter, Position, Process, SCAN_MAX, Scan, Signal, Tag};
use support::{message, process};

const MESSAGES: usize = 1_000_000;
const SENDER: u64 = 2;
/// Steps that a search of the whole mailbox takes.
const WHOLE: usize = MESSAGES.div_ceil(SCAN_MAX);

/// A process with a million messages of tag 1.
fn flooded() -> Process {
    let mut process = process(1);
    for _ in 0..MESSAGES {
        deliver(&mut process, 1);
    }
    process
}

fn deliver(process: &mut Process, tag: i64) -> Delivery {
    process.deliver(Signal::Message(message(SENDER, tag, 0)))
}

/// Searches as a receive does that begins at `from`: what it comes to, and the steps it takes.
fn search(process: &mut Process, tag: i64, mut from: Position) -> (Result<Tag, Position>, usize) {
    let filter = Filter::Reply(Tag(tag));
    let mut steps = 0;
    loop {
        steps += 1;
        match process.receive(&filter, from) {
            Scan::Found(lunatic_model::Envelope::Message(message)) => {
                return (Ok(message.tag), steps);
            }
            Scan::Found(other) => panic!("{other:?}"),
            Scan::Unfinished(next) => from = next,
            Scan::Nothing(end) => return (Err(end), steps),
        }
    }
}

#[test]
fn a_receive_that_waits_behind_a_million_messages_looks_at_each_once() {
    let mut process = flooded();
    let (nothing, steps) = search(&mut process, 2, Position::START);
    let mut searched = nothing.expect_err("nobody sent it");
    assert_eq!((searched, steps), (process.mailbox_end(), WHOLE));
    // What it does not want does not even wake it.
    for _ in 0..1_000 {
        assert!(matches!(deliver(&mut process, 1), Delivery::Done));
    }
    let (nothing, steps) = search(&mut process, 2, searched);
    searched = nothing.expect_err("nobody sent it");
    assert_eq!(steps, 1, "only what is new is looked at");
    assert!(matches!(deliver(&mut process, 2), Delivery::Wake));
    assert_eq!(search(&mut process, 2, searched), (Ok(Tag(2)), 1));
}

#[test]
fn a_reply_since_the_mark_costs_nothing_of_a_million_messages() {
    let mut process = flooded();
    process.set_mark();
    deliver(&mut process, 2);
    deliver(&mut process, 2);
    let mark = process.mark();
    assert_eq!(search(&mut process, 2, mark), (Ok(Tag(2)), 1));
    // Without the mark it is found behind all others.
    let steps = (MESSAGES + 1).div_ceil(SCAN_MAX);
    assert_eq!(search(&mut process, 2, Position::START), (Ok(Tag(2)), steps));
    assert_eq!(process.mailbox_len(), MESSAGES);
}

#[test]
fn a_million_messages_are_received_in_a_million_steps() {
    let mut process = flooded();
    for _ in 0..MESSAGES {
        assert_eq!(search(&mut process, 1, Position::START), (Ok(Tag(1)), 1));
    }
    assert_eq!(process.mailbox_len(), 0);
}
