// Charts of an explorer: lines, points, bars and vertical markers on two axes, drawn on a canvas from the numbers
// that plots.Chart describes. explorer.py puts this file in front of explorer.js; all of them are one module.

const CHART_DASHES = [[], [7, 4], [8, 3, 2, 3], [2, 3]]; // as in plots/style.py, so that colour is never the only cue

function ticks([low, high]) {
  const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high + 1e-9 * step; k++) found.push(k * step);
  return found.map((v) => [v, String(Number(v.toPrecision(6)))]);
}

function logTicks([low, high]) {
  const found = [], first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9);
  const every = Math.max(1, Math.ceil((last - first + 1) / 6));
  for (let k = first; k <= last; k += every) found.push([10 ** k, Math.abs(k) <= 4 ? String(Number((10 ** k).toPrecision(3))) : `1e${k}`]);
  return found.length > 1 ? found : ticks([low, high]).filter(([v]) => v > 0);
}

// The shapes of plots.MARKERS: circle, square, triangle up, diamond, triangle down; then again.
function mark(c, shape, x, y, r) {
  c.beginPath();
  if (shape % 5 === 0) c.arc(x, y, r, 0, 7);
  else {
    const corners = [[], [45, 135, 225, 315], [270, 30, 150], [0, 90, 180, 270], [90, 210, 330]][shape % 5];
    for (const degrees of corners) {
      const angle = (degrees * Math.PI) / 180;
      c.lineTo(x + 1.3 * r * Math.cos(angle), y + 1.3 * r * Math.sin(angle));
    }
    c.closePath();
  }
  c.fill();
  c.stroke();
}

function readSeries(series, raw) { // x and y of each series: float32 after float32; markers have no y
  const numbers = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  let at = 0;
  const take = (count) => Array.from({ length: count }, () => { at += 4; return numbers.getFloat32(at - 4, true); });
  return series.map((one) => ({ ...one, x: take(one.count), y: one.kind === "markers" ? [] : take(one.count) }));
}

function drawLegend(c, series, left, width, ink, paper) {
  let x = left, y = 10;
  for (const one of series.filter((s) => s.name)) {
    const wide = 30 + c.measureText(one.name).width + 14;
    if (x > left && x + wide > left + width) { x = left; y += 17; }
    c.fillStyle = c.strokeStyle = one.color;
    c.lineWidth = 2;
    if (one.kind === "bars") c.fillRect(x + 4, y - 5, 16, 10);
    else if (one.kind === "points") { c.strokeStyle = paper; mark(c, one.shape, x + 12, y, 5); }
    else {
      c.setLineDash(one.kind === "markers" ? [5, 4] : CHART_DASHES[one.shape % 4]);
      c.beginPath();
      c.moveTo(x, y);
      c.lineTo(x + 24, y);
      c.stroke();
      c.setLineDash([]);
    }
    c.fillStyle = ink;
    c.textAlign = "left";
    c.textBaseline = "middle";
    c.fillText(one.name, x + 30, y);
    x += wide;
  }
  return y + 12;
}

