//! Which figures there are for Prometheus: the node's own, and those that programs record.
//! `docs/metrics.md` lists them for users, and a test compares the two.
//!
//! A program's metric keeps its name if that is a good one; every other is a sample of a family of
//! ours, with the name as a label. That depends on nothing but the name, so that a series is the
//! same after each restart, no two names ever share one, and none passes itself off as the node's.

use lunatic_engine::{BOUNDS, Compiling, Figures, Metric, MetricKind};

use super::text::{Kind, Number, Text, is_name};

/// All figures.
pub fn text(figures: &Figures, metrics: &[Metric]) -> String {
    let mut text = Text::default();
    processes(&mut text, figures);
    messages(&mut text, figures);
    memory(&mut text, figures);
    modules(&mut text, &figures.compiling);
    recorded(&mut text, figures.metrics_dropped, metrics);
    text.finish()
}

fn one(text: &mut Text, name: &str, kind: Kind, help: &str, value: impl std::fmt::Display) {
    text.family(name, kind, help);
    text.sample(name, &[], value);
}

fn processes(text: &mut Text, figures: &Figures) {
    use Kind::{Counter, Gauge};
    let node = &figures.node;
    let help = "Processes that live or are being spawned.";
    one(text, "lunatic_processes", Gauge, help, node.processes);
    one(text, "lunatic_process_spawns_total", Counter, "Processes started.", node.spawns);
    let name = "lunatic_process_ends_total";
    text.family(name, Counter, "Processes that ended, by the kind of their exit reason.");
    for ends in &node.ends {
        let labels = [("reason", ends.reason), ("limit", ends.limit.unwrap_or_default())];
        let labels = if ends.limit.is_some() { &labels[..] } else { &labels[..1] };
        text.sample(name, labels, ends.count);
    }
    let help = "Processes that a bug of the runtime ended.";
    one(text, "lunatic_host_panics_total", Counter, help, node.host_panics);
    one(text, "lunatic_workers", Gauge, "Threads that run processes.", node.workers);
    let help = "Processes that wait for a worker.";
    one(text, "lunatic_run_queue_processes", Gauge, help, node.run_queue);
    let help = "Sleeps, timeouts and messages to be sent later that are still to come.";
    one(text, "lunatic_timers", Gauge, help, node.timers);
    one(text, "lunatic_names", Gauge, "Names of processes.", node.names);
}

fn messages(text: &mut Text, figures: &Figures) {
    use Kind::{Counter, Gauge};
    let node = &figures.node;
    let help = "Messages that left their senders.";
    one(text, "lunatic_messages_sent_total", Counter, help, node.messages_sent);
    let help = "Messages that got into a mailbox.";
    one(text, "lunatic_messages_delivered_total", Counter, help, node.messages_delivered);
    let help = "Messages in all mailboxes.";
    one(text, "lunatic_mailbox_messages", Gauge, help, node.mailboxes.messages);
    let help = "What the messages in all mailboxes count for.";
    one(text, "lunatic_mailbox_bytes", Gauge, help, node.mailboxes.bytes);
    let help = "Messages in the fullest mailbox.";
    one(text, "lunatic_mailbox_messages_deepest", Gauge, help, node.mailboxes.deepest);
}

fn memory(text: &mut Text, figures: &Figures) {
    let Figures { memories, stacks, .. } = figures;
    let help = "Instances of ended processes, with memory and stack, that wait for the next ones.";
    one(text, "lunatic_instances_waiting", Kind::Gauge, help, figures.instances_waiting);
    let families = [
        (
            "lunatic_slab_slots",
            "Linear memories and stacks of processes.",
            [memories.live, stacks.live],
        ),
        (
            "lunatic_slab_used_bytes",
            "Address space that they take up.",
            [memories.used_bytes, stacks.used_bytes],
        ),
        (
            "lunatic_slab_reserved_bytes",
            "Address space reserved for them.",
            [memories.reserved_bytes, stacks.reserved_bytes],
        ),
        (
            "lunatic_slab_warm_bytes",
            "Memory kept ready for the next ones, at most.",
            [memories.warm_bytes, stacks.warm_bytes],
        ),
    ];
    for (name, help, [memories, stacks]) in families {
        text.family(name, Kind::Gauge, help);
        text.sample(name, &[("kind", "memory")], memories);
        text.sample(name, &[("kind", "stack")], stacks);
    }
}

fn modules(text: &mut Text, compiling: &Compiling) {
    use Kind::Counter;
    let help = "Times that a module was compiled.";
    one(text, "lunatic_modules_compiled_total", Counter, help, compiling.compiled);
    let (help, seconds) = ("How long compiling took.", Number(compiling.time.as_secs_f64()));
    one(text, "lunatic_compile_seconds_total", Counter, help, seconds);
    let help = "Times that compiled code was found in the cache.";
    one(text, "lunatic_module_cache_hits_total", Counter, help, compiling.cache_hits);
    let help = "Times that compiled code was not found in the cache.";
    one(text, "lunatic_module_cache_misses_total", Counter, help, compiling.cache_misses);
}

fn recorded(text: &mut Text, dropped: u64, metrics: &[Metric]) {
    let help = "Values that programs recorded under names for which there was no room.";
    one(text, "lunatic_guest_metrics_dropped_total", Kind::Counter, help, dropped);
    let (own, shared): (Vec<_>, Vec<_>) =
        metrics.iter().partition(|metric| keeps_its_name(&metric.name));
    for metric in own {
        text.family(&metric.name, kind(metric), "Recorded by a program.");
        samples(text, &metric.name, &[], metric);
    }
    let families = [
        ("lunatic_guest_counter", Kind::Counter),
        ("lunatic_guest_gauge", Kind::Gauge),
        ("lunatic_guest_histogram", Kind::Histogram),
    ];
    for (name, family) in families {
        text.family(name, family, "Recorded by programs, under names that cannot stand alone.");
        for metric in shared.iter().filter(|metric| kind(metric) == family) {
            samples(text, name, &[("name", &metric.name)], metric);
        }
    }
}

