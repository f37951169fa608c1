// The control of Brush: an image whose cells are hidden and shown again, by pointer and keyboard. Its pixels are in
// _points. While the reader paints only this file draws; when the pointer is lifted the source is asked. explorer.py puts
// this file in front of explorer.js; all of them are one module.

function makeBrush(parent, source, spec, ids, send) {
  const { size, shape: [height, width, channels], cells: [rows, columns], words } = spec;
  const tall = Math.round(size * height / width);
  const canvas = make(parent, "canvas", "course-pad course-canvas", {
    tabindex: 0, role: "application", "aria-roledescription": "brush", "aria-label": spec.label,
    "aria-describedby": ids.help, "data-lm-suppress-shortcuts": "true",
  });
  canvas.style.width = `${size}px`;
  canvas.style.aspectRatio = `${size} / ${tall}`;
  const clear = make(parent, "button", "course-reset", { type: "button" }, spec.clear);
  const spoken = make(parent, "div", "course-spoken", { "aria-live": "polite" });
  const picture = document.createElement("canvas");
  Object.assign(picture, { width, height });
  paint(picture, new ImageData(width, height), bytes(source.get("_points")), channels);
  let hidden = new Set(spec.start.hidden), cursor = (rows >> 1) * columns + (columns >> 1);
  let hiding = null, last = null, before = "", speak = null; // of a stroke: what it does, where it was, what was hidden
  const list = () => [...hidden].sort((a, b) => a - b);

  function draw() {
    const ratio = Math.max(1, window.devicePixelRatio || 1), c = canvas.getContext("2d");
    if (canvas.width !== Math.round(size * ratio)) [canvas.width, canvas.height] = [size * ratio, tall * ratio].map(Math.round);
    c.setTransform(canvas.width / columns, 0, 0, canvas.height / rows, 0, 0); // a cell is one by one
    c.imageSmoothingEnabled = false;
    c.drawImage(picture, 0, 0, columns, rows);
    const at = (k) => [k % columns, Math.floor(k / columns), 1, 1], line = columns / size;
    c.fillStyle = "#808080";
    for (const k of hidden) c.fillRect(...at(k));
    c.strokeStyle = "#fff";
    c.lineWidth = line;
    c.globalAlpha = 0.35;
    for (let k = 0; k < rows * columns; k++) c.strokeRect(...at(k));
    c.globalAlpha = 1;
    if (document.activeElement !== canvas) return;
    const [x, y] = at(cursor);
    for (const [color, wide] of [["#fff", 5], ["#000", 2.5]]) {
      c.strokeStyle = color;
      c.lineWidth = wide * line;
      c.strokeRect(x + 2 * line, y + 2 * line, 1 - 4 * line, 1 - 4 * line);
    }
  }
  function tell(text, wait = 0) { // read aloud
    clearTimeout(speak);
    speak = setTimeout(() => { spoken.textContent = text; }, wait);
  }
  const sayCell = () => tell(say(hidden.has(cursor) ? words.hidden : words.shown, {
    row: Math.floor(cursor / columns) + 1, column: cursor % columns + 1,
  }));
  function put(k, hide) {
    if (hide) hidden.add(k);
    else hidden.delete(k);
  }
  const place = (event) => {
    const box = canvas.getBoundingClientRect(), inside = (v, n) => Math.min(n - 1e-6, Math.max(0, v * n));
    return [inside((event.clientX - box.left) / box.width, columns), inside((event.clientY - box.top) / box.height, rows)];
  };
  function stroke(event) { // all cells on the way: a quick hand skips none
    const to = place(event), [x, y] = last ?? to, steps = Math.ceil(4 * Math.hypot(to[0] - x, to[1] - y)) + 1;
    for (let k = 1; k <= steps; k++) {
      cursor = Math.floor(y + (to[1] - y) * k / steps) * columns + Math.floor(x + (to[0] - x) * k / steps);
      hiding ??= !hidden.has(cursor); // the first cell says what this stroke does
      put(cursor, hiding);
    }
    last = to;
    draw();
  }
  function lift() {
    if (hiding === null) return;
    hiding = last = null;
    if (String(list()) !== before) send({ hidden: list() });
  }
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    before = String(list());
    stroke(event);
  });
  canvas.addEventListener("pointermove", (event) => { if (hiding !== null) stroke(event); });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) canvas.addEventListener(end, lift);
  for (const change of ["focus", "blur"]) canvas.addEventListener(change, draw);
  canvas.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const press = event.key === " " || event.key === "Enter";
    if (event.ctrlKey || event.altKey || event.metaKey || !(way || press)) return;
    event.preventDefault();
    event.stopPropagation();
    if (press) {
      put(cursor, !hidden.has(cursor));
      send({ hidden: list() });
    } else {
      const [x, y] = [cursor % columns + way[0], Math.floor(cursor / columns) + way[1]];
      if (x >= 0 && x < columns && y >= 0 && y < rows) cursor = y * columns + x;
    }
    sayCell();
    draw();
  });
  clear.addEventListener("click", () => { hidden.clear(); draw(); send({ hidden: [] }); });
  clear.addEventListener("keydown", (event) => event.stopPropagation());
  return {
    redraw: draw,
    show(value) {
      if (hiding !== null) return; // the reader's hand is on it
      hidden = new Set(value.hidden);
      draw();
    },
    describe: (text) => tell(text, 400), // once the reader pauses
  };
}
