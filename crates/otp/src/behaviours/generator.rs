//! Random behaviour scenarios. The same seed gives the same scenario.
//!
//! What must stay true: each is valid, ends by itself, and depends on no clock: only what ignores
//! the order to stop has a short time to follow it.

use crate::generator::Random;

use super::script::{Line, Script};

const REASONS: [&str; 5] = ["normal", "shutdown", "shutdown:x", "oops", "oops"];
/// Names of children from the beginning, below the second supervisor, and of later ones.
const FIRST: [&str; 4] = ["a", "b", "c", "d"];
const BELOW: [&str; 2] = ["e", "f"];
const LATER: [&str; 3] = ["g", "h", "i"];

/// A scenario: of a machine for one seed of four, of supervisors for the others.
pub fn generate(seed: u64) -> Script {
    if seed % 4 == 3 {
        return super::generator_machines::generate(seed);
    }
    let mut trees = Trees { random: Random::new(seed), lines: Vec::new(), violent: false };
    trees.violent = trees.random.one_in(4);
    let dynamic = trees.random.one_in(5);
    if dynamic {
        trees.dynamic()
    } else {
        trees.fixed()
    }
    let unordered = dynamic || trees.violent;
    Script { rows: Vec::new(), unordered, lines: trees.lines }
}

/// Scenarios of supervisors that are made.
struct Trees {
    random: Random,
    lines: Vec<Line>,
    /// Supervisors are killed, and none of their children may be stubborn.
    violent: bool,
}

impl Trees {
    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.random.below(from.len())]
    }

    fn line(&mut self, text: &str) {
        self.lines.push(Line::new(text));
    }

    /// Words of a supervisor, and whether its children may be significant.
    fn supervisor(&mut self) -> (String, bool) {
        let mut words = format!("intensity {}", self.random.below(5));
        let auto = self.random.one_in(3);
        if auto {
            words += if self.random.one_in(2) { " auto any" } else { " auto all" };
        }
        (words, auto)
    }

    fn child(&mut self, significant: bool) -> String {
        let restart = self.pick(&["permanent", "permanent", "transient", "transient", "temporary"]);
        let mut words = restart.to_owned();
        // Rarely it is one that no supervisor takes.
        let wrong = self.random.one_in(40);
        if wrong || significant && restart != "permanent" && self.random.one_in(2) {
            words += " significant";
        }
        if !self.random.one_in(3) {
            words += " traps";
            if !self.violent && self.random.one_in(6) {
                words += " stubborn shutdown ";
                words += self.pick(&["short", "kill"]);
                return words;
            }
        }
        words += " shutdown ";
        words += self.pick(&["kill", "far", "infinity", "infinity"]);
        words
    }

    fn plans(&mut self) -> String {
        let mut words = String::new();
        if self.random.one_in(12) {
            words += &format!(" at 1 {}", self.pick(&["ignore", "fail", "crash"]));
        }
        for start in 2..5 {
            if self.random.one_in(6) {
                words += &format!(" at {start} {}", self.pick(&["ignore", "fail", "crash"]));
            }
        }
        words
    }

    fn fixed(&mut self) {
        let strategy = self.pick(&["one_for_one", "one_for_all", "rest_for_one"]);
        let (words, auto) = self.supervisor();
        self.line(&format!("supervisor top {strategy} {words}"));
        let below = self.random.below(FIRST.len() + 1);
        let count = self.random.below(FIRST.len() + 1);
        let nested = count > 0 && self.random.one_in(3);
        for (at, name) in FIRST[..count].iter().enumerate() {
            if nested && at == below.min(count - 1) {
                self.nested(auto);
            }
            let words = self.child(auto) + &self.plans();
            self.line(&format!("child {name} in top {words}"));
        }
        self.line("start top");
        let names: Vec<&str> = [&FIRST[..], &BELOW, &LATER].concat();
        for _ in 0..3 + self.random.below(10) {
            let name = self.pick(&names);
            let above = if nested && self.random.one_in(3) { "sub" } else { "top" };
            self.step(above, name, nested, auto);
        }
        self.last();
    }

    fn nested(&mut self, significant: bool) {
        let strategy = self.pick(&["one_for_one", "one_for_all", "rest_for_one"]);
        let (words, auto) = self.supervisor();
        let restart = self.pick(&["permanent", "transient", "temporary"]);
        let significant = if significant && restart != "permanent" { " significant" } else { "" };
        self.line(&format!("supervisor sub {strategy} in top {words} {restart}{significant}"));
        for name in BELOW {
            let words = self.child(auto) + &self.plans();
            self.line(&format!("child {name} in sub {words}"));
        }
    }

    fn step(&mut self, above: &str, name: &str, nested: bool, auto: bool) {
        let reason = self.pick(&REASONS);
        let text = match self.random.below(16) {
            0 | 1 if self.stubborn(name) => format!("kill {name}"),
            0..=2 if !self.stubborn(name) => format!("exit {name} {reason}"),
            3 | 4 => format!("kill {name}"),
            5 => format!("crash {name}"),
            6 if !self.stubborn(name) => format!("signal {name} {reason}"),
            7 => {
                let name = self.pick(&LATER);
                format!("start_child {above} {name} {}{}", self.child(auto), self.plans())
            }
            8 | 9 => format!("terminate_child {above} {name}"),
            10 => format!("restart_child {above} {name}"),
            11 => format!("delete_child {above} {name}"),
            12 => format!("spec {above} {name}"),
            13 => format!("count {above}"),
            14 if self.violent => format!("kill {above}"),
            14 if nested => "stop sub".to_owned(),
            _ => format!("which {above}"),
        };
        self.line(&text);
    }

    /// Whether a child of this name, as it was declared last, would not end when it is told to.
    fn stubborn(&self, name: &str) -> bool {
        let of = |line: &&Line| {
            line.words.get(1).is_some_and(|word| word == name)
                || line.words[0] == "start_child" && line.words[2] == name
        };
        let mut declared = self.lines.iter().filter(of);
        declared.any(|line| line.words.iter().any(|word| word == "stubborn"))
    }

    fn dynamic(&mut self) {
        let (words, auto) = self.supervisor();
        self.line(&format!("supervisor top simple_one_for_one {words}"));
        // OTP's supervisor remembers a dynamic child that ignores its restart as one without a pid,
        // and fails when it stops.
        let words = self.child(auto) + &self.plans().replace("ignore", "fail");
        let stubborn = words.contains("stubborn");
        self.line(&format!("child a in top {words}"));
        self.line("start top");
        let names: Vec<&str> = [&BELOW[..], &LATER].concat();
        for _ in 0..4 + self.random.below(10) {
            let (name, reason) = (self.pick(&names), self.pick(&REASONS));
            let text = match self.random.below(12) {
                0..=3 => format!("start_dynamic top {name}"),
                4 if !stubborn => format!("exit {name} {reason}"),
                5 => format!("kill {name}"),
                6 => format!("crash {name}"),
                7 => format!("terminate_dynamic top {name}"),
                8 => format!("restart_child top {name}"),
                9 => "count top".to_owned(),
                10 if self.violent => "kill top".to_owned(),
                _ => "which top".to_owned(),
            };
            self.line(&text);
        }
        self.last();
    }

    fn last(&mut self) {
        let last = self.pick(&["stop top", "which top", "signal top shutdown", "signal top oops"]);
        self.line(last);
    }
}
