;; The smallest module: writes one line through WASI and ends.
;;
;; Run it: `lunatic run examples/wat/hello.wat`
;;
;; It prints:
;;
;; ```text
;; Hello from the text format!
;; ```
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)

  ;; One ciovec at 0 (pointer, length), the count of written bytes at 8, the text at 16.
  (data (i32.const 0) "\10\00\00\00\1c\00\00\00")
  (data (i32.const 16) "Hello from the text format!\n")

  (func (export "_start")
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
