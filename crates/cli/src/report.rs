//! Reports of processes that fail: their text, and how many of them are printed.
//!
//! A report is written where a process ends, on a worker, so the worker only formats it and hands
//! it to a thread that owns standard error: a terminal that does not keep up never holds a worker.
//! A storm of failures prints a few reports and then one line that counts the rest; the queue to
//! the printing thread is thereby bounded too. Text that comes from a guest is escaped, so that it
//! cannot move the cursor or forge a second report.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Reports of one kind that are printed in full within one window.
const SAME_KIND_MAX: u64 = 3;
/// Reports of failures of all kinds that are printed in full within one window.
const ALL_KINDS_MAX: u64 = 12;
/// The same of rights that were missing: one process may lack them all.
const DENIALS_MAX: u64 = 40;
/// Kinds that are counted apart within one window; the rest is counted together.
const KINDS_MAX: usize = 40;
/// Length of a window. It starts with a report and ends with the count of those left out.
const WINDOW: Duration = Duration::from_secs(1);
/// Calls of a backtrace that are printed, innermost first.
const FRAMES_MAX: usize = 24;
/// Links of one outcome, and names, that are printed.
const LISTED_MAX: usize = 5;
/// Characters of any one text from a guest.
const TEXT_CHARS_MAX: usize = 400;

/// A process that failed, as far as a reader wants to know.
#[derive(Clone, Debug, Default)]
pub struct Failure {
    /// The process.
    pub pid: String,
    /// The names that it was registered under.
    pub names: Vec<String>,
    /// The text by which people know it.
    pub label: Option<String>,
    /// The function that it started in.
    pub entry: String,
    /// Why it ended.
    pub reason: String,
    /// The backtrace of a trap, innermost call first.
    pub frames: Vec<String>,
    /// What its links did: a heading such as "died with it", and the pids.
    pub links: Vec<(&'static str, Vec<String>)>,
    /// Linked processes that `links` does not list.
    pub links_unlisted: usize,
}

impl Failure {
    /// The report, several lines with a line break at the end.
    pub fn text(&self) -> String {
        let mut text = format!("process {}", self.pid);
        if !self.names.is_empty() {
            let names = self.names.iter().map(|name| format!("\"{}\"", printable(name)));
            let _ = write!(text, " {}", listed(names.collect(), LISTED_MAX));
        }
        let _ = writeln!(text, " failed: {}", printable(&self.reason));
        if let Some(label) = &self.label {
            let _ = writeln!(text, "  label  {}", printable(label));
        }
        let _ = writeln!(text, "  entry  {}", printable(&self.entry));
        push_frames(&mut text, &self.frames);
        let mut title = "links";
        for (outcome, pids) in self.links.iter().filter(|(_, pids)| !pids.is_empty()) {
            let pids_listed = listed(pids.clone(), LISTED_MAX);
            let _ = writeln!(text, "  {title:<5}  {} {outcome}: {pids_listed}", pids.len());
            title = "";
        }
        if self.links_unlisted > 0 {
            let _ = writeln!(text, "  {title:<5}  and {} more", self.links_unlisted);
        }
        text
    }

