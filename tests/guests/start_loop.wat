;; Hostile: the start section, which runs while the instance is being made, never ends.
;;
;; Expected: making the instance is interrupted like any other code: it holds no worker, other
;; processes answer, and whoever waits for it can be killed. `_start` is never reached.
(module
  (memory (export "memory") 1)
  (func $start
    (loop $for_ever
      (br $for_ever)))
  (start $start)
  (func (export "_start")
    unreachable))
