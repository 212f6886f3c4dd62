//! `lunatic::metrics`: numbers that programs record, by name, for the whole runtime.
//!
//! Names come from guests, so there can be only so many ([`METRICS_MAX`]); what is recorded under
//! further names is dropped, and counted.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use wasmtime::{Caller, Linker, Result, bail};

use crate::memory::{string, unsigned};
use crate::state::State;

const NAMESPACE: &str = "lunatic::metrics";
/// Names of metrics in one runtime.
const METRICS_MAX: usize = 10_000;
/// Bytes in the name of a metric.
const METRIC_NAME_BYTES_MAX: usize = 256;
/// Counts what was dropped because of [`METRICS_MAX`].
const DROPPED: &str = "lunatic_metrics_dropped";

/// One metric.
#[derive(Clone, PartialEq, Debug)]
pub struct Metric {
    /// Its name, as the program chose it.
    pub name: String,
    /// Its value.
    pub kind: MetricKind,
}

/// What a metric measures.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum MetricKind {
    /// A number that only grows.
    Counter(u64),
    /// A number that goes up and down.
    Gauge(f64),
    /// Samples.
    Histogram {
        /// How many.
        count: u64,
        /// All together.
        sum: f64,
        /// The smallest.
        min: f64,
        /// The largest.
        max: f64,
    },
}

#[derive(Default)]
pub(crate) struct Metrics(Mutex<HashMap<String, MetricKind>>);

impl Metrics {
    /// All metrics, by name.
    pub(crate) fn snapshot(&self) -> Vec<Metric> {
        let metrics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |(name, kind): (&String, &MetricKind)| Metric { name: name.clone(), kind: *kind };
        let mut all: Vec<_> = metrics.iter().map(of).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    fn update(&self, name: String, initial: MetricKind, update: impl FnOnce(&mut MetricKind)) {
        let mut metrics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if metrics.len() >= METRICS_MAX && !metrics.contains_key(&name) {
            let dropped = metrics.entry(DROPPED.into()).or_insert(MetricKind::Counter(0));
            if let MetricKind::Counter(count) = dropped {
                *count += 1;
            }
            return;
        }
        // A name keeps the kind of its first use; recording another kind has no effect.
        update(metrics.entry(name).or_insert(initial));
    }
}

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(NAMESPACE, "counter", counter)?;
    linker.func_wrap(
        NAMESPACE,
        "increment_counter",
        |caller: Caller<'_, State>, name, length| counter(caller, name, length, 1),
    )?;
    linker.func_wrap(NAMESPACE, "gauge", |caller: Caller<'_, State>, name, length, value| {
        gauge(caller, name, length, move |_| value)
    })?;
    linker.func_wrap(
        NAMESPACE,
        "increment_gauge",
        |caller: Caller<'_, State>, name, length, value: f64| {
            gauge(caller, name, length, move |old| old + value)
        },
    )?;
    linker.func_wrap(
        NAMESPACE,
        "decrement_gauge",
        |caller: Caller<'_, State>, name, length, value: f64| {
            gauge(caller, name, length, move |old| old - value)
        },
    )?;
    linker.func_wrap(NAMESPACE, "histogram", histogram)?;
    Ok(())
}

fn metric_name(caller: &mut Caller<'_, State>, pointer: i32, length: i32) -> Result<String> {
    if unsigned(length) > METRIC_NAME_BYTES_MAX {
        bail!("the name of a metric has at most {METRIC_NAME_BYTES_MAX} bytes");
    }
    string(caller, pointer, length)
}

/// Adds to a counter. The old documents say "set", but what it did was to add, and programs rely
/// on what it did.
fn counter(mut caller: Caller<'_, State>, name: i32, length: i32, value: i64) -> Result<()> {
    let name = metric_name(&mut caller, name, length)?;
    caller.data().runtime.metrics.update(name, MetricKind::Counter(0), |metric| {
        if let MetricKind::Counter(count) = metric {
            *count = count.wrapping_add(value.cast_unsigned());
        }
    });
    Ok(())
}

fn gauge(
    mut caller: Caller<'_, State>,
    name: i32,
    length: i32,
    change: impl FnOnce(f64) -> f64,
) -> Result<()> {
    let name = metric_name(&mut caller, name, length)?;
    caller.data().runtime.metrics.update(name, MetricKind::Gauge(0.0), |metric| {
        if let MetricKind::Gauge(value) = metric {
            *value = change(*value);
        }
    });
    Ok(())
}

fn histogram(mut caller: Caller<'_, State>, name: i32, length: i32, value: f64) -> Result<()> {
    let name = metric_name(&mut caller, name, length)?;
    let empty =
        MetricKind::Histogram { count: 0, sum: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY };
    caller.data().runtime.metrics.update(name, empty, |metric| {
        if let MetricKind::Histogram { count, sum, min, max } = metric {
            *count += 1;
            *sum += value;
            *min = min.min(value);
            *max = max.max(value);
        }
    });
    Ok(())
}
