;; Hostile: every process spawns children of the same kind for as long as it is allowed to, then
;; waits for ever.
;;
;; Expected: spawning fails with an error (code 1) at the node's limit of processes, never earlier
;; with an abort; the node stays alive, and killing the root's node ends all of them.
(module
  (import "lunatic::process" "sleep_ms" (func $sleep_ms (param i64)))
  (import "lunatic::process" "spawn"
    (func $spawn (param i64 i64 i64 i32 i32 i32 i32 i32) (result i32)))
  (import "lunatic::error" "drop" (func $drop_error (param i64)))
  (memory (export "memory") 1)
  (data (i32.const 0) "_start")

  (func (export "_start")
    (loop $again
      (br_if $again
        (i32.eqz
          (call $spawn (i64.const 0) (i64.const -1) (i64.const -1)
            (i32.const 0) (i32.const 6) (i32.const 0) (i32.const 0) (i32.const 8)))))
    (call $drop_error (i64.load (i32.const 8)))
    (loop $for_ever
      (call $sleep_ms (i64.const 3600000))
      (br $for_ever))))
