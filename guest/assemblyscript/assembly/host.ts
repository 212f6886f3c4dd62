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
  @external("lunatic::process", "sleep_ms")
  function sleep_ms(milliseconds: u64): void;
}

export declare namespace message {
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
  @external("lunatic::timer", "cancel")
  function cancel(node: u64, id: u64, left: usize): i32;
}

export declare namespace error {
  @external("lunatic::error", "string_size")
  function string_size(error: u64): u32;
  @external("lunatic::error", "to_string")
  function to_string(error: u64, place: usize): void;
  @external("lunatic::error", "drop")
  function drop(error: u64): void;
}
