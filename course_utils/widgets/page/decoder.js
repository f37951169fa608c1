// The decoders of the course without Python: it runs the lists of layers that layers.py makes, one image at a time.
// A map is {x, shape}: floats, and [channels, height, width].

// ------------------------------------------------------------------ the kernel: where nearly all of the time goes
//
// Two loops over one memory. They stand here in JavaScript; kernel.wat has them for WebAssembly, about ten times as fast.

function plainKernel() {
  let floats = new Float32Array(0), whole;
  return {
    memory(least) { // as floats, and as whole numbers: at least so many
      if (floats.length < least) { floats = new Float32Array(2 * least); whole = new Int32Array(floats.buffer); }
      return { floats, whole };
    },
    // out[r, q] = sum over k of w[r, k] * x[offsets[k] + q], for four rows r and four places q at once: so each number
    // that is read is used four times. The weights of four rows stand together: w[0, 0], w[1, 0], w[2, 0], w[3, 0], w[0, 1].
    sums(w, x, offsets, out, rows, terms, places) {
      const f = floats, step = whole;
      for (let q = 0; q < places; q += 4) for (let r = 0, k = w; r < rows; r += 4) {
        let a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0;
        let c0 = 0, c1 = 0, c2 = 0, c3 = 0, d0 = 0, d1 = 0, d2 = 0, d3 = 0;
        for (let i = offsets; i < offsets + terms; i++, k += 4) {
          const p = x + step[i] + q, x0 = f[p], x1 = f[p + 1], x2 = f[p + 2], x3 = f[p + 3];
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
    sigmoid(count) { for (let i = 0; i < count; i++) floats[i] = 1 / (1 + Math.exp(-floats[i])); },
  };
}

function fastKernel() {
  const { memory, sums, sigmoid } = new WebAssembly.Instance(new WebAssembly.Module(fromText(KERNEL))).exports;
  const views = () => ({ floats: new Float32Array(memory.buffer), whole: new Int32Array(memory.buffer) });
  let now = views();
  return {
    memory(least) {
      const lacking = 4 * least - memory.buffer.byteLength;
      if (lacking > 0) { memory.grow(Math.ceil(lacking / 65536)); now = views(); }
      return now;
    },
    sums, sigmoid,
  };
}

const fromText = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
let kernel, fast = true;
try {
  kernel = fastKernel();
} catch { // an old browser, or one that is told to run no WebAssembly: by its owner, or by the page's policy
  [kernel, fast] = [plainKernel(), false];
}

// 1 / (1 + e^-x) of each x, in the kernel's memory, which the next layer uses again.
function sigmoids(x) {
  const { floats } = kernel.memory(x.length + 4);
  floats.set(x);
  kernel.sigmoid(x.length);
  return floats;
}

const POINTWISE = { // in place
  relu(x) { for (let i = 0; i < x.length; i++) if (x[i] < 0) x[i] = 0; },
  leaky(x, { slope }) { for (let i = 0; i < x.length; i++) if (x[i] < 0) x[i] *= slope; },
  silu(x) { const s = sigmoids(x); for (let i = 0; i < x.length; i++) x[i] *= s[i]; },
  sigmoid(x) { x.set(sigmoids(x).subarray(0, x.length)); },
  tanh(x) { for (let i = 0; i < x.length; i++) x[i] = Math.tanh(x[i]); },
  clamp(x) { for (let i = 0; i < x.length; i++) x[i] = Math.min(1, Math.max(0, x[i])); },
};

// A number of 16 bits: sign, five bits of a power of two, ten bits.
function half(bits) {
  const power = (bits >> 10) & 31, rest = bits & 1023;
  return (bits & 0x8000 ? -1 : 1) * (power ? 1024 + rest : rest) * 2 ** (Math.max(power, 1) - 25);
}

// The weights of a convolution in the order of the kernel, with rows of zeros where the last four are not full.
function packed(w) {
  const [outputs] = w.sizes, terms = w.length / outputs, out = new Float32Array(4 * Math.ceil(outputs / 4) * terms);
  for (let o = 0, i = 0; o < outputs; o++) {
    for (let k = 0; k < terms; k++) out[4 * (Math.floor(o / 4) * terms + k) + (o % 4)] = w[i++];
  }
  return out;
}

// A network with its weights in place: {shape, layers, work}. They are in the arrays {halves, single}; before the halves
// are there, in {coarse, scales}: whole numbers, with a scale for each row, or each column where those are fewer.
function prepare(network, { halves, coarse, scales, single }) {
  function fetched({ at, scale, shape }) {
    const [rows, columns, ...kernel] = shape, each = kernel.reduce((product, n) => product * n, 1);
    const out = new Float32Array(rows * (columns ?? 1) * each), row = columns * each;
    if (scale === undefined) out.set(single.subarray(at, at + out.length));
    else if (halves) for (let k = 0; k < out.length; k++) out[k] = half(halves[at + k]);
    else for (let k = 0; k < out.length; k++) {
      out[k] = coarse[at + k] * scales[scale + Math.floor(rows <= columns ? k / row : (k % row) / each)];
    }
    return Object.assign(out, { sizes: shape });
  }
  const filled = (layers) => layers.map((layer) => {
    const full = { ...layer };
    for (const name of ["w", "b"]) if (layer[name]) full[name] = fetched(layer[name]);
    if (layer.op === "conv") full.packed = packed(full.w);
    if (layer.layers) full.layers = filled(layer.layers);
    return full;
  });
  return { ...network, layers: filled(network.layers) };
}

// A map with a rim of so many pixels: zeros, or the map reflected.
function padded({ x, shape: [channels, height, width] }, rim, reflect) {
  const tall = height + 2 * rim, wide = width + 2 * rim, out = new Float32Array(channels * tall * wide);
  const fold = (k, size) => (k < 0 ? -k : k >= size ? 2 * size - 2 - k : k);
  for (let c = 0; c < channels; c++) {
    for (let y = -rim; y < height + rim; y++) {
      if (!reflect && (y < 0 || y >= height)) continue;
      const from = (c * height + fold(y, height)) * width, to = (c * tall + y + rim) * wide + rim;
      out.set(x.subarray(from, from + width), to);
      for (let k = 1; reflect && k <= rim; k++) {
        out[to - k] = x[from + fold(-k, width)];
        out[to + width - 1 + k] = x[from + fold(width - 1 + k, width)];
      }
    }
  }
  return { x: out, shape: [channels, tall, wide] };
}

const LAYERS = {
  linear({ x }, { w, b }) {
    const [outputs, inputs] = w.sizes, out = new Float32Array(outputs);
    for (let o = 0, k = 0; o < outputs; o++) {
      let sum = b ? b[o] : 0;
      for (let i = 0; i < inputs; i++) sum += w[k++] * x[i];
      out[o] = sum;
    }
    return { x: out, shape: [outputs, 1, 1] };
  },

  reshape: ({ x }, { shape }) => ({ x, shape }),

  // Pixel (y, x) of a channel stands at y * wide + x. So what a weight is multiplied with stands, for each place q of the
  // image that comes out, at q plus an offset of that weight. At the right edge q runs on over places that no pixel has:
  // they are left out in the end, and with a stride so are those between.
  conv(map, { w, b, packed, stride, padding, rim }) {
    const input = padding ? padded(map, padding, rim === "reflect") : map, [outputs, channels, rows, columns] = w.sizes;
    const { x, shape: [, tall, wide] } = input, terms = channels * rows * columns;
    const places = 8 * Math.ceil((tall - rows + 1) * wide / 8);
    const [atW, atX] = [terms, terms + packed.length], atOut = atX + x.length + columns + 8;
    const { floats, whole } = kernel.memory(atOut + 4 * Math.ceil(outputs / 4) * places);
    for (let c = 0, k = 0; c < channels; c++) for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) {
      whole[k++] = (c * tall + i) * wide + j;
    }
    floats.set(packed, atW);
    floats.set(x, atX);
    kernel.sums(atW, atX, 0, atOut, 4 * Math.ceil(outputs / 4), terms, places);
    const height = Math.floor((tall - rows) / stride) + 1, width = Math.floor((wide - columns) / stride) + 1;
    const out = new Float32Array(outputs * height * width);
    for (let o = 0, i = 0; o < outputs; o++) for (let y = 0; y < height; y++) {
      let q = atOut + o * places + y * stride * wide;
      for (const end = i + width; i < end; i++, q += stride) out[i] = b ? floats[q] + b[o] : floats[q];
    }
    return { x: out, shape: [outputs, height, width] };
  },

  transposed({ x, shape: [channels, height, width] }, { w, b, stride, padding }) {
    const [, outputs, rows, columns] = w.sizes;
    const tall = (height - 1) * stride + rows - 2 * padding, wide = (width - 1) * stride + columns - 2 * padding;
    const out = new Float32Array(outputs * tall * wide);
    if (b) for (let o = 0; o < outputs; o++) out.fill(b[o], o * tall * wide, (o + 1) * tall * wide);
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
    return { x: out, shape: [outputs, tall, wide] };
  },

  scale({ x, shape }, { w, b }) {
    const plane = x.length / w.length, out = new Float32Array(x.length);
    for (let c = 0, i = 0; c < w.length; c++) for (const end = i + plane; i < end; i++) out[i] = w[c] * x[i] + b[c];
    return { x: out, shape };
  },

  normalise({ x, shape }, { w, b, groups, tiny }) {
    const size = x.length / groups, plane = x.length / w.length, out = new Float32Array(x.length);
    for (let g = 0; g < groups; g++) {
      let mean = 0, square = 0;
      for (let i = g * size; i < (g + 1) * size; i++) mean += x[i];
      mean /= size;
      for (let i = g * size; i < (g + 1) * size; i++) square += (x[i] - mean) ** 2;
      const scale = 1 / Math.sqrt(square / size + tiny);
      for (let i = g * size; i < (g + 1) * size;) {
        const c = i / plane, slope = scale * w[c], level = b[c] - mean * slope;
        for (const end = i + plane; i < end; i++) out[i] = slope * x[i] + level;
      }
    }
    return { x: out, shape };
  },

  shuffle({ x, shape: [channels, height, width] }, { by }) {
    const out = new Float32Array(x.length), wide = by * width;
    for (let c = 0, i = 0; c < channels; c++) {
      const k = c % (by * by), to = Math.floor(c / (by * by)) * by * by * height * width;
      const row = Math.floor(k / by), column = k % by;
      for (let y = 0; y < height; y++) {
        for (let at = 0, q = to + (by * y + row) * wide + column; at < width; at++, q += by) out[q] = x[i++];
      }
    }
    return { x: out, shape: [channels / (by * by), by * height, wide] };
  },

  enlarge({ x, shape: [channels, height, width] }, { by, smooth }) {
    const out = new Float32Array(x.length * by * by), tall = by * height, wide = by * width;
    const between = (k, size) => { // the two pixels beside a place, and how near the second is
      const at = Math.min(size - 1, Math.max(0, (k + 0.5) / by - 0.5)), low = Math.floor(at);
      return smooth ? [low, Math.min(size - 1, low + 1), at - low] : [Math.floor(k / by), 0, 0];
    };
    for (let c = 0, i = 0; c < channels; c++) for (let y = 0; y < tall; y++) {
      const [y0, y1, down] = between(y, height);
      for (let at = 0; at < wide; at++) {
        const [x0, x1, right] = between(at, width), pixel = (row, column) => x[(c * height + row) * width + column];
        const upper = (1 - right) * pixel(y0, x0) + right * pixel(y0, x1);
        out[i++] = down ? (1 - down) * upper + down * ((1 - right) * pixel(y1, x0) + right * pixel(y1, x1)) : upper;
      }
    }
    return { x: out, shape: [channels, tall, wide] };
  },

  residual(map, { layers }) {
    const { x } = forward(layers, { x: map.x.slice(), shape: map.shape });
    for (let i = 0; i < x.length; i++) x[i] += map.x[i];
    return { x, shape: map.shape };
  },
};

function forward(layers, map) {
  for (const layer of layers) {
    if (POINTWISE[layer.op]) POINTWISE[layer.op](map.x, layer);
    else map = LAYERS[layer.op](map, layer);
  }
  return map;
}

// One code to one image, floats (C, H, W).
function decode(network, z) {
  return forward(network.layers, { x: Float32Array.from(z), shape: [z.length, 1, 1] }).x;
}
