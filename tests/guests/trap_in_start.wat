;; Hostile: the start section traps, so that no instance comes into being.
;;
;; Expected: as the root's module, one clear sentence and a non-zero status with nothing half
;; started; when spawned, code 1 and an error for the caller, and no process left behind.
(module
  (memory (export "memory") 1)
  (func $start
    unreachable)
  (start $start)
  (func (export "_start")))
