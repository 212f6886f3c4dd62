//! Spawning processes and sending them messages: three workers get a number each and answer
//! with its square. The root then reads the answers in the order *it* wants (selective receive
//! by tag), not in the order in which they arrived.
//!
//! Run it: `lunatic run examples/messages`
//!
//! It prints:
//!
//! ```text
//! worker 3 answers 9
//! worker 2 answers 4
//! worker 1 answers 1
//! the mailbox is empty
//! ```

use std::time::Duration;

use lunatic::{Mailbox, Process, Tag};

#[lunatic::main]
fn main(mailbox: Mailbox<u64>) {
    let tags: Vec<Tag> = (1..=3)
        .map(|number: u64| {
            let tag = Tag::new();
            let worker = Process::spawn((mailbox.this(), tag), square);
            worker.send(number);
            tag
        })
        .collect();

    for (index, tag) in tags.iter().enumerate().rev() {
        let answer = mailbox.tag_receive(&[*tag]);
        println!("worker {} answers {answer}", index + 1);
    }

    let nothing = mailbox.receive_timeout(Duration::from_millis(1));
    assert!(nothing.is_err_and(|error| error.is_timed_out()));
    println!("the mailbox is empty");
}

/// A worker: one number in, its square out, under the tag that the parent waits for.
fn square((parent, tag): (Process<u64>, Tag), mailbox: Mailbox<u64>) {
    let number = mailbox.receive();
    parent.tag_send(tag, number * number);
}
