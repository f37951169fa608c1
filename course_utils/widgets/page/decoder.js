// The decoders of the course without Python: it runs the lists of layers that layers.py makes, one image at a time.
// All numbers are doubles, which JavaScript computes with: arrays of floats would be converted at every step.

const POINTWISE = { // in place; a loop each, for a function that is called for each number costs more than its work
  relu(x) { for (let i = 0; i < x.length; i++) if (x[i] < 0) x[i] = 0; },
  leaky(x, { slope }) { for (let i = 0; i < x.length; i++) if (x[i] < 0) x[i] *= slope; },
  silu(x) { for (let i = 0; i < x.length; i++) x[i] /= 1 + Math.exp(-x[i]); },
  sigmoid(x) { for (let i = 0; i < x.length; i++) x[i] = 1 / (1 + Math.exp(-x[i])); },
  tanh(x) { for (let i = 0; i < x.length; i++) x[i] = Math.tanh(x[i]); },
  clamp(x) { for (let i = 0; i < x.length; i++) x[i] = Math.min(1, Math.max(0, x[i])); },
};

// A number of 16 bits: sign, five bits of a power of two, ten bits.
function half(bits) {
  const power = (bits >> 10) & 31, rest = bits & 1023;
  return (bits & 0x8000 ? -1 : 1) * (power ? 1024 + rest : rest) * 2 ** (Math.max(power, 1) - 25);
}

// A network with its weights in place: {shape, layers, work}. They are in the arrays {halves, single}; before the halves
// are there, in {coarse, scales}: whole numbers, with a scale for each row, or each column where those are fewer.
function prepare(network, { halves, coarse, scales, single }) {
  function fetched({ at, scale, shape }) {
    const [rows, columns, ...kernel] = shape, each = kernel.reduce((product, n) => product * n, 1);
    const out = new Float64Array(rows * (columns ?? 1) * each), row = columns * each;
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
    if (layer.layers) full.layers = filled(layer.layers);
    return full;
  });
  return { ...network, layers: filled(network.layers) };
}

