// A page in place of a kernel: it finds the places of explorers, opens their bundles, and answers in the page.
//
// A place is <div class="course-place" data-explorer="NAME"> with its first frame in it, as Explorer.page returns it. The
// first one is mounted at once, the others when they come near the screen. What goes wrong leaves the first frame where
// it is, and says why in one sentence, which Python wrote into the place.

const NEAR = "300px"; // from the screen

// What the front end asks in place of a kernel; see source.js.
function pageSource(name, { spec, answer, bytes, words }, answerTo) {
  const state = { value: moveOf(spec, answer.value), _spec: spec, _answer: answer, _frame: bytes("frame"), _points: bytes("points") };
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
      const start = performance.now();
      put({ value });
      const { frame, points, answer } = await answerBy(answerTo, spec, value, token, () => state._answer);
      if (points) state._points = points;
      if (frame) state._frame = frame;
      put({ _answer: answer, ...(answer.error ? {} : { value: moveOf(spec, answer.value) }) }); // and it is drawn
      performance.measure(`course:${name}:drawn`, { start });
    },
  };
}

const workerFile = () => new Worker(new URL("explorer-worker.js", import.meta.url));

// What answers for one bundle, and rest(), which fetches what is not needed for the first live picture.
function backEnd(name, bundle) {
  const single = bundle.numbers("single", Float32Array), decoder = makeDecoder(bundle.networks, workerFile);
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
    const source = pageSource(name, bundle, answer);
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
