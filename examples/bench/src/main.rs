//! The guest side of `cargo xtask bench`: one question for each first argument, the size as the
//! second. `xtask/bench/bench.erl` asks the BEAM the same, in the same words.
//!
//! Run it: `lunatic run --release examples/bench spawn_turn 10000`
//!
//! Each question prints one JSON line: `{"total_ns": T, "ops": N}` for most,
//! `{"p50_ns": …, "p99_ns": …, "max_ns": …}` for `late`. `waiting` prints `ready` when its
//! processes wait, twice (without and with them), and each time goes on at the next line of
//! its standard input, so that somebody else can look at the node's memory in between.

use std::io::BufRead;
use std::time::{Duration, Instant};

use lunatic::{Mailbox, Process};
use serde::{Deserialize, Serialize};

const RING_PROCESSES: u64 = 1_000;
const SENDERS: u64 = 10;
const BUSY_LOOPS: usize = 4;

#[lunatic::main]
fn main(_: Mailbox<()>) {
    let question = std::env::args().nth(1).unwrap_or_default();
    let size = std::env::args().nth(2).and_then(|text| text.parse().ok()).unwrap_or(1_000);
    match question.as_str() {
        "spawn_turn" => timed(size, spawn_turn),
        "spawn_many" => timed(size, spawn_many),
        "round_trip" => timed(size, round_trip),
        "ring" => timed(size, ring),
        "fan_in" => timed(size, fan_in),
        "waiting" => waiting(size),
        "late" => late(size),
        _ => {
            eprintln!(
                "`{question}` is no question; ask one of spawn_turn, spawn_many, round_trip, \
                 ring, fan_in, waiting, late"
            );
            std::process::exit(2);
        }
    }
}

/// Runs `work` for `size` operations and prints how long they took.
fn timed(size: u64, work: fn(u64)) {
    let begin = Instant::now();
    work(size);
    println!("{{\"total_ns\": {}, \"ops\": {size}}}", begin.elapsed().as_nanos());
}

/// The root's mailbox for messages of one type: a question uses no other.
fn mailbox<M: Serialize + for<'de> Deserialize<'de>>() -> Mailbox<M> {
    // SAFETY: types of mailboxes must not be mixed in one process. The root asks one question
    // and ends, and `main` itself never receives.
    unsafe { Mailbox::new() }
}

fn spawn_turn(size: u64) {
    let mailbox = mailbox::<()>();
    for _ in 0..size {
        Process::spawn(mailbox.this(), answer_once);
        mailbox.receive();
    }
}

fn spawn_many(size: u64) {
    let mailbox = mailbox::<()>();
    for _ in 0..size {
        Process::spawn(mailbox.this(), answer_once);
    }
    for _ in 0..size {
        mailbox.receive();
    }
}

fn answer_once(parent: Process<()>, _: Mailbox<()>) {
    parent.send(());
}

fn round_trip(size: u64) {
    let mailbox = mailbox::<u64>();
    let echo = Process::spawn(mailbox.this(), |parent: Process<u64>, mailbox: Mailbox<u64>| loop {
        parent.send(mailbox.receive());
    });
    for number in 0..size {
        echo.send(number);
        assert_eq!(mailbox.receive(), number);
    }
}

/// `size` counts hops: each lap of the one token is `RING_PROCESSES` of them.
fn ring(size: u64) {
    let mailbox = mailbox::<u64>();
    let mut next = mailbox.this();
    for _ in 1..RING_PROCESSES {
        next = Process::spawn(next, |next: Process<u64>, mailbox: Mailbox<u64>| loop {
            next.send(mailbox.receive());
        });
    }
    for lap in 0..size / RING_PROCESSES {
        next.send(lap);
        assert_eq!(mailbox.receive(), lap);
    }
}

fn fan_in(size: u64) {
    let mailbox = mailbox::<u64>();
    for _ in 0..SENDERS {
        Process::spawn(
            (mailbox.this(), size / SENDERS),
            |(root, messages): (Process<u64>, u64), _: Mailbox<()>| {
                for number in 0..messages {
                    root.send(number);
                }
            },
        );
    }
    for _ in 0..size / SENDERS * SENDERS {
        mailbox.receive();
    }
}

fn waiting(size: u64) {
    ready();
    let mailbox = mailbox::<()>();
    for _ in 0..size {
        Process::spawn(mailbox.this(), |parent: Process<()>, mailbox: Mailbox<()>| {
            parent.send(());
            mailbox.receive();
        });
        // One at a time, so that none of them is still on its way when they are counted.
        mailbox.receive();
    }
    ready();
}

fn ready() {
    println!("ready");
    let mut line = String::new();
    // Without anybody at the other end there is nothing to wait for either.
    let _ = std::io::stdin().lock().read_line(&mut line);
}

fn late(size: u64) {
    for _ in 0..BUSY_LOOPS {
        Process::spawn((), |(), _: Mailbox<()>| {
            let mut count = 0_u64;
            loop {
                count = std::hint::black_box(count.wrapping_add(1));
            }
        });
    }
    let wish = Duration::from_millis(1);
    let mut late: Vec<u128> = (0..size)
        .map(|_| {
            let begin = Instant::now();
            lunatic::sleep(wish);
            begin.elapsed().saturating_sub(wish).as_nanos()
        })
        .collect();
    late.sort_unstable();
    let at = |percent: usize| late[(late.len() * percent / 100).min(late.len() - 1)];
    println!("{{\"p50_ns\": {}, \"p99_ns\": {}, \"max_ns\": {}}}", at(50), at(99), at(100));
}
