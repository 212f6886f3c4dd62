//! The host functions that this library calls, as abi/ lists them: a namespace for each module of
//! imports. Nothing but declarations, so that a program imports only what it uses.
//!
//! Pointers are `usize`, lengths `u32`; what a function stores at its pointers is little-endian.

export declare namespace process {
  @external("lunatic::process", "own_pid")
  function own_pid(pid: usize): void;
  @external("lunatic::process", "is_alive")
  function is_alive(node: u64, id: u64): i32;
  @external("lunatic::process", "spawn_with")
  function spawn_with(options: usize, length: u32, result: usize): i32;
  @external("lunatic::process", "exit")
  function exit(node: u64, id: u64, kind: i32, data: usize, length: u32): void;
  @external("lunatic::process", "exit_self")
  function exit_self(kind: i32, data: usize, length: u32): void;
  @external("lunatic::process", "link_pid")
  function link_pid(node: u64, id: u64, tag: i64, flags: i32): void;
  @external("lunatic::process", "unlink_pid")
  function unlink_pid(node: u64, id: u64): void;
  @external("lunatic::process", "monitor_pid")
  function monitor_pid(node: u64, id: u64, flags: i32, reference: usize): void;
  @external("lunatic::process", "demonitor")
  function demonitor(node: u64, id: u64, flags: i32): i32;
  @external("lunatic::process", "alias")
  function alias(flags: i32, reference: usize): void;
  @external("lunatic::process", "unalias")
  function unalias(node: u64, id: u64): i32;
  @external("lunatic::process", "set_flag")
  function set_flag(flag: i32, value: i64, result: usize): i32;
  @external("lunatic::process", "monitor_name")
  function monitor_name(name: usize, length: u32, flags: i32, reference: usize): void;
  @external("lunatic::process", "info")
  function info(node: u64, id: u64, place: usize, length: u32): i32;
  @external("lunatic::process", "processes")
  function processes(pids: usize, room: u32): u32;
  @external("lunatic::process", "set_label")
  function set_label(label: usize, length: u32): void;
  @external("lunatic::process", "compile_module")
  function compile_module(bytes: usize, length: u32, id: usize): i32;
  @external("lunatic::process", "drop_module")
  function drop_module(id: u64): void;
  @external("lunatic::process", "hibernate")
  function hibernate(
    entry: usize, entry_length: u32, parameters: usize, length: u32, error: usize,
  ): i32;
  @external("lunatic::process", "sleep_ms")
  function sleep_ms(milliseconds: u64): void;
}

export declare namespace config {
  @external("lunatic::process", "create_config")
  function create(): i64;
  @external("lunatic::process", "create_empty_config")
  function create_empty(): i64;
  @external("lunatic::process", "drop_config")
  function drop(config: i64): void;
  @external("lunatic::process", "config_set_max_memory")
  function set_max_memory(config: i64, bytes: u64): void;
  @external("lunatic::process", "config_set_max_fuel")
  function set_max_fuel(config: i64, units: u64): void;
  @external("lunatic::process", "config_set_can_compile_modules")
  function set_can_compile(config: i64, flag: i32): void;
  @external("lunatic::process", "config_set_can_create_configs")
  function set_can_create(config: i64, flag: i32): void;
  @external("lunatic::process", "config_set_can_spawn_processes")
  function set_can_spawn(config: i64, flag: i32): void;
  @external("lunatic::process", "config_allow_network")
  function allow_network(
    config: i64, access: i32, rule: usize, length: u32, error: usize,
  ): i32;
  @external("lunatic::process", "config_deny_network")
  function deny_network(config: i64): void;
  @external("lunatic::process", "config_allow_resolve")
  function allow_resolve(config: i64, flag: i32): void;
  @external("lunatic::process", "config_allow")
  function allow(config: i64, right: usize, length: u32, error: usize): i32;
  @external("lunatic::process", "config_deny")
  function deny(config: i64, right: usize, length: u32, error: usize): i32;
  @external("lunatic::process", "config_set_budget")
  function set_budget(
    config: i64, scope: i32, kind: i32, amount: u64, policy: i32, error: usize,
  ): i32;
  @external("lunatic::process", "account")
  function account(node: u64, id: u64, scope: i32, place: usize, length: u32): i32;
  @external("lunatic::wasi", "config_add_environment_variable")
  function add_variable(
    config: i64, name: usize, name_length: u32, value: usize, value_length: u32,
  ): void;
  @external("lunatic::wasi", "config_add_command_line_argument")
  function add_argument(config: i64, argument: usize, length: u32): void;
  @external("lunatic::wasi", "config_preopen_dir")
  function preopen(config: i64, directory: usize, length: u32): void;
}

