// The page's back end in a notebook, where the kernel does not answer: kernel.js opens what stand_in.py sent.
// `points` and `spec` are the widget's own, which need not travel twice.

export default async function standIn(packed, points, spec, makeWorker) {
  const bundle = await unpack(packed), decoder = makeDecoder(bundle.networks, makeWorker);
  decoder.use({ halves: bundle.numbers("halves", Uint16Array), single: bundle.numbers("single", Float32Array) });
  let pictures = null;
  if (bundle.page.pictures) {
    pictures = makePictures(bundle.page.pictures);
    pictures.use(bundle.bytes("pictures"));
  }
  const bytes = (name) => (name === "points" ? points : bundle.bytes(name));
  const full = { ...bundle, spec: { ...spec, ...bundle.spec }, pictures, bytes };
  return (answer) => ANSWERS[bundle.page.kind]({ ...full, answer }, decoder.decode); // it begins where the kernel stopped
}
