// Where an explorer's answers come from. The front end (explorer.js) asks a source, and a source has
//
//   get(name)              value, _spec, _answer, _frame, _points: what spec.py describes
//   place(value)           the control stands there: whoever is tied to it follows
//   ask(value, token)      the control stands there, and an answer with that token is wanted
//   on, off(name, listen)  to hear that one of them has changed
//   words                  what is said about the source itself: silent, and cannot with its reason {why}
//
// In a notebook the kernel answers, through anywidget's model. In a page its own script does: page/host.js.

const kernelSource = (model) => ({
  get: (name) => model.get(name),
  place(value) { model.set("value", value); },
  ask(value, token) {
    model.set("value", value);
    model.set("_ask", token);
    model.save_changes();
  },
  on(name, listen) { model.on(`change:${name}`, listen); },
  off(name, listen) { model.off(`change:${name}`, listen); },
  words: {
    silent: "The kernel has not answered yet. It may be busy; if it was restarted, run this cell again.",
    cannot: "This explorer cannot be shown: {why}; reload the page or update the course.",
  },
});
