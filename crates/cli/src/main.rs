//! The command `lunatic`: reads the command line, wires the rooms below together, prints.
//!
//! It owns no semantics. Each command gives an exit status or an error; this file alone prints
//! errors and ends the program, so that what a status means is decided in one place.
#![forbid(unsafe_code)]

mod args;
mod audit;
mod commands;
mod error;
mod guest;
mod library;
mod metrics;
mod os_signal;
mod policy;
mod progress;
mod project;
mod redirect;
mod report;
mod runtime;
mod sources;
mod status;
mod target;
mod testing;

use std::path::Path;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use args::{Cli, Command};
use error::CliError;

fn main() {
    let line = args::with_implied_run(std::env::args_os());
    let status = match Cli::try_parse_from(line) {
        Ok(cli) => run(cli.command).unwrap_or_else(|error| {
            eprintln!("{error}");
            error.status()
        }),
        Err(error) => commands::print_clap(&error),
    };
    // Ends the node's threads wherever they are: a guest that never stops must not hold the exit.
    std::process::exit(i32::from(status));
}

fn run(command: Command) -> Result<u8, CliError> {
    log();
    match command {
        Command::Run(args) => commands::run::run(&args),
        Command::Test(args) => commands::test::test(&args),
        Command::Init(_) => commands::init::init(Path::new("."), false),
        Command::Info(_) => Ok(commands::info::info()),
        Command::New(args) => commands::new::new(&args.path, args.lang),
    }
}

/// Sends the runtime's own events to standard error, warnings by default. `RUST_LOG` selects.
fn log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