    /// What two failures have in common that are counted together.
    fn kind(&self) -> String {
        format!("{} (entry {})", printable(&self.reason), printable(&self.entry))
    }
}

/// A right that a process lacked.
#[derive(Clone, Debug, Default)]
pub struct Denied {
    /// The process.
    pub pid: String,
    /// The function that it started in.
    pub entry: String,
    /// The kind of right.
    pub right: &'static str,
    /// What would have allowed it; empty for addresses that are not told apart.
    pub grant: String,
    /// What it tried first.
    pub tried: String,
    /// How often in all, when it has ended.
    pub in_all: Option<u64>,
}

impl Denied {
    /// The report, one line.
    pub fn text(&self) -> String {
        let (pid, entry) = (&self.pid, printable(&self.entry));
        let (grant, tried) = (printable(&self.grant), printable(&self.tried));
        match self.in_all {
            None => {
                let flags: Vec<_> =
                    grant.split(' ').map(|right| format!("--allow '{right}'")).collect();
                format!(
                    "process {pid} (entry {entry}) was denied: {tried}; it lacks `{grant}` (grant \
                     it by {}, or config_allow where it is spawned)\n",
                    flags.join(" ")
                )
            }
            Some(count) if grant.is_empty() => format!(
                "process {pid} (entry {entry}) was denied `{}` for other addresses, {}\n",
                self.right,
                times(count)
            ),
            Some(count) => {
                format!("process {pid} (entry {entry}) was denied `{grant}` {}\n", times(count))
            }
        }
    }

