;; The raw host functions without any guest library, and the compute of compute.wat as a process.
;; The first letter of the first argument is the question: t (spawn in turn), m (spawn many),
;; r (round trip), w (waiting), f (fib), s (sieve), v (SIMD), a (allocation); the second argument is
;; the size, in decimal. Prints what examples/bench prints for the same questions.
;;
;; With 64 KiB of data in place of the mark, each process has them, and one that waits reads a byte.
(module
  (import "lunatic::process" "process_id" (func $process_id (result i64)))
  (import "lunatic::process" "spawn"
    (func $spawn (param i64 i64 i64 i32 i32 i32 i32 i32) (result i32)))
  (import "lunatic::message" "create_data" (func $create_data (param i64 i64)))
  (import "lunatic::message" "send" (func $send (param i64) (result i32)))
  (import "lunatic::message" "receive" (func $receive (param i32 i32 i64) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read"
    (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get"
    (func $clock_time_get (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get"
    (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (memory (export "memory") 1) ;; <data/>

  ;; 0: ciovec; 8: result id; 16: clock; 24: sizes; 32: parameter block; 64: names;
  ;; 128: pointers to the arguments; 256: their bytes; 3072: pieces of answers. Compute uses what is
  ;; behind 0x4000, and the root of `waiting` what its memory grows by.
  (data (i32.const 32) "\7e")
  (data (i32.const 64) "onceechoidle")
  (data (i32.const 3072) "{\"total_ns\": ")
  (data (i32.const 3104) ", \"ops\": ")
  (data (i32.const 3136) ", \"cold_ns\": ")
  (data (i32.const 3168) ", \"cold_ops\": ")
  (data (i32.const 3232) "{\"start_ns\": ")
  (data (i32.const 3264) ", \"end_ns\": ")
  (data (i32.const 3296) ", \"ended\": ")
  (data (i32.const 3344) "}\n")
  (data (i32.const 3360) "ready\n")

  ;; compute.wat goes here:
  ;; <compute/>

  (func $now (result i64)
    (drop (call $clock_time_get (i32.const 1) (i64.const 1) (i32.const 16)))
    (i64.load (i32.const 16)))

  (func $print (param $from i32) (param $length i32)
    (i32.store (i32.const 0) (local.get $from))
    (i32.store (i32.const 4) (local.get $length))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 24))))

  ;; Prints a piece of an answer and a number in decimal, whose digits are laid down from 3,232
  ;; backwards.
  (func $print_field (param $from i32) (param $length i32) (param $number i64) (local $at i32)
    (call $print (local.get $from) (local.get $length))
    (local.set $at (i32.const 3232))
    (loop $digit
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i32.store8 (local.get $at)
        (i32.add (i32.const 48) (i32.wrap_i64 (i64.rem_u (local.get $number) (i64.const 10)))))
      (local.set $number (i64.div_u (local.get $number) (i64.const 10)))
      (br_if $digit (i64.ne (local.get $number) (i64.const 0))))
    (call $print (local.get $at) (i32.sub (i32.const 3232) (local.get $at))))

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

  ;; Spawns the entry whose four letters are at $name, with this process's id as its argument.
  (func $spawn_entry (param $name i32)
    (if (call $spawn (i64.const 0) (i64.const -1) (i64.const -1)
          (local.get $name) (i32.const 4) (i32.const 32) (i32.const 17) (i32.const 8))
      (then unreachable)))

  (func $send_empty (param $to i64)
    (call $create_data (i64.const 0) (i64.const 0))
    (drop (call $send (local.get $to))))

  (func $wait
    (drop (call $receive (i32.const 0) (i32.const 0) (i64.const -1))))

  (func (export "once") (param $parent i64)
    (call $send_empty (local.get $parent)))

  (func (export "echo") (param $parent i64)
    (loop $again
      (call $wait)
      (call $send_empty (local.get $parent))
      (br $again)))

  (func $spawn_turn (param $size i32)
    (loop $again
      (call $spawn_entry (i32.const 64))
      (call $wait)
      (br_if $again (local.tee $size (i32.sub (local.get $size) (i32.const 1))))))

  (func $spawn_many (param $size i32) (local $left i32)
    (local.set $left (local.get $size))
    (loop $again
      (call $spawn_entry (i32.const 64))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (loop $again
      (call $wait)
      (br_if $again (local.tee $size (i32.sub (local.get $size) (i32.const 1))))))

  (func $round_trip (param $size i32) (local $echo i64)
    (call $spawn_entry (i32.const 68))
    (local.set $echo (i64.load (i32.const 8)))
    (loop $again
      (call $send_empty (local.get $echo))
      (call $wait)
      (br_if $again (local.tee $size (i32.sub (local.get $size) (i32.const 1))))))

  ;; Says that it is up, waits, and says that it goes.
  (func (export "idle") (param $parent i64)
    ;; <touch/>
    (call $send_empty (local.get $parent))
    (call $wait)
    (call $send_empty (local.get $parent)))

  ;; Prints `ready` and goes on at the next line of standard input.
  (func $ready
    (call $print (i32.const 3360) (i32.const 6))
    (i32.store (i32.const 0) (i32.const 3584))
    (i32.store (i32.const 4) (i32.const 64))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 24))))

  ;; The pids stand from $pids on, eight bytes each.
  (func $waiting (param $size i32) (local $pids i32) (local $at i32) (local $end i32)
    (local $begin i64) (local $took i64)
    (local.set $pids (i32.mul (memory.size) (i32.const 0x10000)))
    (local.set $end (i32.add (local.get $pids) (i32.mul (local.get $size) (i32.const 8))))
    (if (i32.eq (i32.const -1)
          (memory.grow (i32.add (i32.const 1) (i32.div_u (local.get $size) (i32.const 8192)))))
      (then unreachable))
    (call $ready)
    (local.set $begin (call $now))
    (local.set $at (local.get $pids))
    (loop $again
      (call $spawn_entry (i32.const 72))
      (i64.store (local.get $at) (i64.load (i32.const 8)))
      (call $wait)
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $again (i32.lt_u (local.get $at) (local.get $end))))
    (local.set $took (i64.sub (call $now) (local.get $begin)))
    (call $ready)
    (local.set $begin (call $now))
    (local.set $at (local.get $pids))
    (loop $again
      (call $send_empty (i64.load (local.get $at)))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $again (i32.lt_u (local.get $at) (local.get $end))))
    (local.set $at (local.get $pids))
    (loop $again
      (call $wait)
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $again (i32.lt_u (local.get $at) (local.get $end))))
    (local.set $begin (i64.sub (call $now) (local.get $begin)))
    (call $print_field (i32.const 3232) (i32.const 13) (local.get $took))
    (call $print_field (i32.const 3264) (i32.const 12) (local.get $begin))
    (call $print_field (i32.const 3296) (i32.const 11) (i64.extend_i32_u (local.get $size)))
    (call $print (i32.const 3344) (i32.const 2)))

  ;; As many as the question is timed for: 1 for compute.
  (func $work (param $question i32) (param $size i32) (result i32)
    (if (i32.eq (local.get $question) (i32.const 116)) ;; t
      (then (call $spawn_turn (local.get $size)) (return (local.get $size))))
    (if (i32.eq (local.get $question) (i32.const 109)) ;; m
      (then (call $spawn_many (local.get $size)) (return (local.get $size))))
    (if (i32.eq (local.get $question) (i32.const 114)) ;; r
      (then (call $round_trip (local.get $size)) (return (local.get $size))))
    (if (i32.eq (local.get $question) (i32.const 102)) ;; f
      (then (drop (call $fib (local.get $size)))))
    (if (i32.eq (local.get $question) (i32.const 115)) ;; s
      (then (drop (call $sieve (local.get $size)))))
    (if (i32.eq (local.get $question) (i32.const 118)) ;; v
      (then (drop (call $simd (local.get $size)))))
    (if (i32.eq (local.get $question) (i32.const 97)) ;; a
      (then (drop (call $alloc (local.get $size)))))
    (i32.const 1))

  (func (export "_start") (local $question i32) (local $size i32) (local $begin i64)
    (local $cold_size i32) (local $cold i64)
    (drop (call $args_sizes_get (i32.const 24) (i32.const 28)))
    ;; Three arguments in 2 KiB, or this is not the bench.
    (if (i32.or
          (i32.ne (i32.load (i32.const 24)) (i32.const 3))
          (i32.gt_u (i32.load (i32.const 28)) (i32.const 2048)))
      (then unreachable))
    (drop (call $args_get (i32.const 128) (i32.const 256)))
    (local.set $question (i32.load8_u (i32.load (i32.const 132))))
    (local.set $size (call $number_at (i32.load (i32.const 136))))
    (i64.store (i32.const 33) (call $process_id))

    (if (i32.eq (local.get $question) (i32.const 119)) ;; w
      (then (call $waiting (local.get $size)) (return)))
    ;; Compute needs memory, and nothing else here counts what the root has.
    (if (i32.eq (memory.grow (i32.const 63)) (i32.const -1)) (then unreachable))
    ;; What a cold node does first: a fiftieth in turn, all at once.
    (if (i32.eq (local.get $question) (i32.const 116))
      (then
        (local.set $cold_size
          (i32.add (i32.const 1) (i32.div_u (local.get $size) (i32.const 50))))))
    (if (i32.eq (local.get $question) (i32.const 109))
      (then (local.set $cold_size (local.get $size))))
    (if (local.get $cold_size)
      (then
        (local.set $begin (call $now))
        (drop (call $work (local.get $question) (local.get $cold_size)))
        (local.set $cold (i64.sub (call $now) (local.get $begin)))))
    (local.set $begin (call $now))
    (local.set $size (call $work (local.get $question) (local.get $size)))
    (local.set $begin (i64.sub (call $now) (local.get $begin)))

    (call $print_field (i32.const 3072) (i32.const 13) (local.get $begin))
    (call $print_field (i32.const 3104) (i32.const 9) (i64.extend_i32_u (local.get $size)))
    (call $print_field (i32.const 3136) (i32.const 13) (local.get $cold))
    (call $print_field (i32.const 3168) (i32.const 14)
      (i64.extend_i32_u (local.get $cold_size)))
    (call $print (i32.const 3344) (i32.const 2)))
)
