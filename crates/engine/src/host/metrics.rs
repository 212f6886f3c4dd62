//! `lunatic::metrics`: numbers that programs record, by name, for the whole runtime.
//!
//! Names come from guests, so there can be only so many ([`METRICS_MAX`], and [`HISTOGRAMS_MAX`] of
//! them for histograms, which are large); what is recorded under further names is dropped, and
//! counted. A name is any text: whoever shows metrics makes it one that readers take.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lunatic_model::Rights;
use wasmtime::{Caller, Linker, Result, bail};

use crate::memory::{string, unsigned};
use crate::state::State;

const NAMESPACE: &str = "lunatic::metrics";
/// Names of metrics in one runtime.
const METRICS_MAX: usize = 10_000;
/// Those of them that are names of histograms.
const HISTOGRAMS_MAX: usize = 1_000;
/// Bytes in the name of a metric.
const METRIC_NAME_BYTES_MAX: usize = 256;

/// One metric.
#[derive(Clone, PartialEq, Debug)]
pub struct Metric {
    /// Its name, as the program chose it.
    pub name: String,
    /// Its value.
    pub kind: MetricKind,
}

/// What a metric measures.
#[derive(Clone, PartialEq, Debug)]
pub enum MetricKind {
    /// A number that only grows. At its largest value it stays.
    Counter(u64),
    /// A number that goes up and down.
    Gauge(f64),
    /// Samples.
    Histogram(Box<Histogram>),
}

/// The bounds of histograms. Their unit is the program's, so they span fifteen decades, from a
/// microsecond in seconds to a gigabyte in bytes, each about three times the one before.
pub const BOUNDS: [f64; 31] = [
    1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1e0, 3e0, 1e1, 3e1,
    1e2, 3e2, 1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8, 3e8, 1e9,
];

/// Samples, by their size.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Histogram {
    /// For each of [`BOUNDS`], the samples up to it and above the bound before; then those above
    /// all bounds, or that are no number.
    pub buckets: [u64; BOUNDS.len() + 1],
    /// All samples together.
    pub sum: f64,
}

impl Histogram {
    fn record(&mut self, sample: f64) {
        let place = BOUNDS.iter().position(|bound| sample <= *bound).unwrap_or(BOUNDS.len());
        self.buckets[place] = self.buckets[place].saturating_add(1);
        self.sum += sample;
    }
}

#[derive(Default)]
pub(crate) struct Metrics(Mutex<Recorded>);

#[derive(Default)]
struct Recorded {
    metrics: HashMap<String, MetricKind>,
    histograms: usize,
    dropped: u64,
}

impl Metrics {
    /// All metrics, by name.
    pub(crate) fn snapshot(&self) -> Vec<Metric> {
        let of = |(name, kind): (&String, &MetricKind)| Metric {
            name: name.clone(),
            kind: kind.clone(),
        };
        let mut all: Vec<_> = self.lock().metrics.iter().map(of).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// What was recorded under names for which there was no room.
    pub(crate) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    fn lock(&self) -> MutexGuard<'_, Recorded> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, name: String, initial: MetricKind, update: impl FnOnce(&mut MetricKind)) {
        let mut recorded = self.lock();
        if let Some(metric) = recorded.metrics.get_mut(&name) {
            // A name keeps the kind of its first use; recording another kind has no effect.
            return update(metric);
        }
        let histogram = matches!(initial, MetricKind::Histogram(_));
        if recorded.metrics.len() >= METRICS_MAX
            || (histogram && recorded.histograms >= HISTOGRAMS_MAX)
        {
            recorded.dropped = recorded.dropped.saturating_add(1);
            return;
        }
        recorded.histograms += usize::from(histogram);
        update(recorded.metrics.entry(name).or_insert(initial));
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
    if caller.data().permit(Rights::METRICS, "a metric").is_err() {
        return Ok(());
    }
    caller.data().runtime.metrics.update(name, MetricKind::Counter(0), |metric| {
        if let MetricKind::Counter(count) = metric {
            *count = count.saturating_add(value.cast_unsigned());
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
    if caller.data().permit(Rights::METRICS, "a metric").is_err() {
        return Ok(());
    }
    caller.data().runtime.metrics.update(name, MetricKind::Gauge(0.0), |metric| {
        if let MetricKind::Gauge(value) = metric {
            *value = change(*value);
        }
    });
    Ok(())
}

fn histogram(mut caller: Caller<'_, State>, name: i32, length: i32, value: f64) -> Result<()> {
    let name = metric_name(&mut caller, name, length)?;
    if caller.data().permit(Rights::METRICS, "a metric").is_err() {
        return Ok(());
    }
    let empty = MetricKind::Histogram(Box::default());
    caller.data().runtime.metrics.update(name, empty, |metric| {
        if let MetricKind::Histogram(samples) = metric {
            samples.record(value);
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{BOUNDS, HISTOGRAMS_MAX, Histogram, METRICS_MAX, MetricKind, Metrics};

    #[test]
    fn bounds_grow() {
        assert!(BOUNDS.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn each_sample_falls_into_one_bucket() {
        let mut histogram = Histogram::default();
        let samples = [f64::NEG_INFINITY, -1.0, 0.0, 1e-6, 1.5, 3.0, 1e9, 2e9, f64::INFINITY];
        samples.into_iter().for_each(|sample| histogram.record(sample));
        histogram.record(f64::NAN);
        let filled: Vec<_> = (0..=BOUNDS.len())
            .map(|place| (place, histogram.buckets[place]))
            .filter(|(_, count)| *count > 0)
            .collect();
        assert_eq!(filled, [(0, 4), (13, 2), (30, 1), (31, 3)]);
    }

    #[test]
    fn names_beyond_the_limits_are_dropped_and_counted() {
        let metrics = Metrics::default();
        let histogram = || MetricKind::Histogram(Box::default());
        let record = |name: String, kind| metrics.update(name, kind, |_| {});
        (0..HISTOGRAMS_MAX).for_each(|index| record(format!("h{index}"), histogram()));
        record("one histogram more".into(), histogram());
        assert_eq!(metrics.dropped(), 1);
        (HISTOGRAMS_MAX..METRICS_MAX)
            .for_each(|index| record(format!("c{index}"), MetricKind::Counter(0)));
        record("one more".into(), MetricKind::Gauge(0.0));
        assert_eq!((metrics.snapshot().len(), metrics.dropped()), (METRICS_MAX, 2));
        // Those that are there go on.
        metrics.update("h0".into(), histogram(), |metric| {
            let MetricKind::Histogram(samples) = metric else { panic!("{metric:?}") };
            samples.record(1.0);
        });
        assert_eq!(metrics.dropped(), 2);
    }
}
