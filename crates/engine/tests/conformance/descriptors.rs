//! The budget of descriptors: what counts, for whom, until when, and what happens at the limit.

use lunatic_engine::{Budget, Budgeted, Budgets, ExitReason, ProcessConfig};
use lunatic_model::Policy;
use lunatic_wasi::provider::fs::HostDirectory;
use lunatic_wasi::{Access, Preopen, WasiConfig};

use crate::common::guest::{module, module_with};
use crate::common::sqlite::HELPERS as SQLITE;
use crate::common::tls::{Authority, Leaf};
use crate::common::{check, run_with};
use crate::networking_tls::PAIR;

/// `$counts` checks what the account of this process (scope 0) or of its subtree (1) says of
/// descriptors; `$refused` that a call failed for want of one.
const HELPERS: &str = r#"
    (func $counts (param $scope i32) (param $wanted i64)
        (call $is (call $process.account (i64.const 0) (call $process.process_id)
            (local.get $scope) (i32.const 0x3100) (i32.const 144)) (i32.const 0))
        (call $is64 (i64.load (i32.const 0x3180)) (local.get $wanted)))
    (func $refused (param $code i32)
        (call $is (local.get $code) (i32.const 1))
        (call $is (call $error_has (call $out) @"descriptors_max") (i32.const 1)))
    (func $file (param $at i32) (param $length i32) (result i32)
        (call $p1.path_open (i32.const 3) (i32.const 0) (local.get $at) (local.get $length)
            (i32.const 1) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0x3010)))
    (func $unix (param $at i32) (param $length i32) (result i32)
        (call $networking.unix_bind (local.get $at) (local.get $length) (i32.const 0x3010)))"#;

fn descriptors(max: u64, policy: Policy) -> Budget {
    let mut budget = Budget::default();
    assert!(budget.set(Budgeted::Descriptors, max, policy));
    budget
}

/// A first process with a fresh directory `.` and budgets of descriptors for it and its subtree.
fn ends(source: &str, process: Budget, subtree: Budget) -> ExitReason {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let opened = HostDirectory::open_ambient(directory.path()).expect("it is there");
    let mut wasi = WasiConfig::default();
    let preopen = Preopen::new(".", opened, Access::FULL).expect("the name is good");
    wasi.push_preopen(preopen).expect("the first one");
    let budgets = Budgets { process: Some(process.into()), subtree: Some(subtree.into()) };
    let config = ProcessConfig::root(wasi).with_budgets(budgets);
    run_with(source, config).expect("the module can be spawned")
}

/// The same, whose checks must hold.
fn passes(source: &str, process: u64, subtree: u64) {
    let source = module(&format!("{HELPERS}{source}"));
    let of = |max| descriptors(max, Policy::Error);
    check(&ends(&source, of(process), of(subtree)));
}

#[test]
fn what_is_open_counts_until_its_last_handle_is_gone() {
    passes(
        r#"(func (export "_start")
            (call $pair)
            (call $counts (i32.const 0) (i64.const 2))
            (call $is64 (call $networking.clone_tcp_stream (i64.const 0)) (i64.const 2))
            (call $networking.drop_tcp_stream (i64.const 0))
            (call $counts (i32.const 0) (i64.const 2))
            (call $networking.drop_tcp_stream (i64.const 2))
            (call $networking.drop_tcp_stream (i64.const 1))
            (call $counts (i32.const 0) (i64.const 0))
            (drop (call $listen))
            (call $counts (i32.const 1) (i64.const 1))
            (drop (call $udp))
            (call $counts (i32.const 1) (i64.const 2))
            (call $networking.drop_udp_socket (i64.const 0))
            (call $is (call $file @"f") (i32.const 0))
            (call $is (call $file @"g") (i32.const 0))
            (call $counts (i32.const 0) (i64.const 3))
            ;; The place of the second goes with the first one's number.
            (call $is (call $p1.fd_renumber (i32.const 5) (i32.const 4)) (i32.const 0))
            (call $counts (i32.const 0) (i64.const 2))
            (call $is (call $p1.fd_close (i32.const 4)) (i32.const 0))
            ;; What cannot be opened takes no place.
            (call $is (call $p1.path_open (i32.const 3) (i32.const 0) @"none" (i32.const 0)
                (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0x3010)) (i32.const 44))
            (call $counts (i32.const 0) (i64.const 1)))"#,
        u64::MAX,
        u64::MAX,
    );
}

#[cfg(target_os = "linux")]
#[test]
fn unix_sockets_count() {
    passes(
        r#"(func (export "_start")
            (call $is (call $unix @"socket") (i32.const 0))
            (call $counts (i32.const 0) (i64.const 1))
            (call $is (call $networking.unix_connect @"socket" (i64.const -1)
                (i32.const 0x3010)) (i32.const 0))
            (call $counts (i32.const 0) (i64.const 2))
            (call $refused (call $networking.unix_connect @"socket" (i64.const -1)
                (i32.const 0x3010)))
            (call $refused (call $unix @"other"))
            (call $networking.drop_tcp_stream (i64.const 0))
            (call $is (call $networking.tcp_accept (i64.const 0) (i32.const 0x3010)
                (i32.const 0x3018)) (i32.const 0))
            (call $counts (i32.const 0) (i64.const 2)))"#,
        2,
        u64::MAX,
    );
}

