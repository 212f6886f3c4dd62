//! Smaller programs that still fail: processes and steps go, one after the other, until nothing
//! more can go.

use crate::program::{Program, Step};

/// The smallest program that can be reached from `program` by leaving things out while `fails`
/// holds. Each candidate is asked once.
pub fn shrink(program: &Program, mut fails: impl FnMut(&Program) -> bool) -> Program {
    let mut smallest = program.clone();
    loop {
        let smaller = candidates(&smallest).into_iter().find(|candidate| fails(candidate));
        match smaller {
            Some(smaller) => smallest = smaller,
            None => return smallest,
        }
    }
}

/// Every program with a process's steps or one step less, the largest cuts first.
fn candidates(program: &Program) -> Vec<Program> {
    let mut all = Vec::new();
    for who in program.everybody() {
        let mut silent = program.clone();
        silent.scripts[usize::from(who.0)].steps.clear();
        all.push(silent);
    }
    for who in program.everybody() {
        for at in 0..program.steps(who).len() {
            let mut shorter = program.clone();
            shorter.scripts[usize::from(who.0)].steps.remove(at);
            all.push(shorter);
        }
    }
    for (index, script) in program.scripts.iter().enumerate() {
        for (at, step) in script.steps.iter().enumerate() {
            if let Step::Receive { patterns, wait } = step
                && patterns.len() > 1
            {
                let mut simpler = program.clone();
                let patterns = patterns[..1].to_vec();
                simpler.scripts[index].steps[at] = Step::Receive { patterns, wait: *wait };
                all.push(simpler);
            }
        }
    }
    all.retain(|candidate| candidate != program && candidate.check().is_ok());
    all
}
