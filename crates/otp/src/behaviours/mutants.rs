//! Libraries that break a rule, to hold the harness against itself.
//!
//! The library ships no switch for tests. Its source is copied, and in the copy each rule of
//! [`MUTATIONS`] gets a second form, which is chosen when the guest starts: one build for all.
//!
//! What must stay true: the text that a mutation replaces is there exactly once, so that a change
//! of the library which makes it mean nothing is noticed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::wasm::guests_target;

/// A rule that is broken.
pub struct Mutation {
    /// What is broken.
    pub name: &'static str,
    /// Where, below `guest/rust/lunatic/src`.
    file: &'static str,
    /// What is there.
    rule: &'static str,
    /// What becomes of it, with `BROKEN` for whether the rule is to be broken.
    choice: &'static str,
}

/// All of them. The number of one is its place, counted from 1.
pub const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "one_for_all restarts only the one that ended and those after it",
        file: "supervisor/children.rs",
        rule: "Strategy::OneForAll => 0,",
        choice: "Strategy::OneForAll => if BROKEN { index } else { 0 },",
    },
    Mutation {
        name: "rest_for_one restarts only the one that ended",
        file: "supervisor/children.rs",
        rule: "            Strategy::OneForOne => index + 1,",
        choice: "            Strategy::RestForOne if BROKEN => index + 1,
            Strategy::OneForOne => index + 1,",
    },
    Mutation {
        name: "children stop in the order of their start",
        file: "supervisor/children.rs",
        rule: "        for index in (from..self.list.len()).rev() {",
        choice: "        let order = (from..self.list.len()).rev();
        let order: Vec<usize> = if BROKEN { order.rev().collect() } else { order.collect() };
        for index in order {
            if index >= self.list.len() {
                continue;
            }",
    },
    Mutation {
        name: "the intensity counts one restart less",
        file: "supervisor/restarts.rs",
        rule: "self.times.len() <= self.intensity as usize",
        choice: "self.times.len() <= self.intensity as usize + usize::from(BROKEN)",
    },
    Mutation {
        name: "a transient child is restarted after a normal end",
        file: "supervisor/children.rs",
        rule: "            Restart::Transient if !orderly => self.restart(index, now, effects),",
        choice: "            Restart::Transient if !orderly || BROKEN => {
                self.restart(index, now, effects)
            }",
    },
    Mutation {
        name: "a temporary child stays in the list",
        file: "supervisor/children.rs",
        rule: "            Restart::Temporary => {
                self.list.remove(index);
            }",
        choice: "            Restart::Temporary if !BROKEN => {
                self.list.remove(index);
            }
            Restart::Temporary => self.list[index].state = ChildState::Stopped,",
    },
    Mutation {
        name: "a start that fails leaves those before it running",
        file: "supervisor/children.rs",
        rule: "            self.stop_all(effects);
            (id, failed.error)",
        choice: "            if !BROKEN {
                self.stop_all(effects);
            }
            (id, failed.error)",
    },
    Mutation {
        name: "a restart that fails is forgotten",
        file: "supervisor/children.rs",
        rule: "            child.state = ChildState::Restarting;
            effects.try_again(Again::Id(child.spec.id.clone()));",
        choice: "            if !BROKEN {
                child.state = ChildState::Restarting;
                effects.try_again(Again::Id(child.spec.id.clone()));
            }",
    },
    Mutation {
        name: "any significant child ends the supervisor where all are to",
        file: "supervisor/children.rs",
        rule: "                AutoShutdown::AllSignificant => !self",
        choice: "                AutoShutdown::AllSignificant if BROKEN => true,
                AutoShutdown::AllSignificant => !self",
    },
    Mutation {
        name: "a brutal kill is an order to stop",
        file: "supervisor/process.rs",
        rule: "        Shutdown::BrutalKill => (ExitReason::Kill, None),",
        choice: "        Shutdown::BrutalKill if BROKEN => (ExitReason::Shutdown, None),
        Shutdown::BrutalKill => (ExitReason::Kill, None),",
    },
    Mutation {
        name: "a dynamic transient child is restarted after a normal end alone",
        file: "supervisor/dynamic_children.rs",
        rule: "            Restart::Transient if !orderly => self.restart(pid, now, effects),",
        choice: "            Restart::Transient if !orderly != BROKEN => {
                self.restart(pid, now, effects)
            }",
    },
    Mutation {
        name: "a late answer is not dropped",
        file: "call.rs",
        rule: "Destination::Pid(pid) => pid.monitor_with(MonitorOptions::CALL),",
        choice: "Destination::Pid(pid) if BROKEN => pid.monitor_with(MonitorOptions {
            alias: crate::process::AliasOf::Explicit,
            ..MonitorOptions::CALL
        }),
        Destination::Pid(pid) => pid.monitor_with(MonitorOptions::CALL),",
    },
    Mutation {
        name: "a server goes on when its parent has ended",
        file: "server/run.rs",
        rule: "if from == self.parent => {",
        choice: "if !BROKEN && from == self.parent => {",
    },
    Mutation {
        name: "a suspended process goes on",
        file: "sys.rs",
        rule: "            *suspended = true;",
        choice: "            *suspended = !BROKEN;",
    },
    Mutation {
        name: "what is postponed is lost",
        file: "statem/queue.rs",
        rule: "        self.postponed.extend(change.postponed);",
        choice: "        self.postponed.extend(change.postponed.filter(|_| !BROKEN));",
    },
    Mutation {
        name: "what was postponed comes back when the state is entered again",
        file: "statem/run.rs",
        rule: "let changes = enters && state.is_some();",
        choice: "let changes = enters && (BROKEN || state.is_some());",
    },
    Mutation {
        name: "a timeout of the state outlives it",
        file: "statem/queue.rs",
        rule: "            self.timers.remove(&Timer::State);",
        choice: "            if !BROKEN {
                self.timers.remove(&Timer::State);
            }",
    },
    Mutation {
        name: "a process that has ended keeps its keys",
        file: "registry.rs",
        rule: "            self.table.leave_all(down.from);",
        choice: "            if !BROKEN {
                self.table.leave_all(down.from);
            }",
    },
];

