;; Two processes on the raw host functions: the root spawns `pong` with its own id as the
;; argument, sends it one byte at a time, and gets each byte back increased by one.
;;
;; Run it: `lunatic run examples/wat/ping.wat`
;;
;; It prints:
;;
;; ```text
;; b
;; c
;; d
;; ```
(module
  (import "lunatic::process" "process_id" (func $process_id (result i64)))
  (import "lunatic::process" "spawn"
    (func $spawn (param i64 i64 i64 i32 i32 i32 i32 i32) (result i32)))
  (import "lunatic::message" "create_data" (func $create_data (param i64 i64)))
  (import "lunatic::message" "write_data" (func $write_data (param i32 i32) (result i32)))
  (import "lunatic::message" "read_data" (func $read_data (param i32 i32) (result i32)))
  (import "lunatic::message" "send" (func $send (param i64) (result i32)))
  (import "lunatic::message" "receive" (func $receive (param i32 i32 i64) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)

  ;; 0: ciovec of two bytes at 16; 8: written count; 16: the byte, then a line break;
  ;; 32: name of the entry; 48: its parameter block (type i64, 16 value bytes); 72: the new id.
  (data (i32.const 0) "\10\00\00\00\02\00\00\00")
  (data (i32.const 16) "a\n")
  (data (i32.const 32) "pong")
  (data (i32.const 48) "\7e")

  ;; Sends the byte at 16 to a process.
  (func $send_byte (param $to i64)
    (call $create_data (i64.const 0) (i64.const 1))
    (drop (call $write_data (i32.const 16) (i32.const 1)))
    (drop (call $send (local.get $to))))

  ;; Waits for the next message and puts its byte at 16.
  (func $receive_byte
    (drop (call $receive (i32.const 0) (i32.const 0) (i64.const -1)))
    (drop (call $read_data (i32.const 16) (i32.const 1))))

  (func (export "_start") (local $left i32)
    (i64.store (i32.const 49) (call $process_id))
    ;; No link, the caller's configuration (-1) and module (-1).
    (if (call $spawn (i64.const 0) (i64.const -1) (i64.const -1)
          (i32.const 32) (i32.const 4) (i32.const 48) (i32.const 17) (i32.const 72))
      (then unreachable))
    (local.set $left (i32.const 3))
    (loop $again
      (call $send_byte (i64.load (i32.const 72)))
      (call $receive_byte)
      (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))

  (func (export "pong") (param $parent i64)
    (loop $again
      (call $receive_byte)
      (i32.store8 (i32.const 16) (i32.add (i32.load8_u (i32.const 16)) (i32.const 1)))
      (call $send_byte (local.get $parent))
      (br $again))))
