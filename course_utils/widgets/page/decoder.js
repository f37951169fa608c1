// The decoders of the course without Python: it runs the lists of layers that layers.py makes, one image at a time.
//
// A network and its weights are laid out in one memory once (prepare): what each layer reads and writes has its place there.
// Then a code is one walk through a list of calls to the kernel, which does all the work on that memory.

// ------------------------------------------------------------------ the kernel: where the time goes
//
// A few loops over one memory. They stand here in JavaScript; kernel.wat says what each one does, and has them for
// WebAssembly, about ten times as fast. All places are counted in floats.

function plainKernel(least) {
  const f = new Float32Array(least), whole = new Int32Array(f.buffer);
  const kernel = {
    floats: f,
    whole,
    sums(w, x, offsets, bias, out, rows, terms, places) { // each number that is read is used four times
      for (let q = 0; q < places; q += 4) for (let r = 0, k = w; r < rows; r += 4) {
        let a0 = f[bias + r], b0 = f[bias + r + 1], c0 = f[bias + r + 2], d0 = f[bias + r + 3];
        let a1 = a0, a2 = a0, a3 = a0, b1 = b0, b2 = b0, b3 = b0, c1 = c0, c2 = c0, c3 = c0, d1 = d0, d2 = d0, d3 = d0;
        for (let i = offsets; i < offsets + terms; i++, k += 4) {
          const p = x + (whole[i] >> 2) + q, x0 = f[p], x1 = f[p + 1], x2 = f[p + 2], x3 = f[p + 3];
          const a = f[k], b = f[k + 1], c = f[k + 2], d = f[k + 3];
          a0 += a * x0; a1 += a * x1; a2 += a * x2; a3 += a * x3;
          b0 += b * x0; b1 += b * x1; b2 += b * x2; b3 += b * x3;
          c0 += c * x0; c1 += c * x1; c2 += c * x2; c3 += c * x3;
          d0 += d * x0; d1 += d * x1; d2 += d * x2; d3 += d * x3;
        }
        let to = out + r * places + q;
        f[to] = a0; f[to + 1] = a1; f[to + 2] = a2; f[to + 3] = a3; to += places;
        f[to] = b0; f[to + 1] = b1; f[to + 2] = b2; f[to + 3] = b3; to += places;
        f[to] = c0; f[to + 1] = c1; f[to + 2] = c2; f[to + 3] = c3; to += places;
        f[to] = d0; f[to + 1] = d1; f[to + 2] = d2; f[to + 3] = d3;
      }
    },
    move(from, to, channels, rows, count, channel, row, step, channelTo, rowTo, stepTo) {
      for (let c = 0; c < channels; c++) for (let r = 0; r < rows; r++) {
        let p = from + c * channel + r * row, q = to + c * channelTo + r * rowTo;
        for (let i = 0; i < count; i++, p += step, q += stepTo) f[q] = f[p];
      }
    },
    line(from, to, count, slope, level) { for (let i = 0; i < count; i++) f[to + i] = slope * f[from + i] + level; },
    normalise(from, to, w, b, groups, size, plane, tiny) {
      for (const end = from + groups * size; from < end;) {
        let mean = 0, square = 0;
        for (let i = from; i < from + size; i++) { mean += f[i]; square += f[i] * f[i]; }
        mean /= size;
        const spread = Math.sqrt(Math.max(0, square / size - mean * mean) + tiny);
        for (let i = 0; i < size; i += plane, from += plane, to += plane) {
          const slope = f[w++] / spread;
          kernel.line(from, to, plane, slope, f[b++] - slope * mean);
        }
      }
    },
    add(from, to, count) { for (let i = 0; i < count; i++) f[to + i] += f[from + i]; },
    leaky(at, count, slope) { for (let i = at; i < at + count; i++) if (f[i] < 0) f[i] *= slope; },
    sigmoid(at, count, times) { for (let i = at; i < at + count; i++) f[i] = (times ? f[i] : 1) / (1 + Math.exp(-f[i])); },
  };
  return kernel;
}

const fromText = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

// The kernel of WebAssembly that runs here: a browser may not have the quicker one, or be told to run none, by its owner or
// by the page's policy.
function compiled() {
  for (const text of KERNELS) {
    try { return new WebAssembly.Module(fromText(text)); } catch { /* the next one */ }
  }
  return null;
}
const code = compiled(), fast = code !== null;