/// What the copy of the library is given.
const SWITCH: &str = r#"
pub(crate) fn breaks(rule: usize) -> bool {
    std::env::args().nth(1).is_some_and(|number| number == rule.to_string())
}
"#;

/// Writes the sources of the guest with a library that can break each rule; gives its folder.
pub(super) fn write() -> io::Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (rust, guest) = (root.join("../../guest/rust"), root.join("behaviours-guest"));
    let target = guests_target().join("mutants");
    copy(&rust.join("macros"), &target.join("macros"), &|_, text| text)?;
    copy(&rust.join("lunatic"), &target.join("lunatic"), &mutate)?;
    copy(&guest, &target.join("guest"), &|file, text| match file.extension() {
        Some(kind) if kind == "toml" || kind == "lock" => text
            .replace("behaviours-guest", "behaviours-mutant")
            .replace("../../../guest/rust/lunatic", "../lunatic"),
        _ => text,
    })?;
    Ok(target.join("guest"))
}

/// The source of a file of the library in which each rule can be broken.
fn mutate(file: &Path, mut text: String) -> String {
    for (index, mutation) in MUTATIONS.iter().enumerate() {
        if !file.ends_with(Path::new("src").join(mutation.file)) {
            continue;
        }
        let found = text.matches(mutation.rule).count();
        let Mutation { name, rule, .. } = mutation;
        assert_eq!(found, 1, "{name}: this is to be in {} once:\n{rule}", mutation.file);
        let broken = format!("crate::breaks({})", index + 1);
        text = text.replace(rule, &mutation.choice.replace("BROKEN", &broken));
    }
    if file.ends_with("src/lib.rs") {
        text += SWITCH;
    }
    text
}

/// Copies the texts of a folder, changed; what is as it was is not written, so that it need not be
/// compiled again.
fn copy(from: &Path, to: &Path, change: &impl Fn(&Path, String) -> String) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (entry, to) = entry.map(|entry| (entry.path(), to.join(entry.file_name())))?;
        if entry.is_dir() {
            copy(&entry, &to, change)?;
            continue;
        }
        let text = change(&entry, fs::read_to_string(&entry)?);
        if fs::read_to_string(&to).ok().as_ref() != Some(&text) {
            fs::write(&to, text)?;
        }
    }
    Ok(())
}
