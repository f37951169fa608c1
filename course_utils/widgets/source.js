// Where an explorer's answers come from. The front end (explorer.js) asks a source, and a source has
//
//   get(name)              value, _spec, _answer, _frame, _points: what spec.py describes
//   place(value)           the control stands there: whoever is tied to it follows
//   ask(value, token)      the control stands there, and an answer with that token is wanted
//   on, off(name, listen)  to hear that value, _answer or status has changed
//   words                  what is said about the source itself: silent, and cannot with its reason {why}
//   status()               one line that says who answers; a page's source has none
//
// In a notebook the kernel answers, through anywidget's model: kernel.js. In a page its own script does: page/host.js.

// The part of what an explorer shows that its control sends.
const moveOf = ({ kind }, value) => (isRecord(value)
  ? Object.fromEntries(Object.keys(CONTRACT.message[kind].value).map((name) => [name, value[name]])) : value);

// What the page's own back end answers: {answer, frame, points}. An error leaves what `before()` says is shown.
async function answerBy(answerTo, spec, value, token, before) {
  try {
    const { frame, points, ...said } = await answerTo(value), charts = said.captions.map(() => null);
    return { frame, points, answer: { charts, ...said, token, error: "", warning: before().warning } };
  } catch (error) {
    console.error(error);
    return { answer: { ...before(), token, error: say(spec.words.refused, { why: error.message }) } };
  }
}
