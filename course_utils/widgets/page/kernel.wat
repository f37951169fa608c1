;; The two loops in which a decoder spends its time, for WebAssembly, which adds four floats of 32 bits in one step.
;; decoder.js has the same two in JavaScript, for where this cannot run. kernel.wasm is made of this file:
;;
;;   uv run tools/build_kernel.py
(module
  (memory (export "memory") 64)

  ;; out[r, q] = sum over k of w[r, k] * x[offsets[k] + q], for four rows r and eight places q at once: eight vectors.
  ;; The weights of four rows stand together: w[0, 0], w[1, 0], w[2, 0], w[3, 0], w[0, 1], and so on. $rows is a multiple
  ;; of 4, $places one of 8, and $terms is how many k there are. The other four say where an array begins, in floats.
  (func (export "sums")
    (param $w i32) (param $x i32) (param $offsets i32) (param $out i32)
    (param $rows i32) (param $terms i32) (param $places i32)
    (local $q i32) (local $r i32) (local $k i32) (local $weight i32) (local $offset i32) (local $at i32)
    (local $v v128) (local $x0 v128) (local $x1 v128)
    (local $a0 v128) (local $a1 v128) (local $b0 v128) (local $b1 v128)
    (local $c0 v128) (local $c1 v128) (local $d0 v128) (local $d1 v128)
    (local.set $w (i32.shl (local.get $w) (i32.const 2)))  ;; from floats to bytes
    (local.set $offsets (i32.shl (local.get $offsets) (i32.const 2)))
    (loop $eight
      (local.set $weight (local.get $w))
      (local.set $r (i32.const 0))
      (loop $four
        (local.set $a0 (v128.const f32x4 0 0 0 0)) (local.set $a1 (v128.const f32x4 0 0 0 0))
        (local.set $b0 (v128.const f32x4 0 0 0 0)) (local.set $b1 (v128.const f32x4 0 0 0 0))
        (local.set $c0 (v128.const f32x4 0 0 0 0)) (local.set $c1 (v128.const f32x4 0 0 0 0))
        (local.set $d0 (v128.const f32x4 0 0 0 0)) (local.set $d1 (v128.const f32x4 0 0 0 0))
        (local.set $offset (local.get $offsets))
        (local.set $k (local.get $terms))
        (loop $term
          (local.set $at (i32.add (local.get $x) (i32.add (i32.load (local.get $offset)) (local.get $q))))
          (local.set $at (i32.shl (local.get $at) (i32.const 2)))
          (local.set $x0 (v128.load (local.get $at)))
          (local.set $x1 (v128.load offset=16 (local.get $at)))
          (local.set $v (v128.load32_splat (local.get $weight)))
          (local.set $a0 (f32x4.add (local.get $a0) (f32x4.mul (local.get $v) (local.get $x0))))
          (local.set $a1 (f32x4.add (local.get $a1) (f32x4.mul (local.get $v) (local.get $x1))))
          (local.set $v (v128.load32_splat offset=4 (local.get $weight)))
          (local.set $b0 (f32x4.add (local.get $b0) (f32x4.mul (local.get $v) (local.get $x0))))
          (local.set $b1 (f32x4.add (local.get $b1) (f32x4.mul (local.get $v) (local.get $x1))))
          (local.set $v (v128.load32_splat offset=8 (local.get $weight)))
          (local.set $c0 (f32x4.add (local.get $c0) (f32x4.mul (local.get $v) (local.get $x0))))
          (local.set $c1 (f32x4.add (local.get $c1) (f32x4.mul (local.get $v) (local.get $x1))))
          (local.set $v (v128.load32_splat offset=12 (local.get $weight)))
          (local.set $d0 (f32x4.add (local.get $d0) (f32x4.mul (local.get $v) (local.get $x0))))
          (local.set $d1 (f32x4.add (local.get $d1) (f32x4.mul (local.get $v) (local.get $x1))))
          (local.set $weight (i32.add (local.get $weight) (i32.const 16)))
          (local.set $offset (i32.add (local.get $offset) (i32.const 4)))
          (br_if $term (local.tee $k (i32.sub (local.get $k) (i32.const 1)))))
        (local.set $at (i32.add (i32.mul (local.get $r) (local.get $places)) (local.get $q)))
        (local.set $at (i32.shl (i32.add (local.get $out) (local.get $at)) (i32.const 2)))
        (local.set $k (i32.shl (local.get $places) (i32.const 2)))  ;; bytes from one row to the next
        (v128.store (local.get $at) (local.get $a0)) (v128.store offset=16 (local.get $at) (local.get $a1))
        (local.set $at (i32.add (local.get $at) (local.get $k)))
        (v128.store (local.get $at) (local.get $b0)) (v128.store offset=16 (local.get $at) (local.get $b1))
        (local.set $at (i32.add (local.get $at) (local.get $k)))
        (v128.store (local.get $at) (local.get $c0)) (v128.store offset=16 (local.get $at) (local.get $c1))
        (local.set $at (i32.add (local.get $at) (local.get $k)))
        (v128.store (local.get $at) (local.get $d0)) (v128.store offset=16 (local.get $at) (local.get $d1))
        (local.set $r (i32.add (local.get $r) (i32.const 4)))
        (br_if $four (i32.lt_u (local.get $r) (local.get $rows))))
      (local.set $q (i32.add (local.get $q) (i32.const 8)))
      (br_if $eight (i32.lt_u (local.get $q) (local.get $places)))))

  ;; Each of the first $count floats x of the memory becomes 1 / (1 + e^-x). e^-x is 2^t with t = -x / ln 2, and 2^t is
  ;; 2^whole, whose bits are easily made, times 2^rest, with a rest of at most a half: a polynomial.
  (func (export "sigmoid") (param $count i32)
    (local $at i32) (local $t v128) (local $whole v128) (local $p v128)
    (loop $four
      (local.set $t (f32x4.mul (v128.load (local.get $at)) (f32x4.splat (f32.const -1.44269504))))
      (local.set $t (f32x4.max (local.get $t) (f32x4.splat (f32.const -126))))
      (local.set $t (f32x4.min (local.get $t) (f32x4.splat (f32.const 126))))
      (local.set $whole (f32x4.nearest (local.get $t)))
      (local.set $t (f32x4.sub (local.get $t) (local.get $whole)))
      (local.set $p (f32x4.splat (f32.const 1.54035304e-4)))  ;; (ln 2)^6 / 6!, and then down to (ln 2)^0 / 0!
      (local.set $p (f32x4.add (f32x4.mul (local.get $p) (local.get $t)) (f32x4.splat (f32.const 1.33335581e-3))))
      (local.set $p (f32x4.add (f32x4.mul (local.get $p) (local.get $t)) (f32x4.splat (f32.const 9.61812911e-3))))
      (local.set $p (f32x4.add (f32x4.mul (local.get $p) (local.get $t)) (f32x4.splat (f32.const 5.55041087e-2))))
      (local.set $p (f32x4.add (f32x4.mul (local.get $p) (local.get $t)) (f32x4.splat (f32.const 0.240226507))))
      (local.set $p (f32x4.add (f32x4.mul (local.get $p) (local.get $t)) (f32x4.splat (f32.const 0.693147181))))
      (local.set $p (f32x4.add (f32x4.mul (local.get $p) (local.get $t)) (f32x4.splat (f32.const 1))))
      (local.set $whole (i32x4.add (i32x4.trunc_sat_f32x4_s (local.get $whole)) (i32x4.splat (i32.const 127))))
      (local.set $p (f32x4.mul (local.get $p) (i32x4.shl (local.get $whole) (i32.const 23))))
      (v128.store
        (local.get $at)
        (f32x4.div (f32x4.splat (f32.const 1)) (f32x4.add (f32x4.splat (f32.const 1)) (local.get $p))))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (local.set $count (i32.sub (local.get $count) (i32.const 4)))
      (br_if $four (i32.gt_s (local.get $count) (i32.const 0))))))
