//! `cargo xtask check`: what to run before every push, and the first half of `cargo xtask test`.

use anyhow::{Result, bail};

use crate::shell::step;
use crate::workspace::{cargo, guest_cargo, root};
use crate::{guests, shell, tidy};

/// Formatting, lints, the workspace's tests, tidy.
pub fn run_steps() -> Result<()> {
    step("tidy", tidy::all)?;
    step("formatting (next: cargo fmt --all, also in examples/)", || {
        shell::run(cargo().args(["fmt", "--all", "--check"]))?;
        let others = ["examples/languages", "crates/otp/guest", "crates/otp/behaviours-guest"];
        let others = others.map(|folder| root().join(folder));
        for folder in [guests::examples_dir()].into_iter().chain(others) {
            shell::run(guest_cargo(&folder).args(["fmt", "--all", "--check"]))?;
        }
        Ok(())
    })?;
    step("clippy", || {
        let clippy = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
        shell::run(cargo().args(clippy))
    })?;
    // The tests of the command run the built examples, so these come first.
    step("guests", || guests::build(&[]))?;
    step("tests of the workspace, doc tests among them", || {
        shell::run(cargo().args(["test", "--workspace"]))
    })
}

/// The chore.
pub fn run(args: &[String]) -> Result<()> {
    if !args.is_empty() {
        bail!("check takes no arguments; part of it: cargo test -p PACKAGE");
    }
    run_steps()?;
    println!("\nAll is well. Next: git push (or cargo xtask test, which CI runs).");
    Ok(())
}
