//! `cargo xtask otp [--programs N] [--seed S]`: which of OTP's runtime guarantees hold, with a real
//! `erl` as the judge. The harness is `crates/otp`.

use anyhow::Result;

use crate::guests;
use crate::shell;
use crate::workspace::cargo;

/// The chore.
pub fn run(args: &[String]) -> Result<()> {
    guests::ensure_wasm_target()?;
    let run = ["run", "--release", "--quiet", "--package", "lunatic-otp", "--"];
    shell::run(cargo().args(run).args(args))
}
