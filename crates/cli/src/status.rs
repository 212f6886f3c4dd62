//! The exit statuses of the command, in one table that `lunatic help` prints.
//!
//! Invariant: every status that this program chooses itself is a constant here and stands in
//! [`TABLE`]; nothing else in the crate writes a bare number. A guest's own status passes through
//! [`of_code`], so that a failure can never look like success to a shell.

use crate::os_signal::OsSignal;
use crate::runtime::Ending;

/// The root process ended by itself and reported no failure.
pub const OK: u8 = 0;
/// The command could not do its work: a build failed, a file could not be written.
pub const FAILURE: u8 = 1;
/// The command line was wrong. Nothing was started.
pub const USAGE: u8 = 2;
/// The module could not be read, compiled or started.
pub const BAD_MODULE: u8 = 66;
/// The root process ended by a trap, an error, a limit or an exit signal.
pub const ROOT_FAILED: u8 = 70;
/// At least one test failed. libtest's own number: Cargo prints a plain "test failed" for it and
/// adds a "process didn't exit successfully" to every other one.
pub const TESTS_FAILED: u8 = 101;
/// Ended by Ctrl-C: 128 + SIGINT, as shells count.
pub const INTERRUPTED: u8 = 130;
/// The root process was killed: 128 + SIGKILL.
pub const KILLED: u8 = 137;
/// Ended by SIGTERM: 128 + SIGTERM.
pub const TERMINATED: u8 = 143;
/// Stands for a status of the guest that does not fit a byte.
pub const OUT_OF_RANGE: u8 = 255;

/// What each status means, for `--help`.
pub const TABLE: &[(u8, &str)] = &[
    (OK, "the root process ended normally; all tests passed"),
    (FAILURE, "the command could not do its work, for example a build failed"),
    (USAGE, "the command line is wrong"),
    (BAD_MODULE, "the module cannot be read, compiled or started"),
    (ROOT_FAILED, "the root process failed: a trap, an error, a limit, an exit signal"),
    (TESTS_FAILED, "at least one test failed"),
    (INTERRUPTED, "ended by Ctrl-C"),
    (KILLED, "the root process was killed"),
    (TERMINATED, "ended by SIGTERM"),
    (OUT_OF_RANGE, "the program's own status is not within 0 to 255"),
];

/// The table as the last part of `--help`.
pub fn help() -> String {
    let mut text = String::from("Exit status (otherwise the status the program itself gives):\n");
    for (status, meaning) in TABLE {
        text.push_str(&format!("  {status:>3}  {meaning}\n"));
    }
    text
}

/// The status for a `proc_exit` code. The operating system keeps only the low byte, so that 256
/// would look like success: what does not fit becomes [`OUT_OF_RANGE`].
pub fn of_code(code: i32) -> u8 {
    u8::try_from(code).unwrap_or(OUT_OF_RANGE)
}

/// The status for the end of the root process. `asked` is the signal of the operating system that
/// asked the root to shut down, if one did. A root that then ends in an orderly way of its own
/// keeps its own status, as service managers expect.
pub fn of_ending(ending: &Ending, asked: Option<OsSignal>) -> u8 {
    match (ending, asked) {
        (Ending::Normal, _) => OK,
        (Ending::Exit(code), _) => of_code(*code),
        (Ending::Shutdown | Ending::Killed, Some(signal)) => of_signal(signal),
        (Ending::Killed, None) => KILLED,
        (Ending::Shutdown, None) | (Ending::Failed(_), _) => ROOT_FAILED,
    }
}

/// The status for a program that a signal of the operating system ended.
pub fn of_signal(signal: OsSignal) -> u8 {
    match signal {
        OsSignal::Interrupt => INTERRUPTED,
        OsSignal::Terminate => TERMINATED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_never_turns_failure_into_success() {
        let cases = [(0, 0), (1, 1), (3, 3), (255, 255), (256, 255), (512, 255), (-1, 255)];
        for (code, status) in cases {
            assert_eq!(of_code(code), status, "code {code}");
        }
        assert_eq!(of_code(i32::MIN), OUT_OF_RANGE);
    }

    #[test]
    fn each_ending_has_its_status() {
        use OsSignal::{Interrupt, Terminate};
        let failed = Ending::Failed("trap: unreachable".into());
        let cases = [
            (Ending::Normal, None, OK),
            (Ending::Normal, Some(Interrupt), OK),
            (Ending::Exit(3), None, 3),
            (Ending::Exit(4), Some(Terminate), 4),
            (Ending::Killed, None, KILLED),
            (Ending::Killed, Some(Interrupt), INTERRUPTED),
            (Ending::Killed, Some(Terminate), TERMINATED),
            (Ending::Shutdown, None, ROOT_FAILED),
            (Ending::Shutdown, Some(Interrupt), INTERRUPTED),
            (Ending::Shutdown, Some(Terminate), TERMINATED),
            (failed.clone(), None, ROOT_FAILED),
            (failed, Some(Interrupt), ROOT_FAILED),
        ];
        for (ending, asked, status) in cases {
            assert_eq!(of_ending(&ending, asked), status, "{ending:?} after {asked:?}");
        }
    }

    #[test]
    fn the_help_lists_each_status_once_in_order() {
        assert!(TABLE.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let help = help();
        for (status, meaning) in TABLE {
            assert!(help.contains(&format!("{status:>3}  {meaning}")));
        }
    }
}
