//! Network rights: what a process may not do is an error for it, and no child may do more than its
//! parent. What guests write as rules is in `network_rules.rs`; the rules themselves are tested in
//! the model.

use std::net::TcpListener;

use lunatic_engine::{Access, NetworkRights, ProcessConfig, Rights};
use lunatic_wasi::WasiConfig;

use crate::common::guest::module;
use crate::common::{check, passes, passes_limited, run_with};

/// `$out` holds ids and errors. `$denied` is 1 for the code of a call that the rights do not
/// allow, `$says` checks the text of its error. `$tcp` and `$listen_at` are a connect and a bind
/// with addresses as `@"octets"`.
const HELPERS: &str = r#"
    (func $denied (param $code i32) (result i32)
        (if (i32.ne (local.get $code) (i32.const 1)) (then (return (i32.const 0))))
        (call $error_has (call $out) @"this process may not"))
    (func $says (param $code i32) (param $at i32) (param $length i32)
        (call $is (call $denied (local.get $code)) (i32.const 1))
        (call $is (call $error_has (call $out) (local.get $at) (local.get $length)) (i32.const 1)))
    (func $kind (param $length i32) (result i32)
        (select (i32.const 4) (i32.const 6) (i32.eq (local.get $length) (i32.const 4))))
    (func $tcp (param $port i32) (param $at i32) (param $length i32) (result i32)
        (call $networking.tcp_connect (call $kind (local.get $length)) (local.get $at)
            (local.get $port) (i32.const 0) (i32.const 0) (i64.const -1) (i32.const 0x3010)))
    (func $listen_at (param $port i32) (param $at i32) (param $length i32) (result i32)
        (call $networking.tcp_bind (call $kind (local.get $length)) (local.get $at)
            (local.get $port) (i32.const 0) (i32.const 0) (i32.const 0x3010)))
    (func $look_up (param $at i32) (param $length i32) (result i32)
        (call $networking.resolve (local.get $at) (local.get $length)
            (i64.const -1) (i32.const 0x3010)))
    (func $udp_send_to (param $socket i64) (param $port i32) (result i32)
        (call $networking.udp_send_to (local.get $socket) @"text" (i32.const 4)
            (call $loopback) (local.get $port) (i32.const 0) (i32.const 0) (i32.const 0x3010)))
    (func $allow_code (param $config i64) (param $access i32) (param $at i32) (param $length i32)
        (result i32)
        (call $process.config_allow_network (local.get $config) (local.get $access)
            (local.get $at) (local.get $length) (i32.const 0x3010)))
    (func $allow (param $config i64) (param $access i32) (param $at i32) (param $length i32)
        (call $is
            (call $allow_code
                (local.get $config) (local.get $access) (local.get $at) (local.get $length))
            (i32.const 0)))"#;

/// Rights with these rules, of which each begins with `connect` or `bind` and a blank.
fn rights(rules: &[&str]) -> NetworkRights {
    let mut rights = NetworkRights::NONE;
    for text in rules {
        let (access, rule) = match text.split_once(' ') {
            Some(("connect", rule)) => (Access::Connect, rule),
            Some(("bind", rule)) => (Access::Bind, rule),
            _ => panic!("`{text}` names no access"),
        };
        rights.allow(access, rule.parse().expect(text)).expect("few rules");
    }
    rights
}

/// Runs a guest with these rights; its checks must hold.
pub fn passes_as(network: NetworkRights, source: &str) {
    let config = ProcessConfig::root(WasiConfig::default()).with_network(network);
    let module = module(&format!("{HELPERS}{source}"));
    check(&run_with(&module, config).expect("the module can be spawned"));
}

/// Spawns `child` with a config that `make` puts into `$config`, and waits for its answer.
pub fn with_child(make: &str, child: &str) -> String {
    format!(
        r#"(func (export "child") (param $root i64) (local $config i64)
            {child} (call $tell (local.get $root) (i64.const 1) (i64.const 1)))
        (func (export "_start") (local $config i64)
            {make}
            (call $is
                (call $spawn_code (i64.const 1) (local.get $config) (i64.const -1) @"child")
                (i32.const 0))
            (call $expect (i64.const 1)))"#
    )
}