// A map with a rim of so many pixels: zeros, or the map reflected.
function padded({ x, shape: [channels, height, width] }, rim, reflect) {
  const tall = height + 2 * rim, wide = width + 2 * rim, out = new Float64Array(channels * tall * wide);
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

// 3 x 3 with stride 1, where nearly all of the work is: two channels at once, for they read the same pixels.
function convolve3(input, w, b, outputs) {
  const { x, shape: [channels, tall, wide] } = input, height = tall - 2, width = wide - 2, plane = height * width;
  const out = new Float64Array((outputs + 1) * plane), none = new Float64Array(9 * channels);
  for (let o = 0; o < outputs; o += 2) {
    const one = w.subarray(9 * channels * o, 9 * channels * (o + 1));
    const two = o + 1 < outputs ? w.subarray(9 * channels * (o + 1), 9 * channels * (o + 2)) : none;
    if (b) for (let k = 0; k < 2; k++) out.fill(b[o + k] ?? 0, (o + k) * plane, (o + k + 1) * plane);
    for (let c = 0; c < channels; c++) {
      const k = 9 * c;
      const a0 = one[k], a1 = one[k + 1], a2 = one[k + 2], a3 = one[k + 3], a4 = one[k + 4];
      const a5 = one[k + 5], a6 = one[k + 6], a7 = one[k + 7], a8 = one[k + 8];
      const b0 = two[k], b1 = two[k + 1], b2 = two[k + 2], b3 = two[k + 3], b4 = two[k + 4];
      const b5 = two[k + 5], b6 = two[k + 6], b7 = two[k + 7], b8 = two[k + 8];
      for (let y = 0; y < height; y++) {
        let p = (c * tall + y) * wide, q = (o * height + y) * width;
        let p0 = x[p], p1 = x[p + 1], p3 = x[p + wide], p4 = x[p + wide + 1];
        let p6 = x[p + 2 * wide], p7 = x[p + 2 * wide + 1];
        p += 2;
        for (const end = q + width; q < end; p++, q++) {
          const p2 = x[p], p5 = x[p + wide], p8 = x[p + 2 * wide];
          out[q] += a0 * p0 + a1 * p1 + a2 * p2 + a3 * p3 + a4 * p4 + a5 * p5 + a6 * p6 + a7 * p7 + a8 * p8;
          out[q + plane] += b0 * p0 + b1 * p1 + b2 * p2 + b3 * p3 + b4 * p4 + b5 * p5 + b6 * p6 + b7 * p7 + b8 * p8;
          p0 = p1; p1 = p2; p3 = p4; p4 = p5; p6 = p7; p7 = p8;
        }
      }
    }
  }
  return { x: out.subarray(0, outputs * plane), shape: [outputs, height, width] };
}

// 1 x 1 with stride 1: each pixel by itself. Four channels at once save three of four passes over what is summed.
function convolve1({ x, shape: [channels, height, width] }, w, b, outputs) {
  const n = height * width, out = new Float64Array(outputs * n), four = channels - (channels % 4);
  for (let o = 0; o < outputs; o++) {
    const row = out.subarray(o * n, (o + 1) * n), k = o * channels;
    if (b) row.fill(b[o]);
    for (let c = 0; c < four; c += 4) {
      const w0 = w[k + c], w1 = w[k + c + 1], w2 = w[k + c + 2], w3 = w[k + c + 3];
      for (let i = 0, p = c * n; i < n; i++, p++) row[i] += w0 * x[p] + w1 * x[p + n] + w2 * x[p + 2 * n] + w3 * x[p + 3 * n];
    }
    for (let c = four; c < channels; c++) for (let i = 0; i < n; i++) row[i] += w[k + c] * x[c * n + i];
  }
  return { x: out, shape: [outputs, height, width] };
}

const LAYERS = {
  linear({ x }, { w, b }) {
    const [outputs, inputs] = w.sizes, out = new Float64Array(outputs);
    for (let o = 0, k = 0; o < outputs; o++) {
      let sum = b ? b[o] : 0;
      for (let i = 0; i < inputs; i++) sum += w[k++] * x[i];
      out[o] = sum;
    }
    return { x: out, shape: [outputs, 1, 1] };
  },

  reshape: ({ x }, { shape }) => ({ x, shape }),

  conv(map, { w, b, stride, padding, rim }) {
    const input = padding ? padded(map, padding, rim === "reflect") : map, [outputs, channels, rows, columns] = w.sizes;
    if (rows === 3 && columns === 3 && stride === 1) return convolve3(input, w, b, outputs);
    if (rows === 1 && columns === 1 && stride === 1) return convolve1(input, w, b, outputs);
    const { x, shape: [, tall, wide] } = input;
    const height = Math.floor((tall - rows) / stride) + 1, width = Math.floor((wide - columns) / stride) + 1;
    const out = new Float64Array(outputs * height * width);
    for (let o = 0, k = 0; o < outputs; o++) {
      if (b) out.fill(b[o], o * height * width, (o + 1) * height * width);
      for (let c = 0; c < channels; c++) for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) {
        const weight = w[k++];
        for (let y = 0; y < height; y++) {
          let p = (c * tall + y * stride + i) * wide + j, q = (o * height + y) * width;
          for (const end = q + width; q < end; p += stride, q++) out[q] += weight * x[p];
        }
      }
    }
    return { x: out, shape: [outputs, height, width] };
  },

  transposed({ x, shape: [channels, height, width] }, { w, b, stride, padding }) {
    const [, outputs, rows, columns] = w.sizes;
    const tall = (height - 1) * stride + rows - 2 * padding, wide = (width - 1) * stride + columns - 2 * padding;
    const out = new Float64Array(outputs * tall * wide);
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
    const plane = x.length / w.length, out = new Float64Array(x.length);
    for (let c = 0, i = 0; c < w.length; c++) for (const end = i + plane; i < end; i++) out[i] = w[c] * x[i] + b[c];
    return { x: out, shape };
  },

  normalise({ x, shape }, { w, b, groups, tiny }) {
    const size = x.length / groups, plane = x.length / w.length, out = new Float64Array(x.length);
    for (let g = 0; g < groups; g++) {
      let mean = 0, square = 0;
      for (let i = g * size; i < (g + 1) * size; i++) mean += x[i] / size;
      for (let i = g * size; i < (g + 1) * size; i++) square += (x[i] - mean) ** 2 / size;
      const scale = 1 / Math.sqrt(square + tiny);
      for (let i = g * size; i < (g + 1) * size; i++) {
        const c = Math.floor(i / plane);
        out[i] = (x[i] - mean) * scale * w[c] + b[c];
      }
    }
    return { x: out, shape };
  },

  shuffle({ x, shape: [channels, height, width] }, { by }) {
    const out = new Float64Array(x.length), wide = by * width;
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
    const out = new Float64Array(x.length * by * by), tall = by * height, wide = by * width;
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
  return Float32Array.from(forward(network.layers, { x: Float64Array.from(z), shape: [z.length, 1, 1] }).x);
}