export declare namespace networking {
  @external("lunatic::networking", "resolve")
  function resolve(name: usize, length: u32, timeout: i64, result: usize): i32;
  @external("lunatic::networking", "resolve_next")
  function resolve_next(
    all: u64, family: usize, octets: usize, port: usize, flow: usize, scope: usize,
  ): i32;
  @external("lunatic::networking", "drop_dns_iterator")
  function drop_addresses(all: u64): void;
  @external("lunatic::networking", "tcp_bind")
  function tcp_bind(
    family: u32, octets: usize, port: u32, flow: u32, scope: u32, result: usize,
  ): i32;
  @external("lunatic::networking", "tcp_connect")
  function tcp_connect(
    family: u32, octets: usize, port: u32, flow: u32, scope: u32, timeout: i64, result: usize,
  ): i32;
  @external("lunatic::networking", "tcp_accept")
  function tcp_accept(listener: u64, result: usize, peer: usize): i32;
  @external("lunatic::networking", "set_accept_timeout")
  function set_accept_timeout(listener: u64, milliseconds: i64): void;
  @external("lunatic::networking", "tcp_local_addr")
  function tcp_local_addr(listener: u64, result: usize): i32;
  @external("lunatic::networking", "drop_tcp_listener")
  function drop_tcp_listener(listener: u64): void;
  @external("lunatic::networking", "tcp_peer_addr")
  function tcp_peer_addr(stream: u64, result: usize): i32;
  @external("lunatic::networking", "clone_tcp_stream")
  function clone_tcp_stream(stream: u64): u64;
  @external("lunatic::networking", "drop_tcp_stream")
  function drop_tcp_stream(stream: u64): void;
  @external("lunatic::networking", "tcp_read")
  function tcp_read(stream: u64, place: usize, room: u32, result: usize): i32;
  @external("lunatic::networking", "set_read_timeout")
  function set_read_timeout(stream: u64, milliseconds: i64): void;
  @external("lunatic::networking", "tcp_write_vectored")
  function tcp_write_vectored(stream: u64, slices: usize, count: u32, result: usize): i32;
  @external("lunatic::networking", "set_write_timeout")
  function set_write_timeout(stream: u64, milliseconds: i64): void;
  @external("lunatic::networking", "set_tcp_nodelay")
  function set_tcp_nodelay(stream: u64, flag: i32, result: usize): i32;
  @external("lunatic::networking", "tcp_shutdown")
  function tcp_shutdown(stream: u64, how: i32, result: usize): i32;
}

export declare namespace message {
  @external("lunatic::message", "push_tcp_stream")
  function push_tcp_stream(stream: u64): u64;
  @external("lunatic::message", "take_tcp_stream")
  function take_tcp_stream(index: u64): u64;
  @external("lunatic::message", "push_tcp_listener")
  function push_tcp_listener(listener: u64): u64;
  @external("lunatic::message", "take_tcp_listener")
  function take_tcp_listener(index: u64): u64;
  @external("lunatic::message", "push_process")
  function push_process(node: u64, id: u64): u64;
  @external("lunatic::message", "take_process")
  function take_process(index: u64, pid: usize): void;
  @external("lunatic::message", "push_alias")
  function push_alias(node: u64, id: u64): u64;
  @external("lunatic::message", "take_alias")
  function take_alias(index: u64, reference: usize): void;
  @external("lunatic::message", "push_module")
  function push_module(module: u64): u64;
  @external("lunatic::message", "take_module")
  function take_module(index: u64): u64;
  @external("lunatic::message", "create_data")
  function create_data(tag: i64, capacity: u64): void;
  @external("lunatic::message", "write_data")
  function write_data(from: usize, length: u32): u32;
  @external("lunatic::message", "read_data")
  function read_data(into: usize, length: u32): u32;
  @external("lunatic::message", "send_pid")
  function send_pid(node: u64, id: u64, timeout: i64): i32;
  @external("lunatic::message", "send_name")
  function send_name(name: usize, length: u32, timeout: i64): i32;
  @external("lunatic::message", "send_alias")
  function send_alias(node: u64, id: u64, flags: i32, timeout: i64): i32;
  @external("lunatic::message", "receive_with")
  function receive_with(
    patterns: usize, count: u32, flags: i32, timeout: i64, header: usize,
  ): i32;
}

export declare namespace registry {
  @external("lunatic::registry", "register")
  function register(name: usize, length: u32, node: u64, id: u64): i32;
  @external("lunatic::registry", "unregister")
  function unregister(name: usize, length: u32): i32;
  @external("lunatic::registry", "get")
  function get(name: usize, length: u32, node: usize, id: usize): i32;
}

export declare namespace timer {
  @external("lunatic::timer", "start")
  function start(node: u64, id: u64, milliseconds: u64, reference: usize): i32;
  @external("lunatic::timer", "start_named")
  function start_named(name: usize, length: u32, milliseconds: u64, reference: usize): i32;
  @external("lunatic::timer", "read")
  function read(node: u64, id: u64, left: usize): i32;
  @external("lunatic::timer", "cancel")
  function cancel(node: u64, id: u64, left: usize): i32;
}

export declare namespace trap {
  @external("lunatic::trap", "catch")
  function attempt(run: u32, argument: u32): i32;
}

export declare namespace error {
  @external("lunatic::error", "string_size")
  function string_size(error: u64): u32;
  @external("lunatic::error", "to_string")
  function to_string(error: u64, place: usize): void;
  @external("lunatic::error", "drop")
  function drop(error: u64): void;
}

export declare namespace wasi {
  @external("wasi_snapshot_preview1", "clock_time_get")
  function clock_time_get(clock: u32, precision: u64, time: usize): i32;
  @external("wasi_snapshot_preview1", "args_sizes_get")
  function args_sizes_get(count: usize, bytes: usize): i32;
  @external("wasi_snapshot_preview1", "args_get")
  function args_get(list: usize, texts: usize): i32;
}
