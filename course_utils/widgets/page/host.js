// A page in place of a kernel: it finds the places of explorers, opens their bundles, and answers in the page.
//
// A place is <div class="course-place" data-explorer="NAME"> with its first frame in it, as Explorer.page returns it. The
// first one is mounted at once, the others when they come near the screen. What goes wrong leaves the first frame where
// it is, and says why in one sentence, which Python wrote into the place.

const NEAR = "300px"; // from the screen
const HEAVY = fast ? 3e7 : 6e6; // multiplications a decoder may take in the page itself: about 6 ms on a fast computer

// What the front end asks in place of a kernel; see source.js.
function pageSource({ spec, answer, bytes, words }, answerTo) {
  const moveOf = (value) => (isRecord(value)
    ? Object.fromEntries(Object.keys(CONTRACT.message[spec.kind].value).map((name) => [name, value[name]])) : value);
  const state = { value: moveOf(answer.value), _spec: spec, _answer: answer, _frame: bytes("frame"), _points: bytes("points") };
  const heard = { value: new Set(), _answer: new Set() };
  function put(change) {
    Object.assign(state, change);
    for (const name of Object.keys(change)) for (const listen of heard[name] ?? []) listen();
  }
  return {
    words,
    get: (name) => state[name],
    on: (name, listen) => heard[name].add(listen),
    off: (name, listen) => heard[name].delete(listen),
    place(value) { put({ value }); },
    warn(warning) { put({ _answer: { ...state._answer, warning, token: "" } }); },
    async ask(value, token) {
      put({ value });
      try {
        const { frame, points, ...said } = await answerTo(value);
        if (points) state._points = points;
        state._frame = frame;
        const charts = said.captions.map(() => null);
        put({ _answer: { charts, ...said, token, error: "", warning: state._answer.warning }, value: moveOf(said.value) });
      } catch (error) {
        console.error(error);
        put({ _answer: { ...state._answer, token, error: say(spec.words.refused, { why: error.message }) } });
      }
    },
  };
}

// decode(name, z), one code after another; and use(numbers), the weights. Where one takes long a worker does it, as soon
// as it is there: the first picture does not wait for it, and where the browser allows none the page goes on by itself.
function makeDecoder(networks) {
  let line = Promise.resolve(), worker = null, ready = false, here = {}, raw = null;
  const prepared = (name) => (here[name] ??= prepare(networks[name], raw));
  function use(numbers) {
    [raw, here] = [numbers, {}];
    if (worker) for (const [name, network] of Object.entries(networks)) worker.postMessage({ name, network, numbers });
  }
  function hire() {
    worker = new Worker(new URL("explorer-worker.js", import.meta.url));
    worker.addEventListener("message", () => { ready = true; }, { once: true });
    worker.onerror = (event) => { event.preventDefault(); worker = null; };
  }
  function once(name, z) {
    if (!worker || !ready) return decode(prepared(name), z);
    return new Promise((done, failed) => {
      worker.onmessage = ({ data }) => done(data);
      worker.onerror = (event) => {
        event.preventDefault();
        worker = null;
        try { done(decode(prepared(name), z)); } catch (error) { failed(error); }
      };
      worker.postMessage({ name, z });
    });
  }
  try {
    if (Object.values(networks).some(({ work }) => work > HEAVY)) hire();
  } catch { /* no worker: not from a file:// page */ }
  return { use, decode: (name, z) => (line = line.catch(() => {}).then(() => once(name, z))) };
}

// The images of the data set. They come last: until then a grey one stands for each.
function makePictures(shape) {
  const size = shape.reduce((product, n) => product * n, 1), grey = new Uint8Array(size).fill(127);
  let all = null;
  return Object.assign((i) => (all ? all.subarray(i * size, (i + 1) * size) : grey), { size, use(bytes) { all = bytes; } });
}

// What answers for one bundle, and rest(), which fetches what is not needed for the first live picture.
function backEnd(name, bundle) {
  const single = bundle.numbers("single", Float32Array), decoder = makeDecoder(bundle.networks);
  const exact = (file) => decoder.use({ halves: file.numbers("halves", Uint16Array), single });
  if (bundle.parts.halves) exact(bundle);
  else decoder.use({ coarse: bundle.numbers("coarse", Int8Array), scales: bundle.numbers("scales", Float32Array), single });
  if (bundle.page.pictures) bundle.pictures = makePictures(bundle.page.pictures);
  return {
    answer: ANSWERS[bundle.page.kind](bundle, decoder.decode),
    async rest() {
      const file = await open(`${name}.more.bin`);
      if (file.of !== bundle.more) throw new Failure("other");
      if (file.parts.halves) exact(file);
      bundle.pictures?.use(file.bytes("pictures"));
    },
  };
}

function report(place, name, state) {
  place.dataset.state = state;
  performance.mark(`course:${name}:${state}`);
  place.dispatchEvent(new CustomEvent("course-place", { bubbles: true, detail: { name, state } }));
}

async function begin(place) {
  const name = place.dataset.explorer, first = place.querySelector(".course-first"), cell = document.createElement("div");
  const note = first?.querySelector(".course-first-note");
  try {
    if (!NEEDED.every((one) => one in window)) throw new Failure("browser");
    const bundle = await open(`${name}.bin`), { answer, rest } = backEnd(name, bundle);
    const source = pageSource(bundle, async (value) => {
      const start = performance.now(), found = await answer(value);
      performance.measure(`course:${name}:answer`, { start });
      return found;
    });
    const still = bundle.parts.frame ? [] : [...place.querySelectorAll(".course-first .course-image")];
    await Promise.all(still.map((image) => image.complete || image.decode()));
    place.append(cell);
    if (!mount(source, cell)) throw new Failure("damaged");
    cell.querySelectorAll("canvas.course-image").forEach((canvas, k) => {
      if (still[k]) canvas.getContext("2d").drawImage(still[k], 0, 0, canvas.width, canvas.height);
    });
    first?.remove();
    report(place, name, "live");
    if (bundle.more) await finish(place, name, bundle, source, rest);
    else report(place, name, "ready");
  } catch (error) {
    if (!(error instanceof Failure)) console.error(error);
    cell.remove();
    if (note) note.textContent = note.dataset[error instanceof Failure ? error.message : "damaged"];
    report(place, name, "failed");
  }
}

async function finish(place, name, bundle, source, rest) {
  try {
    await rest();
  } catch {
    await source.ask(source.get("value"), "page"); // what is there instead
    source.warn(bundle.words.partly);
    return report(place, name, "partly");
  }
  await source.ask(source.get("value"), "page");
  report(place, name, "ready");
}

function beginAll() {
  const places = [...document.querySelectorAll(".course-place[data-explorer]")];
  if (!places.length) return;
  begin(places[0]);
  if (!("IntersectionObserver" in window)) return places.slice(1).forEach(begin);
  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting) { near.unobserve(target); begin(target); }
  }, { rootMargin: NEAR });
  for (const place of places.slice(1)) near.observe(place);
}

beginAll();
