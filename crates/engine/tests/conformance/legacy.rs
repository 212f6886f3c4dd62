//! Older forms of host functions: chosen by type, beside today's.

use crate::common::{check, passes, run};

/// What as-lunatic 0.12 imports, whichever of it a program uses.
const AS_LUNATIC_0_12: &str = "
lunatic::error string_size to_string drop
lunatic::message create_data write_data read_data seek_data get_tag data_size push_tcp_stream
lunatic::message take_tcp_stream push_udp_socket take_udp_socket send receive
lunatic::networking resolve drop_dns_iterator resolve_next tcp_bind drop_tcp_listener tcp_local_addr
lunatic::networking tcp_accept tcp_connect drop_tcp_stream clone_tcp_stream tcp_write_vectored
lunatic::networking tcp_peek tcp_read set_read_timeout set_peek_timeout get_read_timeout
lunatic::networking get_peek_timeout tcp_flush udp_bind udp_local_addr drop_udp_socket udp_receive
lunatic::networking udp_receive_from udp_connect clone_udp_socket set_udp_socket_broadcast
lunatic::networking get_udp_socket_broadcast set_udp_socket_ttl get_udp_socket_ttl udp_send_to
lunatic::networking udp_send
lunatic::process compile_module drop_module create_config drop_config config_set_max_memory
lunatic::process config_get_max_memory config_set_max_fuel config_get_max_fuel
lunatic::process config_can_compile_modules config_set_can_compile_modules
lunatic::process config_can_create_configs config_set_can_create_configs
lunatic::process config_can_spawn_processes config_set_can_spawn_processes spawn sleep_ms
lunatic::process die_when_link_dies process_id environment_id link unlink kill
lunatic::registry put get remove
lunatic::wasi config_add_environment_variable config_add_command_line_argument config_preopen_dir
lunatic::distributed nodes_count get_nodes node_id module_id send
wasi_snapshot_preview1 args_get args_sizes_get environ_get environ_sizes_get clock_time_get fd_write
wasi_snapshot_preview1 proc_exit random_get
";

/// The older forms, named as guests here call them.
const OLD: &str = r#"
    (import "lunatic::message" "send_receive_skip_search"
        (func $ask (param i64 i64) (result i32)))
    (import "lunatic::distributed" "send_receive_skip_search"
        (func $ask_node (param i64 i64 i64) (result i32)))
"#;

/// Today's.
const NEW: &str = r#"
    (import "lunatic::message" "send_receive_skip_search"
        (func $ask_for (param i64 i64 i64) (result i32)))
    (import "lunatic::distributed" "send_receive_skip_search"
        (func $ask_node_for (param i64 i64 i64 i64) (result i32)))
"#;

/// Answers each request with its number and one more: tagged as the request was, or with 7.
const SERVER: &str = r#"(func (export "server") (param $parent i64) (local $tag i64)
    (loop $more
        (call $is (call $next) (i32.const 0))
        (local.set $tag (call $message.get_tag))
        (call $tell (local.get $parent)
            (select (local.get $tag) (i64.const 7) (i64.ne (local.get $tag) (i64.const 0)))
            (i64.add (call $value) (i64.const 1)))
        (br $more)))"#;

/// Writes a request.
const REQUEST: &str = "(func $request (param $tag i64) (param $number i64)
    (call $message.create_data (local.get $tag) (i64.const 8))
    (i64.store (i32.const 0x100) (local.get $number))
    (drop (call $message.write_data (i32.const 0x100) (i32.const 8))))";

/// An untagged request takes any reply, a tagged one the reply with its tag.
const OLD_REQUESTS: &str = "(local.set $server (call $spawn_for_me (i64.const 0) @\"server\"))
    (call $tell (call $process.process_id) (i64.const 8) (i64.const 99))
    (call $request (i64.const 0) (i64.const 1))
    (call $is (call $ask (local.get $server) (i64.const -1)) (i32.const 0))
    (call $is64 (call $message.get_tag) (i64.const 7))
    (call $is64 (call $value) (i64.const 2))
    (call $request (i64.const 5) (i64.const 10))
    (call $is (call $ask (local.get $server) (i64.const -1)) (i32.const 0))
    (call $is64 (call $message.get_tag) (i64.const 5))
    (call $is64 (call $value) (i64.const 11))
    (call $request (i64.const 5) (i64.const 0))
    (call $is (call $ask_node (i64.const 1) (local.get $server) (i64.const -1)) (i32.const 1))
    ;; What was there before was not looked at.
    (call $expect (i64.const 99))";

// 2.14
#[test]
fn a_module_with_both_forms_of_send_receive_gets_each_by_its_type() {
    passes(&format!(
        r#"{OLD} {NEW} {SERVER} {REQUEST}
        (func (export "_start") (local $server i64)
            {OLD_REQUESTS}
            (call $request (i64.const 0) (i64.const 20))
            (call $is
                (call $ask_for (local.get $server) (i64.const 7) (i64.const -1))
                (i32.const 0))
            (call $is64 (call $value) (i64.const 21))
            (call $request (i64.const 0) (i64.const 0))
            (call $is
                (call $ask_node_for (i64.const 1) (i64.const 1) (i64.const 1) (i64.const -1))
                (i32.const 1)))"#
    ));
}

#[test]
fn a_request_of_the_old_form_times_out() {
    passes(&format!(
        r#"{OLD} {REQUEST}
        (func (export "_start")
            (call $request (i64.const 5) (i64.const 0))
            (call $is (call $ask (i64.const 999999) (i64.const 1)) (i32.const 9027)))"#
    ));
}

#[test]
fn a_module_with_all_imports_of_as_lunatic_0_12_runs_a_request() {
    let used: String = AS_LUNATIC_0_12
        .lines()
        .filter(|line| !line.is_empty())
        .flat_map(|line| {
            let mut words = line.split_whitespace();
            let namespace = words.next().expect("a line begins with a namespace");
            let namespace = namespace.strip_prefix("lunatic::").unwrap_or("p1");
            words.map(move |name| {
                format!("(export \"{namespace} {name}\" (func ${namespace}.{name}))")
            })
        })
        .collect();
    passes(&format!(
        r#"{OLD} {used} {SERVER} {REQUEST}
        (func (export "_start") (local $server i64) {OLD_REQUESTS})"#
    ));
}

// The name by which the runtime tells the forms apart means nothing to other imports.
#[test]
fn a_module_that_only_has_the_name_in_its_data_is_unchanged() {
    check(&run(r#"(module
            (import "lunatic::message" "send_receive_skip_search"
                (func (param i64 i64) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "send_receive_skip_search")
            (func (export "_start")
                (if (i64.ne (i64.load (i32.const 16)) (i64.const 0x6863_7261_6573_5f70))
                    (then (unreachable)))))"#));
}
