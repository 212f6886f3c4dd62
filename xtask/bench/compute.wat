;; Compute without any import: a recursion (calls) and a sieve over 3 MB (memory). Bare Wasmtime
;; runs these exports as they are; raw.wat takes the fields between the marks into itself.
(module
  (memory (export "memory") 64)
  ;; <compute>
  (func $fib (export "fib") (param $n i32) (result i32)
    (if (result i32) (i32.lt_u (local.get $n) (i32.const 2))
      (then (local.get $n))
      (else
        (i32.add
          (call $fib (i32.sub (local.get $n) (i32.const 1)))
          (call $fib (i32.sub (local.get $n) (i32.const 2)))))))

  ;; Five rounds, so that the first touch of the pages is the smaller part of the time.
  (func $sieve (export "sieve") (param $n i32) (result i32) (local $round i32)
    (local.set $round (i32.const 4))
    (loop $again
      (drop (call $primes_below (local.get $n)))
      (br_if $again (local.tee $round (i32.sub (local.get $round) (i32.const 1)))))
    (call $primes_below (local.get $n)))

  ;; The number of primes below $n (at most 3,000,000), one byte for each candidate from 65,536 on.
  (func $primes_below (param $n i32) (result i32)
    (local $base i32) (local $i i32) (local $j i32) (local $primes i32)
    (local.set $base (i32.const 65536))
    (memory.fill (local.get $base) (i32.const 1) (local.get $n))
    (local.set $i (i32.const 2))
    (block $done
      (loop $outer
        (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
        (if (i32.load8_u (i32.add (local.get $base) (local.get $i)))
          (then
            (local.set $primes (i32.add (local.get $primes) (i32.const 1)))
            (local.set $j (i32.add (local.get $i) (local.get $i)))
            (block $crossed
              (loop $inner
                (br_if $crossed (i32.ge_u (local.get $j) (local.get $n)))
                (i32.store8 (i32.add (local.get $base) (local.get $j)) (i32.const 0))
                (local.set $j (i32.add (local.get $j) (local.get $i)))
                (br $inner)))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $outer)))
    (local.get $primes))
  ;; </compute>
)
