// The control of MapExplorer: a choice of maps, the map (latent_pad.js), and a box to tick for each class. explorer.py
// puts this file in front of explorer.js; all of them are one module.

// One line to choose a map by: a slider over a few numbers, or a list of names.
function choiceLine(parent, { name, values }, id, help, moved) {
  const numbers = values.every((value) => typeof value === "number");
  const line = make(parent, "div", numbers ? "course-slider" : "course-slider course-of-words");
  make(line, "label", "course-slider-label", { for: id }, name);
  const attributes = { id, "aria-describedby": help, "data-lm-suppress-shortcuts": "true" };
  if (numbers) Object.assign(attributes, { type: "range", min: 0, max: values.length - 1, step: 1 });
  const input = make(line, numbers ? "input" : "select", numbers ? "course-range" : "course-choice", attributes);
  if (!numbers) values.forEach((value, k) => make(input, "option", "", { value: k }, value));
  const number = numbers ? make(line, "output", "course-number", { for: id }) : null;
  const write = () => {
    if (!number) return;
    number.textContent = values[Number(input.value)];
    input.setAttribute("aria-valuetext", number.textContent);
  };
  input.addEventListener("input", () => { write(); moved(); });
  input.addEventListener("keydown", (event) => event.stopPropagation());
  return { value: () => Number(input.value), show(k) { input.value = k; write(); }, describe() {} };
}

// From the eleventh class on each colour comes again, with the next shape: plots/style.py counts so too.
const classShape = (k, palette) => k + Math.floor(k / palette.length);

function makeMap(parent, source, spec, ids, send) {
  let { map: chosen, names: places, place, friends } = spec.start;
  let at = spec.start.at;
  const hidden = new Set(spec.start.hidden);
  const moved = (how) => send({ at, map: lines.map((line) => line.value()), hidden: [...hidden], pick: how === "pick" });
  const lines = spec.settings.map((one, k) => (one.values.length > 1
    ? choiceLine(parent, one, `${ids.control}-${k}`, ids.help, moved)
    : { value: () => 0, show() {} }));
  const pad = makePad(parent, source, { ...spec, start: at }, ids, (where, how) => { at = where; moved(how); }, {
    hover: true, hidden, names: () => places.filter(([k]) => !hidden.has(k)),
    rings: () => [[...place, 13], ...friends.map(([x, y]) => [x, y, 7])],
  });
  const group = make(parent, "fieldset", "course-classes");
  make(group, "legend", "", {}, "Classes shown");
  const boxes = spec.names.map((name, k) => {
    const label = make(group, "label", "course-class");
    const box = make(label, "input", "", { type: "checkbox", "data-lm-suppress-shortcuts": "true" });
    const sign = make(label, "canvas", "course-sign", { width: 28, height: 28, "aria-hidden": "true" });
    const c = sign.getContext("2d");
    c.fillStyle = c.strokeStyle = spec.palette[k % spec.palette.length];
    mark(c, classShape(k, spec.palette), 14, 14, 8);
    make(label, "span", "", {}, name);
    box.addEventListener("change", () => {
      if (box.checked) hidden.delete(k);
      else hidden.add(k);
      pad.redraw();
      moved();
    });
    box.addEventListener("keydown", (event) => event.stopPropagation());
    return box;
  });

  function show(value) { // what depends on the source, the points and their names, comes with its answer
    at = value.at;
    value.map.forEach((v, k) => lines[k].show(v));
    const changed = String([...hidden].sort()) !== String([...value.hidden].sort());
    hidden.clear();
    value.hidden.forEach((k) => hidden.add(k));
    boxes.forEach((box, k) => { box.checked = !hidden.has(k); });
    if (changed) pad.redraw();
    pad.show(at);
  }
  function answered(value) { // what the source found: the point, its neighbours, and the places of the names
    const other = String(value.map) !== String(chosen);
    ({ map: chosen, names: places, place, friends } = value);
    if (other) { at = value.at; pad.redraw(); } // the marker follows its image to its place on the other map
    pad.show(at);
  }
  show(spec.start);
  return { redraw: pad.redraw, show, answered, describe: pad.describe };
}
