//! The rights that a program uses or lacks: as a table for people, and as a policy file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lunatic_engine::{DENIED_ADDRESSES_MAX, Denial, Hears, Listener, Use};

use crate::guest::Preopen;
use crate::report::{grouped, printable};

/// Rights that are told apart; addresses are told one by one.
const RIGHTS_MAX: usize = 10_000;

/// Hears of rights. All that it keeps is bounded.
#[derive(Default)]
pub struct Recorder(Mutex<Record>);

#[derive(Default)]
struct Record {
    rights: BTreeMap<String, Entry>,
    left_out: u64,
    /// Denied calls of addresses that the node does not tell apart.
    elsewhere: u64,
}

/// What became of one right.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Entry {
    /// The first call that needed it.
    call: String,
    used: u64,
    denied: u64,
}

impl Recorder {
    fn lock(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A process was denied something; `denial` may stand for several times.
    pub fn denied(&self, denial: &Denial) {
        if denial.grant.is_empty() {
            self.lock().elsewhere += denial.count;
            return;
        }
        // The first one was told when it happened.
        let times = if denial.ended { denial.count.saturating_sub(1) } else { 1 };
        for grant in denial.grant.split(' ') {
            self.lock().note(grant, &denial.tried, |entry| entry.denied += times);
        }
    }

    /// A table, one line for each right.
    pub fn table(&self) -> String {
        let record = self.lock();
        let mut text = String::from("audit: the rights that this program used or lacked\n");
        let width = record.rights.keys().map(|grant| grant.chars().count()).max().unwrap_or(0);
        for (grant, Entry { call, used, denied }) in &record.rights {
            let (grant, call) = (printable(grant), printable(call));
            let _ = write!(text, "  {grant:width$}  ");
            let (used, denied) = (times("used", *used), times("DENIED", *denied));
            let both: Vec<_> = [used, denied].into_iter().flatten().collect();
            text.push_str(&both.join(", "));
            let _ = writeln!(text, ", first by {call}");
        }
        if record.rights.is_empty() {
            text.push_str("  none\n");
        }
        record.add_left_out(&mut text, "  ");
        text
    }

    /// A policy file that grants all of it and nothing else, to a program of this name to which
    /// these directories were given.
    pub fn policy(&self, program: &str, directories: &[Preopen]) -> String {
        let record = self.lock();
        let mut text = format!(
            "# What `{}` used, or was denied, in one run with `lunatic run --audit=policy`.\n\
             # Another run may need more.\n\n[rights]\nallow = [\n",
            printable(program)
        );
        for (grant, entry) in &record.rights {
            let grant = on_the_host(grant, directories);
            let denied = if entry.used == 0 { "denied: " } else { "" };
            let why = format!("{denied}{}", printable(&entry.call));
            let _ = writeln!(text, "  {}, # {why}", toml_edit::Value::from(grant));
        }
        text.push_str("]\n");
        if record.rights.contains_key("env:*") {
            text.push_str(
                "# Programs get all variables at once: write env:NAME for each that it needs \
                 instead of env:*.\n",
            );
        }
        record.add_left_out(&mut text, "# ");
        text
    }
}

impl Record {
    fn note(&mut self, grant: &str, call: &str, count: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.rights.get_mut(grant) {
            count(entry);
        } else if self.rights.len() < RIGHTS_MAX {
            let entry = self.rights.entry(grant.to_owned()).or_default();
            entry.call = call.to_owned();
            count(entry);
        } else {
            self.left_out += 1;
        }
    }

    fn add_left_out(&self, text: &mut String, begin: &str) {
        if self.left_out > 0 {
            let times = grouped(self.left_out);
            let _ = writeln!(text, "{begin}and others, {times} times; only {RIGHTS_MAX} are kept");
        }
        if self.elsewhere > 0 {
            let calls = grouped(self.elsewhere);
            let _ = writeln!(
                text,
                "{begin}and denied addresses beyond the first {DENIED_ADDRESSES_MAX} of a process \
                 and right: {calls} calls"
            );
        }
    }
}

impl Listener for Recorder {
    /// What was denied comes from the node.
    fn hears(&self) -> Hears {
        Hears { used: true, ..Hears::NONE }
    }

