//! The progress line: what the command is busy with, if that takes longer than half a second.
//!
//! It is drawn on standard error only while that is a terminal, and erased before anything else is
//! printed: whoever prints drops the [`Progress`] first. In a pipe not one byte of it appears.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Work that is done sooner than this shows nothing.
const QUIET_FOR: Duration = Duration::from_millis(500);
/// How often the line is drawn anew.
const REDRAW: Duration = Duration::from_millis(100);
/// Longest label, in characters, so that the line stays within a terminal of 80 columns.
const LABEL_CHARS_MAX: usize = 60;

/// A line that is visible while this value lives.
pub struct Progress {
    drawer: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Starts the wait for `label`, for example "Compiling app.wasm". `wanted` is false where the
    /// user asked for quiet.
    pub fn start(label: &str, wanted: bool) -> Progress {
        if !wanted || !shown() {
            return Progress { drawer: None };
        }
        let label: String = label.chars().take(LABEL_CHARS_MAX).collect();
        let (done, waiting) = mpsc::channel();
        let drawer = std::thread::Builder::new().name("progress".into()).spawn(move || {
            let started = Instant::now();
            let mut pause = QUIET_FOR;
            while waiting.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                draw(&line(&label, started.elapsed()));
                pause = REDRAW;
            }
            if pause == REDRAW {
                draw(ERASE);
            }
        });
        // Without a thread there is no line; the work itself goes on.
        Progress { drawer: drawer.ok().map(|thread| (done, thread)) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((done, thread)) = self.drawer.take() {
            drop(done);
            let _ = thread.join();
        }
    }
}

/// Whether a progress line may be drawn at all.
pub fn shown() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

const ERASE: &str = "\r\x1b[K";

fn line(label: &str, elapsed: Duration) -> String {
    const MARKS: [char; 4] = ['|', '/', '-', '\\'];
    let turn = elapsed.as_millis() / REDRAW.as_millis();
    let mark = MARKS[(turn % MARKS.len() as u128) as usize];
    format!("{ERASE}{mark} {label} ... {:.1} s", elapsed.as_secs_f64())
}

fn draw(text: &str) {
    // A terminal that went away is no reason to fail the work.
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_replaces_the_one_before_and_names_the_work() {
        let line = line("Compiling a.wasm", Duration::from_millis(1_200));
        assert_eq!(line, "\r\x1b[K| Compiling a.wasm ... 1.2 s");
    }

    #[test]
    fn unwanted_progress_starts_no_thread() {
        assert!(Progress::start("Compiling", false).drawer.is_none());
    }
}
