//! All chores of the repository: `cargo xtask NAME`, one file for each, listed when called
//! without a name.
//!
//! What must stay true: each chore sets up what it needs by itself, and a chore that fails ends
//! with a status other than 0 and with the command to type next.

#![forbid(unsafe_code)]

mod assemblyscript;
mod bench;
mod bench_chart;
mod bench_file;
mod bench_network;
mod bench_page;
mod bench_rows;
mod bench_sides;
mod bench_table;
mod bench_waiting;
mod c_guests;
mod check;
mod compat;
mod compat_build;
mod demo;
mod denials;
#[path = "../../crates/sinks/tests/sinks/elastic.rs"]
#[expect(dead_code, reason = "the tests of sinks use more of it")]
mod elastic;
mod examples;
mod examples_log;
mod examples_network;
mod examples_web;
mod guest_rust;
mod guest_rust_examples;
mod guests;
mod guide;
mod guide_erlang;
mod guide_match;
mod guide_page;
mod guide_rust;
mod guide_shell;
mod instructions;
mod languages;
mod languages_chat;
mod languages_mix;
mod languages_table;
mod load;
mod otp;
mod served;
mod shell;
mod test;
mod tidy;
mod tidy_rooms;
mod tidy_text;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};

/// For the server that this and the tests of sinks share: far longer than anything takes.
const WATCHDOG: std::time::Duration = std::time::Duration::from_secs(60);

/// A chore: its name, what it does in one line, and how to run it with the arguments behind it.
struct Chore {
    name: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Result<()>,
}

const CHORES: &[Chore] = &[
    Chore {
        name: "demo",
        about: "build the runtime and watch a supervisor bring a crashed process back",
        run: demo::run,
    },
    Chore {
        name: "check",
        about: "before a push: formatting, clippy, the workspace's tests, tidy",
        run: check::run,
    },
    Chore {
        name: "test",
        about: "everything that CI runs: check, examples, guests' tests, compat, Windows",
        run: test::run,
    },
    Chore {
        name: "compat",
        about: "the tests inside the published package `lunatic`, on this runtime [--release]",
        run: compat::run,
    },
    Chore {
        name: "examples",
        about: "run the examples and compare them with what their headers promise [--release]",
        run: examples::run,
    },
    Chore {
        name: "as",
        about: "the library for AssemblyScript: its tests and its README's listings [--release]",
        run: assemblyscript::run,
    },
    Chore {
        name: "c",
        about: "the C library for guests: its tests, and its headers in C99 and C++17 [--release]",
        run: |args| c_guests::run_all(workspace::Profile::from_args(args)?),
    },
    Chore {
        name: "rust",
        about: "tests of the Rust library for guests, and what small programs weigh [--release]",
        run: guest_rust::run,
    },
    Chore {
        name: "guide",
        about: "compile and run the listings of docs/guide, and compare what they print [PAGE...]",
        run: guide::run,
    },
    Chore {
        name: "bench",
        about: "measure beside erl and bare Wasmtime, and compare with the last result [--help]",
        run: bench::run,
    },
    Chore {
        name: "instructions",
        about: "count the instructions of the hot paths, and hold them against bounds [--update]",
        run: instructions::run,
    },
    Chore {
        name: "denials",
        about: "count the instructions of calls that are denied, beside those that are allowed",
        run: denials::run,
    },
    Chore {
        name: "languages",
        about: "programs in several languages, in one node [--release]",
        run: |args| languages::run_all(workspace::Profile::from_args(args)?),
    },
    Chore {
        name: "otp",
        about: "which of OTP's guarantees hold, with erl as the judge [--programs N] [--seed S]",
        run: otp::run,
    },
    Chore {
        name: "tidy",
        about: "rules of the house that neither rustc nor clippy knows",
        run: tidy::run,
    },
];

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let Some(name) = args.next() else {
        print!("{}", list());
        return ExitCode::SUCCESS;
    };
    let rest: Vec<String> = args.collect();
    let done = match CHORES.iter().find(|chore| chore.name == name) {
        Some(chore) => (chore.run)(&rest),
        None => unknown(&name),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn list() -> String {
    let mut text = String::from("cargo xtask NAME, where NAME is one of\n\n");
    for chore in CHORES {
        text.push_str(&format!("  {:12} {}\n", chore.name, chore.about));
    }
    text
}

fn unknown(name: &str) -> Result<()> {
    bail!("there is no chore `{name}`\n\n{}", list())
}

#[cfg(test)]
mod tests {
    use super::{CHORES, list};

    #[test]
    fn every_chore_is_listed_under_a_name_of_its_own() {
        for (index, chore) in CHORES.iter().enumerate() {
            assert!(list().contains(chore.name));
            assert!(CHORES[index + 1..].iter().all(|other| other.name != chore.name));
        }
    }
}
