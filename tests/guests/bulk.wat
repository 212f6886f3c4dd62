;; Hostile: fills, copies and initialises as much as one instruction can, for ever. Interruption is
;; checked between instructions, so each of these must not hold a worker for its whole length.
;;
;; Expected: where a memory of 1 GiB is granted, never ends by itself, can be killed, and processes
;; beside it answer on time; where it is not granted, traps at once (`unreachable`).
(module
  (memory (export "memory") 1)
  (table $table 60000 funcref)
  (elem declare func $start)
  (func $start (export "_start")
    ;; 16,384 pages of 64 KiB are 1 GiB.
    (if (i32.eq (memory.grow (i32.const 16383)) (i32.const -1))
      (then unreachable))
    (loop $for_ever
      (memory.fill (i32.const 0) (i32.const 0xa5) (i32.const 0x40000000))
      (memory.copy (i32.const 0) (i32.const 0x20000000) (i32.const 0x20000000))
      ;; Overlapping upwards, where a copy in ascending chunks would destroy its own source.
      (memory.copy (i32.const 1) (i32.const 0) (i32.const 0x3fffffff))
      (table.fill $table (i32.const 0) (ref.func $start) (i32.const 60000))
      (br $for_ever))))
