// A notebook's source: the kernel, and the page itself where the kernel does not answer.
//
// The kernel answers as long as it can. When it has not answered for WAIT milliseconds, or is known to be gone, the page's
// own back end does (page/stand_in.js), and one line says so. The kernel is asked nothing more before it has answered what
// it was asked last. That answer is late: it is dropped, the kernel is asked for the latest position, and with its answer
// it takes over. A busy kernel can send nothing, so what the page needs for this is asked for beforehand, when the reader's
// hand has rested for REST milliseconds after a move: an explorer that nobody moves costs nothing. It comes as a message and
// not as a trait, and so is not saved with the notebook. Where the kernel sends nothing (see Explorer) all this does not
// happen.

const WAIT = 1000, REST = 1000;

// `initialize` makes one for a widget, and all its views share it.
function kernelSource(model) {
  const heard = { value: new Set(), _answer: new Set(), status: new Set() };
  const tell = (name) => { for (const listen of [...heard[name]]) listen(); };
  let standIn = null, of = ""; // what answers in the page: null before it is there, false where there will be none
  let asked = null; // of the kernel, and not answered: {value, token, late}
  let latest = null; // that was asked for, of whomever: {value, token}
  let shown = null, answerTo = null, line = ""; // what the page has answered, what answers, and what is said of it
  let end = () => {}, busy = -Infinity, patience = null, rest = null, clock = null;

  // Why the kernel does not answer: "busy", "gone" where it is another one or none, "unheard" where nothing is known of it.
  function state() {
    const manager = model.widget_manager, now = performance.now();
    if (model.get("layout")?.comm_live === false) return "gone";
    if (!manager || !("kernel" in manager)) return "unheard";
    const status = manager.kernel ? manager.kernel.status : "dead";
    if (status === "busy") busy = now;
    if (status === "busy" || (status === "idle" && now - busy < WAIT)) return "busy"; // just idle: it may answer yet
    return !status || status === "unknown" ? "unheard" : "gone"; // it is idle, and does not know this widget
  }
  const lost = () => {
    const manager = model.widget_manager;
    return model.get("layout")?.comm_live === false || (manager && "kernel" in manager && !manager.kernel);
  };

  function note() {
    clearTimeout(clock);
    const why = shown ? state() : "", text = why ? model.get("_spec").words?.[why] ?? "" : "";
    if (shown && why !== "gone") clock = setTimeout(note, WAIT);
    if (text === line) return;
    line = text;
    tell("status");
  }

  function send({ value, token }) {
    asked = { value, token, late: false };
    clearTimeout(patience);
    clearTimeout(rest);
    patience = setTimeout(() => { if (asked) asked.late = true; if (asked && standIn) here(); }, WAIT);
    model.set("value", value);
    model.set("_ask", token);
    model.save_changes();
  }

  async function here() {
    const now = latest, start = performance.now();
    if (!shown) answerTo = standIn(model.get("_answer"));
    const before = () => shown?.answer ?? model.get("_answer"), mine = answerTo;
    const found = await answerBy(mine, model.get("_spec"), now.value, now.token, before);
    if (latest === null || mine !== answerTo) return; // the kernel has answered meanwhile
    shown = {
      answer: found.answer,
      frame: found.frame ?? source.get("_frame"),
      points: found.points ?? source.get("_points"),
    };
    if (!found.answer.error) model.set("value", moveOf(model.get("_spec"), found.answer.value));
    tell("_answer");
    note();
    performance.measure("course:stand-in:answer", { start });
  }

  function answered() {
    const { token } = model.get("_answer") ?? {}, own = asked && token === asked.token;
    if (own) {
      asked = null;
      clearTimeout(patience);
      if (standIn !== false) rest = setTimeout(request, REST);
      if (shown && latest && latest.token !== token) return send(latest); // late: the reader has moved on
    }
    shown = latest = answerTo = null;
    tell("_answer");
    note();
  }

  function request() {
    try {
      model.send({ page: of });
    } catch { /* the kernel has gone this very second */ }
  }

  async function received(content, [packed] = []) {
    if (!isRecord(content) || !("page" in content)) return;
    try {
      if (packed) {
        const { begin, stop } = await openStandIn(content.scripts, bytes(packed), model);
        end();
        [standIn, end] = [begin, stop];
      } else if (content.page === null) {
        end();
        standIn = false;
      }
      of = content.page ?? "";
    } catch (error) { // a browser without what it needs: all goes on as without it
      console.warn(error);
      standIn = false;
    }
  }

  model.on("change:value", () => tell("value"));
  model.on("change:_answer", answered);
  model.on("msg:custom", received);
  model.on("destroy", () => { for (const timer of [patience, rest, clock]) clearTimeout(timer); end(); });
  model.on("comm_live_update", () => { if (shown && latest && !asked && !lost()) send(latest); note(); });
  const source = {
    get(name) {
      if (shown && name === "_answer") return shown.answer;
      if (shown && name === "_frame") return shown.frame;
      return shown && name === "_points" ? shown.points : model.get(name);
    },
    place(value) { model.set("value", value); },
    ask(value, token) {
      latest = { value, token };
      if (standIn && (asked?.late || lost())) {
        model.set("value", value);
        here();
      } else send(latest);
    },
    on: (name, listen) => heard[name].add(listen),
    off: (name, listen) => heard[name].delete(listen),
    status: () => line,
    words: {
      silent: "The kernel has not answered yet. It may be busy; if it was restarted, run this cell again.",
      cannot: "This explorer cannot be shown: {why}; reload the page or update the course.",
    },
  };
  return source;
}

// What the kernel has sent, running. begin(answer shown now): value -> promise of an answer; and stop().
async function openStandIn({ decoder, others, worker }, packed, model) {
  const start = performance.now();
  const address = (...texts) => URL.createObjectURL(new Blob(texts, { type: "text/javascript" })), url = address(decoder, others);
  const { default: open } = await import(url);
  URL.revokeObjectURL(url);
  const points = bytes(model.get("_points")).slice(); // from 0, so that floats can be read
  const hired = [], hire = () => hired[hired.push(new Worker(address(decoder, worker))) - 1];
  const begin = await open(packed, points, model.get("_spec"), hire);
  performance.measure("course:stand-in", { start });
  return { begin, stop: () => hired.forEach((one) => one.terminate()) };
}

// Where the value is a list, each of its numbers is a trait too, which sliders can be linked to.
function tieNumbers(model) {
  const start = model.get("value");
  if (!Array.isArray(start)) return;
  const names = start.map((_, k) => `value_${k}`);
  model.on("change:value", () => {
    const now = model.get("value");
    if (Array.isArray(now)) names.forEach((name, k) => { if (model.get(name) !== now[k]) model.set(name, now[k]); });
  });
  names.forEach((name, k) => model.on(`change:${name}`, () => {
    const now = [...model.get("value")];
    if (now[k] === model.get(name)) return;
    now[k] = model.get(name);
    model.set("value", now);
  }));
}

// What anywidget calls once for each widget.
export default () => {
  let source = null;
  return {
    initialize({ model }) {
      tieNumbers(model);
      source = kernelSource(model);
    },
    render: ({ model, el }) => mount(source ??= kernelSource(model), el),
  };
};