pub const EMPTY: &str = "(local.set $config (call $process.create_empty_config))";
const OLD: &str = "(local.set $config (call $process.create_config))";

/// A listener that takes connections at 127.0.0.1, and its port.
fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there are free ports");
    let port = listener.local_addr().expect("it is bound").port();
    (listener, port)
}

#[test]
fn what_the_rights_do_not_cover_is_an_error_that_says_how_to_grant_it_and_the_process_goes_on() {
    passes_as(
        NetworkRights::NONE,
        r#"(func (export "_start")
            (call $says (call $bind (i32.const 0)) @"bind tcp 127.0.0.1:0")
            (call $says (call $bind (i32.const 0)) @"--allow-bind tcp:127.0.0.1:0")
            (call $says (call $connect_code (i32.const 80) (i64.const -1)) @"tcp 127.0.0.1:80")
            (call $says (call $connect_code (i32.const 80) (i64.const 0))
                @"--allow-connect tcp:127.0.0.1:80")
            (call $says
                (call $networking.udp_bind (i32.const 4) (call $loopback) (i32.const 0)
                    (i32.const 0) (i32.const 0) (i32.const 0x3010))
                @"--allow-bind udp:127.0.0.1:0")
            (call $says (call $look_up @"localhost:80") @"localhost:80")
            (call $says (call $look_up @"localhost:80") @"--allow-connect"))"#,
    );
    passes_as(
        rights(&["bind udp:127.0.0.1"]),
        r#"(func (export "_start")
            (call $is64 (call $udp) (i64.const 0))
            (call $says (call $udp_send_to (i64.const 0) (i32.const 53))
                @"--allow-connect udp:127.0.0.1:53")
            (call $says (call $udp_connect (i64.const 0) (i32.const 53))
                @"--allow-connect udp:127.0.0.1:53"))"#,
    );
}

#[test]
fn what_the_rights_cover_works_and_what_lies_beside_it_does_not() {
    let ((_open, open), (_closed, closed)) = (listener(), listener());
    passes_as(
        rights(&[&format!("connect tcp:127.0.0.1:{open}"), "bind tcp:127.0.0.1"]),
        &format!(
            r#"(func (export "_start")
                (call $is64 (call $connect (i32.const {open})) (i64.const 0))
                (call $says
                    (call $connect_code (i32.const {closed}) (i64.const -1)) @"may not connect")
                (call $is64 (call $listen) (i64.const 0))
                (call $is
                    (call $denied (call $listen_at (i32.const 0) @"\7f\00\00\02"))
                    (i32.const 1))
                (call $is
                    (call $denied (call $networking.udp_bind (i32.const 4) (call $loopback)
                        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0x3010)))
                    (i32.const 1)))"#
        ),
    );
    passes_as(
        rights(&["bind udp:127.0.0.1", "connect udp:127.0.0.1"]),
        r#"(func (export "_start") (local $port i32)
            (drop (call $udp)) (drop (call $udp))
            (local.set $port (call $udp_port (i64.const 1)))
            (call $is (call $udp_send_to (i64.const 0) (local.get $port)) (i32.const 0))
            (call $udp_get (i64.const 1) @"text")
            (call $is (call $udp_connect (i64.const 0) (local.get $port)) (i32.const 0)))"#,
    );
}

#[test]
fn an_ipv4_address_cannot_be_reached_in_its_ipv6_form_without_a_right_to_it() {
    const MAPPED: &str = r#"@"\00\00\00\00\00\00\00\00\00\00\ff\ff\7f\00\00\01""#;
    let (_listener, port) = listener();
    let program = |denied: i32| {
        format!(
            r#"(func (export "_start")
                (call $is
                    (call $denied (call $tcp (i32.const {port}) {MAPPED}))
                    (i32.const {denied}))
                (call $is
                    (call $denied (call $listen_at (i32.const 0) {MAPPED}))
                    (i32.const {denied})))"#
        )
    };
    passes_as(rights(&["connect tcp:[::/0]", "bind tcp:[::/0]"]), &program(1));
    passes_as(rights(&["connect tcp:127.0.0.1", "bind tcp:127.0.0.1"]), &program(0));
}

