//! The guest side of `cargo xtask bench`: one question for each first argument, the size as the
//! second. `xtask/bench/bench.erl` asks the BEAM the same, in the same words.
//!
//! Run it: `lunatic run --release examples/bench spawn_turn 10000`
//!
//! Each question prints one JSON line: `{"total_ns": T, "ops": N}` for most, with `cold_ns` and
//! `cold_ops` for what a cold node did first; `{"p50_ns": …, "p99_ns": …, "max_ns": …}` for `late`;
//! nanoseconds for each operation in `crowd`. `waiting` prints `ready` when its processes wait,
//! twice (without and with them), and each time goes on at the next line of its standard input, so
//! that somebody else can look at the node's memory in between; then it wakes and ends them all.

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
        "spawn_turn" => cold_and_warm(1 + size / 50, size, spawn_turn),
        "spawn_many" => cold_and_warm(size, size, spawn_many),
        "round_trip" => timed(size, round_trip),
        "ring" => timed(size, ring),
        "fan_in" => timed(size, fan_in),
        "waiting" => waiting(size),
        "crowd" => crowd(size),
        "late" => late(size),
        _ => {
            eprintln!(
                "`{question}` is no question; ask one of spawn_turn, spawn_many, round_trip, \
                 ring, fan_in, waiting, crowd, late"
            );
            std::process::exit(2);
        }
    }
}

/// Runs `work` for `size` operations and prints how long they took.
fn timed(size: u64, work: fn(u64)) {
    println!("{{\"total_ns\": {}, \"ops\": {size}}}", took(|| work(size)));
}

/// The same after `cold_size` operations, which are the first that this node does.
fn cold_and_warm(cold_size: u64, size: u64, work: fn(u64)) {
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

/// The root's mailbox for messages of one type: a question uses no other.
fn mailbox<M: Serialize + for<'de> Deserialize<'de>>() -> Mailbox<M> {
    // SAFETY: messages of different types must not meet in one mailbox. The root has received all
    // messages of one type before it goes on with another, and `main` itself never receives.
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
    let mut processes = Vec::with_capacity(size as usize);
    ready();
    let start = took(|| start_waiting(size, &mut processes));
    ready();
    let end = took(|| wake_and_end(&processes));
    let ended = processes.len();
    println!("{{\"start_ns\": {start}, \"end_ns\": {end}, \"ended\": {ended}}}");
}

/// One at a time, so that none of them is still on its way when they are counted.
fn start_waiting(size: u64, processes: &mut Vec<Process<()>>) {
    let mailbox = mailbox::<()>();
    for _ in 0..size {
        let waits = |parent: Process<()>, mailbox: Mailbox<()>| {
            parent.send(());
            mailbox.receive();
            parent.send(());
        };
        processes.push(Process::spawn(mailbox.this(), waits));
        mailbox.receive();
    }
}

/// All are woken before the first answer is looked at.
fn wake_and_end(processes: &[Process<()>]) {
    let mailbox = mailbox::<()>();
    for process in processes {
        process.send(());
    }
    for _ in processes {
        mailbox.receive();
    }
}

/// What spawning, a round trip and waking cost beside `size` processes that wait.
fn crowd(size: u64) {
    const SPAWNS: u64 = 20_000;
    const TRIPS: u64 = 100_000;
    let mut processes = Vec::with_capacity(size as usize);
    let start = took(|| start_waiting(size, &mut processes)) / u128::from(size);
    let spawn = took(|| spawn_turn(SPAWNS)) / u128::from(SPAWNS);
    let trip = took(|| round_trip(TRIPS)) / u128::from(TRIPS);
    let wake = took(|| wake_and_end(&processes)) / u128::from(size);
    println!(
        "{{\"start_ns\": {start}, \"spawn_ns\": {spawn}, \"trip_ns\": {trip}, \"wake_ns\": {wake}}}"
    );
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
