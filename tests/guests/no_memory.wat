;; Hostile: asks the host to read and write a memory that the module does not export.
;;
;; Expected: a trap whose text says that the module exports no memory named `memory`; never a
;; panic of the host.
(module
  (import "lunatic::message" "create_data" (func $create_data (param i64 i64)))
  (import "lunatic::message" "write_data" (func $write_data (param i32 i32) (result i32)))
  (func (export "_start")
    (call $create_data (i64.const 0) (i64.const 8))
    (drop (call $write_data (i32.const 0) (i32.const 8)))))
