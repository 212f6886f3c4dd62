//! What depends on the system and is chosen at run time, for people who ask why a node is slower
//! than they read somewhere, or holds fewer processes.

use crate::{cpu_clock, prompt, slab};

/// Something that is done in one of several ways, and the way that is taken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChosenPath {
    /// What is done.
    pub what: &'static str,
    /// How.
    pub how: &'static str,
}

/// All of them. Tries out on pages of its own what the system offers.
pub fn chosen_paths() -> Vec<ChosenPath> {
    let stacks = if slab::Stacks::SUPPORTED {
        "side by side in few mappings"
    } else {
        "made by Wasmtime, one by one"
    };
    let own = [
        ("stacks", stacks),
        ("threads that must be prompt", prompt::HOW),
        ("processor time of processes", cpu_clock::HOW),
    ];
    let all = slab::paths().into_iter().chain(own);
    all.map(|(what, how)| ChosenPath { what, how }).collect()
}
