//! The guest side of `cargo xtask bench` on this library: the questions of `examples/bench` (which
//! is on the published crate) that are about processes and messages, with the same answers.
//!
//! ```sh
//! cargo run --release --example bench spawn_turn 10000
//! ```

use std::io::BufRead;
use std::time::Instant;

use lunatic::{Mailbox, Process, spawn};

const RING_PROCESSES: u64 = 1_000;
const SENDERS: u64 = 10;

#[lunatic::main]
fn main(mailbox: Mailbox<u64>) {
    let question = std::env::args().nth(1).unwrap_or_default();
    let size = std::env::args().nth(2).and_then(|text| text.parse().ok()).unwrap_or(1_000);
    match question.as_str() {
        "spawn_turn" => cold_and_warm(1 + size / 50, size, |size| spawn_turn(&mailbox, size)),
        "spawn_many" => cold_and_warm(size, size, |size| spawn_many(&mailbox, size)),
        "round_trip" => timed(size, |size| round_trip(&mailbox, size)),
        "ring" => timed(size, |size| ring(&mailbox, size)),
        "fan_in" => timed(size, |size| fan_in(&mailbox, size)),
        "waiting" => waiting(&mailbox, size),
        _ => {
            eprintln!(
                "`{question}` is no question; ask one of spawn_turn, spawn_many, round_trip, \
                 ring, fan_in, waiting"
            );
            std::process::exit(2);
        }
    }
}

fn timed(size: u64, work: impl Fn(u64)) {
    println!("{{\"total_ns\": {}, \"ops\": {size}}}", took(|| work(size)));
}

fn cold_and_warm(cold_size: u64, size: u64, work: impl Fn(u64)) {
    let cold = took(|| work(cold_size));
    let warm = took(|| work(size));
    println!(
        "{{\"total_ns\": {warm}, \"ops\": {size}, \"cold_ns\": {cold}, \"cold_ops\": {cold_size}}}"
    );
}

/// Nanoseconds.
fn took(work: impl FnOnce()) -> u128 {
    let begin = Instant::now();
    work();
    begin.elapsed().as_nanos()
}

fn next(mailbox: &Mailbox<u64>) -> u64 {
    mailbox.receive().expect("a number")
}

fn answer_once(root: Process<u64>, _: Mailbox<u64>) {
    root.send(1);
}

fn spawn_turn(mailbox: &Mailbox<u64>, size: u64) {
    for _ in 0..size {
        spawn(mailbox.this(), answer_once);
        next(mailbox);
    }
}

fn spawn_many(mailbox: &Mailbox<u64>, size: u64) {
    for _ in 0..size {
        spawn(mailbox.this(), answer_once);
    }
    for _ in 0..size {
        next(mailbox);
    }
}

/// Sends every number on.
fn forward(to: Process<u64>, mailbox: Mailbox<u64>) {
    loop {
        to.send(next(&mailbox));
    }
}

fn round_trip(mailbox: &Mailbox<u64>, size: u64) {
    let echo = spawn(mailbox.this(), forward);
    for number in 0..size {
        echo.send(number);
        assert_eq!(next(mailbox), number);
    }
}

fn ring(mailbox: &Mailbox<u64>, size: u64) {
    let mut first = mailbox.this();
    for _ in 1..RING_PROCESSES {
        first = spawn(first, forward);
    }
    for lap in 0..size / RING_PROCESSES {
        first.send(lap);
        assert_eq!(next(mailbox), lap);
    }
}

fn fan_in(mailbox: &Mailbox<u64>, size: u64) {
    let each = size / SENDERS;
    for _ in 0..SENDERS {
        spawn((mailbox.this(), each), |(root, each), _: Mailbox<u64>| {
            (0..each).for_each(|number| root.send(number));
        });
    }
    for _ in 0..each * SENDERS {
        next(mailbox);
    }
}

fn waiting(mailbox: &Mailbox<u64>, size: u64) {
    let mut processes = Vec::with_capacity(usize::try_from(size).expect("it fits into memory"));
    ready();
    let start = took(|| {
        for _ in 0..size {
            processes.push(spawn(mailbox.this(), |root: Process<u64>, mailbox: Mailbox<u64>| {
                root.send(1);
                root.send(next(&mailbox));
            }));
            next(mailbox);
        }
    });
    ready();
    let end = took(|| {
        processes.iter().for_each(|process| process.send(0));
        processes.iter().for_each(|_| assert_eq!(next(mailbox), 0));
    });
    let ended = processes.len();
    println!("{{\"start_ns\": {start}, \"end_ns\": {end}, \"ended\": {ended}}}");
}

/// Says so, and goes on at the next line of standard input.
fn ready() {
    println!("ready");
    let mut line = String::new();
    // Without anybody at the other end there is nothing to wait for either.
    let _ = std::io::stdin().lock().read_line(&mut line);
}