    fn used(&self, used: &Use<'_>) {
        self.lock().note(used.grant, used.call, |entry| entry.used += 1);
    }
}

fn times(what: &str, count: u64) -> Option<String> {
    match count {
        0 => None,
        1 => Some(format!("{what} once")),
        _ => Some(format!("{what} {} times", grouped(count))),
    }
}

/// A right to files as the command line has it: with the host's name for the directory.
fn on_the_host(grant: &str, directories: &[Preopen]) -> String {
    let Some((deed, name)) = grant.split_once(':') else { return grant.to_owned() };
    let known = directories.iter().find(|known| known.guest == name);
    match known.filter(|known| known.host.as_os_str() != name) {
        Some(known) if ["read", "write", "create", "remove"].contains(&deed) => {
            format!("{deed}:{}::{name}", known.host.display())
        }
        _ => grant.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use lunatic_engine::Pid;

    use super::*;
    use crate::runtime::FileAccess;

    const PID: Pid = Pid { node: 0, incarnation: 0, serial: 1 };

    fn recorder() -> Recorder {
        let recorder = Recorder::default();
        for (grant, call) in [("stdout", "fd_write"), ("read:in", "path_open"), ("stdout", "x")] {
            recorder.used(&Use { process: PID, grant, call });
        }
        let denial = Denial {
            pid: PID,
            entry: "_start".into(),
            right: "connect",
            grant: "connect:tcp:192.0.2.1:80".into(),
            tried: "connect tcp 192.0.2.1:80".into(),
            count: 1,
            ended: false,
        };
        recorder.denied(&denial);
        recorder.denied(&Denial { count: 5, ended: true, ..denial });
        recorder
    }

    #[test]
    fn the_table_says_how_often_each_right_was_used_or_missing() {
        let expected = "audit: the rights that this program used or lacked
  connect:tcp:192.0.2.1:80  DENIED 5 times, first by connect tcp 192.0.2.1:80
  read:in                   used once, first by path_open
  stdout                    used 2 times, first by fd_write\n";
        assert_eq!(recorder().table(), expected);
        assert!(Recorder::default().table().ends_with("  none\n"));
    }

    #[test]
    fn the_policy_names_directories_as_the_host_does() {
        let directory =
            Preopen { host: "/data".into(), guest: "in".into(), access: FileAccess::FULL };
        let text = recorder().policy("a.wasm", &[directory]);
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with("  ")).collect();
        let expected = [
            "  \"connect:tcp:192.0.2.1:80\", # denied: connect tcp 192.0.2.1:80",
            "  \"read:/data::in\", # path_open",
            "  \"stdout\", # fd_write",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn denied_addresses_that_nobody_tells_apart_are_counted() {
        let recorder = recorder();
        let beyond = Denial {
            pid: PID,
            entry: "_start".into(),
            right: "connect",
            grant: String::new(),
            tried: String::new(),
            count: 31,
            ended: true,
        };
        recorder.denied(&beyond);
        let told = "and denied addresses beyond the first 16 of a process and right: 31 calls\n";
        assert!(recorder.table().ends_with(told), "{}", recorder.table());
        let policy = recorder.policy("a.wasm", &[]);
        assert!(policy.ends_with(&format!("# {told}")), "{policy}");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let recorder = Recorder::default();
        for number in 0..RIGHTS_MAX + 7 {
            recorder.used(&Use { process: PID, grant: &number.to_string(), call: "c" });
        }
        assert!(recorder.table().contains("and others, 7 times"));
        assert!(recorder.policy("a.wasm", &[]).contains("# and others, 7 times"));
    }
}
