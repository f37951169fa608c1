// The browser's half of every explorer: a control (a map to drag on, or a slider), rows of images, and text.
// The kernel draws; the browser sends one position at a time and waits for the answer before it sends the next,
// so that a quick drag never leaves a queue behind. All it needs to know is in the traits _spec, _points, _frame
// and _answer, which spec.py describes. explorer.py puts the other files in front of this one: one module.

const PATIENCE = 5000; // milliseconds without an answer until the reader is told
const THEMES = [
  ["--jp-layout-color0", "--jp-content-font-color1"],
  ["--colab-primary-surface-color", "--colab-primary-text-color"],
  ["--vscode-editor-background", "--vscode-editor-foreground"],
];

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
function conversation(model, onSilence) {
  const name = Math.random().toString(36).slice(2);
  let count = 0, waiting = null, next = null, timer = null;
  function flush() {
    if (next === null) return;
    waiting = `${name}:${++count}`;
    model.send({ value: next, token: waiting });
    next = null;
    clearTimeout(timer);
    timer = setTimeout(() => { waiting = null; onSilence(); }, PATIENCE);
  }
  return {
    send(value) { next = value; if (waiting === null) flush(); },
    answered(token) {
      if (token === waiting) { clearTimeout(timer); waiting = null; flush(); }
      return String(token).startsWith(name + ":"); // was it this view that asked?
    },
    stop() { clearTimeout(timer); next = null; },
  };
}

function bytes(view) {
  return view && view.byteLength ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength) : new Uint8Array(0);
}

function paint(canvas, data, channels) {
  const picture = new ImageData(canvas.width, canvas.height);
  for (let i = 0; i < canvas.width * canvas.height; i++) {
    for (let k = 0; k < 3; k++) picture.data[4 * i + k] = data[channels * i + (channels === 3 ? k : 0)];
    picture.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

// A panel that shows an image. `draw` takes its part of the frame and says how many bytes that was.
function makeImage(figure, { title, shape: [height, width, channels], size }) {
  const canvas = make(figure, "canvas", "course-image", { width, height, role: "img", "aria-label": title });
  canvas.style.width = `${size}px`;
  const caption = make(figure, "figcaption", "course-caption", {}, title);
  caption.style.maxWidth = `${size + 8}px`;
  const length = height * width * channels;
  return {
    draw(frame, description, text) {
      paint(canvas, frame.subarray(0, length), channels);
      if (caption.textContent !== text) caption.textContent = text;
      canvas.setAttribute("aria-label", text);
      return length;
    },
    redraw() {},
  };
}

function makePanels(parent, rows) {
  const panels = [];
  const table = make(parent, "div", "course-rows");
  for (const row of rows) {
    const line = make(table, "div", "course-row", row.title ? { role: "group", "aria-label": row.title } : {});
    if (row.title) make(line, "div", "course-row-title", {}, row.title);
    for (const one of row.panels) {
      const figure = make(line, "figure", "course-panel");
      panels.push({ title: one.title, ...PANELS[one.kind](figure, one) });
    }
  }
  return panels;
}

function sliderLine(parent, { label, min, max, step }, start, id, help, moved) {
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
function makeSliders(parent, model, spec, ids, send) {
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
const CONTROLS = { slider: makeSliders, sliders: makeSliders, pad: makePad, map: makeMap };

const cannot = (why) => `This explorer cannot be shown: ${why}; reload the page or update the course.`;

// What cannot be shown says so in its own place: nobody looks for it in the console.
function render({ model, el }) {
  let why = fault(CONTRACT.spec, model.get("_spec"));
  try {
    if (!why) return build(model, el);
  } catch (error) {
    console.error(error);
    why = String(error);
  }
  el.replaceChildren();
  make(make(el, "div", "course-explorer"), "div", "course-error", { role: "alert" }, cannot(why));
}

function build(model, el) {
  const spec = model.get("_spec");
  const ids = { help: `course-help-${++made}`, control: `course-control-${made}` };
  const root = make(el, "div", `course-explorer ${spec.className}`, { role: "group", "aria-label": spec.title });
  const silent = "The kernel has not answered yet. It may be busy; if it was restarted, run this cell again.";
  const talk = conversation(model, () => say(silent));
  const left = make(root, "div", "course-control");
  const control = CONTROLS[spec.kind](left, model, spec, ids, talk.send);
  make(left, "div", "course-help", { id: ids.help }, spec.help);
  const right = make(root, "div", "course-result");
  const panels = makePanels(right, spec.rows);
  const readout = make(right, "div", "course-readout");
  const alert = make(root, "div", "course-error", { role: "alert", hidden: "" });
  let value = spec.start;

  function say(text) {
    alert.hidden = !text;
    if (alert.textContent !== text) alert.textContent = text;
  }
  function refuse(why) { // the panels do not show the value asked for; without a reason, they do
    say(why);
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

  const update = safely(() => {
    const answer = model.get("_answer"), frame = bytes(model.get("_frame"));
    const wrong = fault(CONTRACT.answer[spec.kind], answer, "answer"), mine = talk.answered(answer?.token);
    refuse(wrong ? cannot(wrong) : answer.error);
    if (wrong) return;
    value = answer.value;
    if (answer.error) return;
    let offset = 0;
    panels.forEach((one, k) => {
      offset += one.draw(frame.subarray(offset), answer.charts[k], answer.captions[k] || one.title);
    });
    readout.textContent = answer.text;
    if (!mine) control.show(value);
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
  const first = requestAnimationFrame(safely(() => { theme(); control.show(value); }));
  const watch = new MutationObserver(theme);
  for (const node of [document.documentElement, document.body]) {
    watch.observe(node, { attributes: true, attributeFilter: ["class", "theme", "data-theme", "data-jp-theme-name"] });
  }
  model.on("change:_answer", update);
  update();
  return () => {
    model.off("change:_answer", update);
    cancelAnimationFrame(first);
    watch.disconnect();
    talk.stop();
  };
}

export default { render };