    fn kind(&self) -> String {
        let of = if self.grant.is_empty() { self.right } else { &self.grant };
        format!("`{}` (entry {})", printable(of), printable(&self.entry))
    }
}

fn times(count: u64) -> String {
    let noun = if count == 1 { "time" } else { "times" };
    format!("{} {noun}", grouped(count))
}

/// Adds a backtrace to a text, bounded, or nothing where there is none.
pub fn push_frames(text: &mut String, frames: &[String]) {
    let mut title = "trace";
    for (number, function) in frames.iter().take(FRAMES_MAX).enumerate() {
        let _ = writeln!(text, "  {title:<5}  {number:>2}: {}", printable(function));
        title = "";
    }
    if frames.len() > FRAMES_MAX {
        let _ = writeln!(text, "             and {} more calls", frames.len() - FRAMES_MAX);
    }
}

/// The text with control characters escaped, cut to a readable length.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(TEXT_CHARS_MAX));
    for (count, letter) in text.chars().enumerate() {
        if count == TEXT_CHARS_MAX {
            shown.push('…');
            break;
        }
        if letter.is_control() {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown
}

fn listed(mut items: Vec<String>, max: usize) -> String {
    let more = items.len().saturating_sub(max);
    items.truncate(max);
    let list = items.join(", ");
    if more > 0 { format!("{list} and {more} more") } else { list }
}

/// Which reports of a storm are printed. Pure: whoever owns the clock closes the window.
#[derive(Debug, Default)]
struct Throttle {
    /// Whether a window is open: from its first failure until [`Throttle::close`].
    open: bool,
    shown: u64,
    seen: HashMap<String, u64>,
    others: u64,
}

impl Throttle {
    /// Whether a failure of this kind is printed in full. Otherwise it is counted.
    fn admits(&mut self, kind: &str, max: u64) -> bool {
        self.open = true;
        let known = self.seen.len();
        let seen = match self.seen.get_mut(kind) {
            Some(seen) => seen,
            None if known < KINDS_MAX => self.seen.entry(kind.to_owned()).or_insert(0),
            None => {
                self.others += 1;
                return false;
            }
        };
        if *seen < SAME_KIND_MAX && self.shown < max {
            self.shown += 1;
            *seen += 1;
            return true;
        }
        // From here on the kind is only counted, so the first number is what was printed of it.
        *seen = (*seen).max(SAME_KIND_MAX) + 1;
        false
    }

    /// Closes the window and says what was left out of it. The next event opens a new one.
    fn close(&mut self, happened: &str) -> String {
        let mut text = String::new();
        let mut kinds: Vec<_> = self.seen.drain().collect();
        kinds.sort();
        for (kind, seen) in kinds {
            if let Some(more) = seen.checked_sub(SAME_KIND_MAX).filter(|more| *more > 0) {
                let _ = writeln!(text, "{} like this: {kind}", more_processes(more, happened));
            }
        }
        if self.others > 0 {
            let _ = writeln!(text, "{} in other ways", more_processes(self.others, happened));
        }
        *self = Throttle::default();
        text
    }
}

fn more_processes(count: u64, happened: &str) -> String {
    let noun = if count == 1 { "process" } else { "processes" };
    let happened = if count == 1 { happened.replace("were", "was") } else { happened.into() };
    format!("… and {} more {noun} {happened}", grouped(count))
}

/// A number with its digits in groups of three.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

enum Line {
    Print(String),
    WindowOpened(Instant),
}

/// Prints the reports of a node on standard error. Cheap to clone.
#[derive(Clone)]
pub struct Reporter {
    shared: Arc<Shared>,
}

struct Shared {
    throttle: Mutex<Throttle>,
    denials: Mutex<Throttle>,
    lines: Mutex<Option<Sender<Line>>>,
    printer: Mutex<Option<JoinHandle<()>>>,
}

impl Reporter {
    /// Starts the printing thread; an error means that the operating system gave none.
    pub fn start() -> io::Result<Reporter> {
        let (sender, lines) = mpsc::channel();
        let shared = Arc::new(Shared {
            throttle: Mutex::default(),
            denials: Mutex::default(),
            lines: Mutex::new(Some(sender)),
            printer: Mutex::new(None),
        });
        let weak = Arc::downgrade(&shared);
        let close = move || weak.upgrade().map(|shared| shared.close());
        let printer = std::thread::Builder::new()
            .name("reports".into())
            .spawn(move || print_all(&lines, || close().unwrap_or_default()))?;
        *lock(&shared.printer) = Some(printer);
        Ok(Reporter { shared })
    }

    /// Prints the report of a failure, or counts it in a storm. Never waits for the terminal.
    pub fn failed(&self, failure: &Failure) {
        let kind = (failure.kind(), ALL_KINDS_MAX);
        self.report(&self.shared.throttle, kind, || failure.text());
    }

    /// The same for a right that a process lacked.
    pub fn denied(&self, denied: &Denied) {
        self.report(&self.shared.denials, (denied.kind(), DENIALS_MAX), || denied.text());
    }

    fn report(
        &self,
        throttle: &Mutex<Throttle>,
        (kind, max): (String, u64),
        text: impl FnOnce() -> String,
    ) {
        let (opened, admitted) = {
            let mut throttle = lock(throttle);
            (!throttle.open, throttle.admits(&kind, max))
        };
        if let Some(lines) = &*lock(&self.shared.lines) {
            // The thread lives until the sender goes, so a send can only fail while it unwinds.
            if opened {
                let _ = lines.send(Line::WindowOpened(Instant::now()));
            }
            if admitted {
                let _ = lines.send(Line::Print(text()));
            }
        }
    }

    /// Prints what is still to be said, and waits for it. Reports that come later are lost.
    pub fn finish(&self) {
        drop(lock(&self.shared.lines).take());
        if let Some(printer) = lock(&self.shared.printer).take() {
            let _ = printer.join();
        }
    }
}

impl Shared {
    fn close(&self) -> String {
        lock(&self.throttle).close("failed") + &lock(&self.denials).close("were denied")
    }
}

/// The printing thread: prints lines as they come, and what `close` says when a window ends.
fn print_all(lines: &Receiver<Line>, close: impl Fn() -> String) {
    let mut ends: Option<Instant> = None;
    loop {
        let wait = ends.map(|ends| ends.saturating_duration_since(Instant::now()));
        let line = match wait {
            Some(wait) => lines.recv_timeout(wait),
            None => lines.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match line {
            Ok(Line::Print(text)) => print(&text),
            Ok(Line::WindowOpened(opened)) => ends = Some(opened + WINDOW),
            Err(RecvTimeoutError::Timeout) => {
                print(&close());
                ends = None;
            }
            Err(RecvTimeoutError::Disconnected) => return print(&close()),
        }
    }
}

fn print(text: &str) {
    // Nobody is left to tell if standard error is closed.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What these locks guard stays whole if a thread panics between two writes to it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
