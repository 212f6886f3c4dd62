//! Random state machines. The same seed gives the same one.
//!
//! What must stay true: a machine comes to rest. What a timeout leads to starts no other event and
//! changes no state; events that a machine gives itself get later in the alphabet; what is
//! postponed stays where it is.

use crate::generator::Random;

use super::script::{Line, Script};

const STATES: [&str; 3] = ["a", "b", "c"];
const WORDS: [&str; 5] = ["one", "two", "three", "four", "five"];
const RULES_MAX: usize = 14;

/// A machine and what happens to it.
pub fn generate(seed: u64) -> Script {
    let mut machine = Machine { random: Random::new(seed), lines: Vec::new() };
    for _ in 0..4 + machine.random.below(RULES_MAX - 4) {
        let rule = machine.rule();
        machine.line(&rule);
    }
    machine.line("machine m a");
    for _ in 0..3 + machine.random.below(6) {
        let count = 1 + machine.random.below(3);
        let words: Vec<&str> = (0..count).map(|_| machine.pick(&WORDS)).collect();
        let line = match machine.random.below(5) {
            0 => format!("drop m {}", words[0]),
            _ => format!("push m {}", words.join(" ")),
        };
        machine.line(&line);
    }
    machine.line("halt m normal");
    Script { rows: Vec::new(), unordered: false, lines: machine.lines }
}

struct Machine {
    random: Random,
    lines: Vec<Line>,
}

impl Machine {
    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.random.below(from.len())]
    }

    fn line(&mut self, text: &str) {
        self.lines.push(Line::new(text));
    }

    fn rule(&mut self) -> String {
        let state = self.pick(&["a", "a", "b", "b", "c", "any"]);
        match self.random.below(12) {
            0 => format!("rule m {state} enter any{}", self.timers(true)),
            1 => self.timeout(state),
            2..=4 => {
                let at = self.random.below(WORDS.len());
                let actions = self.actions(at + 1, false);
                format!("rule m {state} internal {}{actions}", WORDS[at])
            }
            5 => {
                let (word, actions) = (self.pick(&WORDS), self.actions(0, true));
                format!("rule m {state} info {word}{actions}")
            }
            _ => {
                let (word, actions) = (self.pick(&WORDS), self.actions(0, true));
                format!("rule m {state} cast {word}{actions}")
            }
        }
    }

    /// What a timeout leads to.
    fn timeout(&mut self, state: &str) -> String {
        let event = self.pick(&["state_timeout any", "event_timeout any", "timeout first"]);
        let actions = match self.random.below(6) {
            0 => " stop shutdown".to_owned(),
            1 => " postpone".to_owned(),
            _ => self.timers(false),
        };
        format!("rule m {state} {event}{actions}")
    }

    /// What an event leads to. Events that are given come from this place of the alphabet on.
    fn actions(&mut self, from: usize, zero: bool) -> String {
        let mut actions = String::new();
        match self.random.below(10) {
            0 | 1 => return " postpone".to_owned() + &self.timers(zero),
            2..=6 => actions += &format!(" to {}", self.pick(&STATES)),
            7 => actions += " repeat",
            8 if self.random.one_in(3) => actions += " stop oops",
            _ => {}
        }
        for _ in 0..self.random.below(3) {
            if from < WORDS.len() && self.random.one_in(2) {
                actions += &format!(" next {}", self.pick(&WORDS[from..]));
            } else {
                actions += &self.timers(zero);
            }
        }
        actions
    }

    /// A timeout or none.
    fn timers(&mut self, zero: bool) -> String {
        let time = if zero && self.random.one_in(2) { "zero" } else { "far" };
        match self.random.below(6) {
            0 => format!(" state_timeout {time}"),
            1 => format!(" event_timeout {time}"),
            2 | 3 => format!(" timeout {} {time}", self.pick(&["first", "second"])),
            4 => format!(" cancel {}", self.pick(&["first", "second"])),
            _ => String::new(),
        }
    }
}