function fastKernel(least, module = code) {
  const loops = new WebAssembly.Instance(module).exports, { memory } = loops;
  memory.grow(Math.ceil(4 * least / 65536)); // pages
  return { ...loops, floats: new Float32Array(memory.buffer), whole: new Int32Array(memory.buffer) };
}

// ------------------------------------------------------------------ weights

// Numbers of 16 bits (sign, five bits of a power of two, ten bits) as floats: the same bits at their place in 32 say too
// small a power.
function fromHalves(halves) {
  const floats = new Float32Array(halves.length), whole = new Int32Array(floats.buffer);
  for (let k = 0; k < halves.length; k++) whole[k] = (halves[k] & 0x8000) << 16 | (halves[k] & 0x7fff) << 13;
  for (let k = 0; k < floats.length; k++) floats[k] *= 2 ** 112;
  return floats;
}

// A tensor of a network, with its sizes. The weights are in the arrays {halves, single}; before the halves are there, in
// {coarse, scales}: whole numbers, with a scale for each row, or each column where those are fewer.
function fetched({ at, scale, shape }, { halves, coarse, scales, single }) {
  const [rows, columns = 1, ...kernel] = shape, each = product(kernel);
  const row = columns * each, end = at + rows * row;
  if (scale === undefined) return Object.assign(single.slice(at, end), { sizes: shape });
  if (halves) return Object.assign(fromHalves(halves.subarray(at, end)), { sizes: shape });
  const out = new Float32Array(rows * row);
  for (let r = 0, k = 0; r < rows; r++) for (let c = 0; c < columns; c++) {
    const size = scales[scale + (rows <= columns ? r : c)];
    for (let i = 0; i < each; i++, k++) out[k] = coarse[at + k] * size;
  }
  return Object.assign(out, { sizes: shape });
}

const product = (shape) => shape.reduce((all, n) => all * n, 1);
const fours = (count) => 4 * Math.ceil(count / 4), eights = (count) => 8 * Math.ceil(count / 8);

// The weights of a convolution in the order of the kernel, with rows of zeros where the last four are not full.
function packed(w) {
  const [outputs] = w.sizes, terms = w.length / outputs, out = new Float32Array(fours(outputs) * terms);
  for (let o = 0, i = 0; o < outputs; o++) {
    for (let k = 4 * Math.floor(o / 4) * terms + (o % 4), t = 0; t < terms; t++, k += 4) out[k] = w[i++];
  }
  return out;
}

// ------------------------------------------------------------------ the plan
//
// A map is {room, shape, strides}: its room in the memory, {at, count}; [channels, height, width]; and how far it is there
// to the next channel, row and column. A layer takes a map and says which map comes out. What it does is put into the plan.

const inRow = (room, shape) => ({ room, shape, strides: [shape[1] * shape[2], shape[2], 1] });

function makePlan(numbers) {
  const free = [], kept = [], steps = [];
  let size = 0;
  function fresh(count) {
    const room = { at: size, count: eights(count) };
    size += room.count;
    return room;
  }
  const plan = {
    kept, steps,
    size: () => size,
    // Room for so many floats. What is given back is taken again by a later layer.
    take(count) {
      const k = free.findIndex((room) => room.count >= count);
      return k < 0 ? fresh(count) : free.splice(k, 1)[0];
    },
    give: (room) => free.push(room),
    // Numbers that stay, where no layer writes.
    keep(array) {
      const { at } = fresh(array.length);
      kept.push([array, at]);
      return at;
    },
    step: (work) => steps.push(work),
    move({ room: from, shape, strides }, to, at, stridesTo) {
      plan.step(({ move }) => move(from.at, to.at + at, ...shape, ...strides, ...stridesTo));
    },
    // The same map with nothing between its numbers.
    dense(map) {
      const { shape, strides, room } = map, row = inRow(null, shape);
      if (row.strides.every((stride, k) => stride === strides[k])) return map;
      const out = { ...row, room: plan.take(product(shape)) };
      plan.move(map, out.room, 0, out.strides);
      plan.give(room);
      return out;
    },
    // A map like this one in a room of its own.
    like({ shape }) { return inRow(plan.take(product(shape)), shape); },
    // `styles` is what the layers of a style generator share.
    through: (layers, map, styles = null) => layers.reduce((here, layer) => {
      const [w, b] = [layer.w, layer.b].map((place) => (place ? fetched(place, numbers) : null));
      return LAYERS[layer.op](here, { ...layer, w, b }, plan, styles);
    }, map),
  };
  return plan;
}

