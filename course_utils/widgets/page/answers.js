// What Python's `_draw` does, for each kind of explorer: value -> {frame, captions, text, value, charts?, points?}.
// `bundle` is what files.js opened; `decode(name, z)` promises an image, floats (C, H, W).

const join = (parts) => {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) { out.set(part, at); at += part.length; }
  return out;
};

function toPixels(x, [channels, height, width]) { // floats (C, H, W) in [0, 1] to bytes (H, W, C)
  const out = new Uint8ClampedArray(x.length), plane = height * width; // rounds to the even neighbour, as torch does
  for (let c = 0; c < channels; c++) for (let i = 0; i < plane; i++) out[i * channels + c] = 255 * x[c * plane + i];
  return new Uint8Array(out.buffer);
}

const norm = (z) => Math.sqrt(z.reduce((sum, v) => sum + v * v, 0));
const dot = (p, q) => p.reduce((sum, v, i) => sum + v * q[i], 0);
const mix = (p, q, w) => p.map((v, i) => (1 - w) * v + w * q[i]);
const WAYS = {
  lerp: mix,
  slerp(p, q, w) { // as interpolation.py; opposite ends, between which no arc is the shortest, do not come up here
    const [n, m] = [norm(p), norm(q)];
    if (w === 0 || w === 1 || !n || !m) return mix(p, q, w);
    const s = p.map((v) => v / n), t = q.map((v) => v / m);
    const angle = 2 * Math.atan2(norm(s.map((v, i) => v - t[i])), norm(s.map((v, i) => v + t[i])));
    if (angle < 4e-6) return mix(p, q, w);
    const [f, g] = [Math.sin((1 - w) * angle), Math.sin(w * angle)].map((side) => side / Math.sin(angle));
    return s.map((v, i) => ((1 - w) * n + w * m) * (f * v + g * t[i]));
  },
};

