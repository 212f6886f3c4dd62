//! Rules of network rights as guests write them into configurations: wrong ones, and too many.

use lunatic_engine::{Access, NetworkRights};

use crate::common::traps;
use crate::network_rights::{EMPTY, passes_as, with_child};

#[test]
fn a_rule_that_cannot_be_read_is_an_error_and_changes_nothing() {
    let cases = [
        ("tcp:example.com:443", "`example.com` is no address"),
        ("sctp:*", "`sctp` is no protocol"),
        ("tcp:127.0.0.1:http", "`http` is no port"),
        ("", "is no protocol"),
    ];
    let calls: String = cases
        .iter()
        .map(|(rule, text)| {
            format!(
                r#"(call $is
                    (call $allow_code (local.get $config) (i32.const 0) @"{rule}") (i32.const 1))
                (call $is (call $error_has (call $out) @"{text}") (i32.const 1))"#
            )
        })
        .collect();
    let make = format!(
        r#"{EMPTY} {calls}
        (call $is
            (call $allow_code (local.get $config) (i32.const 0) (i32.const 0) (i32.const 257))
            (i32.const 1))
        (call $is (call $error_has (call $out) @"at most 256") (i32.const 1))"#
    );
    let child = "(call $is
        (call $denied (call $connect_code (i32.const 80) (i64.const -1))) (i32.const 1))";
    passes_as(NetworkRights::ALL, &with_child(&make, child));
}

/// Calls that allow 64 ports to be bound, none beside another.
fn many_rules(pattern: &str) -> String {
    let rule = |n: u32| pattern.replace('N', &(2 * n).to_string());
    let call = |n| format!("(call $allow (local.get $config) (i32.const 1) @\"{}\")", rule(n));
    (0..64).map(call).collect()
}

#[test]
fn more_rules_than_there_may_be_are_an_error() {
    let rules = many_rules("tcp:*:N");
    passes_as(
        NetworkRights::ALL,
        &format!(
            r#"(func (export "_start") (local $config i64)
                {EMPTY} {rules}
                (call $is
                    (call $allow_code (local.get $config) (i32.const 1) @"tcp:*:999")
                    (i32.const 1))
                (call $is (call $error_has (call $out) @"at most 64 rules") (i32.const 1))
                (call $allow (local.get $config) (i32.const 1) @"tcp:127.0.0.1:0")
                (call $allow (local.get $config) (i32.const 0) @"tcp:*:999"))"#
        ),
    );
}

#[test]
fn a_child_whose_rights_would_need_too_many_rules_is_not_spawned() {
    let mut own = NetworkRights::NONE;
    for n in 0..64 {
        let rule = format!("tcp:10.0.0.{}", 2 * n);
        own.allow(Access::Bind, rule.parse().expect("a rule")).expect("64 rules");
    }
    let rules = many_rules("tcp:*:N");
    passes_as(
        own,
        &format!(
            r#"(func (export "child") (param i64))
            (func (export "_start") (local $config i64)
                {EMPTY} {rules}
                (call $is
                    (call $spawn_code (i64.const 1) (local.get $config) (i64.const -1) @"child")
                    (i32.const 1))
                (call $is
                    (call $error_has (i64.load (i32.const 0x3f00)) @"at most 64 rules")
                    (i32.const 1)))"#
        ),
    );
}

#[test]
fn unknown_configurations_other_accesses_and_bad_pointers_trap() {
    let create = "(drop (call $process.create_empty_config))";
    let allow = |arguments: &str| {
        format!("{create} (drop (call $process.config_allow_network {arguments}))")
    };
    let unknown = "this process has no config with id 1";
    let zero = "(i32.const 0)";
    let deny = "(call $process.config_deny_network (i64.const 1))";
    let resolve = "(call $process.config_allow_resolve (i64.const 1) (i32.const 1))";
    traps(&format!("{create} {deny}"), unknown);
    traps(&format!("{create} {resolve}"), unknown);
    traps(&allow(&format!(r#"(i64.const 1) {zero} @"*" {zero}"#)), unknown);
    traps(&allow(&format!(r#"(i64.const 1) {zero} @"?" {zero}"#)), unknown);
    let access = "access 0 (connect) or 1 (bind), not";
    for other in [2, -1] {
        traps(&allow(&format!(r#"(i64.const 0) (i32.const {other}) @"*" {zero}"#)), access);
    }
    let outside = "outside of the memory";
    traps(&allow(&format!("(i64.const 0) {zero} (i32.const -1) (i32.const 2) {zero}")), outside);
    traps(&allow(&format!(r#"(i64.const 0) {zero} @"?" (i32.const -1)"#)), outside);
    traps(&allow(&format!(r#"(i64.const 0) {zero} @"\ff" {zero}"#)), "UTF-8");
}
