//! Applications: OTP's `application` and that of the Rust library for guests play the same
//! scenarios.
//!
//! A scenario is lines: `app NAME [on NAME]... [phase NAME]... [refuses|crashes]` declares one,
//! others are steps; each `=>` says what is told next, by a callback or as what a step gives.
//!
//! What must stay true: each scenario has an `erl` of its own, since an application may end all
//! that runs there; both sides tell the same, in the same order, and as the scenario says.

use std::fs;
use std::io;
use std::path::Path;

use crate::beam::Beam;
use crate::behaviours::players::Library;
use crate::erl::ErlError;

/// A scenario.
pub struct Scenario {
    /// Its file.
    pub name: String,
    /// Rows of the table of guarantees that it speaks for.
    pub rows: Vec<u8>,
    /// What is played.
    pub text: String,
    /// What is told.
    pub told: Vec<String>,
}

/// Reads all scenarios, sorted by their names.
///
/// # Errors
///
/// If a file cannot be read, or its rows are no numbers.
pub fn load() -> io::Result<Vec<Scenario>> {
    let mut scenarios = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("applications"))? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        scenarios.push(Scenario::parse(name, &fs::read_to_string(path)?)?);
    }
    scenarios.sort_by(|one, two| one.name.cmp(&two.name));
    Ok(scenarios)
}

impl Scenario {
    fn parse(name: String, text: &str) -> io::Result<Scenario> {
        let (mut rows, mut steps, mut told) = (Vec::new(), Vec::new(), Vec::new());
        for line in text.lines().map(str::trim) {
            if let Some(row) = line.strip_prefix("rows:") {
                rows.push(row.trim().parse().map_err(io::Error::other)?);
            } else if let Some(said) = line.strip_prefix("=>") {
                told.push(said.trim().to_owned());
            } else if !line.is_empty() && !line.starts_with('#') {
                steps.push(line);
            }
        }
        Ok(Scenario { name, rows, text: steps.join("\n"), told })
    }

    /// Plays it with OTP: what is told until that `erl` ends.
    ///
    /// # Errors
    ///
    /// If there is no `erl`, or it does not end.
    pub fn play_on_erl(&self) -> Result<Vec<String>, ErlError> {
        let mut beam = Beam::start(&["applications"])?;
        beam.send(&[self.text.as_bytes()])?;
        let frames = beam.receive_all()?;
        Ok(frames.iter().map(|frame| String::from_utf8_lossy(frame).into_owned()).collect())
    }
}

/// Plays all on the library, and on `erl` if it is there; gives what is not as the scenarios say.
pub fn failures(scenarios: &[Scenario], library: &Library, ask_erl: bool) -> Vec<String> {
    let mut failures = Vec::new();
    for scenario in scenarios {
        let guest = library.play_applications(&scenario.text);
        let erl = ask_erl.then(|| scenario.play_on_erl().map_err(|error| error.to_string()));
        for (side, told) in [("erl", erl), ("the library", Some(guest))] {
            let told = told.unwrap_or_else(|| Ok(scenario.told.clone()));
            if told.as_ref() != Ok(&scenario.told) {
                let Scenario { name, told: expected, .. } = scenario;
                failures.push(format!("{name} on {side}:\n  {told:?}\nand not\n  {expected:?}"));
            }
        }
    }
    failures
}
