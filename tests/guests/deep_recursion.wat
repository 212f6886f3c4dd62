;; Hostile: calls itself without end, with a frame that is not optimised away.
;;
;; Expected: a trap (call stack exhausted), a report that names `deeper`, a non-zero status; the
;; node and all other processes are untouched.
(module
  (memory (export "memory") 1)
  (func $deeper (param $depth i64) (result i64)
    (i64.add
      (local.get $depth)
      (call $deeper (i64.add (local.get $depth) (i64.const 1)))))
  (func (export "_start")
    (drop (call $deeper (i64.const 0)))))
