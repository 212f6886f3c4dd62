;; Calls that need a right, again and again. The first letter of the first argument is the call:
;; n (a name is looked up), c (the clock is read), r (eight random bytes), w (a byte is written),
;; i (another process is looked at), u (a UDP socket is bound and closed); the second argument is
;; how often, in decimal. What comes of a call is not looked at, but that nothing is left over.
(module
  (import "lunatic::registry" "get" (func $get (param i32 i32 i32 i32) (result i32)))
  (import "lunatic::process" "is_alive" (func $is_alive (param i64 i64) (result i32)))
  (import "lunatic::process" "spawn"
    (func $spawn (param i64 i64 i64 i32 i32 i32 i32 i32) (result i32)))
  (import "lunatic::message" "receive" (func $receive (param i32 i32 i64) (result i32)))
  (import "lunatic::networking" "udp_bind"
    (func $udp_bind (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "lunatic::networking" "drop_udp_socket" (func $drop_udp_socket (param i64)))
  (import "lunatic::error" "drop" (func $drop_error (param i64)))
  (import "wasi_snapshot_preview1" "clock_time_get"
    (func $clock_time_get (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (memory (export "memory") 1)

  ;; 0: one byte to write; 8: its ciovec; 16: results; 32: an address; 48: names; 128: pointers to
  ;; the arguments; 256: their bytes.
  (data (i32.const 0) "x\00\00\00\00\00\00\00\00\00\00\00\01\00\00\00")
  (data (i32.const 32) "\7f\00\00\01")
  (data (i32.const 48) "nobodyidle")

  (func (export "idle") (drop (call $receive (i32.const 0) (i32.const 0) (i64.const -1))))

  ;; The decimal number at $at, up to the first byte that is no digit.
  (func $number_at (param $at i32) (result i32) (local $number i32) (local $digit i32)
    (block $done
      (loop $next
        (local.set $digit (i32.sub (i32.load8_u (local.get $at)) (i32.const 48)))
        (br_if $done (i32.gt_u (local.get $digit) (i32.const 9)))
        (local.set $number
          (i32.add (i32.mul (local.get $number) (i32.const 10)) (local.get $digit)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (local.get $number))

  (func $call (param $letter i32)
    (block $u (block $i (block $w (block $r (block $c (block $n
      (br_if $n (i32.eq (local.get $letter) (i32.const 110)))
      (br_if $c (i32.eq (local.get $letter) (i32.const 99)))
      (br_if $r (i32.eq (local.get $letter) (i32.const 114)))
      (br_if $w (i32.eq (local.get $letter) (i32.const 119)))
      (br_if $i (i32.eq (local.get $letter) (i32.const 105)))
      (br_if $u (i32.eq (local.get $letter) (i32.const 117)))
      unreachable)
      (drop (call $get (i32.const 48) (i32.const 6) (i32.const 16) (i32.const 40)))
      (return))
      (drop (call $clock_time_get (i32.const 0) (i64.const 1) (i32.const 16)))
      (return))
      (drop (call $random_get (i32.const 16) (i32.const 8)))
      (return))
      (drop (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16)))
      (return))
      (drop (call $is_alive (i64.const 0) (i64.load (i32.const 24))))
      (return))
    (if (call $udp_bind (i32.const 4) (i32.const 32) (i32.const 0) (i32.const 0) (i32.const 0)
          (i32.const 16))
      (then (call $drop_error (i64.load (i32.const 16))))
      (else (call $drop_udp_socket (i64.load (i32.const 16))))))

  (func (export "_start") (local $letter i32) (local $left i32)
    (drop (call $args_get (i32.const 128) (i32.const 256)))
    (local.set $letter (i32.load8_u (i32.load (i32.const 132))))
    (local.set $left (call $number_at (i32.load (i32.const 136))))
    (if (call $spawn (i64.const 0) (i64.const -1) (i64.const -1) (i32.const 54) (i32.const 4)
          (i32.const 0) (i32.const 0) (i32.const 24))
      (then unreachable))
    (loop $again
      (call $call (local.get $letter))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (i32.gt_s (local.get $left) (i32.const 0))))))
