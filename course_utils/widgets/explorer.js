// The browser's half of every explorer: a control (a map to drag on, or a slider), rows of images, and text.
// A source (source.js) draws: the kernel or the page. The browser asks for one position at a time and waits for the
// answer before it asks for the next, so that a quick drag never leaves a queue behind. All it needs to know is in value,
// _spec, _points, _frame and _answer, which spec.py describes. explorer.py puts the other files in front of this one: one
// module.
//
// `value` is where the control stands. A move sets it at once, so that what jslink ties to it follows without the
// kernel; the source is asked, with a token, when the position before has been answered. When others set it, another
// widget or Python, the control follows.

const NARROW = 480; // CSS pixels: below this, what stands side by side goes one below the other
const PATIENCE = 5000; // milliseconds without an answer until the reader is told
const THEMES = [
  ["--jp-layout-color0", "--jp-content-font-color1"],
  ["--colab-primary-surface-color", "--colab-primary-text-color"],
  ["--vscode-editor-background", "--vscode-editor-foreground"],
  ["--color-background-primary", "--color-foreground-primary"], // Furo, the theme of the book
];
const DARK = "(prefers-color-scheme: dark)"; // by which the book's theme goes, where its reader has not chosen

let made = 0;

function make(parent, tag, className, attributes = {}, text = "") {
  const node = document.createElement(tag);
  node.className = className;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.textContent = text;
  parent.append(node);
  return node;
}

// One position in flight: `send` keeps only the latest while an answer is due.
function conversation(source, onSilence) {
  const name = Math.random().toString(36).slice(2);
  let count = 0, waiting = null, next = null, timer = null, placing = false;
  function byHand(work) {
    placing = true;
    try { work(); } finally { placing = false; }
  }
  function flush() {
    if (next === null) return;
    waiting = `${name}:${++count}`;
    const value = next;
    next = null;
    clearTimeout(timer);
    timer = setTimeout(() => { waiting = null; onSilence(); }, PATIENCE);
    byHand(() => source.ask(value, waiting)); // it sets the value again: the position before may have been corrected
  }
  return {
    send(value) {
      next = value;
      if (waiting === null) flush();
      else byHand(() => source.place(value));
    },
    answered(token) {
      if (token === waiting) { clearTimeout(timer); waiting = null; flush(); }
      return this.asked(token);
    },
    asked: (token) => String(token).startsWith(name + ":"), // was it this view that asked?
    placing: () => placing, // does this view set the value right now?
    stop() { clearTimeout(timer); next = null; },
  };
}

function bytes(view) {
  return view && view.byteLength ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength) : new Uint8Array(0);
}

