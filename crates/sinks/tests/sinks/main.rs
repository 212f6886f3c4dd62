//! Sinks against servers that are strict, slow, wrong, or gone: every line is accounted for.
#![forbid(unsafe_code)]

mod elastic;
mod elasticsearch;
mod http;
mod streams;

use std::time::Duration;

use lunatic_sinks::{Options, Sink};
use tokio::runtime::Runtime;

/// Far longer than any test takes: what has not happened by then never will.
const WATCHDOG: Duration = Duration::from_secs(60);

/// Options under which tests are over soon.
fn options() -> Options {
    Options {
        batch_lines: 50,
        batch_time: Duration::from_millis(1),
        retry_time: Duration::from_millis(1),
        retry_time_max: Duration::from_millis(20),
        answer_time: WATCHDOG,
        ..Options::default()
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Asserts that no line is unaccounted for.
fn balanced(sink: &Sink) {
    let figures = sink.figures();
    let known = figures.arrived + figures.refused + figures.overflowed + figures.waiting;
    assert_eq!(figures.taken, known, "{figures:?}");
}
