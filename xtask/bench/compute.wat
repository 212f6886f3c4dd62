;; Compute without any import: a recursion (calls), a sieve over 3 MB (memory), a sum of products
;; (SIMD) and trees that are built and given back (allocation). Bare Wasmtime runs these exports as
;; they are; raw.wat takes the fields between the marks into itself.
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

  ;; $n rounds of b = a * 0.5 + b over two arrays of 1 MiB, four numbers at a time.
  (func $simd (export "simd") (param $n i32) (result i32) (local $at i32) (local $sum v128)
    (loop $round
      (local.set $at (i32.const 0x10000))
      (loop $more
        (local.set $sum
          (f32x4.add
            (f32x4.mul (v128.load (local.get $at)) (v128.const f32x4 0.5 0.5 0.5 0.5))
            (v128.load offset=0x100000 (local.get $at))))
        (v128.store offset=0x100000 (local.get $at) (local.get $sum))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br_if $more (i32.lt_u (local.get $at) (i32.const 0x110000))))
      (br_if $round (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32x4.extract_lane 0 (local.get $sum)))

  ;; $n times a tree of 4,095 nodes, each of two blocks, is built, counted and given back.
  (func $alloc (export "alloc") (param $n i32) (result i32) (local $tree i32) (local $count i32)
    (i64.store (i32.const 0x4000) (i64.const 0))
    (i32.store (i32.const 0x4008) (i32.const 0x10000))
    (loop $again
      (local.set $tree (call $build (i32.const 11)))
      (local.set $count (i32.add (local.get $count) (call $count (local.get $tree))))
      (call $give_back (local.get $tree))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $count))

  ;; A block of the list whose head is at $list, or a new one: the end of the heap is at 0x4008.
  (func $take (param $list i32) (param $bytes i32) (result i32) (local $block i32)
    (if (local.tee $block (i32.load (local.get $list)))
      (then
        (i32.store (local.get $list) (i32.load (local.get $block)))
        (return (local.get $block))))
    (local.set $block (i32.load (i32.const 0x4008)))
    (i32.store (i32.const 0x4008) (i32.add (local.get $block) (local.get $bytes)))
    (local.get $block))

  (func $put (param $list i32) (param $block i32)
    (i32.store (local.get $block) (i32.load (local.get $list)))
    (i32.store (local.get $list) (local.get $block)))

  ;; A node is 16 bytes (left, right, payload), its payload 32.
  (func $build (param $depth i32) (result i32) (local $node i32)
    (local.set $node (call $take (i32.const 0x4000) (i32.const 16)))
    (i64.store (local.get $node) (i64.const 0))
    (i32.store offset=8 (local.get $node) (call $take (i32.const 0x4004) (i32.const 32)))
    (i32.store offset=28 (i32.load offset=8 (local.get $node)) (local.get $depth))
    (if (local.get $depth)
      (then
        (local.set $depth (i32.sub (local.get $depth) (i32.const 1)))
        (i32.store (local.get $node) (call $build (local.get $depth)))
        (i32.store offset=4 (local.get $node) (call $build (local.get $depth)))))
    (local.get $node))

  (func $count (param $node i32) (result i32)
    (if (i32.eqz (local.get $node)) (then (return (i32.const 0))))
    (i32.add
      (i32.add (i32.const 1) (call $count (i32.load (local.get $node))))
      (call $count (i32.load offset=4 (local.get $node)))))

  (func $give_back (param $node i32)
    (if (i32.eqz (local.get $node)) (then (return)))
    (call $give_back (i32.load (local.get $node)))
    (call $give_back (i32.load offset=4 (local.get $node)))
    (call $put (i32.const 0x4004) (i32.load offset=8 (local.get $node)))
    (call $put (i32.const 0x4000) (local.get $node)))
  ;; </compute>
)
