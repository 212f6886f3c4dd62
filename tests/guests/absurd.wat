;; Hostile: asks for absurd sizes. What has a result is asked by the root itself and has to come
;; back with an answer. What breaks the contract is asked by a child of its own for each case,
;; named `trap_…`: the child must trap, and the root must be told and go on.
;;
;; Expected: status 0 and exactly
;;
;; ```text
;; the node is alive
;; ```
;;
;; A case that neither answers nor traps ends the root with `unreachable` instead.
(module
  (import "lunatic::process" "die_when_link_dies" (func $die_when_link_dies (param i32)))
  (import "lunatic::process" "spawn"
    (func $spawn (param i64 i64 i64 i32 i32 i32 i32 i32) (result i32)))
  (import "lunatic::process" "process_id" (func $process_id (result i64)))
  (import "lunatic::message" "create_data" (func $create_data (param i64 i64)))
  (import "lunatic::message" "write_data" (func $write_data (param i32 i32) (result i32)))
  (import "lunatic::message" "read_data" (func $read_data (param i32 i32) (result i32)))
  (import "lunatic::message" "seek_data" (func $seek_data (param i64)))
  (import "lunatic::message" "receive" (func $receive (param i32 i32 i64) (result i32)))
  (import "lunatic::message" "get_tag" (func $get_tag (result i64)))
  (import "lunatic::registry" "put" (func $put (param i32 i32 i64 i64)))
  (import "lunatic::process" "compile_module"
    (func $compile_module (param i32 i32 i32) (result i32)))
  (import "lunatic::timer" "send_after" (func $send_after (param i64 i64) (result i64)))
  (import "lunatic::timer" "cancel_timer" (func $cancel_timer (param i64) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get"
    (func $random_get (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (table $table 1 funcref)

  ;; 0: ciovec of the last line; 8: written count; 16: result ids; 24: a buffer. From 256 the
  ;; names of the cases, 16 bytes each.
  (data (i32.const 0) "\40\00\00\00\12\00\00\00")
  (data (i32.const 64) "the node is alive\n")
  (data (i32.const 256) "trap_write      trap_read_at    trap_tags       ")
  (data (i32.const 304) "trap_name       trap_params     trap_iovecs     ")
  (data (i32.const 352) "trap_seek       trap_module     ")
  (global $cases i32 (i32.const 8))

  (func $must (param $holds i32)
    (if (i32.eqz (local.get $holds))
      (then unreachable)))

  (func $survive
    ;; Capacities are hints: nobody has 2^64-1 or 2^55-1 bytes.
    (call $create_data (i64.const 0) (i64.const -1))
    (call $create_data (i64.const 0) (i64.const 0x7fffffffffffff))
    (call $must (i32.eq (call $write_data (i32.const 24) (i32.const 8)) (i32.const 8)))
    (call $must (i32.eq (call $read_data (i32.const 24) (i32.const 8)) (i32.const 8)))
    ;; A timer that fires in 584 million years, and can be taken back.
    (call $must
      (i32.eq
        (call $cancel_timer (call $send_after (call $process_id) (i64.const -2)))
        (i32.const 1)))
    ;; One page more than an address space has, then exactly a whole one, then a huge table.
    (call $must
      (i32.eq (memory.grow (i32.const 65536)) (i32.const -1)))
    (drop (memory.grow (i32.const 65535)))
    (call $must
      (i32.eq (table.grow $table (ref.null func) (i32.const 0x7fffffff)) (i32.const -1))))

  (func (export "_start") (local $case i32)
    (call $survive)
    (call $die_when_link_dies (i32.const 0))
    (loop $again
      ;; The link's tag is the number of the case, from 1 on.
      (call $must
        (i32.eqz
          (call $spawn
            (i64.extend_i32_u (i32.add (local.get $case) (i32.const 1)))
            (i64.const -1) (i64.const -1)
            (i32.add (i32.const 256) (i32.mul (local.get $case) (i32.const 16)))
            (call $name_length
              (i32.add (i32.const 256) (i32.mul (local.get $case) (i32.const 16))))
            (i32.const 0) (i32.const 0) (i32.const 16))))
      ;; Only the link that died is an acceptable end of the case.
      (call $must
        (i32.eq (call $receive (i32.const 0) (i32.const 0) (i64.const 10000)) (i32.const 1)))
      (call $must
        (i64.eq
          (call $get_tag) (i64.extend_i32_u (i32.add (local.get $case) (i32.const 1)))))
      (local.set $case (i32.add (local.get $case) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $case) (global.get $cases))))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))

  ;; The bytes before the first blank of a padded name.
  (func $name_length (param $name i32) (result i32) (local $length i32)
    (loop $again
      (local.set $length (i32.add (local.get $length) (i32.const 1)))
      (br_if $again
        (i32.ne
          (i32.load8_u (i32.add (local.get $name) (local.get $length))) (i32.const 32))))
    (local.get $length))

  ;; A source that wraps round the end of the address space.
  (func (export "trap_write")
    (call $create_data (i64.const 0) (i64.const 0))
    (drop (call $write_data (i32.const 0xfffffff0) (i32.const 0xffffffff))))

  ;; A destination in the last bytes of an address space that the memory does not have.
  (func (export "trap_read_at")
    (call $create_data (i64.const 0) (i64.const 0))
    (drop (call $write_data (i32.const 24) (i32.const 32)))
    (drop (call $read_data (i32.const 0xfffffff8) (i32.const 32))))

  ;; 2^31 tags of 8 bytes are 16 GiB.
  (func (export "trap_tags")
    (drop (call $receive (i32.const 0) (i32.const 0x80000000) (i64.const 0))))

  ;; A name of 4 GiB.
  (func (export "trap_name")
    (call $put (i32.const 0) (i32.const 0xffffffff) (i64.const 0) (i64.const 1)))

  ;; 2^32-1 bytes are a whole number of 17-byte parameters, and far more than there are.
  (func (export "trap_params")
    (drop
      (call $spawn (i64.const 0) (i64.const -1) (i64.const -1)
        (i32.const 256) (i32.const 10) (i32.const 0) (i32.const 0xffffffff) (i32.const 16))))

  ;; 2^29 ciovecs: in 32-bit arithmetic their table is 0 bytes long. WASI answers with an error
  ;; number, which is as good as a trap: the case ends itself.
  (func (export "trap_iovecs")
    (call $must
      (i32.ne
        (call $fd_write (i32.const 1) (i32.const 0) (i32.const 0x20000000) (i32.const 8))
        (i32.const 0)))
    (call $must
      (i32.ne (call $random_get (i32.const 0xfffffff0) (i32.const 0xffffffff)) (i32.const 0)))
    unreachable)

  ;; A cursor behind everything, from which nothing can be read.
  (func (export "trap_seek")
    (call $create_data (i64.const 0) (i64.const 0))
    (drop (call $write_data (i32.const 24) (i32.const 8)))
    (call $seek_data (i64.const -1))
    (drop (call $read_data (i32.const 24) (i32.const 8))))

  ;; A module of 4 GiB: refusing it with an error is as good as a trap.
  (func (export "trap_module")
    (call $must
      (i32.ne
        (call $compile_module (i32.const 0) (i32.const 0xffffffff) (i32.const 16))
        (i32.const 0)))
    unreachable))
