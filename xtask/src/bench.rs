//! `cargo xtask bench [ROW...]`: the questions of the README's table, asked of this runtime (a Rust
//! guest on the published crate, and raw host calls), of `erl`, of bare Wasmtime and of a native
//! server.
//!
//! All sides run in turn within each repetition, so that a machine that gets slower gets slower
//! for all. Every number is a median beside its spread, and what counts are the ratios: nothing
//! here passes or fails by a time. A side that has no such thing, or is not installed, says so.

use anyhow::{Result, bail};

use crate::bench_network::Net;
use crate::bench_sides::{Side, Sides};
use crate::bench_table::{Line, Table};
use crate::examples_web::NO_WRK;
use crate::shell;
use crate::workspace::Profile;

const REPETITIONS: usize = 5;

/// What is asked of a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A question of examples/bench that is answered with a total time, and its size.
    Timed(&'static str, u64),
    /// Memory of so many waiting processes.
    Waiting(u64),
    /// Lateness of so many sleeps of 1 ms.
    Late(u64),
    /// An export of xtask/bench/compute.wat, and its argument.
    Compute(&'static str, u64),
    /// The time of a whole `hello`.
    ColdStart,
    /// An echo server.
    Net(Net),
    /// examples/web: a kind of xtask/load/web.lua, and for how long.
    Web(&'static str, &'static str),
}

/// A row of the benchmark: the name by which it is chosen, what is asked, and the lines of the
/// table (name and unit) that one answer fills.
struct Row {
    name: &'static str,
    ask: Ask,
    lines: &'static [(&'static str, &'static str)],
}

const ROWS: &[Row] = &[
    Row {
        name: "spawn_turn",
        ask: Ask::Timed("spawn_turn", 50_000),
        lines: &[("spawn in turn: spawn, one message back, end", "ns")],
    },
    Row {
        name: "spawn_many",
        ask: Ask::Timed("spawn_many", 50_000),
        lines: &[("spawn 50,000 at once, one message back each", "ns")],
    },
    Row {
        name: "round_trip",
        ask: Ask::Timed("round_trip", 200_000),
        lines: &[("round trip between two processes", "ns")],
    },
    Row {
        name: "ring",
        ask: Ask::Timed("ring", 500_000),
        lines: &[("one hop in a ring of 1,000 processes", "ns")],
    },
    Row {
        name: "fan_in",
        ask: Ask::Timed("fan_in", 500_000),
        lines: &[("ten senders, one receiver: one message", "ns")],
    },
    Row {
        name: "waiting",
        ask: Ask::Waiting(100_000),
        lines: &[
            ("100,000 waiting: resident bytes of each (RSS + page tables)", "B"),
            ("100,000 waiting: memory mappings of the node", ""),
        ],
    },
    Row {
        name: "late",
        ask: Ask::Late(1_000),
        lines: &[
            ("lateness of a 1 ms sleep beside 4 endless loops: p50", "ns"),
            ("lateness of a 1 ms sleep beside 4 endless loops: p99", "ns"),
            ("lateness of a 1 ms sleep beside 4 endless loops: max", "ns"),
        ],
    },
    Row { name: "fib", ask: Ask::Compute("fib", 38), lines: &[("fib(38), recursive", "ns")] },
    Row {
        name: "sieve",
        ask: Ask::Compute("sieve", 3_000_000),
        lines: &[("sieve over 3 MB, five rounds", "ns")],
    },
    Row {
        name: "cold_start",
        ask: Ask::ColdStart,
        lines: &[("hello, compiled code cached", "ns"), ("hello, nothing cached", "ns")],
    },
    Row {
        name: "tcp_accept",
        ask: Ask::Net(Net::ComeAndGo(20_000)),
        lines: &[
            ("TCP: accept, spawn, echo, end: connections", "/s"),
            ("TCP: accept, spawn, echo, end: processor time of the server for each", "ns"),
        ],
    },
    Row {
        name: "tcp_echo",
        ask: Ask::Net(Net::Echo(1_000, 200)),
        lines: &[
            ("TCP: echo on 1,000 open connections: messages", "/s"),
            ("TCP: echo on 1,000 open connections: processor time of the server for each", "ns"),
        ],
    },
    Row {
        name: "tcp_idle",
        ask: Ask::Net(Net::Idle(10_000)),
        lines: &[("TCP: 10,000 idle connections: resident bytes of each (RSS + page tables)", "B")],
    },
    Row {
        name: "web_health",
        ask: Ask::Web("health", "3s"),
        lines: &[
            ("web service, 64 connections, no database: requests", "/s"),
            ("web service, 64 connections, no database: latency p50", "ns"),
            ("web service, 64 connections, no database: latency p99", "ns"),
        ],
    },
    Row {
        name: "web_insert",
        ask: Ask::Web("insert", "3s"),
        lines: &[
            ("web service, 64 connections, a row inserted by each: requests", "/s"),
            ("web service, 64 connections, a row inserted by each: latency p50", "ns"),
            ("web service, 64 connections, a row inserted by each: latency p99", "ns"),
        ],
    },
];

/// The chore.
pub fn run(names: &[String]) -> Result<()> {
    for name in names {
        if !ROWS.iter().any(|row| row.name == name) {
            let known: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
            bail!("there is no row `{name}`; choose from {}, or none for all", known.join(", "));
        }
    }
    let sides = Sides::prepare(Profile::Release)?;
    let mut table = Table::default();
    for row in ROWS.iter().filter(|row| names.is_empty() || names.iter().any(|n| n == row.name)) {
        println!("measuring {} ...", row.name);
        table.lines.extend(measure(&sides, row, REPETITIONS)?);
    }
    print!("\n{}", table.text(&sides));
    let file = table.write_json(&sides, REPETITIONS)?;
    println!("\nwritten to {}", file.display());
    Ok(())
}

fn measure(sides: &Sides, row: &Row, repetitions: usize) -> Result<Vec<Line>> {
    let mut lines: Vec<Line> =
        row.lines.iter().map(|(name, unit)| Line::new(row.name, name, unit)).collect();
    for _ in 0..repetitions {
        for side in Side::ALL {
            let Some(values) = sides.ask(side, row.ask)? else {
                continue;
            };
            for (line, value) in lines.iter_mut().zip(values) {
                line.samples[side.index()].push(value);
            }
        }
    }
    Ok(lines)
}

/// Asks each question once, with small sizes, and only looks at the form of the answers: so that
/// a guest of the benchmark that no longer works is noticed before somebody needs it.
pub fn smoke(profile: Profile) -> Result<()> {
    let sides = Sides::prepare_own(profile)?;
    for row in ROWS {
        let ask = match row.ask {
            Ask::Timed(question, _) => Ask::Timed(question, 2_000),
            Ask::Waiting(_) => Ask::Waiting(100),
            Ask::Late(_) => Ask::Late(20),
            Ask::Compute("fib", _) => Ask::Compute("fib", 20),
            Ask::Compute(export, _) => Ask::Compute(export, 10_000),
            Ask::ColdStart => Ask::ColdStart,
            Ask::Net(Net::ComeAndGo(_)) => Ask::Net(Net::ComeAndGo(640)),
            Ask::Net(Net::Echo(..)) => Ask::Net(Net::Echo(50, 10)),
            Ask::Net(Net::Idle(_)) => Ask::Net(Net::Idle(100)),
            Ask::Web(kind, _) => Ask::Web(kind, "1s"),
        };
        let answered = Side::ALL
            .into_iter()
            .map(|side| Ok(sides.ask(side, ask)?.map(|values| values.len())))
            .collect::<Result<Vec<Option<usize>>>>()?;
        let complete = answered.iter().flatten().all(|lines| *lines == row.lines.len());
        if matches!(ask, Ask::Web(..)) && !shell::exists("wrk") {
            println!("  {:12} SKIPPED: {}", row.name, NO_WRK);
            continue;
        }
        if !complete || answered.iter().all(Option::is_none) {
            bail!("the row `{}` is not answered in its form: {answered:?}", row.name);
        }
        println!("  {:12} is answered", row.name);
    }
    Ok(())
}
