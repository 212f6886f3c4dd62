//! Groups and registries in behaviour scenarios, as erl/behaviour_groups.erl has them.
//!
//! What must stay true: a look at members is over when none of them is dead.

use std::collections::BTreeMap;

use lunatic::Pid;
use lunatic::registry::{JoinError, Keys, Registry};

use crate::recorder::{last, name};

/// The registries that a scenario has started.
#[derive(Default)]
pub struct Groups {
    registries: BTreeMap<String, Registry>,
}

impl Groups {
    /// Does a step and gives what came of it; none if it is no step of groups.
    pub fn step(&mut self, verb: &str, rest: &[&str]) -> Option<Option<String>> {
        Some(Some(match (verb, rest) {
            ("groups" | "registry", [scope]) => {
                let keys = if verb == "groups" { Keys::Duplicate } else { Keys::Unique };
                let registry = Registry::start_link(keys).expect("it starts");
                self.registries.insert((*scope).to_owned(), registry);
                "ok".to_owned()
            }
            ("join", [scope, key, process]) => {
                match self.registries[*scope].join(key, pid(process)) {
                    Ok(()) => "ok".to_owned(),
                    Err(JoinError::Taken(owner)) => format!("taken {}", name(owner)),
                    Err(JoinError::Call(error)) => panic!("{error}"),
                }
            }
            ("leave", [scope, key, process]) => {
                let left = self.registries[*scope].leave(key, pid(process));
                let left = left.expect("the registry answers");
                if left { "ok".to_owned() } else { "not_joined".to_owned() }
            }
            ("members", [scope, key]) => {
                let members = alive(self.registries[*scope], key);
                shown(members.into_iter().map(name).collect())
            }
            ("keys", [scope]) => {
                let registry = self.registries[*scope];
                let keys = || registry.keys().expect("the registry answers");
                // Whoever has a key and is dead goes first.
                for key in keys() {
                    alive(registry, &key);
                }
                shown(keys())
            }
            _ => return None,
        }))
    }
}

fn pid(name: &str) -> Pid {
    last(name).expect("it was started")
}

fn alive(registry: Registry, key: &str) -> Vec<Pid> {
    loop {
        let members = registry.members(key).expect("the registry answers");
        if members.iter().all(|pid| pid.is_alive()) {
            return members;
        }
    }
}

fn shown(mut names: Vec<String>) -> String {
    names.sort();
    if names.is_empty() { "nobody".to_owned() } else { names.join(" ") }
}