fn kind(metric: &Metric) -> Kind {
    match metric.kind {
        MetricKind::Counter(_) => Kind::Counter,
        MetricKind::Gauge(_) => Kind::Gauge,
        MetricKind::Histogram(_) => Kind::Histogram,
    }
}

fn samples(text: &mut Text, name: &str, labels: &[(&str, &str)], metric: &Metric) {
    match &metric.kind {
        MetricKind::Counter(count) => text.sample(name, labels, count),
        MetricKind::Gauge(value) => text.sample(name, labels, Number(*value)),
        MetricKind::Histogram(samples) => {
            text.histogram(name, labels, (&BOUNDS, &samples.buckets), samples.sum);
        }
    }
}

/// Whether a metric of a program appears under the name that the program chose. Not if Prometheus
/// does not take it, if it is one of ours or one that Prometheus adds to each scrape, or if a
/// histogram of another name could have a series of this name.
fn keeps_its_name(name: &str) -> bool {
    let taken = name == "up"
        || ["lunatic_", "scrape_"].iter().any(|prefix| name.starts_with(prefix))
        || ["_bucket", "_sum", "_count"].iter().any(|suffix| name.ends_with(suffix));
    is_name(name) && !taken
}

#[cfg(test)]
mod tests {
    use lunatic_engine::Histogram;
    use proptest::prelude::*;

    use super::super::prometheus::Scrape;
    use super::*;

    fn metric(name: &str, kind: MetricKind) -> Metric {
        Metric { name: name.into(), kind }
    }

    /// What a reader makes of metrics.
    fn read(metrics: &[Metric]) -> Scrape {
        let mut text = Text::default();
        recorded(&mut text, 0, metrics);
        Scrape::parse(&text.finish()).expect("it is valid")
    }

    #[test]
    fn only_a_good_name_stands_alone() {
        for name in ["requests", "http:requests_total", "_x", "upper", "sum", "lunatic"] {
            assert!(keeps_its_name(name), "{name}");
        }
        let taken = ["lunatic_processes", "scrape_duration_seconds", "up", "x_count", "x_bucket"];
        for name in ["", "http.requests", "a b", "é"].into_iter().chain(taken) {
            assert!(!keeps_its_name(name), "{name}");
        }
    }

    #[test]
    fn names_that_look_alike_to_others_stay_apart() {
        let names = ["a.b", "a b", "a_b", "a\nb", "a\"b", "a\\nb", "", "lunatic_processes"];
        let counters = names.iter().zip(1..);
        let metrics: Vec<_> =
            counters.map(|(name, count)| metric(name, MetricKind::Counter(count))).collect();
        let scrape = read(&metrics);
        for (name, count) in names.iter().zip([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]) {
            let value = match *name {
                "a_b" => scrape.value("a_b", &[]),
                name => scrape.value("lunatic_guest_counter", &[("name", name)]),
            };
            assert_eq!(value, Some(count), "{name:?}");
        }
        assert_eq!(scrape.value("lunatic_processes", &[]), None);
    }

    #[test]
    fn a_histogram_and_a_counter_of_its_series_name_stay_apart() {
        let mut samples = Histogram { sum: f64::NAN, ..Histogram::default() };
        samples.buckets[3] = 5;
        let scrape = read(&[
            metric("x", MetricKind::Histogram(samples.clone().into())),
            metric("x y", MetricKind::Histogram(samples.into())),
            metric("x_count", MetricKind::Counter(1)),
        ]);
        assert_eq!(scrape.value("x_count", &[]), Some(5.0));
        let labels = [("name", "x y")];
        assert_eq!(scrape.value("lunatic_guest_histogram_count", &labels), Some(5.0));
        assert_eq!(scrape.value("lunatic_guest_counter", &[("name", "x_count")]), Some(1.0));
        assert_eq!(scrape.value("x_bucket", &[("le", "1e-5")]), Some(0.0));
        assert_eq!(scrape.value("x_bucket", &[("le", "3e-5")]), Some(5.0));
    }

    fn kinds() -> impl Strategy<Value = MetricKind> {
        let bounds = proptest::array::uniform32(any::<u64>());
        prop_oneof![
            any::<u64>().prop_map(MetricKind::Counter),
            any::<f64>().prop_map(MetricKind::Gauge),
            (bounds, any::<f64>()).prop_map(|(buckets, sum)| {
                MetricKind::Histogram(Histogram { buckets, sum }.into())
            }),
        ]
    }

    proptest! {
        #[test]
        fn whatever_programs_record_can_be_read(
            metrics in proptest::collection::hash_map(
                prop_oneof![any::<String>(), "(lunatic_|scrape_)?[ab_.\"\\\\\n]{0,3}(_sum|_count)?"],
                kinds(),
                0..40,
            )
        ) {
            let count = metrics.len();
            let histograms = metrics
                .values()
                .filter(|kind| matches!(kind, MetricKind::Histogram(_)))
                .count();
            let metrics: Vec<_> =
                metrics.into_iter().map(|(name, kind)| Metric { name, kind }).collect();
            // Each has its sample, or those of a histogram; one more counts what was dropped.
            let samples = count + histograms * (BOUNDS.len() + 2) + 1;
            prop_assert_eq!(read(&metrics).len(), samples);
        }
    }
}
