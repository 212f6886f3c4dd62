//! `lunatic-otp [--programs N] [--seed S] [--signals N]`: asks `erl`, native bodies and guests the
//! same questions, and prints what of OTP's guarantees holds.
//!
//! Each scenario is played [`RUNS`] times on each runner; then N generated programs are, the first
//! of them made from S; then behaviour scenarios, and as many generated ones, are played with OTP's
//! behaviours and with the Rust library for guests; then so many signals are exchanged by native
//! bodies that are killed at random. The status is 0 only if everything agreed, and if `erl` was
//! there to ask.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use lunatic_otp::applications;
use lunatic_otp::behaviours::{
    self,
    players::{Library, Oracle},
};
use lunatic_otp::campaign::{difference, is_refused};
use lunatic_otp::erl::Erl;
use lunatic_otp::generator::generate;
use lunatic_otp::native::Native;
use lunatic_otp::program::Program;
use lunatic_otp::rows::{score, table};
use lunatic_otp::scenarios::{judge, load};
use lunatic_otp::soak::{Plan, soak};
use lunatic_otp::text::Scenario;
use lunatic_otp::wasm::Wasm;

/// How often each scenario is played on a runner, with other pauses each time.
const RUNS: u64 = 20;
/// Generated programs that are played in one go.
const BATCH: u64 = 1_000;
/// Worker threads of the runners.
const WORKERS: usize = 2;

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let Arguments { programs, seed, signals } = arguments()?;
    let mut runners = Runners {
        erl: Erl::start()?,
        native: Native::start(WORKERS)?,
        wasm: Wasm::start(WORKERS)?,
    };
    let scenarios = load()?;
    for (name, scenario) in &scenarios {
        runners.scenario(name, scenario)?;
    }
    println!("{} scenarios, {RUNS} times on each of erl, native bodies, guests", scenarios.len());
    runners.generated(seed, programs)?;
    println!("{programs} generated programs from seed {seed} on each: no difference");
    behaviours(seed, programs)?;
    println!("{}\n", soak(Plan { signals, seed, workers: WORKERS })?);
    let (kept, meant) = score();
    print!("{}", table());
    let release = runners.erl.release();
    println!("\n{kept} of {meant} guarantees of OTP kept, as Erlang/OTP {release} confirms");
    Ok(())
}

/// OTP's behaviours against those of the Rust library for guests.
fn behaviours(seed: u64, count: u64) -> Result<(), Failure> {
    let (mut oracle, library) = (Oracle::start()?, Library::start(WORKERS)?);
    let scenarios = behaviours::load()?;
    let failures = behaviours::failures(&scenarios, Some(&mut oracle), &library);
    if !failures.is_empty() {
        return Err(failures.join("\n").into());
    }
    println!("{} behaviour scenarios: OTP's modules and the library do the same", scenarios.len());
    let scenarios = applications::load()?;
    let failures = applications::failures(&scenarios, &library, true);
    if !failures.is_empty() {
        return Err(failures.join("\n").into());
    }
    println!("{} scenarios of applications: OTP and the library do the same", scenarios.len());
    let seeds = seed..seed.saturating_add(count);
    if let Some(text) = behaviours::smallest_difference(&mut oracle, &library, seeds) {
        return Err(text.into());
    }
    println!("{count} generated behaviour scenarios from seed {seed}: no difference");
    Ok(())
}

struct Arguments {
    programs: u64,
    seed: u64,
    signals: u64,
}

fn arguments() -> Result<Arguments, Failure> {
    let mut arguments = Arguments { programs: 2_000, seed: 1, signals: 1_000_000 };
    let mut args = std::env::args().skip(1);
    while let Some(name) = args.next() {
        let value = args.next().ok_or_else(|| format!("{name} wants a number behind it"))?;
        let value: u64 = value.parse().map_err(|_| format!("{name} {value}: not a number"))?;
        match name.as_str() {
            "--programs" => arguments.programs = value,
            "--seed" => arguments.seed = value,
            "--signals" => arguments.signals = value,
            _ => {
                let known = "write --programs N, --seed S, --signals N";
                return Err(format!("{name} is not known; {known}").into());
            }
        }
    }
    Ok(arguments)
}

struct Runners {
    erl: Erl,
    native: Native,
    wasm: Wasm,
}

impl Runners {
    fn scenario(&mut self, name: &str, scenario: &Scenario) -> Result<(), Failure> {
        let program = &scenario.program;
        let mut found = Vec::new();
        let runs: Vec<_> = (0..RUNS).map(|seed| (program, seed)).collect();
        let played = self.erl.play(&runs, |_, trace| found.push(("erl", trace)));
        played.map_err(|error| format!("{name}: {error}"))?;
        for seed in 0..RUNS {
            found.push(("native bodies", self.native.play(program, seed)));
            found.push(("guests", self.wasm.play(program, seed)));
        }
        for (runner, trace) in found {
            judge(scenario, &trace)
                .map_err(|text| format!("{name} on {runner}: {text}\n{}", program.with(&trace)))?;
        }
        Ok(())
    }

    /// Plays programs that nobody wrote. The first that goes wrong is made as small as it gets.
    fn generated(&mut self, first: u64, count: u64) -> Result<(), Failure> {
        let end = first.saturating_add(count);
        let mut from = first;
        while from < end {
            let to = end.min(from.saturating_add(BATCH));
            let programs: Vec<_> = (from..to).map(|seed| (generate(seed), seed)).collect();
            let borrowed: Vec<_> =
                programs.iter().map(|(program, seed)| (program, *seed)).collect();
            self.on_erl(&borrowed)?;
            for case @ (program, seed) in borrowed {
                let (native, wasm) = (&self.native, &self.wasm);
                let trace = native.play(program, seed);
                let play = |program: &Program, seed| Some(native.play(program, seed));
                difference("native bodies", case, &trace, play).map_or(Ok(()), Err)?;
                let trace = wasm.play(program, seed);
                let play = |program: &Program, seed| Some(wasm.play(program, seed));
                difference("guests", case, &trace, play).map_or(Ok(()), Err)?;
            }
            from = to;
        }
        Ok(())
    }

    fn on_erl(&mut self, programs: &[(&Program, u64)]) -> Result<(), Failure> {
        let mut suspects = Vec::new();
        self.erl.play(programs, |index, trace| {
            if is_refused(programs[index].0, &trace) {
                suspects.push((programs[index], trace));
            }
        })?;
        for (case, trace) in suspects {
            let play = |program: &Program, seed| {
                let mut found = None;
                self.erl.play(&[(program, seed)], |_, trace| found = Some(trace)).ok()?;
                found
            };
            difference("erl", case, &trace, play).map_or(Ok(()), Err)?;
        }
        Ok(())
    }
}
