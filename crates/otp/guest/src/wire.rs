//! What the guest tells the harness, and what it asks: records on standard output, a table on
//! standard input.

use std::fs::File;
use std::io::{Read, Write};
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;

/// A pid or a reference.
pub type Pair = (u64, u64);

/// Processes, and aliases, in the table.
const ENTRIES: usize = 32;

/// Who is who, as far as the harness knows.
pub struct Table(Vec<u8>);

impl Table {
    /// Asks the harness.
    pub fn read() -> Table {
        let mut bytes = vec![0; 2 * ENTRIES * 16];
        std::io::stdin().lock().read_exact(&mut bytes).expect("the harness gives the table");
        Table(bytes)
    }

    /// The pid of a process.
    pub fn pid(&self, who: u8) -> Pair {
        self.at(who.into())
    }

    /// The reference of an alias.
    pub fn alias(&self, alias: u8) -> Pair {
        self.at(ENTRIES + usize::from(alias))
    }

    fn at(&self, index: usize) -> Pair {
        let number = |at: usize| {
            u64::from_le_bytes(std::array::from_fn(|byte| self.0[16 * index + at + byte]))
        };
        (number(0), number(8))
    }
}

/// Kinds of records.
const HELLO: u8 = 0;
const PERMIT: u8 = 1;
const SPAWNED: u8 = 2;
const ALIAS: u8 = 3;
const SEEN: u8 = 4;
const WAITS: u8 = 5;
const ANSWER: u8 = 6;
const FOUND: u8 = 7;
const COUNT: u8 = 8;

fn record(kind: u8, who: u8, [a, b, c]: [u8; 3], pair: Pair, number: u64) {
    let mut bytes = vec![kind, who, a, b, c, 0, 0, 0];
    for number in [pair.0, pair.1, number] {
        bytes.extend(number.to_le_bytes());
    }
    // Not by way of `std::io::stdout`, which cuts a record in two at a byte that is a line break.
    // SAFETY: the descriptor is open for the whole life of the instance, and never closed.
    let mut output = ManuallyDrop::new(unsafe { File::from_raw_fd(1) });
    output.write_all(&bytes).expect("the harness takes all");
}

/// A process begins.
pub fn hello(who: u8, pid: Pair) {
    record(HELLO, who, [0; 3], pid, 0);
}

/// Waits until the process may do its next step, and until it has been ended if it must end.
pub fn permit(who: u8) {
    record(PERMIT, who, [0; 3], (0, 0), 0);
}

/// A spawn is done.
pub fn spawned(who: u8, child: u8, pid: Pair) {
    record(SPAWNED, who, [child, 0, 0], pid, 0);
}

/// An alias is made.
pub fn alias(who: u8, alias: u8, reference: Pair) {
    record(ALIAS, who, [alias, 0, 0], reference, 0);
}

/// A step is done; the pair is a process that the outcome names.
pub fn seen(who: u8, code: u8, a: u8, b: u8, pid: Pair) {
    record(SEEN, who, [code, a, b], pid, 0);
}

/// Whom a name leads to.
pub fn leads(who: u8, pid: Option<Pair>) {
    match pid {
        Some(pid) => seen(who, 8, 0, 0, pid),
        None => seen(who, 9, 0, 0, (0, 0)),
    }
}

/// How many there are of something.
pub fn count(who: u8, of: u8, query: u8, count: u64) {
    record(COUNT, who, [of, query, 0], (0, 0), count);
}

/// An infinite receive begins.
pub fn waits(who: u8) {
    record(WAITS, who, [0; 3], (0, 0), 0);
}

/// A probe was found in the mailbox.
pub fn found(who: u8) {
    record(FOUND, who, [0; 3], (0, 0), 0);
}

/// The answer to a probe.
pub fn answer(who: u8, round: u64) {
    record(ANSWER, who, [0; 3], (0, 0), round);
}