#[test]
fn the_unspecified_address_is_no_way_around_the_rules() {
    const V4: &str = r#"@"\00\00\00\00""#;
    const V6: &str = r#"@"\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00""#;
    let (_listener, port) = listener();
    passes_as(
        rights(&["connect tcp:0.0.0.0", "connect tcp:[::/0]", "bind tcp:127.0.0.0/8"]),
        &format!(
            r#"(func (export "_start")
                (call $says (call $tcp (i32.const {port}) {V4})
                    @"--allow-connect tcp:0.0.0.0:{port} --allow-connect tcp:127.0.0.1:{port}")
                (call $says (call $tcp (i32.const {port}) {V6})
                    @"--allow-connect tcp:127.0.0.1:{port}")
                (call $says (call $listen_at (i32.const 0) {V4}) @"--allow-bind tcp:0.0.0.0/0:0")
                (call $says (call $listen_at (i32.const 0) {V6})
                    @"--allow-bind tcp:[::/0]:0 --allow-bind tcp:0.0.0.0/0:0"))"#
        ),
    );
    passes_as(
        rights(&["connect tcp:127.0.0.1", "connect tcp:0.0.0.0", "bind tcp:0.0.0.0/0"]),
        &format!(
            r#"(func (export "_start")
                (call $is (call $denied (call $tcp (i32.const {port}) {V4})) (i32.const 0))
                (call $is (call $listen_at (i32.const 0) {V4}) (i32.const 0)))"#
        ),
    );
}

#[test]
fn an_address_that_is_written_out_resolves_without_the_right_to_look_up_names() {
    passes_as(
        NetworkRights::NONE,
        r#"(func (export "_start")
            (call $is (call $look_up @"192.0.2.7:80") (i32.const 0))
            (call $is (call $look_up @"[2001:db8::1]:80") (i32.const 0))
            (call $is (call $denied (call $look_up @"192.0.2.7.example:80")) (i32.const 1)))"#,
    );
}

#[test]
fn an_empty_configuration_grants_nothing() {
    let denied = r#"
        (call $is (call $denied (call $bind (i32.const 0))) (i32.const 1))
        (call $is (call $denied (call $connect_code (i32.const 80) (i64.const -1))) (i32.const 1))
        (call $is (call $denied (call $look_up @"localhost:80")) (i32.const 1))
        (call $is (call $process.compile_module @"(module)" (i32.const 0)) (i32.const -1))
        (call $is64 (call $process.create_config) (i64.const -1))
        (call $is64 (call $process.create_empty_config) (i64.const -1))
        (call $is (call $try (i32.const 0)) (i32.const 0))
        (call $is (call $p1.fd_prestat_get (i32.const 3) (i32.const 0)) (i32.const 8))"#;
    let program = with_child(EMPTY, denied);
    passes_as(
        NetworkRights::ALL,
        &format!(
            r#"(table funcref (elem $f)) (func $f (drop (call $spawn (i64.const 0) @"child")))
            {program}"#
        ),
    );
    passes(
        r#"(func (export "_start")
            (call $is64 (call $process.create_empty_config) (i64.const 0))
            (call $is64 (call $process.create_config) (i64.const 1))
            (call $is64 (call $process.config_get_max_memory (i64.const 0)) (i64.const 4294967295))
            (call $is64 (call $process.config_get_max_fuel (i64.const 0)) (i64.const 0))
            (call $is (call $process.config_can_compile_modules (i64.const 0)) (i32.const 0))
            (call $is (call $process.config_can_create_configs (i64.const 0)) (i32.const 0))
            (call $is (call $process.config_can_spawn_processes (i64.const 0)) (i32.const 0)))"#,
    );
}

#[test]
fn without_the_right_to_make_configurations_no_empty_one_is_made() {
    let program = r#"(func (export "_start")
        (call $is64 (call $process.create_empty_config) (i64.const -1)))"#;
    passes_limited(program, |_, rights| *rights = rights.with(Rights::CREATE_CONFIGS, false));
}

