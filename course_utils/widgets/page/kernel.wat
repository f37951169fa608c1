;; The loops in which a decoder spends its time, for WebAssembly, which computes with four floats of 32 bits in one step.
;; decoder.js has the same loops in JavaScript, for where this cannot run. All places in memory are counted in floats.
;; Two files are made of this one: in kernel-fused.wasm a product is added in one step, which not every browser can.
;;
;;   uv run tools/build_kernel.py
(module
  (memory (export "memory") 1)

  ;; out[r, q] = bias[r] + sum over k of w[r, k] * x[offsets[k] + q], for four rows r and eight places q at once: eight
  ;; vectors. The weights of four rows stand together: w[0, 0], w[1, 0], w[2, 0], w[3, 0], w[0, 1], and so on. $rows is a
  ;; multiple of 4, $places one of 8, and $terms is how many k there are. Offsets are in bytes.
  (func (export "sums")
    (param $w i32) (param $x i32) (param $offsets i32) (param $bias i32) (param $out i32)
    (param $rows i32) (param $terms i32) (param $places i32)
    (local $q i32) (local $r i32) (local $k i32) (local $weight i32) (local $offset i32) (local $at i32) (local $row i32)
    (local $v v128) (local $x0 v128) (local $x1 v128)
    (local $a0 v128) (local $a1 v128) (local $b0 v128) (local $b1 v128)
    (local $c0 v128) (local $c1 v128) (local $d0 v128) (local $d1 v128)
    (local.set $w (i32.shl (local.get $w) (i32.const 2)))  ;; from floats to bytes
    (local.set $x (i32.shl (local.get $x) (i32.const 2)))
    (local.set $offsets (i32.shl (local.get $offsets) (i32.const 2)))
    (local.set $bias (i32.shl (local.get $bias) (i32.const 2)))
    (local.set $out (i32.shl (local.get $out) (i32.const 2)))
    (local.set $row (i32.shl (local.get $places) (i32.const 2)))
    (loop $eight
      (local.set $weight (local.get $w))
      (local.set $r (i32.const 0))
      (loop $four
        (local.set $at (i32.add (local.get $bias) (i32.shl (local.get $r) (i32.const 2))))
        (local.set $a0 (v128.load32_splat (local.get $at))) (local.set $a1 (local.get $a0))
        (local.set $b0 (v128.load32_splat offset=4 (local.get $at))) (local.set $b1 (local.get $b0))
        (local.set $c0 (v128.load32_splat offset=8 (local.get $at))) (local.set $c1 (local.get $c0))
        (local.set $d0 (v128.load32_splat offset=12 (local.get $at))) (local.set $d1 (local.get $d0))
        (local.set $offset (local.get $offsets))
        (local.set $k (local.get $terms))
        (loop $term
          (local.set $at (i32.add (local.get $x) (i32.load (local.get $offset))))
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
        (local.set $at (i32.add (local.get $out) (i32.mul (local.get $r) (local.get $row))))
        (v128.store (local.get $at) (local.get $a0)) (v128.store offset=16 (local.get $at) (local.get $a1))
        (local.set $at (i32.add (local.get $at) (local.get $row)))
        (v128.store (local.get $at) (local.get $b0)) (v128.store offset=16 (local.get $at) (local.get $b1))
        (local.set $at (i32.add (local.get $at) (local.get $row)))
        (v128.store (local.get $at) (local.get $c0)) (v128.store offset=16 (local.get $at) (local.get $c1))
        (local.set $at (i32.add (local.get $at) (local.get $row)))
        (v128.store (local.get $at) (local.get $d0)) (v128.store offset=16 (local.get $at) (local.get $d1))
        (local.set $r (i32.add (local.get $r) (i32.const 4)))
        (br_if $four (i32.lt_u (local.get $r) (local.get $rows))))
      (local.set $x (i32.add (local.get $x) (i32.const 32)))
      (local.set $out (i32.add (local.get $out) (i32.const 32)))
      (local.set $q (i32.add (local.get $q) (i32.const 8)))
      (br_if $eight (i32.lt_u (local.get $q) (local.get $places)))))

  ;; A box of numbers to another place: $channels times $rows times $count of them. In each of the two places a step to
  ;; the next channel, row and number has a length of its own.
  (func (export "move")
    (param $from i32) (param $to i32) (param $channels i32) (param $rows i32) (param $count i32)
    (param $channel i32) (param $row i32) (param $step i32)
    (param $channelTo i32) (param $rowTo i32) (param $stepTo i32)
    (local $r i32) (local $i i32) (local $fromRow i32) (local $toRow i32) (local $read i32) (local $write i32)
    (local.set $from (i32.shl (local.get $from) (i32.const 2)))
    (local.set $to (i32.shl (local.get $to) (i32.const 2)))
    (local.set $channel (i32.shl (local.get $channel) (i32.const 2)))
    (local.set $row (i32.shl (local.get $row) (i32.const 2)))
    (local.set $step (i32.shl (local.get $step) (i32.const 2)))
    (local.set $channelTo (i32.shl (local.get $channelTo) (i32.const 2)))
    (local.set $rowTo (i32.shl (local.get $rowTo) (i32.const 2)))
    (local.set $stepTo (i32.shl (local.get $stepTo) (i32.const 2)))
    (loop $next-channel
      (local.set $fromRow (local.get $from))
      (local.set $toRow (local.get $to))
      (local.set $r (local.get $rows))
      (loop $next-row
        (local.set $read (local.get $fromRow))
        (local.set $write (local.get $toRow))
        (local.set $i (local.get $count))
        (loop $next
          (f32.store (local.get $write) (f32.load (local.get $read)))
          (local.set $read (i32.add (local.get $read) (local.get $step)))
          (local.set $write (i32.add (local.get $write) (local.get $stepTo)))
          (br_if $next (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
        (local.set $fromRow (i32.add (local.get $fromRow) (local.get $row)))
        (local.set $toRow (i32.add (local.get $toRow) (local.get $rowTo)))
        (br_if $next-row (local.tee $r (i32.sub (local.get $r) (i32.const 1)))))
      (local.set $from (i32.add (local.get $from) (local.get $channel)))
      (local.set $to (i32.add (local.get $to) (local.get $channelTo)))
      (br_if $next-channel (local.tee $channels (i32.sub (local.get $channels) (i32.const 1))))))

  ;; slope * x + level for each x of a row of numbers, to another place.
  (func $line (export "line")
    (param $from i32) (param $to i32) (param $count i32) (param $slope f32) (param $level f32)
    (local.set $from (i32.shl (local.get $from) (i32.const 2)))
    (local.set $to (i32.shl (local.get $to) (i32.const 2)))
    (loop $next
      (f32.store (local.get $to)
        (f32.add (f32.mul (local.get $slope) (f32.load (local.get $from))) (local.get $level)))
      (local.set $from (i32.add (local.get $from) (i32.const 4)))
      (local.set $to (i32.add (local.get $to) (i32.const 4)))
      (br_if $next (local.tee $count (i32.sub (local.get $count) (i32.const 1))))))

  ;; Each group of $size numbers, less its mean and divided by its standard deviation, to another place; then each channel
  ;; of $plane numbers times its number of w, plus its number of b.
  (func (export "normalise")
    (param $from i32) (param $to i32) (param $w i32) (param $b i32)
    (param $groups i32) (param $size i32) (param $plane i32) (param $tiny f64)
    (local $i i32) (local $at i32) (local $x f64) (local $mean f64) (local $square f64) (local $slope f32)
    (local.set $w (i32.shl (local.get $w) (i32.const 2)))
    (local.set $b (i32.shl (local.get $b) (i32.const 2)))
    (loop $next-group
      (local.set $mean (f64.const 0))
      (local.set $square (f64.const 0))
      (local.set $i (local.get $size))
      (local.set $at (i32.shl (local.get $from) (i32.const 2)))
      (loop $next
        (local.set $x (f64.promote_f32 (f32.load (local.get $at))))
        (local.set $mean (f64.add (local.get $mean) (local.get $x)))
        (local.set $square (f64.add (local.get $square) (f64.mul (local.get $x) (local.get $x))))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (br_if $next (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
      (local.set $mean (f64.div (local.get $mean) (f64.convert_i32_u (local.get $size))))
      (local.set $square (f64.div (local.get $square) (f64.convert_i32_u (local.get $size))))
      (local.set $square (f64.sub (local.get $square) (f64.mul (local.get $mean) (local.get $mean))))
      (local.set $square (f64.sqrt (f64.add (f64.max (local.get $square) (f64.const 0)) (local.get $tiny))))
      (loop $next-channel
        (local.set $slope (f32.div (f32.load (local.get $w)) (f32.demote_f64 (local.get $square))))
        (call $line (local.get $from) (local.get $to) (local.get $plane) (local.get $slope)
          (f32.sub (f32.load (local.get $b)) (f32.mul (local.get $slope) (f32.demote_f64 (local.get $mean)))))
        (local.set $from (i32.add (local.get $from) (local.get $plane)))
        (local.set $to (i32.add (local.get $to) (local.get $plane)))
        (local.set $w (i32.add (local.get $w) (i32.const 4)))
        (local.set $b (i32.add (local.get $b) (i32.const 4)))
        (br_if $next-channel (i32.lt_s (local.tee $i (i32.add (local.get $i) (local.get $plane))) (local.get $size))))
      (br_if $next-group (local.tee $groups (i32.sub (local.get $groups) (i32.const 1))))))

  ;; What stands at $from, added to what stands at $to; four by four, and so up to three more.
  (func (export "add") (param $from i32) (param $to i32) (param $count i32)
    (local.set $from (i32.shl (local.get $from) (i32.const 2)))
    (local.set $to (i32.shl (local.get $to) (i32.const 2)))
    (loop $four
      (v128.store (local.get $to) (f32x4.add (v128.load (local.get $to)) (v128.load (local.get $from))))
      (local.set $from (i32.add (local.get $from) (i32.const 16)))
      (local.set $to (i32.add (local.get $to) (i32.const 16)))
      (br_if $four (i32.gt_s (local.tee $count (i32.sub (local.get $count) (i32.const 4))) (i32.const 0)))))

  ;; Each x below 0 becomes $slope * x; four by four, and so up to three more.
  (func (export "leaky") (param $at i32) (param $count i32) (param $slope f32) (local $x v128)
    (local.set $at (i32.shl (local.get $at) (i32.const 2)))
    (loop $four
      (local.set $x (v128.load (local.get $at)))
      (v128.store (local.get $at)
        (f32x4.add
          (f32x4.max (local.get $x) (f32x4.splat (f32.const 0)))
          (f32x4.mul (f32x4.min (local.get $x) (f32x4.splat (f32.const 0))) (f32x4.splat (local.get $slope)))))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (br_if $four (i32.gt_s (local.tee $count (i32.sub (local.get $count) (i32.const 4))) (i32.const 0)))))

  ;; Each x becomes 1 / (1 + e^-x), or where $times is 1 that times x; four by four, and so up to three more. e^-x is 2^t
  ;; with t = -x / ln 2, and 2^t is 2^whole, whose bits are easily made, times 2^rest, with a rest of at most a half: a
  ;; polynomial.
  (func (export "sigmoid") (param $at i32) (param $count i32) (param $times i32)
    (local $x v128) (local $t v128) (local $whole v128) (local $p v128) (local $one v128)
    (local.set $at (i32.shl (local.get $at) (i32.const 2)))
    (local.set $one (f32x4.splat (f32.const 1)))
    (loop $four
      (local.set $x (v128.load (local.get $at)))
      (local.set $t (f32x4.mul (local.get $x) (f32x4.splat (f32.const -1.44269504))))
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
      (local.set $p (f32x4.add (f32x4.mul (local.get $p) (local.get $t)) (local.get $one)))
      (local.set $whole (i32x4.add (i32x4.trunc_sat_f32x4_s (local.get $whole)) (i32x4.splat (i32.const 127))))
      (local.set $p (f32x4.mul (local.get $p) (i32x4.shl (local.get $whole) (i32.const 23))))
      (if (i32.eqz (local.get $times)) (then (local.set $x (local.get $one))))
      (v128.store (local.get $at) (f32x4.div (local.get $x) (f32x4.add (local.get $one) (local.get $p))))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (br_if $four (i32.gt_s (local.tee $count (i32.sub (local.get $count) (i32.const 4))) (i32.const 0)))))
)