// A function of each number, in place: also of the numbers between those of the map, which nobody reads.
const pointwise = (work) => (map, layer, { step }) => {
  const { at, count } = map.room;
  step((kernel) => work(kernel, at, count, layer));
  return map;
};
const inJavaScript = (bend) => pointwise(({ floats }, at, count) => {
  for (let i = at; i < at + count; i++) floats[i] = bend(floats[i]);
});

// A map with a rim of so many pixels: zeros, or the map reflected. A row of zeros to the left of a map is also the one to
// the right of the row before, so it stands there once.
function padded(map, rim, reflect, extra, plan) {
  const { shape: [channels, height, width] } = map, tall = height + 2 * rim, wide = width + (reflect ? 2 : 1) * rim;
  const room = plan.take(channels * tall * wide + extra), strides = [tall * wide, wide, 1];
  plan.step(({ floats }) => floats.fill(0, room.at, room.at + room.count));
  plan.move(map, room, rim * wide + rim, strides);
  plan.give(map.room);
  const mirror = (first, last, step, corner, shape) => { // about the first and the last of the map's rows or columns
    for (let k = 1; k <= rim; k++) for (const [from, to] of [[first + k, first - k], [last - k, last + k]]) {
      const [a, b] = [from, to].map((one) => room.at + corner + step * one);
      plan.step(({ move }) => move(a, b, ...shape, ...strides, ...strides));
    }
  };
  if (reflect) mirror(rim, rim + width - 1, 1, rim * wide, [channels, height, 1]);
  if (reflect) mirror(rim, rim + height - 1, wide, 0, [channels, 1, wide]);
  return { room, shape: [channels, tall, wide], strides };
}