#[test]
fn a_configuration_of_the_old_abi_grants_what_its_maker_has() {
    let (_listener, port) = listener();
    let connects = format!("(call $is64 (call $connect (i32.const {port})) (i64.const 0))");
    let binds = "(call $is64 (call $listen) (i64.const 0))";
    let looks_up = r#"(call $is (call $denied (call $look_up @"localhost:80")) (i32.const 0))"#;
    passes_as(NetworkRights::ALL, &with_child(OLD, &format!("{connects} {binds} {looks_up}")));
    passes_as(
        rights(&[&format!("connect tcp:127.0.0.1:{port}")]),
        &with_child(
            OLD,
            &format!(
                r#"{connects}
                (call $is (call $denied (call $bind (i32.const 0))) (i32.const 1))
                (call $is (call $denied (call $look_up @"localhost:80")) (i32.const 1))"#
            ),
        ),
    );
}

#[test]
fn a_configuration_of_the_old_abi_can_be_narrowed() {
    let (_listener, port) = listener();
    let make = |rest: &str| {
        format!("{OLD} (call $process.config_deny_network (local.get $config)) {rest}")
    };
    let denied = |code: &str| format!("(call $is (call $denied {code}) (i32.const 1))");
    let bind = denied("(call $bind (i32.const 0))");
    let connect = denied(&format!("(call $connect_code (i32.const {port}) (i64.const -1))"));
    let look_up = denied(r#"(call $look_up @"localhost:80")"#);
    passes_as(NetworkRights::ALL, &with_child(&make(""), &format!("{bind} {connect} {look_up}")));
    let allowed = r#"(call $allow (local.get $config) (i32.const 0) @"tcp:127.0.0.0/8")
        (call $process.config_allow_resolve (local.get $config) (i32.const 0x100))"#;
    let child = format!(
        r#"{bind} (call $is64 (call $connect (i32.const {port})) (i64.const 0))
        (call $is (call $denied (call $look_up @"localhost:80")) (i32.const 0))"#
    );
    passes_as(NetworkRights::ALL, &with_child(&make(allowed), &child));
    let taken =
        format!("{allowed} (call $process.config_allow_resolve (local.get $config) (i32.const 0))");
    passes_as(NetworkRights::ALL, &with_child(&make(&taken), &look_up));
}

#[test]
fn no_descendant_may_do_more_than_its_ancestors_whatever_it_asks_for() {
    let (_listener, port) = listener();
    let make = format!(
        r#"{EMPTY}
        (call $process.config_set_can_create_configs (local.get $config) (i32.const 1))
        (call $process.config_set_can_spawn_processes (local.get $config) (i32.const 1))
        (call $allow (local.get $config) (i32.const 0) @"*:127.0.0.0/8")
        (call $allow (local.get $config) (i32.const 1) @"udp:*:53")"#
    );
    let same_rights = format!(
        r#"(call $is64 (call $connect (i32.const {port})) (i64.const 0))
        (call $is
            (call $denied (call $tcp (i32.const {port}) @"\7f\00\00\02"))
            (i32.const 1))
        (call $is (call $denied (call $bind (i32.const 0))) (i32.const 1))
        (call $is (call $denied (call $look_up @"localhost:80")) (i32.const 1))"#
    );
    let everything = r#"
        (call $process.config_set_can_create_configs (local.get $config) (i32.const 1))
        (call $process.config_set_can_spawn_processes (local.get $config) (i32.const 1))
        (call $allow (local.get $config) (i32.const 0) @"*")
        (call $allow (local.get $config) (i32.const 1) @"*")
        (call $process.config_allow_resolve (local.get $config) (i32.const 1))"#;
    for maker in [EMPTY, OLD] {
        // 127.0.0.1 is all that the root leaves of 127.0.0.0/8.
        let child = with_child(
            &make,
            &format!(
                r#"{same_rights} {maker} {everything}
                (call $is
                    (call $spawn_code
                        (i64.const 1) (local.get $config) (i64.const -1) @"grandchild")
                    (i32.const 0))
                (call $expect (i64.const 1))"#
            ),
        );
        passes_as(
            rights(&["connect *:127.0.0.1", "bind tcp"]),
            &format!(
                r#"(func (export "grandchild") (param $root i64)
                    {same_rights} (call $tell (local.get $root) (i64.const 1) (i64.const 1)))
                {child}"#
            ),
        );
    }
}

