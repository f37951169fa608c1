// The browser's half of every explorer: a control (a map to drag on, or a slider), rows of images, and text.
// The kernel draws; the browser sends one position at a time and waits for the answer before it sends the next,
// so that a quick drag never leaves a queue behind. All it needs to know is in the traits _spec, _points, _frame
// and _answer, which explorer.py describes.

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

function makePanels(parent, rows) {
  const panels = [];
  const table = make(parent, "div", "course-rows");
  for (const row of rows) {
    const line = make(table, "div", "course-row", row.title ? { role: "group", "aria-label": row.title } : {});
    if (row.title) make(line, "div", "course-row-title", {}, row.title);
    for (const { title, shape, size } of row.panels) {
      const [height, width, channels] = shape;
      const figure = make(line, "figure", "course-panel");
      const canvas = make(figure, "canvas", "course-image", { width, height, role: "img", "aria-label": title });
      canvas.style.width = `${size}px`;
      const caption = make(figure, "figcaption", "course-caption", {}, title);
      caption.style.maxWidth = `${size + 8}px`;
      panels.push({ title, canvas, caption, channels, length: height * width * channels });
    }
  }
  return panels;
}

function ticks([low, high]) {
  const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high; k++) found.push(k * step);
  return found.map((v) => [v, String(Number(v.toPrecision(6)))]);
}

function makePad(parent, model, spec, ids, send) {
  const { size, xRange, yRange, names, palette, namePlaces, axes } = spec;
  const edge = { left: 38, right: 6, top: 6, bottom: 34 };
  const plot = size - edge.left - edge.right; // explorer.py computes the places of the names for this
  const tall = plot + edge.top + edge.bottom;
  const canvas = make(parent, "canvas", "course-pad", {
    tabindex: 0, role: "application", "aria-roledescription": "two-dimensional map",
    "aria-label": spec.label, "aria-describedby": ids.help, "data-lm-suppress-shortcuts": "true",
  });
  canvas.style.width = `${size}px`;
  canvas.style.aspectRatio = `${size} / ${tall}`;
  const spoken = make(parent, "div", "course-spoken", { "aria-live": "polite" });
  const still = document.createElement("canvas");
  const toX = (x) => edge.left + ((x - xRange[0]) / (xRange[1] - xRange[0])) * plot;
  const toY = (y) => edge.top + ((yRange[1] - y) / (yRange[1] - yRange[0])) * plot;
  let at = [...spec.start], speak = null;

  function drawStill() {
    const ratio = Math.max(1, window.devicePixelRatio || 1);
    for (const each of [canvas, still]) { each.width = size * ratio; each.height = tall * ratio; }
    const style = getComputedStyle(canvas), ink = style.color, paper = style.getPropertyValue("--course-paper") || "#fff";
    const c = still.getContext("2d");
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, size, tall);
    c.font = "12px system-ui, sans-serif";
    c.fillStyle = c.strokeStyle = ink;
    c.lineWidth = 1;
    c.textAlign = "center";
    for (const [value, text] of ticks(xRange)) {
      c.globalAlpha = 0.15;
      c.fillRect(Math.round(toX(value)), edge.top, 1, plot);
      c.globalAlpha = 1;
      c.fillText(text, toX(value), edge.top + plot + 15);
    }
    c.fillText(axes[0], edge.left + plot / 2, tall - 5);
    c.textAlign = "right";
    c.textBaseline = "middle";
    for (const [value, text] of ticks(yRange)) {
      c.globalAlpha = 0.15;
      c.fillRect(edge.left, Math.round(toY(value)), plot, 1);
      c.globalAlpha = 1;
      c.fillText(text, edge.left - 5, toY(value));
    }
    c.save();
    c.translate(9, edge.top + plot / 2);
    c.rotate(-Math.PI / 2);
    c.textAlign = "center";
    c.fillText(axes[1], 0, 0);
    c.restore();
    c.globalAlpha = 0.5;
    c.strokeRect(edge.left + 0.5, edge.top + 0.5, plot - 1, plot - 1);
    c.save();
    c.beginPath();
    c.rect(edge.left, edge.top, plot, plot);
    c.clip();
    const raw = bytes(model.get("_points")), count = raw.length / 9; // two float32 and one class each
    const place = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
    c.globalAlpha = 0.65;
    for (let i = 0; i < count; i++) {
      c.fillStyle = palette[raw[8 * count + i] % palette.length];
      c.beginPath();
      c.arc(toX(place.getFloat32(8 * i, true)), toY(place.getFloat32(8 * i + 4, true)), 1.8, 0, 7);
      c.fill();
    }
    c.globalAlpha = 1;
    c.textAlign = "left";
    c.font = "600 12px system-ui, sans-serif";
    for (const [k, x, y] of namePlaces) {
      const wide = c.measureText(names[k]).width + 12, left = edge.left + x - wide / 2, middle = edge.top + y;
      c.lineWidth = 4;
      c.lineJoin = "round";
      c.globalAlpha = 0.85;
      c.strokeStyle = paper;
      c.strokeText(names[k], left + 12, middle);
      c.globalAlpha = 1;
      c.fillStyle = ink;
      c.fillText(names[k], left + 12, middle);
      c.beginPath();
      c.arc(left + 4, middle, 4, 0, 7);
      c.fillStyle = palette[k % palette.length];
      c.fill();
      c.lineWidth = 1;
      c.strokeStyle = ink;
      c.stroke();
    }
    c.restore();
    drawMarker();
  }

  function drawMarker() {
    const c = canvas.getContext("2d"), ratio = canvas.width / size, x = toX(at[0]), y = toY(at[1]);
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.clearRect(0, 0, canvas.width, canvas.height);
    c.drawImage(still, 0, 0);
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    for (const [color, width] of [["#fff", 5], ["#000", 2.5]]) {
      c.strokeStyle = color;
      c.lineWidth = width;
      c.beginPath();
      c.arc(x, y, 8, 0, 7);
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        c.moveTo(x + 8 * dx, y + 8 * dy);
        c.lineTo(x + 14 * dx, y + 14 * dy);
      }
      c.stroke();
    }
  }

  function go(x, y) {
    const clamp = (v, [low, high]) => Math.min(high, Math.max(low, v));
    at = [clamp(x, xRange), clamp(y, yRange)];
    drawMarker();
    send(at);
  }

  function fromPointer(event) {
    const box = canvas.getBoundingClientRect(), scale = size / box.width;
    const x = ((event.clientX - box.left) * scale - edge.left) / plot;
    const y = ((event.clientY - box.top) * scale - edge.top) / plot;
    go(xRange[0] + x * (xRange[1] - xRange[0]), yRange[1] - y * (yRange[1] - yRange[0]));
  }
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    fromPointer(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (canvas.hasPointerCapture(event.pointerId)) fromPointer(event);
  });
  canvas.addEventListener("keydown", (event) => {
    const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (event.ctrlKey || event.altKey || event.metaKey || !(direction || event.key === "Home")) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Home") return go(...spec.start);
    const step = (event.shiftKey ? 0.1 : 0.02) * (xRange[1] - xRange[0]);
    go(at[0] + direction[0] * step, at[1] + direction[1] * step);
  });
  return {
    redraw: drawStill,
    show(value) { at = [...value]; drawMarker(); },
    describe(text) { // read aloud once the reader pauses, not at every step of a drag
      clearTimeout(speak);
      speak = setTimeout(() => { spoken.textContent = text; }, 400);
    },
  };
}

