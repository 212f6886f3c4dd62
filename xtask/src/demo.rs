//! `cargo xtask demo`: from a fresh clone to a process that crashes and comes back.

use std::process::Command;

use anyhow::{Result, bail};

use crate::workspace::{Profile, lunatic, root};
use crate::{guests, shell};

/// Builds the runtime and the supervisor example, and runs the one on the other.
pub fn run(args: &[String]) -> Result<()> {
    if !args.is_empty() {
        bail!("the demo takes no arguments; another example: lunatic run examples/NAME");
    }
    println!("Building the runtime; the first time takes some minutes.");
    let lunatic = lunatic(Profile::Release)?;
    guests::build(&["supervisor"])?;

    println!("\nA supervised worker, which panics on a zero, and is restarted:\n");
    let mut program = Command::new(&lunatic);
    program.current_dir(root()).arg("run").arg(guests::module("supervisor"));
    shell::run(&mut program)?;

    println!("\nNext: target/release/lunatic new hello && target/release/lunatic run hello");
    Ok(())
}
