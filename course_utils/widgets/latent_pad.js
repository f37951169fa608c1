// The control of LatentPad: a map of codes to click, drag and walk on with the arrow keys. explorer.py puts this file
// in front of explorer.js; all of them are one module. map_explorer.js adds to it, by `map`: {hover, hidden, names, rings}.

function makePad(parent, source, spec, ids, send, map = {}) {
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
    const raw = bytes(source.get("_points")), count = raw.length / 9; // two float32 and one class each
    const place = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
    c.globalAlpha = 0.65;
    for (let i = 0; i < count; i++) {
      const kind = raw[8 * count + i], x = toX(place.getFloat32(8 * i, true)), y = toY(place.getFloat32(8 * i + 4, true));
      c.fillStyle = palette[kind % palette.length];
      if (map.hidden) { // classes differ by shape too
        if (map.hidden.has(kind)) continue;
        c.strokeStyle = paper;
        c.lineWidth = 0.4;
        mark(c, classShape(kind, palette), x, y, 2.6);
        continue;
      }
      c.beginPath();
      c.arc(x, y, 1.8, 0, 7);
      c.fill();
    }
    c.globalAlpha = 1;
    c.textAlign = "left";
    c.font = "600 12px system-ui, sans-serif";
    for (const [k, x, y] of map.names ? map.names() : namePlaces) {
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
    c.globalCompositeOperation = "copy";
    c.drawImage(still, 0, 0);
    c.globalCompositeOperation = "source-over";
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    for (const [color, width] of [["#fff", 5], ["#000", 2.5]]) {
      c.strokeStyle = color;
      c.lineWidth = width;
      for (const [px, py, side] of map.rings ? map.rings() : []) {
        c.strokeRect(toX(px) - side / 2, toY(py) - side / 2, side, side);
      }
      c.beginPath();
      c.arc(x, y, 8, 0, 7);
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        c.moveTo(x + 8 * dx, y + 8 * dy);
        c.lineTo(x + 14 * dx, y + 14 * dy);
      }
      c.stroke();
    }
  }

  function go(x, y, how) {
    const clamp = (v, [low, high]) => Math.min(high, Math.max(low, v));
    at = [clamp(x, xRange), clamp(y, yRange)];
    drawMarker();
    send(at, how);
  }

  function fromPointer(event, how) {
    const box = canvas.getBoundingClientRect(), scale = size / box.width;
    const x = ((event.clientX - box.left) * scale - edge.left) / plot;
    const y = ((event.clientY - box.top) * scale - edge.top) / plot;
    go(xRange[0] + x * (xRange[1] - xRange[0]), yRange[1] - y * (yRange[1] - yRange[0]), how);
  }
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    fromPointer(event, "pick");
  });
  canvas.addEventListener("pointermove", (event) => {
    if (canvas.hasPointerCapture(event.pointerId)) fromPointer(event, "pick");
    else if (map.hover) fromPointer(event, "hover");
  });
  canvas.addEventListener("keydown", (event) => {
    if (map.hover && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      event.stopPropagation();
      return go(...at, "pick");
    }
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
