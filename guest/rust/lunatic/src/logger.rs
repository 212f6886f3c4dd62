//! Logging through the facade `log`: lines on standard error with pid and target.
//!
//! Each process has a memory of its own, so it needs a logger of its own: children are given the
//! place of the function that sets theirs up. Programs that do not log do not pay for it.

use core::cell::Cell;

use log::{LevelFilter, Log, Metadata, Record};

use crate::pid::Pid;

thread_local! {
    /// The function that sets up a child, and the level, as one number; 0 without a logger.
    static INHERITED: Cell<usize> = const { Cell::new(0) };
}

/// Levels of the facade, with "off".
const LEVELS: usize = 8;
/// What a child is given: that number twice, and whether it tells of its panics.
const TELLS: usize = 2;

struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let (level, target) = (record.level(), record.target());
            eprintln!("{level:5} {} {target}: {}", whose(), record.args());
        }
    }

    fn flush(&self) {
        // Standard error keeps nothing back.
    }
}

/// Logs to standard error from now on: what is as important as `level`, or more; also in all
/// processes that are spawned from here.
///
/// ```
/// lunatic::logger::init(log::LevelFilter::Info);
/// log::info!("this is seen");
/// log::debug!("this is not");
/// ```
pub fn init(level: LevelFilter) {
    let setup: fn(usize) = set_up;
    INHERITED.set(setup as usize * LEVELS + level as usize);
    set_up(level as usize);
}

fn set_up(level: usize) {
    // A logger that the program has set itself stays.
    let _ = log::set_logger(&Logger);
    let level = LevelFilter::iter().nth(level).unwrap_or(LevelFilter::Off);
    log::set_max_level(level);
}

/// The same for the facade `tracing`, too: lines show level, pid, target, the spans that are
/// entered, message and fields. The feature `tracing`.
///
/// ```
/// lunatic::logger::init_tracing(log::LevelFilter::Info);
/// let span = tracing::info_span!("order", number = 7);
/// // INFO  <0.1> shop: order{number=7}: paid
/// span.in_scope(|| tracing::info!(target: "shop", "paid"));
/// ```
#[cfg(feature = "tracing")]
pub fn init_tracing(level: LevelFilter) {
    let setup: fn(usize) = set_up_tracing;
    INHERITED.set(setup as usize * LEVELS + level as usize);
    set_up_tracing(level as usize);
}

#[cfg(feature = "tracing")]
fn set_up_tracing(level: usize) {
    set_up(level);
    let lines = crate::spans::Lines::new(level, |line| eprintln!("{line}"));
    // A subscriber that the program has set itself stays.
    let _ = tracing_core::dispatcher::set_global_default(tracing_core::Dispatch::new(lines));
}

/// Whose lines these are.
pub(crate) fn whose() -> Pid {
    #[cfg(target_family = "wasm")]
    let pid = Pid::this();
    // Only tests of the format run elsewhere.
    #[cfg(not(target_family = "wasm"))]
    let pid = Pid::NONE;
    pid
}

/// What a child is given.
pub(crate) fn inherited() -> usize {
    INHERITED.get() * TELLS + usize::from(crate::panic::tells())
}

/// Sets up a child as its parent is.
#[cfg(target_family = "wasm")]
pub(crate) fn inherit(inherited: usize) {
    crate::panic::tell(inherited % TELLS == 1);
    let inherited = inherited / TELLS;
    if inherited != 0 {
        INHERITED.set(inherited);
        // SAFETY: `init` made the number of a function of this type, in the same module.
        let setup: fn(usize) = unsafe { core::mem::transmute(inherited / LEVELS) };
        setup(inherited % LEVELS);
    }
}
