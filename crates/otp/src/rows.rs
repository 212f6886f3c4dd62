//! The table of OTP's guarantees, row by row, and what holds of each here.
//!
//! What must stay true: a row counts as kept only through scenarios, which are played on `erl`,
//! too; everything else says where it is shown, or why it is not so.

/// What holds of a guarantee.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Kept: scenarios that name the row do the same on `erl` and here.
    Kept,
    /// Kept by scenarios as far as it means something here, which is this far.
    KeptSoFar(&'static str),
    /// Kept, as tests show; `erl` was not asked.
    Tested {
        /// The tests.
        path: &'static str,
        /// Why `erl` was not asked.
        why: &'static str,
    },
    /// Kept by the words of the manual: the release of `erl` that is asked does not have it.
    Unconfirmed(&'static str),
    /// A part is kept, by scenarios; the rest is missing, or elsewhere.
    Partly(&'static str),
    /// It is otherwise here, for this reason.
    Deviates(&'static str),
    /// It means nothing here, for this reason.
    NotApplicable(&'static str),
    /// It is not there yet.
    NotYet(&'static str),
}

use State::{Deviates, Kept, KeptSoFar, NotApplicable, NotYet, Partly, Tested, Unconfirmed};

/// One guarantee.
pub struct Row {
    /// Its number in the table of guarantees.
    pub number: u8,
    /// What is promised.
    pub guarantee: &'static str,
    /// What holds of it here.
    pub state: State,
}

const CLUSTERS: &str = "there are no clusters yet";
const CODE: &str = "a process keeps the module that it was spawned from; there is no reloading yet";

const fn row(number: u8, guarantee: &'static str, state: State) -> Row {
    Row { number, guarantee, state }
}

/// All of them, in order.
pub const ROWS: [Row; 64] = [
    row(1, "signals of a pair never overtake each other", Kept),
    row(2, "a signal to a dead process vanishes, or is answered with noproc", Kept),
    row(3, "what a process had is released before others hear of its end", Kept),
    row(4, "messages lie in the order of their arrival", Kept),
    row(5, "selective receive: oldest first, the others stay, a timeout loses nothing", Kept),
    row(6, "links: both ways, one for a pair, atomic at spawn", Kept),
    row(7, "no exit of a link after unlink", Kept),
    row(8, "monitors: one way, independent, exactly one down", Kept),
    row(9, "demonitor, with flush", Kept),
    row(10, "exit with normal: ignored by others, not by oneself", Kept),
    row(11, "kill cannot be trapped, and becomes killed", Kept),
    row(12, "kill through a link can be trapped, and is not rewritten", Kept),
    row(13, "trap_exit, read when the signal is received", Kept),
    row(14, "the first exit signal wins", Kept),
    row(15, "one's own exit cannot be caught", Kept),
    row(16, "reasons: normal at the end, a run-time error with its trace", Kept),
    row(17, "names: unique, free at the end, unknown ones are an error at once", Kept),
    row(18, "aliases: of their owner, dropped when deactivated", Kept),
    row(19, "priority messages", Unconfirmed("from OTP 28 on; crates/node/tests/priority.rs")),
    row(
        20,
        "process flags; a bad value changes nothing",
        KeptSoFar("sizes of heaps, save_calls, sensitive and async_dist mean nothing here"),
    ),
    row(
        21,
        "max_heap_size ends the process",
        KeptSoFar("if it asks for that: at first memory is refused, and nothing ends"),
    ),
    row(22, "message_queue_data changes memory only", Kept),
    row(
        23,
        "priorities low, normal, high, max",
        Partly("who runs first would depend on luck: crates/node/tests/priority.rs, on one worker"),
    ),
    row(24, "nobody holds a scheduler for longer than a slice", Kept),
    row(25, "suspending nests, and messages still arrive", Kept),
    row(26, "timers: not early, cancelled in time or not, nothing for the dead", Kept),
    row(27, "hibernate", KeptSoFar("the stack goes, but no memory gets smaller by itself")),
    row(28, "process_info and processes are of one moment", Kept),
    row(
        29,
        "pids and references are never used twice",
        KeptSoFar("in one life of a node; others wait for clusters"),
    ),
    row(30, "a crash leaves the memory of others alone", Kept),
    row(31, "strategies of supervisors", Kept),
    row(32, "dynamic supervisors", Kept),
    row(33, "intensity of restarts", Kept),
    row(34, "child specs, significant children", Kept),
    row(35, "orders to stop, with a timeout and a kill", Kept),
    row(36, "a start that fails stops what was started", Kept),
    row(37, "system messages", Kept),
    row(38, "calls: a monitor, an alias, a timeout, no late reply", Kept),
    row(39, "state machines", Kept),
    row(40, "event managers", Kept),
    row(
        41,
        "applications",
        KeptSoFar("a phase that fails stops the tree, which OTP 25 leaves behind"),
    ),
    row(42, "process groups", KeptSoFar("on one node; there are no clusters yet")),
    row(43, "global names", NotYet(CLUSTERS)),
    row(
        44,
        "registries",
        Partly("keys as OTP's `global` and `pg` have them; Elixir's Registry is not asked"),
    ),
    row(45, "pair order between nodes", NotYet(CLUSTERS)),
    row(46, "a lost node breaks links and monitors", NotYet(CLUSTERS)),
    row(47, "ticks", NotYet(CLUSTERS)),
    row(48, "reconnecting, incarnations", NotYet(CLUSTERS)),
    row(49, "back-pressure between nodes", NotYet(CLUSTERS)),
    row(50, "remote spawn", NotYet(CLUSTERS)),
    row(51, "large messages interleave", NotYet(CLUSTERS)),
    row(52, "authentication, versions", NotYet(CLUSTERS)),
    row(53, "two versions of a module", NotYet(CODE)),
    row(54, "purge", NotYet(CODE)),
    row(55, "code_change and releases", NotYet(CODE)),
    row(
        56,
        "tracing",
        NotYet("nobody attaches to a process; there are reports, figures and `--audit=calls`"),
    ),
    row(57, "hooks for debuggers", NotYet("only backtraces are there")),
    row(58, "observing, crash dumps", NotYet("only figures are there")),
    row(
        59,
        "a logger that never blocks for ever",
        Tested {
            path: "crates/sinks/tests/sinks/streams.rs",
            why: "its logger is one of many parts, and shows the same only under load",
        },
    ),
    row(
        60,
        "ETS",
        NotApplicable("processes share no tables: one process keeps a table for others, or SQLite"),
    ),
    row(
        61,
        "persistent terms, atomics, counters",
        NotApplicable("processes share no memory: what is constant is in the module or a message"),
    ),
    row(62, "ports belong to their owner and close with it", Kept),
    row(
        63,
        "who is killed inside native code is dead for others at once",
        Tested {
            path: "crates/engine/tests/conformance/sqlite_life.rs",
            why: "there it takes native code of one's own",
        },
    ),
    row(
        64,
        "signals of the system stop it in order",
        Tested {
            path: "crates/cli/tests/cli/signals.rs",
            why: "one `erl` plays all scenarios, and must not stop",
        },
    ),
];

impl Row {
    /// Its line in the table.
    pub fn line(&self) -> String {
        let state = match self.state {
            Kept => "**kept**".to_owned(),
            KeptSoFar(how_far) => format!("**kept**; {how_far}"),
            Tested { path, why } => format!("kept (`{path}`); `erl` was not asked: {why}"),
            Unconfirmed(why) => format!("by table, unconfirmed: {why}"),
            Partly(rest) => format!("partly; {rest}"),
            Deviates(why) => format!("deviates: {why}"),
            NotApplicable(why) => format!("not applicable: {why}"),
            NotYet(why) => format!("not yet: {why}"),
        };
        format!("| {} | {} | {state} |", self.number, self.guarantee)
    }
}

/// The table in Markdown.
pub fn table() -> String {
    let mut text = "| # | Guarantee | Here |\n| --- | --- | --- |\n".to_owned();
    for row in &ROWS {
        text += &row.line();
        text.push('\n');
    }
    text
}

/// How many rows are kept and confirmed, and of how many that mean something here.
pub fn score() -> (usize, usize) {
    let kept = ROWS.iter().filter(|row| matches!(row.state, Kept | KeptSoFar(_))).count();
    let meant = ROWS.iter().filter(|row| !matches!(row.state, NotApplicable(_))).count();
    (kept, meant)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::scenarios::load;
    use crate::{applications, behaviours};

    #[test]
    fn a_row_is_kept_or_partly_so_exactly_if_a_scenario_speaks_for_it() {
        let scenarios = load().expect("the scenarios can be read");
        let behaviours = behaviours::load().expect("the behaviour scenarios can be read");
        let rows = scenarios.iter().map(|(_, scenario)| &scenario.rows);
        let rows = rows.chain(behaviours.iter().map(|(_, script)| &script.rows));
        let applications = applications::load().expect("those of applications can be read");
        let rows = rows.chain(applications.iter().map(|scenario| &scenario.rows));
        let spoken: BTreeSet<u8> = rows.flatten().copied().collect();
        let kept = |row: &&Row| matches!(row.state, Kept | KeptSoFar(_) | Partly(_));
        let claimed: BTreeSet<u8> = ROWS.iter().filter(kept).map(|row| row.number).collect();
        assert_eq!(claimed, spoken);
    }

    #[test]
    fn rows_are_in_order_and_the_tests_that_they_name_exist() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for (index, row) in ROWS.iter().enumerate() {
            assert_eq!(usize::from(row.number), index + 1);
            if let Tested { path, .. } = row.state {
                assert!(root.join(path).is_file(), "row {}: there is no {path}", row.number);
            }
        }
    }

    #[test]
    fn the_readme_shows_the_score() {
        let (kept, meant) = score();
        let readme = include_str!("../../../README.md");
        let wanted = format!("{kept} of {meant} guarantees of OTP");
        assert!(readme.contains(&wanted), "README.md is to say `{wanted}`");
    }

    #[test]
    fn the_page_shows_the_table() {
        let page = include_str!("../../../docs/otp.md");
        assert!(page.contains(&table()), "docs/otp.md is to show this table:\n\n{}", table());
    }
}
