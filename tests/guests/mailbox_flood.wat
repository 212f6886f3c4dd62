;; Hostile: sends a child that never receives one message of 1 MiB after the other.
;;
;; Expected: the sender is suspended when the child's mailbox is full (messages or bytes), the
;; node's memory stays bounded, the suspended sender can be killed, other processes answer.
(module
  (import "lunatic::process" "sleep_ms" (func $sleep_ms (param i64)))
  (import "lunatic::process" "spawn"
    (func $spawn (param i64 i64 i64 i32 i32 i32 i32 i32) (result i32)))
  (import "lunatic::message" "create_data" (func $create_data (param i64 i64)))
  (import "lunatic::message" "write_data" (func $write_data (param i32 i32) (result i32)))
  (import "lunatic::message" "send" (func $send (param i64) (result i32)))
  (memory (export "memory") 17)
  (data (i32.const 0) "deaf")

  ;; 8: the id of the child; the payload is the second MiB-sized stretch, all zeros.
  (func (export "_start")
    (if (call $spawn (i64.const 0) (i64.const -1) (i64.const -1)
          (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 8))
      (then unreachable))
    (loop $for_ever
      (call $create_data (i64.const 7) (i64.const 0x100000))
      (drop (call $write_data (i32.const 0x10000) (i32.const 0x100000)))
      (drop (call $send (i64.load (i32.const 8))))
      (br $for_ever)))

  (func (export "deaf")
    (loop $for_ever
      (call $sleep_ms (i64.const 3600000))
      (br $for_ever))))