#[test]
fn a_change_of_a_configuration_is_for_the_next_child() {
    passes_as(
        NetworkRights::ALL,
        r#"(func (export "child") (param $root i64)
            (call $tell (local.get $root) (i64.const 1)
                (i64.extend_i32_u (call $denied (call $bind (i32.const 0))))))
        (func $spawned (param $config i64)
            (call $is
                (call $spawn_code (i64.const 1) (local.get $config) (i64.const -1) @"child")
                (i32.const 0)))
        (func (export "_start") (local $config i64)
            (local.set $config (call $process.create_empty_config))
            (call $spawned (local.get $config)) (call $expect (i64.const 1))
            (call $allow (local.get $config) (i32.const 1) @"tcp:127.0.0.1:0")
            (call $spawned (local.get $config)) (call $expect (i64.const 0))
            (call $process.config_deny_network (local.get $config))
            (call $spawned (local.get $config)) (call $expect (i64.const 1)))"#,
    );
}

#[test]
fn a_bound_udp_socket_receives_from_whom_it_may_not_send_to() {
    let make = format!(
        r#"{EMPTY} (drop (call $udp))
        (call $allow (local.get $config) (i32.const 1) @"udp:127.0.0.1")"#
    );
    let program = format!(
        r#"(func (export "child") (param $root i64)
            (drop (call $udp))
            (call $tell (local.get $root) (i64.const 1)
                (i64.extend_i32_u (call $udp_port (i64.const 0))))
            (call $udp_get (i64.const 0) @"text")
            (call $is (call $denied (call $udp_send_to (i64.const 0) (i32.const 9))) (i32.const 1))
            (call $tell (local.get $root) (i64.const 1) (i64.const 7)))
        (func (export "_start") (local $config i64)
            {make}
            (call $is
                (call $spawn_code (i64.const 1) (local.get $config) (i64.const -1) @"child")
                (i32.const 0))
            (call $is (call $next) (i32.const 0))
            (call $is
                (call $udp_send_to (i64.const 0) (i32.wrap_i64 (call $value)))
                (i32.const 0))
            (call $expect (i64.const 7)))"#
    );
    passes_as(NetworkRights::ALL, &program);
}

#[test]
fn a_socket_that_arrives_in_a_message_works_with_the_peer_that_it_has() {
    passes_as(
        NetworkRights::ALL,
        r#"(func (export "child") (param $root i64)
            (call $is64 (call $take_stream) (i64.const 0))
            (call $put (i64.const 0) @"from the child")
            (call $get (i64.const 0) @"from the root")
            (call $is64 (call $networking.clone_tcp_stream (i64.const 0)) (i64.const 1))
            (call $is (call $next) (i32.const 0))
            (call $is64 (call $message.take_udp_socket (i64.const 0)) (i64.const 0))
            (call $is
                (call $networking.udp_send (i64.const 0) @"datagram" (i32.const 0x3010))
                (i32.const 0))
            (call $is (call $denied (call $udp_send_to (i64.const 0) (i32.const 9))) (i32.const 1))
            (call $tell (local.get $root) (i64.const 1) (i64.const 1)))
        (func (export "_start") (local $child i64)
            (call $is
                (call $spawn_code (i64.const 1) (call $process.create_empty_config)
                    (i64.const -1) @"child")
                (i32.const 0))
            (local.set $child (i64.load (i32.const 0x3f00)))
            (call $pair)
            (call $put (i64.const 1) @"from the root")
            (call $give_stream (i64.const 0) (local.get $child))
            (call $get (i64.const 1) @"from the child")
            (drop (call $udp)) (drop (call $udp))
            (call $is
                (call $udp_connect (i64.const 0) (call $udp_port (i64.const 1)))
                (i32.const 0))
            (call $message.create_data (i64.const 0) (i64.const 0))
            (call $is64 (call $message.push_udp_socket (i64.const 0)) (i64.const 0))
            (call $is (call $message.send (local.get $child)) (i32.const 0))
            (call $udp_get (i64.const 1) @"datagram")
            (call $expect (i64.const 1)))"#,
    );
}