function makeSlider(parent, model, spec, ids, send) {
  const line = make(parent, "div", "course-slider");
  make(line, "label", "course-slider-label", { for: ids.control }, spec.label);
  const input = make(line, "input", "course-range", {
    id: ids.control, type: "range", min: spec.min, max: spec.max, step: spec.step, value: spec.start,
    "aria-describedby": ids.help, "data-lm-suppress-shortcuts": "true",
  });
  const digits = spec.step < 1 ? 2 : 0;
  const number = make(line, "output", "course-number", { for: ids.control }, Number(spec.start).toFixed(digits));
  const write = () => { number.textContent = Number(input.value).toFixed(digits); };
  input.addEventListener("input", () => { write(); send(Number(input.value)); });
  input.addEventListener("keydown", (event) => event.stopPropagation());
  return {
    redraw() {},
    show(value) { input.value = value; write(); },
    describe(text) { input.setAttribute("aria-valuetext", text); },
  };
}

function render({ model, el }) {
  const spec = model.get("_spec");
  const ids = { help: `course-help-${++made}`, control: `course-control-${made}` };
  const root = make(el, "div", `course-explorer ${spec.className}`, { role: "group", "aria-label": spec.title });
  const silent = "The kernel has not answered yet. It may be busy; if it was restarted, run this cell again.";
  const talk = conversation(model, () => say(silent));
  const left = make(root, "div", "course-control");
  const control = (spec.kind === "pad" ? makePad : makeSlider)(left, model, spec, ids, talk.send);
  make(left, "div", "course-help", { id: ids.help }, spec.help);
  const right = make(root, "div", "course-result");
  const panels = makePanels(right, spec.rows);
  const readout = make(right, "div", "course-readout");
  const alert = make(root, "div", "course-error", { role: "alert", hidden: "" });

  function say(text) {
    alert.hidden = !text;
    if (alert.textContent !== text) alert.textContent = text;
  }

  function update() {
    const answer = model.get("_answer"), frame = bytes(model.get("_frame"));
    const mine = talk.answered(answer.token);
    say(answer.error);
    root.classList.toggle("course-stale", Boolean(answer.error));
    if (answer.error) return;
    let offset = 0;
    panels.forEach(({ canvas, caption, channels, length, title }, k) => {
      paint(canvas, frame.subarray(offset, offset + length), channels);
      offset += length;
      const text = answer.captions[k] || title;
      if (caption.textContent !== text) caption.textContent = text;
      canvas.setAttribute("aria-label", text);
    });
    readout.textContent = answer.text;
    if (!mine) control.show(answer.value);
    root.dataset.value = JSON.stringify(answer.value);
    control.describe(answer.text);
  }

  function theme() {
    const style = getComputedStyle(root);
    const pair = THEMES.find((names) => names.every((name) => style.getPropertyValue(name).trim()));
    root.style.setProperty("--course-paper", pair ? style.getPropertyValue(pair[0]) : "#fff");
    root.style.setProperty("--course-ink", pair ? style.getPropertyValue(pair[1]) : "#1a1a1a");
    control.redraw();
  }
  const first = requestAnimationFrame(() => { theme(); control.show(model.get("_answer").value); });
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