const ANSWERS = {
  // Any explorer with few positions: all its answers are stored, its pictures as they are or as codes in 16 bits.
  table({ spec, page, bytes, numbers, networks }, decode) {
    const many = spec.kind === "sliders", sliders = many ? spec.sliders : [spec];
    const places = numbers("places", Uint32Array), count = spec.rows.flatMap((row) => row.panels).length;
    const { decoder } = networks, panels = decoder ? numbers("panels", Uint16Array) : bytes("panels");
    const low = numbers("low", Float32Array), scale = numbers("step", Float32Array);
    const picture = async (code) => toPixels(await decode("decoder", Float32Array.from(code, (v, d) => low[d] + v * scale[d])), decoder.shape);
    return async (value) => {
      const steps = sliders.map(({ min, step }, k) => Math.round(([value].flat()[k] - min) / step));
      steps.forEach((step, k) => { if (!(step >= 0 && step < page.counts[k])) throw new Error(say(page.off)); });
      const index = steps.reduce((sum, step, k) => sum * page.counts[k] + step, 0);
      const at = steps.map((step, k) => Math.min(sliders[k].max, sliders[k].min + step * sliders[k].step));
      const parts = [];
      for (let from = 2 * index * count; parts.length < count; from += 2) {
        const part = panels.subarray(places[from], places[from] + places[from + 1]);
        parts.push(decoder ? await picture(part) : part);
      }
      const [text, captions, charts] = page.answers[index];
      return { frame: join(parts), text, captions: page.captions[captions], charts: page.charts[charts], value: many ? at : at[0] };
    };
  },

  // A plane base + x u + y v of codes. The distance to a code is the one in the plane, and how far off the plane it is.
  pad({ spec, page, numbers, bytes, pictures, networks }, decode) {
    const heights = numbers("heights", Float32Array), { count, own } = page, points = bytes(own ? "places" : "points");
    const places = new Float32Array(points.buffer, points.byteOffset, 2 * count);
    const labels = own ? bytes("labels") : points.subarray(8 * count);
    const [uu, uv, vv] = page.metric, { words } = spec;
    return async ([x, y]) => {
      let best = Infinity, nearest = 0;
      for (let i = 0; i < count; i++) {
        const dx = places[2 * i] - x, dy = places[2 * i + 1] - y;
        const square = uu * dx * dx + 2 * uv * dx * dy + vv * dy * dy + heights[i];
        if (square < best) { best = square; nearest = i; }
      }
      const name = spec.names[labels[nearest]], parts = [toPixels(await decode("decoder", [x, y, 1]), networks.decoder.shape)];
      const captions = [say(words.decoded)];
      if (pictures) { parts.push(pictures(nearest)); captions.push(say(words.nearest, { name })); }
      return { frame: join(parts), captions, text: say(words.text, { x, y, name, distance: Math.sqrt(best) }), value: [x, y] };
    };
  },

  // The code of an image, and what each slider adds to it.
  handles({ spec, page, numbers, bytes, networks }, decode) {
    const z0 = numbers("z", Float32Array), moves = numbers("moves", Float32Array), { words, start, sliders } = spec;
    const { shape } = networks.decoder, original = bytes("original");
    let before = null, pictures = null;
    return async (values) => {
      before ??= await decode("decoder", z0);
      pictures ??= [original, toPixels(before, shape)];
      const z = Array.from(z0, (v, i) => values.reduce((sum, value, k) => sum + (value - start[k]) * moves[k * z0.length + i], v));
      const here = await decode("decoder", z);
      let change = 0;
      for (let i = 0; i < here.length; i++) change += Math.abs(here[i] - before[i]);
      const moved = sliders.flatMap(({ label, min, max }, k) => (Math.abs(values[k] - start[k]) > 1e-6 * (max - min)
        ? [say(words.moved, { name: label, start: start[k], value: values[k] })] : []));
      const list = { moved: moved.slice(0, 3).join(", "), count: moved.length - 3 };
      const where = moved.length ? say(moved.length > 3 ? words.more : words.list, list) : say(words.still);
      const frame = join([...pictures, toPixels(here, shape)]);
      return { frame, captions: page.captions, text: say(words.text, { where, change: change / here.length }), value: values };
    };
  },

  // Maps of the same codes: the point that is nearest, its neighbours on the map and as codes, its code decoded.
  map({ spec, answer, page, numbers, bytes, pictures, networks }, decode) {
    const labels = bytes("labels"), maps = numbers("maps", Float32Array), count = labels.length, { words, settings } = spec;
    const near = page.near ? numbers("near", Uint32Array) : null, codes = networks.decoder ? numbers("codes", Float32Array) : null;
    const K = page.neighbors, counts = settings.map(({ values }) => values.length);
    const name = (i) => spec.names[labels[i]];
    let { index: last, decoded } = answer.value, chosen = String(answer.value.map), drawn = chosen, picture = null;
    function nearest(points, [x, y], shown, most, but = -1) {
      const found = []; // few of them: each is put in its place
      for (let i = 0; i < count; i++) {
        if (!shown[i] || i === but) continue;
        const d = (points[2 * i] - x) ** 2 + (points[2 * i + 1] - y) ** 2;
        if (found.length === most && d >= found[most - 1][0]) continue;
        let k = found.length;
        while (k && found[k - 1][0] > d) k--;
        found.splice(k, 0, [d, i]);
        found.length = Math.min(found.length, most);
      }
      return found.map(([, i]) => i);
    }
    return async (value) => {
      const shown = Uint8Array.from(labels, (k) => !value.hidden.includes(k));
      if (!shown.includes(1)) throw new Error(say(words["all hidden"]));
      const index = value.map.reduce((sum, v, k) => sum * counts[k] + v, 0);
      const points = maps.subarray(2 * count * index, 2 * count * (index + 1)), place = (i) => [points[2 * i], points[2 * i + 1]];
      const stays = String(value.map) !== chosen && shown[last]; // another map: stay with the image
      const here = stays ? last : nearest(points, value.at, shown, 1)[0], at = stays ? place(last) : value.at;
      const onMap = nearest(points, place(here), shown, K, here), asCodes = near ? [...near.subarray(K * here, K * here + K)] : [];
      if (codes && (value.pick || !picture)) {
        if (value.pick) decoded = here;
        const D = codes.length / count, image = await decode("decoder", codes.subarray(D * decoded, D * decoded + D));
        picture = toPixels(image, networks.decoder.shape);
      }
      [chosen, last] = [String(value.map), here];
      const parts = [], captions = [];
      if (pictures) { parts.push(pictures(here)); captions.push(name(here)); }
      if (codes) { parts.push(picture); captions.push(say(words.decoded, { name: name(decoded) })); }
      if (pictures) {
        const blank = new Uint8Array(pictures.size), filled = (list, f, none) => Array.from({ length: K }, (_, k) => (k < list.length ? f(list[k]) : none));
        for (const list of near ? [onMap, asCodes] : [onMap]) {
          parts.push(...filled(list, pictures, blank));
          captions.push(...filled(list, name, say(words.none)));
        }
      }
      let text = say(words.text, { name: name(here), index: here });
      const where = page.settings[index];
      if (where) text = say(words["on map"], { where, text });
      if (near) text = say(words.neighbors, { text, count: K, same: asCodes.filter((i) => onMap.includes(i)).length });
      const found = { index: here, place: place(here), friends: asCodes.map(place), names: page.names[index], decoded };
      const moved = drawn !== chosen; // another map: its points come with the answer
      drawn = chosen;
      return {
        frame: join(parts), captions, text, value: { ...value, at, hidden: [...value.hidden].sort((a, b) => a - b), ...found },
        points: moved ? join([new Uint8Array(points.slice().buffer), labels]) : null,
      };
    };
  },

  // From one image to another through several spaces.
  lab({ spec, page, numbers, bytes, networks }, decode) {
    const { words } = spec, images = bytes("images"), size = images.length / page.kinds.length, last = page.kinds.length - 1;
    const image = (i) => images.subarray(i * size, (i + 1) * size);
    const codes = page.spaces.map(({ codes: part }) => numbers(part, Float32Array));
    const known = codes.map(() => []), length = (k) => codes[k].length / (last + 1);
    const code = (k, i) => (known[k][i] ??= Array.from(codes[k].subarray(i * length(k), (i + 1) * length(k))));
    function stored(part, points, a, b, method, weight) {
      const end = points - 1;
      if (a === b) [a, b, weight] = a ? [0, a, 1] : [0, 1, 0]; // one end of any path from or to it
      const [low, high] = [Math.min(a, b), Math.max(a, b)], at = (a < b ? weight : 1 - weight) * end;
      const point = at % 1 === 0.5 ? 2 * Math.round(at / 2) : Math.round(at); // Python rounds a tie to the even number
      const pair = low * (2 * last + 1 - low) / 2 + high - low - 1;
      return bytes(part).subarray(((2 * pair + method) * points + point) * size, ((2 * pair + method) * points + point + 1) * size);
    }
    return async ([a, b, weight]) => {
      for (const i of [a, b]) if (!Number.isInteger(i) || i < 0 || i > last) throw new Error(say(page.off));
      const parts = [image(a), image(b)], angles = [], curves = [];
      for (const [k, { name }] of page.spaces.entries()) {
        const [p, q] = [code(k, a), code(k, b)], [n, m] = [norm(p), norm(q)], pq = dot(p, q);
        const cosine = pq / Math.max(n * m, 1e-8);
        angles.push(say(words.angle, { name, angle: (Math.acos(Math.min(1, Math.max(-1, cosine))) * 180) / Math.PI }));
        const along = Array.from({ length: 33 }, (_, i) => i / 32);
        const sag = (w) => Math.sqrt(Math.max(0, (1 - w) ** 2 * n * n + 2 * w * (1 - w) * pq + w * w * m * m)) / Math.max((1 - w) * n + w * m, 1e-38);
        curves.push(...along, ...along.map(sag));
      }
      parts.push(new Uint8Array(Float32Array.from([...curves, weight]).buffer));
      const ways = Object.keys(WAYS);
      for (const [method, way] of ways.entries()) for (const [k, { network, decoded, points }] of page.spaces.entries()) {
        if (decoded) parts.push(stored(decoded, points, a, b, method, weight));
        else parts.push(toPixels(await decode(network, WAYS[way](code(k, a), code(k, b), weight)), networks[network].shape));
      }
      const [from, to] = [page.kinds[a], page.kinds[b]];
      const names = page.spaces.map(({ name }) => name);
      const captions = [say(words.a, { name: from }), say(words.b, { name: to }), say(words.norms), ...names, ...names];
      const label = say(page.labels[a * (last + 1) + b], { weight: String(Number(weight.toPrecision(3))) });
      const charts = captions.map((_, k) => (k === 2 ? { ...page.chart, label } : null));
      return { frame: join(parts), captions, charts, text: say(words.text, { a: from, b: to, weight, angles: angles.join(", ") }), value: [a, b, weight] };
    };
  },
};