#[test]
fn databases_count() {
    let source = format!(
        r#"{SQLITE} (func (export "_start")
            (drop (call $open @"a.db"))
            (drop (call $open @":memory:"))
            (call $counts (i32.const 0) (i64.const 2))
            (call $is64 (call $open_code @"b.db") (i64.const 1))
            (call $is (call $error_has (i64.load (i32.const 0x1800)) @"descriptors_max")
                (i32.const 1))
            (call $is (call $sqlite.close (i64.const 0)) (i32.const 0))
            (call $counts (i32.const 0) (i64.const 1))
            (drop (call $open @"b.db")))"#
    );
    passes(&source, 2, u64::MAX);
}

#[test]
fn tls_counts_the_listener_and_connections_for_who_opened_them() {
    let root = Authority::root("root");
    let Leaf { chain, key } = root.leaf();
    let texts = [("chain", &*chain), ("key", &key), ("root", &root.pem)];
    let source = format!(
        r#"{HELPERS}{PAIR} (func (export "_start")
            (call $tls_pair)
            ;; The listener and what was accepted; the other end was opened by the child.
            (call $counts (i32.const 0) (i64.const 2))
            (call $counts (i32.const 1) (i64.const 3))
            (call $refused (call $networking.tls_accept (i64.const 0) (i32.const 0x3010)
                (i32.const 0x3018)))
            (call $refused (call $tls_bind @chain @key))
            (call $refused (call $tls_connect_code (i32.const 1) (i64.const -1)
                (call $list @root) (i32.const 1)))
            (call $networking.drop_tls_stream (i64.const 1))
            (call $networking.drop_tls_stream (i64.const 0))
            (call $counts (i32.const 1) (i64.const 1)))"#
    );
    let source = module_with(&source, &texts);
    check(&ends(&source, descriptors(2, Policy::Error), descriptors(9, Policy::Error)));
}

#[test]
fn at_the_limit_nothing_more_is_opened_until_something_is_closed() {
    passes(
        r#"(func (export "_start") (local $port i32)
            (local.set $port (call $listener_port (call $listen)))
            (drop (call $connect (local.get $port)))
            (call $refused (call $connect_code (local.get $port) (i64.const -1)))
            (call $refused (call $bind (i32.const 0)))
            (call $refused (call $networking.udp_bind (i32.const 4) (call $loopback)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0x3010)))
            ;; Nobody is taken out of the listener's line for nothing.
            (call $refused (call $networking.tcp_accept (i64.const 0) (i32.const 0x3010)
                (i32.const 0x3018)))
            ;; EMFILE, and no file.
            (call $is (call $file @"new") (i32.const 33))
            (call $is (call $p1.path_unlink_file (i32.const 3) @"new") (i32.const 44))
            (call $networking.drop_tcp_stream (i64.const 0))
            (drop (call $accept (i64.const 0))))"#,
        2,
        u64::MAX,
    );
}

#[test]
fn processes_of_a_subtree_share_its_descriptors_and_a_child_s_go_with_it() {
    passes(
        r#"(func (export "child") (param $parent i64)
            (drop (call $udp))
            (call $counts (i32.const 0) (i64.const 1))
            (call $refused (call $bind (i32.const 0)))
            (call $message.create_data (i64.const 0) (i64.const 0))
            (drop (call $message.push_udp_socket (i64.const 0)))
            (call $is (call $message.send (local.get $parent)) (i32.const 0)))
        (func (export "_start") (local $child i64)
            (drop (call $listen))
            (call $process.die_when_link_dies (i32.const 0))
            (local.set $child (call $spawn_for_me (i64.const 0) @"child"))
            (call $process.monitor (local.get $child))
            (call $is (call $next) (i32.const 0))
            (drop (call $message.take_udp_socket (i64.const 0)))
            (call $is (call $next) (i32.const 2))
            ;; The child opened it: it counts in the subtree, not for who has it now.
            (call $counts (i32.const 0) (i64.const 1))
            (call $counts (i32.const 1) (i64.const 2))
            (call $refused (call $bind (i32.const 0)))
            (call $networking.drop_udp_socket (i64.const 0))
            (call $counts (i32.const 1) (i64.const 1))
            (drop (call $udp)))"#,
        u64::MAX,
        2,
    );
}

#[test]
fn who_would_open_too_much_ends_if_the_policy_says_so() {
    for call in [
        r#"(drop (call $bind (i32.const 0)))"#,
        r#"(drop (call $connect_code (i32.const 1) (i64.const -1)))"#,
        r#"(drop (call $networking.tcp_accept (i64.const 0) (i32.const 0x3010)
            (i32.const 0x3018)))"#,
        r#"(drop (call $udp))"#,
        r#"(drop (call $file @"f"))"#,
        r#"(drop (call $unix @"s"))"#,
        r#"(drop (call $sqlite.open @":memory:" (i32.const 0x3010)))"#,
    ] {
        let source = format!(
            r#"{HELPERS} (func (export "lunatic_alloc") (param i32) (result i32) (i32.const 0))
            (func (export "_start") (drop (call $listen)) {call})"#
        );
        let (source, free) = (module(&source), descriptors(u64::MAX, Policy::Error));
        let one = descriptors(1, Policy::End);
        assert_eq!(ends(&source, one, free), ExitReason::Limit("descriptors_max"), "{call}");
        assert_eq!(ends(&source, free, one), ExitReason::Limit("tree_descriptors_max"), "{call}");
    }
}