function drawChart(canvas, [width, height], d, series) {
  const ratio = Math.max(1, window.devicePixelRatio || 1);
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const style = getComputedStyle(canvas), ink = style.color, paper = style.getPropertyValue("--course-paper") || "#fff";
  const c = canvas.getContext("2d");
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.clearRect(0, 0, width, height);
  c.font = "12px system-ui, sans-serif";
  const ticksX = (d.logX ? logTicks : ticks)(d.xRange), ticksY = (d.logY ? logTicks : ticks)(d.yRange);
  const left = 26 + Math.max(...ticksY.map(([, text]) => c.measureText(text).width), 0), right = 12, bottom = 38;
  const top = drawLegend(c, series, left, width - left - right, ink, paper);
  const wide = width - left - right, tall = height - top - bottom;
  const place = (v, [low, high], log) => {
    if (!log) return (v - low) / (high - low);
    return Math.log(Math.max(v, low * 1e-6) / low) / Math.log(high / low);
  };
  const toX = (v) => left + place(v, d.xRange, d.logX) * wide;
  const toY = (v) => top + (1 - place(v, d.yRange, d.logY)) * tall;

  c.fillStyle = c.strokeStyle = ink;
  c.textBaseline = "alphabetic";
  c.textAlign = "center";
  for (const [v, text] of ticksX) {
    c.globalAlpha = 0.15;
    c.fillRect(Math.round(toX(v)), top, 1, tall);
    c.globalAlpha = 1;
    c.fillText(text, toX(v), top + tall + 15);
  }
  c.fillText(d.xlabel, left + wide / 2, height - 6);
  c.textAlign = "right";
  c.textBaseline = "middle";
  for (const [v, text] of ticksY) {
    c.globalAlpha = 0.15;
    c.fillRect(left, Math.round(toY(v)), wide, 1);
    c.globalAlpha = 1;
    c.fillText(text, left - 5, toY(v));
  }
  c.save();
  c.translate(10, top + tall / 2);
  c.rotate(-Math.PI / 2);
  c.textAlign = "center";
  c.fillText(d.ylabel, 0, 0);
  c.restore();
  c.globalAlpha = 0.5;
  c.lineWidth = 1;
  c.strokeRect(left + 0.5, top + 0.5, wide - 1, tall - 1);
  c.globalAlpha = 1;

  const inside = (v, [low, high]) => low <= v && v <= high;
  for (const one of series) {
    c.fillStyle = c.strokeStyle = one.color;
    if (one.kind === "points") { // a point on the rim is seen whole
      c.strokeStyle = paper;
      c.lineWidth = 1;
      one.x.forEach((x, i) => {
        if (inside(x, d.xRange) && inside(one.y[i], d.yRange)) mark(c, one.shape, toX(x), toY(one.y[i]), 5);
      });
      continue;
    }
    c.save();
    c.beginPath();
    c.rect(left, top, wide, tall);
    c.clip();
    if (one.kind === "bars") {
      c.globalAlpha = 0.75;
      const zero = d.logY ? top + tall : toY(Math.min(d.yRange[1], Math.max(d.yRange[0], 0)));
      one.x.forEach((x, i) => {
        const a = toX(x - one.width / 2), b = toX(x + one.width / 2), y = toY(one.y[i]);
        c.fillRect(a, Math.min(y, zero), b - a, Math.abs(y - zero));
      });
    } else {
      c.beginPath();
      if (one.kind === "line") one.x.forEach((x, i) => c.lineTo(toX(x), toY(one.y[i])));
      else for (const x of one.x) { c.moveTo(toX(x), top); c.lineTo(toX(x), top + tall); }
      c.lineWidth = 2;
      c.setLineDash(one.kind === "markers" ? [5, 4] : CHART_DASHES[one.shape % 4]);
      c.stroke();
    }
    c.restore();
  }
}

// A panel that shows a chart. `draw` takes its part of the frame and says how many bytes that was.
function makeChart(figure, { title, chart }) {
  const [width, height] = chart;
  const canvas = make(figure, "canvas", "course-chart", { width, height, role: "img", "aria-label": title });
  canvas.style.width = `${width}px`;
  canvas.style.aspectRatio = `${width} / ${height}`;
  let last = null, drawn = [width, height];
  return {
    fit(most) { // redrawn and not scaled, so that its words stay as large as they are
      const wide = Math.min(width, Math.max(240, Math.floor(most)));
      if (wide === drawn[0]) return;
      drawn = [wide, Math.round((height * wide) / width)];
      canvas.style.width = `${wide}px`;
      canvas.style.aspectRatio = `${drawn[0]} / ${drawn[1]}`;
      this.redraw();
    },
    draw(frame, description) {
      const floats = description.series.reduce((sum, { kind, count }) => sum + (kind === "markers" ? 1 : 2) * count, 0);
      last = [description, readSeries(description.series, frame.slice(0, 4 * floats))];
      drawChart(canvas, drawn, ...last);
      canvas.setAttribute("aria-label", description.label);
      return 4 * floats;
    },
    redraw() { if (last) drawChart(canvas, drawn, ...last); },
  };
}
