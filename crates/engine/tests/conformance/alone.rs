//! `lunatic::distributed` as a node without a cluster answers, `lunatic::version`, and
//! `lunatic::metrics`.

use lunatic_engine::{BOUNDS, MetricKind, Rights};

use crate::common::{passes, reason_limited, shared, traps};

#[test]
fn a_node_without_a_cluster_is_alone_and_has_number_0() {
    passes(
        r#"(func (export "_start")
            (call $is (call $distributed.nodes_count) (i32.const 0))
            (call $is (call $distributed.get_nodes (i32.const 0) (i32.const 9)) (i32.const 0))
            (call $is64 (call $distributed.node_id) (i64.const 0))
            (call $is64 (call $distributed.module_id) (i64.const 0)))"#,
    );
}

// 68, 75: codes instead of traps.
#[test]
fn what_needs_another_node_is_an_error_with_a_text() {
    for (call, code) in [
        (
            r#"(call $distributed.spawn (i64.const 1) (i64.const -1) (i64.const 1) @"f"
                (i32.const 0) (i32.const 0) (i32.const 0))"#,
            1,
        ),
        (
            r#"(call $distributed.exec_lookup_nodes @"a=1"
                (i32.const 8) (i32.const 16) (i32.const 0))"#,
            1,
        ),
        (
            "(call $distributed.copy_lookup_nodes_results
                (i64.const 1) (i32.const 8) (i32.const 1) (i32.const 0))",
            -1,
        ),
    ] {
        passes(&format!(
            r#"(func (export "_start")
                (call $is {call} (i32.const {code}))
                (call $is (call $error_has (i64.load (i32.const 0)) @"cluster") (i32.const 1)))"#
        ));
    }
}

#[test]
fn a_message_to_another_node_is_taken_and_refused() {
    for call in [
        "(call $distributed.send (i64.const 1) (i64.const 1))",
        "(call $distributed.send_receive_skip_search
            (i64.const 1) (i64.const 1) (i64.const 1) (i64.const -1))",
    ] {
        let body = format!(
            "(call $message.create_data (i64.const 0) (i64.const 0))
            (call $is {call} (i32.const 1))"
        );
        passes(&format!(r#"(func (export "_start") {body})"#));
        traps(&format!("{body} (drop (call $message.get_tag))"), "there is no message");
    }
}

#[test]
fn without_the_right_to_spawn_a_spawn_elsewhere_traps() {
    let program = r#"(func (export "_start")
        (drop (call $distributed.spawn (i64.const 1) (i64.const -1) (i64.const 1) @"f"
            (i32.const 0) (i32.const 0) (i32.const 0))))"#;
    let reason = reason_limited(program, |_, rights| *rights = rights.with(Rights::SPAWN, false));
    assert!(reason.to_string().contains("may not spawn"), "{reason}");
}

#[test]
fn programs_make_no_certificates() {
    for call in [
        "(call $distributed.test_root_cert (i32.const 0))",
        "(call $distributed.default_server_certificates (i32.const 0) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0))",
        "(call $distributed.sign_node (i32.const 0) (i32.const 0) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
    ] {
        traps(&format!("(drop {call})"), "certificates are made by");
    }
}

#[test]
fn errors_of_a_node_without_a_cluster_check_their_pointer() {
    traps(
        r#"(drop (call $distributed.spawn (i64.const 1) (i64.const -1) (i64.const 1) @"f"
            (i32.const 0) (i32.const 0) (i32.const 0xfff9)))"#,
        "outside of the memory",
    );
}

#[test]
fn the_version_is_that_of_the_old_runtime() {
    passes(
        r#"(func (export "_start")
            (call $is (call $version.major) (i32.const 0))
            (call $is (call $version.minor) (i32.const 13))
            (call $is (call $version.patch) (i32.const 2)))"#,
    );
}

// 47
#[test]
fn metrics_are_recorded_by_name_and_keep_their_kind() {
    passes(
        r#"(func (export "_start")
            (call $metrics.counter @"test counter" (i64.const 5))
            (call $metrics.increment_counter @"test counter")
            (call $metrics.gauge @"test counter" (f64.const 77))
            (call $metrics.gauge @"test gauge" (f64.const 5))
            (call $metrics.increment_gauge @"test gauge" (f64.const 2))
            (call $metrics.decrement_gauge @"test gauge" (f64.const 0.5))
            (call $metrics.increment_counter @"test gauge")
            (call $metrics.histogram @"test histogram" (f64.const 3))
            (call $metrics.histogram @"test histogram" (f64.const -1)))"#,
    );
    let metrics = shared().metrics();
    let of = |name: &str| metrics.iter().find(|metric| metric.name == name).map(|m| &m.kind);
    assert_eq!(of("test counter"), Some(&MetricKind::Counter(6)));
    assert_eq!(of("test gauge"), Some(&MetricKind::Gauge(6.5)));
    let Some(MetricKind::Histogram(histogram)) = of("test histogram") else { panic!("none") };
    let at = |sample| BOUNDS.iter().position(|bound| *bound >= sample).unwrap();
    assert_eq!((histogram.sum, histogram.buckets.iter().sum()), (2.0, 2));
    assert_eq!((histogram.buckets[at(-1.0)], histogram.buckets[at(3.0)]), (1, 1));
}

#[test]
fn a_counter_that_is_full_stays_so() {
    passes(
        r#"(func (export "_start")
            (call $metrics.counter @"full counter" (i64.const -2))
            (call $metrics.counter @"full counter" (i64.const 5)))"#,
    );
    let metrics = shared().metrics();
    let full = metrics.iter().find(|metric| metric.name == "full counter").expect("recorded");
    assert_eq!(full.kind, MetricKind::Counter(u64::MAX));
}

#[test]
fn names_of_metrics_are_checked() {
    for (name, text) in [
        (r#"@"\ff""#, "not valid UTF-8"),
        ("(i32.const 0xffff) (i32.const 2)", "outside of the memory"),
        ("(i32.const 0) (i32.const 257)", "at most 256 bytes"),
        ("(i32.const 8) (i32.const -4)", "at most 256 bytes"),
    ] {
        for call in [
            format!("(call $metrics.counter {name} (i64.const 1))"),
            format!("(call $metrics.increment_counter {name})"),
            format!("(call $metrics.gauge {name} (f64.const 1))"),
            format!("(call $metrics.increment_gauge {name} (f64.const 1))"),
            format!("(call $metrics.decrement_gauge {name} (f64.const 1))"),
            format!("(call $metrics.histogram {name} (f64.const 1))"),
        ] {
            traps(&call, text);
        }
    }
}
