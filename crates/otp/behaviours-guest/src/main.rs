//! Plays one behaviour scenario with the Rust library for guests, and tells what it did.
//!
//! The scenario comes as the first argument, lines of words (src/behaviours/script.rs of the
//! harness says which); the trace goes to standard output, a line for each step: what was told,
//! what the step gave, who ended. erl/behaviours.erl does the same with OTP. Scenarios of
//! applications tell what happens as it does.
//!
//! What must stay true: after each step this waits until nothing moves any more, and never for a
//! time.

mod applications;
mod events;
mod groups;
mod machines;
mod recorder;
mod servers;
mod supervision;
mod words;

use events::Events;
use groups::Groups;
use machines::Machines;
use servers::Servers;
use supervision::Supervision;

#[lunatic::main]
fn main() {
    lunatic::process::trap_exit(true);
    let scenario = std::env::args().next().expect("the scenario is the first argument");
    if scenario.starts_with("app ") {
        return applications::play(&scenario);
    }
    recorder::start();
    let mut supervision = Supervision::default();
    let mut servers = Servers::default();
    let mut machines = Machines::default();
    let mut events = Events::default();
    let mut groups = Groups::default();
    let mut trace = Vec::new();
    for line in scenario.lines() {
        let line: Vec<&str> = line.split(' ').collect();
        let (verb, rest) = line.split_first().expect("a line has a word");
        if supervision.declare(verb, rest) || machines.declare(verb, rest) {
            continue;
        }
        let others = servers.step(verb, rest).or_else(|| machines.step(verb, rest));
        let others = others.or_else(|| groups.step(verb, rest));
        let others = others.or_else(|| events.step(verb, rest));
        let result = others.unwrap_or_else(|| supervision.step(verb, rest));
        supervision.quiesce();
        servers.quiesce();
        machines.quiesce();
        events.quiesce();
        let (mut items, ends) = recorder::settle();
        items.extend(result);
        items.extend(ends);
        trace.push(items.join("; "));
    }
    print!("{}", trace.join("\n"));
}