function paint(canvas, picture, data, channels) {
  const out = picture.data, [green, blue] = channels === 3 ? [1, 2] : [0, 0];
  for (let i = 0, k = 0; i < out.length; i += 4, k += channels) {
    out[i] = data[k];
    out[i + 1] = data[k + green];
    out[i + 2] = data[k + blue];
    out[i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

// A panel that shows an image. `draw` takes its part of the frame and says how many bytes that was.
function makeImage(figure, { title, shape: [height, width, channels], size }) {
  const canvas = make(figure, "canvas", "course-image", { width, height, role: "img", "aria-label": title });
  canvas.style.width = `${size}px`;
  const caption = make(figure, "figcaption", "course-caption", {}, title);
  caption.style.maxWidth = `${size + 12}px`;
  const length = height * width * channels, picture = new ImageData(width, height);
  return {
    draw(frame, description, text) {
      paint(canvas, picture, frame.subarray(0, length), channels);
      if (caption.textContent !== text) caption.textContent = text;
      canvas.setAttribute("aria-label", text);
      return length;
    },
    redraw() {},
  };
}

const GAP = 16, SMALLEST = 64; // CSS pixels between two images, and the least that a larger image may shrink to

// How many of so many images of one width go side by side in a line of a given width. They shrink by up to a quarter
// where that saves a line. The lines are about equally full, so that no image stands alone below the others.
function columnsOf(count, size, width) {
  const least = Math.min(size, Math.max(SMALLEST, 0.75 * size));
  const fit = Math.max(1, Math.floor((width + GAP) / (least + GAP)));
  const even = Math.ceil(count / Math.ceil(count / fit));
  for (let columns = even; columns > 1; columns--) if (columns >= count || count % columns !== 1) return columns;
  return even;
}

// The panels, and `fit(width)`, which lays them out in lines of so many CSS pixels.
function makePanels(parent, rows) {
  const panels = [], lines = [];
  const table = make(parent, "div", "course-rows");
  for (const row of rows) {
    const line = make(table, "div", "course-row", row.title ? { role: "group", "aria-label": row.title } : {});
    const title = row.title ? make(line, "div", "course-row-title", {}, row.title) : null;
    const group = make(line, "div", "course-panels");
    for (const one of row.panels) {
      const figure = make(group, "figure", "course-panel");
      panels.push({ title: one.title, ...PANELS[one.kind](figure, one) });
    }
    const sizes = row.panels.map(({ size }) => size);
    const alike = row.panels.length && sizes.every((size) => size && size === sizes[0]); // images of one width
    lines.push({ title, group, size: alike ? sizes[0] : null, count: row.panels.length });
  }
  function fit(width) {
    table.classList.toggle("course-narrow", width < NARROW);
    for (const { title, group, size, count } of lines) {
      if (size === null) continue;
      const columns = columnsOf(count, size, title && width >= NARROW ? width - title.offsetWidth - GAP : width);
      const template = `repeat(${columns}, minmax(0, ${size}px))`;
      if (group.style.gridTemplateColumns !== template) group.style.gridTemplateColumns = template;
      group.classList.add("course-alike");
    }
  }
  return { panels, table, fit };
}

function sliderLine(parent, { label, min, max, step, options }, start, id, help, moved) {
  if (options) return choiceLine(parent, { name: label, values: options }, id, help, moved);
  const line = make(parent, "div", "course-slider");
  make(line, "label", "course-slider-label", { for: id }, label);
  const input = make(line, "input", "course-range", {
    id, type: "range", min, max, step, value: start, "aria-describedby": help, "data-lm-suppress-shortcuts": "true",
  });
  const digits = step < 1 ? Math.max(2, Math.ceil(-Math.log10(step))) : 0;
  const number = make(line, "output", "course-number", { for: id });
  let exact = start; // the input itself rounds what it shows to its steps
  const write = () => { number.textContent = Number(exact).toFixed(digits); };
  write();
  input.addEventListener("input", () => { exact = Number(input.value); write(); moved(); });
  input.addEventListener("keydown", (event) => event.stopPropagation());
  return {
    value: () => exact,
    show(value) { exact = value; input.value = value; write(); },
    describe(text) { input.setAttribute("aria-valuetext", text); },
  };
}

// One slider, whose value is a number, or several ("sliders"), whose value is a list.
function makeSliders(parent, source, spec, ids, send) {
  const many = spec.kind === "sliders", list = (value) => (many ? value : [value]);
  const moved = () => send(many ? lines.map((line) => line.value()) : lines[0].value());
  const lines = (many ? spec.sliders : [spec]).map((one, k) =>
    sliderLine(parent, one, list(spec.start)[k], `${ids.control}-${k}`, ids.help, moved));
  if (spec.reset) {
    const button = make(parent, "button", "course-reset", { type: "button" }, spec.reset);
    button.addEventListener("click", () => { list(spec.start).forEach((v, k) => lines[k].show(v)); moved(); });
  }
  return {
    redraw() {},
    show(value) { list(value).forEach((v, k) => lines[k].show(v)); },
    describe(text) { for (const line of lines) line.describe(text); },
  };
}

const PANELS = { image: makeImage, chart: makeChart };
const CONTROLS = { slider: makeSliders, sliders: makeSliders, pad: makePad, map: makeMap, brush: makeBrush };

// What cannot be shown says so in its own place: nobody looks for it in the console.
function mount(source, el) {
  let why = fault(CONTRACT.spec, source.get("_spec"));
  el.classList.add("course-cell"); // ipywidgets' own element, which stands in its boxes
  try {
    if (!why) return build(source, el);
  } catch (error) {
    console.error(error);
    why = String(error);
  }
  el.replaceChildren();
  make(make(el, "div", "course-explorer"), "div", "course-error", { role: "alert" }, say(source.words.cannot, { why }));
}

function build(source, el) {
  const spec = source.get("_spec");
  const ids = { help: `course-help-${++made}`, control: `course-control-${made}` };
  const root = make(el, "div", `course-explorer ${spec.className}`, { role: "group", "aria-label": spec.title });
  const talk = conversation(source, () => tell(source.words.silent));
  const cannot = (why) => say(source.words.cannot, { why });
  const left = make(root, "div", "course-control");
  const control = CONTROLS[spec.kind](left, source, spec, ids, talk.send);
  make(left, "div", "course-help", { id: ids.help }, spec.help);
  const right = make(root, "div", "course-result");
  const { panels, table, fit } = makePanels(right, spec.rows);
  const readout = make(right, "div", "course-readout");
  const status = source.status ? make(right, "div", "course-status", { role: "status" }) : null;
  const alert = make(root, "div", "course-error", { role: "alert", hidden: "" });
  let value = spec.start;

  function tell(text) {
    alert.hidden = !text;
    if (alert.textContent !== text) alert.textContent = text;
  }
  function refuse(why) { // the panels do not show the value asked for; without a reason, they do
    tell(why);
    root.classList.toggle("course-stale", Boolean(why));
  }
  const safely = (work) => () => {
    try {
      work();
    } catch (error) {
      console.error(error);
      refuse(cannot(error));
    }
  };

  // Where the control belongs: the value, with what the source has found at the place that it answered last.
  function standing() {
    const at = source.get("value");
    if (fault(CONTRACT.message[spec.kind].value, at)) return value;
    return isRecord(at) ? { ...value, ...at } : at;
  }
  const follow = safely(() => {
    const answer = source.get("_answer");
    if (talk.placing() || (answer?.error && talk.asked(answer.token))) return; // the reader's hand is on the control
    control.show(standing());
  });

  const update = safely(() => {
    const answer = source.get("_answer"), frame = bytes(source.get("_frame"));
    const wrong = fault(CONTRACT.answer[spec.kind], answer, "answer"), mine = talk.answered(answer?.token);
    refuse(wrong ? cannot(wrong) : answer.error);
    if (wrong) return;
    value = answer.value;
    if (answer.error) return;
    tell(answer.warning);
    let offset = 0;
    panels.forEach((one, k) => {
      offset += one.draw(frame.subarray(offset), answer.charts[k], answer.captions[k] || one.title);
    });
    readout.textContent = answer.text;
    if (!mine) control.show(standing());
    control.answered?.(value);
    root.dataset.value = JSON.stringify(value);
    control.describe(answer.text);
  });

  const theme = safely(() => {
    const style = getComputedStyle(root);
    const pair = THEMES.find((names) => names.every((name) => style.getPropertyValue(name).trim()));
    root.style.setProperty("--course-paper", pair ? style.getPropertyValue(pair[0]) : "#fff");
    root.style.setProperty("--course-ink", pair ? style.getPropertyValue(pair[1]) : "#1a1a1a");
    control.redraw();
    for (const one of panels) one.redraw();
  });
  const resize = safely(() => {
    root.classList.toggle("course-narrow", root.clientWidth < NARROW);
    fit(table.clientWidth);
    for (const one of panels) one.fit?.(table.clientWidth);
  });
  const first = requestAnimationFrame(safely(() => { theme(); resize(); control.show(standing()); }));
  const wide = new ResizeObserver(() => requestAnimationFrame(resize));
  wide.observe(root);
  const watch = new MutationObserver(theme);
  for (const node of [document.documentElement, document.body]) {
    watch.observe(node, { attributes: true, attributeFilter: ["class", "theme", "data-theme", "data-jp-theme-name"] });
  }
  const dark = matchMedia(DARK);
  dark.addEventListener("change", theme);
  source.on("_answer", update);
  source.on("value", follow);
  const report = () => { status.textContent = source.status(); };
  if (status) source.on("status", report);
  if (status) report();
  update();
  return () => {
    source.off("_answer", update);
    source.off("value", follow);
    if (status) source.off("status", report);
    dark.removeEventListener("change", theme);
    wide.disconnect();
    cancelAnimationFrame(first);
    watch.disconnect();
    talk.stop();
  };
}
