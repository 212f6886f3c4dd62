//! How the death of a process is noticed. A link joins two processes: when one fails, so does
//! the other, unless it asked to be told instead. A monitor only watches.
//!
//! Run it: `lunatic run examples/links` (the panics of the children go to stderr)
//!
//! It prints:
//!
//! ```text
//! 1. a linked child panicked, and its parent was told: true
//! 2. a linked pair: one panicked, the other died with it
//! 3. a monitored child ended, and its watcher was told: true
//! the root is still alive
//! ```

use lunatic::{Mailbox, MessageSignal, Process, Tag};

#[lunatic::main]
fn main(mailbox: Mailbox<()>) {
    // From here on the root gets a message when a link dies, and does not die with it.
    let mailbox = mailbox.catch_link_failure();

    let tag = Tag::new();
    Process::spawn_link_tag((), tag, |(), _: Mailbox<()>| panic!("the child fails"));
    let told = match mailbox.receive() {
        MessageSignal::Signal(signal) => signal.0 == tag,
        MessageSignal::Message(()) => false,
    };
    println!("1. a linked child panicked, and its parent was told: {told}");

    // The outer child would wait for ever; only the link to its own child can end it.
    let tag = Tag::new();
    Process::spawn_link_tag((), tag, |(), mailbox: Mailbox<()>| {
        Process::spawn_link((), |(), _: Mailbox<()>| panic!("the grandchild fails"));
        mailbox.receive();
    });
    assert!(mailbox.tag_receive(&[tag]).is_signal());
    println!("2. a linked pair: one panicked, the other died with it");

    Process::spawn(mailbox.this(), watch);
    mailbox.receive();
    println!("the root is still alive");
}

/// Watches a child of its own, without a link between them, and tells `root` when it is done.
fn watch(root: Process<()>, mailbox: Mailbox<()>) {
    let mailbox = mailbox.monitorable();
    let child = Process::spawn((), |(), mailbox: Mailbox<()>| mailbox.receive());
    mailbox.monitor(child);
    child.send(());

    let told = match mailbox.receive() {
        MessageSignal::Signal(signal) => signal.0 == child.id(),
        MessageSignal::Message(()) => false,
    };
    println!("3. a monitored child ended, and its watcher was told: {told}");
    root.send(());
}
