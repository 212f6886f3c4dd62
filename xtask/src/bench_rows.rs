//! What the benchmark asks: its rows, the lines of the table that each fills, and the goals that
//! they are held against.
//!
//! A goal is a ratio against another side in the same run wherever there is one to compare with:
//! times alone say more about the machine than about us.

use crate::bench_network::Net;
use crate::bench_sides::Side;

/// What is asked of a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A question of examples/bench that is answered with a total time, and its size.
    Timed(&'static str, u64),
    /// The same, answered also for what a cold node does first.
    ColdAndWarm(&'static str, u64),
    /// Memory of so many waiting processes, and what starting and ending all of them takes.
    Waiting(u64),
    /// The same for processes with 64 KiB of data, of which each reads one page, against as many
    /// without.
    Data(u64),
    /// Spawns, round trips and wake-ups beside so many waiting processes.
    Crowd(u64),
    /// Lateness of so many sleeps of 1 ms.
    Late(u64),
    /// An export of xtask/bench/compute.wat, and its argument.
    Compute(&'static str, u64),
    /// The time of the smallest whole program.
    ColdStart,
    /// An echo server.
    Net(Net),
    /// examples/web: a kind of xtask/load/web.lua, and for how many seconds.
    Web(&'static str, u64),
}

/// A row of the benchmark: the name by which it is chosen, what is asked, and the lines of the
/// table that one answer fills.
pub struct Row {
    pub name: &'static str,
    pub ask: Ask,
    pub lines: &'static [Kind],
    /// Takes minutes and gigabytes, so that it is only asked when its name or `--million` says so.
    pub on_demand: bool,
}

/// What a line of the table shows.
pub struct Kind {
    pub name: &'static str,
    /// `ns`, `B`, `/s`, or nothing for a number.
    pub unit: &'static str,
    pub goals: &'static [Goal],
}

/// What a line has to reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// A side has at most so many times what a peer has.
    Ratio(Side, Side, f64),
    /// A side has at most this, in the line's unit.
    Value(Side, f64),
    /// The ratio to erl is at most so many times that of the same line of the row of this name.
    Flat(&'static str, f64),
}

const fn line(name: &'static str, unit: &'static str, goals: &'static [Goal]) -> Kind {
    Kind { name, unit, goals }
}

const fn row(name: &'static str, ask: Ask, lines: &'static [Kind]) -> Row {
    Row { name, ask, lines, on_demand: false }
}

const AS_FAST_AS_ERL: &[Goal] = &[Goal::Ratio(Side::Rust, Side::Erl, 1.0)];
/// In a tier with guard pages and in the dense one, against code that nothing interrupts.
const COMPUTE: &[Goal] =
    &[Goal::Ratio(Side::Guarded, Side::Bare, 1.2), Goal::Ratio(Side::Raw, Side::Bare, 1.6)];
const KIB: f64 = 1024.0;
const MS: f64 = 1e6;
const EACH: &[Goal] = &[
    Goal::Value(Side::Rust, 20.0 * KIB),
    Goal::Value(Side::Own, 14.0 * KIB),
    Goal::Value(Side::Raw, 8.0 * KIB),
];
/// One page, and a tenth of one for page tables.
const ONE_PAGE: &[Goal] = &[Goal::Value(Side::Raw, 4.4 * KIB)];
const FLAT: &[Goal] = &[Goal::Flat("crowd_1k", 1.15)];

/// The lines of a crowd, which are the same for each size but for the goals.
const fn crowd(goals: &'static [Goal]) -> [Kind; 4] {
    [
        line("start one more that waits", "ns", goals),
        line("spawn in turn beside them", "ns", goals),
        line("round trip beside them", "ns", goals),
        line("wake one of them, answer, end", "ns", goals),
    ]
}
const CROWD_BASE: &[Kind; 4] = &crowd(&[]);
const CROWD: &[Kind; 4] = &crowd(FLAT);

pub const ROWS: &[Row] = &[
    row(
        "spawn_turn",
        Ask::ColdAndWarm("spawn_turn", 50_000),
        &[
            line("spawn in turn, warm: spawn, one message back, end", "ns", AS_FAST_AS_ERL),
            line("spawn in turn, the first 1,000 of a cold node", "ns", &[]),
        ],
    ),
    row(
        "spawn_many",
        Ask::ColdAndWarm("spawn_many", 50_000),
        &[
            line("spawn 50,000 at once, warm: one message back each", "ns", AS_FAST_AS_ERL),
            line("spawn 50,000 at once, the first of a cold node", "ns", &[]),
        ],
    ),
    row(
        "round_trip",
        Ask::Timed("round_trip", 200_000),
        &[line("round trip between two processes", "ns", AS_FAST_AS_ERL)],
    ),
    row(
        "ring",
        Ask::Timed("ring", 500_000),
        &[line("one hop in a ring of 1,000 processes", "ns", AS_FAST_AS_ERL)],
    ),
    row(
        "fan_in",
        Ask::Timed("fan_in", 500_000),
        &[line("ten senders, one receiver: one message", "ns", AS_FAST_AS_ERL)],
    ),
    row(
        "waiting",
        Ask::Waiting(100_000),
        &[
            line("100,000 waiting: resident bytes of each (RSS + page tables)", "B", EACH),
            line("100,000 waiting: memory mappings of the node", "", &[]),
            line("100,000 waiting: time to start all", "ns", &[]),
            line("100,000 waiting: time to wake and end all", "ns", &[]),
        ],
    ),
    row(
        "data",
        Ask::Data(20_000),
        &[line("64 KiB of data of which one page is read: bytes more of each", "B", ONE_PAGE)],
    ),
    row(
        "late",
        Ask::Late(1_000),
        &[
            line("lateness of a 1 ms sleep beside 4 endless loops: p50", "ns", &[]),
            line(
                "lateness of a 1 ms sleep beside 4 endless loops: p99",
                "ns",
                &[Goal::Value(Side::Rust, 0.3 * MS)],
            ),
            line(
                "lateness of a 1 ms sleep beside 4 endless loops: max",
                "ns",
                &[Goal::Value(Side::Rust, 2.0 * MS)],
            ),
        ],
    ),
    row("fib", Ask::Compute("fib", 38), &[line("compute, recursive: fib(38)", "ns", COMPUTE)]),
    row(
        "sieve",
        Ask::Compute("sieve", 3_000_000),
        &[line("compute, memory-bound: sieve over 3 MB, five rounds", "ns", COMPUTE)],
    ),
    row(
        "simd",
        Ask::Compute("simd", 1_000),
        &[line("compute, SIMD: a * 0.5 + b over 1 MiB, 1,000 rounds", "ns", COMPUTE)],
    ),
    row(
        "alloc",
        Ask::Compute("alloc", 1_000),
        &[line("compute, allocation: 1,000 trees of 4,095 nodes", "ns", COMPUTE)],
    ),
    row("crowd_1k", Ask::Crowd(1_000), CROWD_BASE),
    row("crowd_10k", Ask::Crowd(10_000), CROWD),
    row("crowd_100k", Ask::Crowd(100_000), CROWD),
    Row { name: "crowd_1m", ask: Ask::Crowd(1_000_000), lines: CROWD, on_demand: true },
    Row {
        name: "million",
        ask: Ask::Waiting(1_000_000),
        lines: &[
            line("1,000,000 waiting: resident bytes of each (RSS + page tables)", "B", EACH),
            line("1,000,000 waiting: memory mappings of the node", "", &[]),
            line("1,000,000 waiting: time to start all", "ns", &[]),
            line("1,000,000 waiting: time to wake and end all", "ns", &[]),
        ],
        on_demand: true,
    },
    row(
        "cold_start",
        Ask::ColdStart,
        &[
            line(
                "a whole hello, compiled code cached",
                "ns",
                &[Goal::Value(Side::Rust, 10.0 * MS), Goal::Ratio(Side::Raw, Side::Bare, 1.3)],
            ),
            line("a whole hello, nothing cached", "ns", &[]),
        ],
    ),
    row(
        "tcp_accept",
        Ask::Net(Net::ComeAndGo(20_000)),
        &[
            line("TCP: accept, spawn, echo, end: connections", "/s", &[]),
            line("TCP: accept, spawn, echo, end: processor time of the server for each", "ns", &[]),
        ],
    ),
    row(
        "tcp_echo",
        Ask::Net(Net::Echo(1_000, 200)),
        &[
            line("TCP: echo on 1,000 open connections: messages", "/s", &[]),
            line(
                "TCP: echo on 1,000 open connections: processor time of the server for each",
                "ns",
                &[],
            ),
        ],
    ),
    row(
        "tcp_idle",
        Ask::Net(Net::Idle(10_000)),
        &[line(
            "TCP: 10,000 idle connections: resident bytes of each (RSS + page tables)",
            "B",
            &[],
        )],
    ),
    row(
        "web_health",
        Ask::Web("health", 3),
        &[
            line("web service, 64 connections, no database: requests", "/s", &[]),
            line("web service, 64 connections, no database: latency p50", "ns", &[]),
            line("web service, 64 connections, no database: latency p99", "ns", &[]),
        ],
    ),
    row(
        "web_insert",
        Ask::Web("insert", 3),
        &[
            line("web service, 64 connections, a row inserted by each: requests", "/s", &[]),
            line("web service, 64 connections, a row inserted by each: latency p50", "ns", &[]),
            line("web service, 64 connections, a row inserted by each: latency p99", "ns", &[]),
        ],
    ),
];

impl Ask {
    /// The same question, sized for a look (`--quick`).
    pub fn quick(self) -> Ask {
        self.sized(|size| (size / 10).max(1_000), 1)
    }

    /// The same question, so small that only the form of its answer is worth something.
    pub fn tiny(self) -> Ask {
        self.sized(|size| size.min(200), 1)
    }

    fn sized(self, less: impl Fn(u64) -> u64, seconds: u64) -> Ask {
        let few = |count: usize| usize::try_from(less(count as u64)).unwrap_or(count).min(count);
        match self {
            Ask::Timed(question, size) => Ask::Timed(question, less(size).max(1_000)),
            Ask::ColdAndWarm(question, size) => Ask::ColdAndWarm(question, less(size)),
            Ask::Waiting(size) => Ask::Waiting(less(size)),
            Ask::Data(size) => Ask::Data(less(size)),
            Ask::Crowd(size) => Ask::Crowd(less(size)),
            Ask::Late(size) => Ask::Late(less(size) / 10),
            Ask::Compute("fib", number) => Ask::Compute("fib", number - 10),
            Ask::Compute(export, size) => Ask::Compute(export, (size / 100).max(10)),
            Ask::ColdStart => Ask::ColdStart,
            Ask::Net(Net::ComeAndGo(count)) => Ask::Net(Net::ComeAndGo(few(count))),
            Ask::Net(Net::Echo(count, messages)) => {
                Ask::Net(Net::Echo(few(count) / 4, messages / 20))
            }
            Ask::Net(Net::Idle(count)) => Ask::Net(Net::Idle(few(count))),
            Ask::Web(kind, _) => Ask::Web(kind, seconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Goal, ROWS};

    #[test]
    fn a_row_has_a_name_of_its_own() {
        for (index, row) in ROWS.iter().enumerate() {
            assert!(ROWS[index + 1..].iter().all(|other| other.name != row.name), "{}", row.name);
        }
    }

    #[test]
    fn a_flat_goal_compares_with_the_same_line_of_a_row_that_there_is() {
        for row in ROWS {
            for (index, kind) in row.lines.iter().enumerate() {
                for goal in kind.goals {
                    let Goal::Flat(base, _) = goal else { continue };
                    let base = ROWS.iter().find(|other| other.name == *base).expect("it exists");
                    assert_eq!(base.lines[index].name, kind.name);
                }
            }
        }
    }
}
