;; A process that loops for ever beside one that answers: four `spin` processes never give their
;; worker back by themselves, and the root still sleeps and prints on time.
;;
;; Run it: `lunatic run examples/wat/spin.wat`
;;
;; It prints:
;;
;; ```text
;; 1: still answering
;; 2: still answering
;; 3: still answering
;; 4: still answering
;; 5: still answering
;; ```
(module
  (import "lunatic::process" "sleep_ms" (func $sleep_ms (param i64)))
  (import "lunatic::process" "spawn"
    (func $spawn (param i64 i64 i64 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)

  ;; 0: ciovec of the line at 16; 8: written count; 48: name of the entry; 64: the new id.
  (data (i32.const 0) "\10\00\00\00\13\00\00\00")
  (data (i32.const 16) "0: still answering\n")
  (data (i32.const 48) "spin")

  (func (export "_start") (local $left i32)
    (local.set $left (i32.const 4))
    (loop $again
      ;; No link, the caller's configuration and module, no parameters.
      (if (call $spawn (i64.const 0) (i64.const -1) (i64.const -1)
            (i32.const 48) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 64))
        (then unreachable))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))

    (local.set $left (i32.const 5))
    (loop $again
      (call $sleep_ms (i64.const 10))
      (i32.store8 (i32.const 16) (i32.add (i32.load8_u (i32.const 16)) (i32.const 1)))
      (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))

  (func (export "spin")
    (loop $for_ever
      (br $for_ever))))