const LAYERS = {
  relu: pointwise(({ leaky }, at, count) => leaky(at, count, 0)),
  leaky: pointwise(({ leaky }, at, count, { slope }) => leaky(at, count, slope)),
  silu: pointwise(({ sigmoid }, at, count) => sigmoid(at, count, 1)),
  sigmoid: pointwise(({ sigmoid }, at, count) => sigmoid(at, count, 0)),
  tanh: inJavaScript(Math.tanh),
  clamp: inJavaScript((x) => Math.min(1, Math.max(0, x))),

  // A sum over the inputs, whose weights stand in rows. The vector is the first of four rows of "weights"; the others are 0.
  linear(map, { w, b }, plan) {
    const [outputs, inputs] = w.sizes, places = eights(outputs);
    const rows = new Float32Array((inputs + 1) * places), four = new Float32Array(4 * inputs + 4);
    for (let o = 0, k = 0; o < outputs; o++) for (let i = 0; i < inputs; i++) rows[i * places + o] = w[k++];
    if (b) rows.set(b, inputs * places);
    four[4 * inputs] = 1; // times the bias
    const [from, x, at] = [plan.dense(map), plan.keep(rows), plan.keep(four)];
    const offsets = plan.keep(Int32Array.from({ length: inputs + 1 }, (_, k) => 4 * k * places));
    const none = plan.keep(new Float32Array(4)), out = plan.take(4 * places);
    plan.step(({ move, sums }) => {
      move(from.room.at, at, 1, 1, inputs, 0, 0, 1, 0, 0, 4);
      sums(at, x, offsets, none, out.at, 4, inputs + 1, places);
    });
    plan.give(from.room);
    return inRow(out, [outputs, 1, 1]);
  },

  reshape: (map, { shape }, plan) => ({ ...inRow(null, shape), room: plan.dense(map).room }),

  // Pixel (y, x) of a channel stands at y * wide + x. So what a weight is multiplied with stands, for each place q of the
  // image that comes out, at q plus an offset of that weight. At the right edge q runs on over places that no pixel has;
  // with a stride also between.
  conv(map, { w, b, stride, padding, rim }, plan) {
    const [outputs, channels, rows, columns] = w.sizes, [, height, width] = map.shape;
    const input = padded(map, padding, rim === "reflect", columns + 8, plan);
    const [, tall, wide] = input.shape, terms = channels * rows * columns, places = eights((tall - rows + 1) * wide);
    const from = [];
    for (let c = 0; c < channels; c++) for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) {
      from.push(4 * ((c * tall + i) * wide + j));
    }
    const bias = new Float32Array(fours(outputs));
    if (b) bias.set(b);
    const [atW, offsets, atB] = [packed(w), Int32Array.from(from), bias].map(plan.keep);
    const out = plan.take(bias.length * places);
    plan.step(({ sums }) => sums(atW, input.room.at, offsets, atB, out.at, bias.length, terms, places));
    plan.give(input.room);
    const along = (size, kernel) => Math.floor((size + 2 * padding - kernel) / stride) + 1;
    const shape = [outputs, along(height, rows), along(width, columns)];
    return { room: out, shape, strides: [places, stride * wide, stride] };
  },

  transposed(map, { w, b, stride, padding }, plan) {
    const [, outputs, rows, columns] = w.sizes;
    const { room, shape: [channels, height, width] } = plan.dense(map);
    const tall = (height - 1) * stride + rows - 2 * padding, wide = (width - 1) * stride + columns - 2 * padding;
    const to = inRow(plan.take(outputs * tall * wide), [outputs, tall, wide]);
    plan.step(({ floats }) => {
      const x = floats.subarray(room.at), out = floats.subarray(to.room.at);
      for (let o = 0; o < outputs; o++) out.fill(b ? b[o] : 0, o * tall * wide, (o + 1) * tall * wide);
      for (let c = 0, k = 0; c < channels; c++) for (let o = 0; o < outputs; o++) {
        for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) {
          const weight = w[k++];
          for (let y = 0; y < height; y++) {
            const row = y * stride + i - padding;
            if (row < 0 || row >= tall) continue;
            for (let at = 0; at < width; at++) {
              const column = at * stride + j - padding;
              if (column >= 0 && column < wide) out[(o * tall + row) * wide + column] += weight * x[(c * height + y) * width + at];
            }
          }
        }
      }
    });
    plan.give(room);
    return to;
  },

  scale(map, { w, b }, plan) {
    const from = plan.dense(map), to = plan.like(from), [plane] = from.strides;
    plan.step(({ line }) => {
      for (let c = 0, k = 0; c < w.length; c++, k += plane) line(from.room.at + k, to.room.at + k, plane, w[c], b[c]);
    });
    plan.give(from.room);
    return to;
  },

  normalise(map, { w, b, groups, tiny }, plan) {
    const from = plan.dense(map), to = plan.like(from), [atW, atB] = [w, b].map(plan.keep);
    const [plane] = from.strides, size = plane * from.shape[0] / groups;
    plan.step(({ normalise }) => normalise(from.room.at, to.room.at, atW, atB, groups, size, plane, tiny));
    plan.give(from.room);
    return to;
  },

  shuffle(map, { by }, plan) {
    const { room, shape: [channels, height, width], strides: [channel, row, step] } = map, count = channels / (by * by);
    const out = inRow(plan.take(product(map.shape)), [count, by * height, by * width]), [plane, wide] = out.strides;
    plan.step(({ move }) => {
      for (let y = 0; y < by; y++) for (let x = 0; x < by; x++) {
        const from = room.at + (by * y + x) * channel, to = out.room.at + y * wide + x;
        move(from, to, count, height, width, by * by * channel, row, step, plane, by * wide, by);
      }
    });
    plan.give(room);
    return out;
  },

  enlarge(map, { by, smooth }, plan) {
    const { room, shape: [channels, height, width] } = plan.dense(map), tall = by * height, wide = by * width;
    const out = inRow(plan.take(channels * tall * wide), [channels, tall, wide]);
    const between = (k, size) => { // the two pixels beside a place, and how near the second is
      const at = Math.min(size - 1, Math.max(0, (k + 0.5) / by - 0.5)), low = Math.floor(at);
      return smooth ? [low, Math.min(size - 1, low + 1), at - low] : [Math.floor(k / by), 0, 0];
    };
    plan.step(({ floats }) => {
      for (let c = 0, i = out.room.at; c < channels; c++) for (let y = 0; y < tall; y++) {
        const [y0, y1, down] = between(y, height);
        for (let at = 0; at < wide; at++) {
          const [x0, x1, right] = between(at, width), pixel = (row, column) => floats[room.at + (c * height + row) * width + column];
          const upper = (1 - right) * pixel(y0, x0) + right * pixel(y0, x1);
          floats[i++] = down ? (1 - down) * upper + down * ((1 - right) * pixel(y1, x0) + right * pixel(y1, x1)) : upper;
        }
      }
    });
    plan.give(room);
    return out;
  },

  residual(map, { layers }, plan) {
    const from = plan.dense(map), copy = plan.like(from), count = product(from.shape);
    plan.move(from, copy.room, 0, copy.strides);
    const out = plan.dense(plan.through(layers, copy));
    plan.step(({ add }) => add(from.room.at, out.room.at, count));
    plan.give(from.room);
    return out;
  },

  direction(map, { tiny }, plan) {
    const from = plan.dense(map), count = product(from.shape), { at } = from.room;
    plan.step(({ floats, line }) => {
      let square = 0;
      for (let i = at; i < at + count; i++) square += floats[i] * floats[i];
      line(at, at, count, 1 / Math.sqrt(square / count + tiny), 0);
    });
    return from;
  },

  // A style generator. Its code stays in its room for all the layers; `image` is the sum of the parts so far.
  styles(map, { w, length, layers }, plan) {
    const code = plan.dense(map), several = product(code.shape) > length, first = inRow({ at: plan.keep(w) }, w.sizes);
    const styles = {
      image: null,
      // The code of one layer, in a room that the layers that read it give back.
      codeOf(style) {
        const own = inRow(plan.take(length), [length, 1, 1]);
        plan.move({ ...own, room: { at: code.room.at + (several ? style * length : 0) } }, own.room, 0, own.strides);
        return own;
      },
    };
    const x = plan.like(first);
    plan.move(first, x.room, 0, x.strides);
    plan.give(plan.through(layers, x, styles).room);
    plan.give(code.room);
    return styles.image;
  },

  // The styles scale the channels that come in, and the channels that come out by what their sums of squares then are.
  modulated(map, { w, style, layers, gain }, plan, styles) {
    const [outputs, inputs, rows] = w.sizes, from = plan.dense(map), scaled = plan.like(from), [plane] = from.strides;
    const { room } = plan.through(layers, styles.codeOf(style)), factors = room.at;
    plan.step(({ floats, line }) => {
      for (let c = 0, k = 0; c < inputs; c++, k += plane) line(from.room.at + k, scaled.room.at + k, plane, floats[factors + c], 0);
    });
    plan.give(from.room);
    const out = LAYERS.conv(scaled, { w, stride: 1, padding: (rows - 1) / 2, rim: "zeros" }, plan);
    plan.give(room); // the step below still comes before those of the layers that take it again
    if (gain === undefined) return out;
    const squares = new Float32Array(outputs * inputs), each = rows * rows, [places] = out.strides;
    for (let k = 0; k < w.length; k++) squares[Math.floor(k / each)] += w[k] * w[k];
    plan.step(({ floats, line }) => {
      for (let o = 0, k = 0, at = out.room.at; o < outputs; o++, at += places) {
        let square = 1e-8;
        for (let c = 0; c < inputs; c++, k++) square += squares[k] * floats[factors + c] ** 2;
        line(at, at, places, gain / Math.sqrt(square), 0);
      }
    });
    return out;
  },

  noise(map, { w, b }, plan) {
    const from = plan.dense(map), all = new Float32Array(b.length * w.length);
    for (let c = 0, k = 0; c < b.length; c++) for (let i = 0; i < w.length; i++) all[k++] = w[i] + b[c];
    const at = plan.keep(all);
    plan.step(({ add }) => add(at, from.room.at, all.length));
    return from;
  },

  part(map, { layers }, plan, styles) {
    const from = plan.dense(map), copy = plan.like(from);
    plan.move(from, copy.room, 0, copy.strides);
    const part = plan.dense(plan.through(layers, copy, styles));
    if (styles.image) {
      const { room, shape } = LAYERS.enlarge(styles.image, { by: 2, smooth: true }, plan);
      plan.step(({ add }) => add(room.at, part.room.at, product(shape)));
      plan.give(room);
    }
    styles.image = part;
    return from;
  },
};

// A network with its weights in place: run(z) is its image.
function prepare(network, numbers) {
  const [first] = network.layers, plan = makePlan(numbers);
  const inputs = first.op === "linear" ? first.w.shape[1] : product(first.shape);
  const z = inRow(plan.take(inputs), [inputs, 1, 1]);
  const { room, shape } = plan.dense(plan.through(network.layers, z));
  const kernel = fast ? fastKernel(plan.size()) : plainKernel(plan.size());
  for (const [array, at] of plan.kept) (array instanceof Int32Array ? kernel.whole : kernel.floats).set(array, at);
  return {
    ...network,
    run(values) {
      kernel.floats.set(values, z.room.at);
      for (const step of plan.steps) step(kernel);
      return kernel.floats.slice(room.at, room.at + product(shape));
    },
  };
}

// One code to one image, floats (C, H, W).
const decode = (network, z) => network.run(z);
