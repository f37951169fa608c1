// What answers.js needs beside a bundle: decoders with their weights, and the images of the data set. A page has it
// (host.js), and a notebook whose kernel does not answer (stand_in.js).

const HEAVY = fast ? 3e7 : 6e6; // multiplications a decoder may take in the page itself: 2 or 4 ms on a fast computer

// decode(name, z), one code after another; and use(numbers), the weights. Where one takes long a worker does it, as soon
// as it is there: the first picture does not wait for it, and where the browser allows none the page goes on by itself.
// `makeWorker` makes one that runs worker.js.
function makeDecoder(networks, makeWorker) {
  let line = Promise.resolve(), worker = null, ready = false, here = {}, raw = null;
  const prepared = (name) => (here[name] ??= prepare(networks[name], raw));
  function use(numbers) {
    [raw, here] = [numbers, {}];
    if (worker) for (const [name, network] of Object.entries(networks)) worker.postMessage({ name, network, numbers });
  }
  function hire() {
    worker = makeWorker();
    worker.addEventListener("message", () => { ready = true; }, { once: true });
    worker.onerror = (event) => { event.preventDefault(); worker = null; };
  }
  function once(name, z) {
    if (!worker || !ready) return decode(prepared(name), z);
    return new Promise((done, failed) => {
      worker.onmessage = ({ data }) => done(data);
      worker.onerror = (event) => {
        event.preventDefault();
        worker = null;
        try { done(decode(prepared(name), z)); } catch (error) { failed(error); }
      };
      worker.postMessage({ name, z });
    });
  }
  try {
    if (Object.values(networks).some(({ work }) => work > HEAVY)) hire();
  } catch { /* no worker: not from a file:// page */ }
  return { use, decode: (name, z) => (line = line.catch(() => {}).then(() => once(name, z))) };
}

// The images of the data set. They come last: until then a grey one stands for each.
function makePictures(shape) {
  const size = shape.reduce((product, n) => product * n, 1), grey = new Uint8Array(size).fill(127);
  let all = null;
  return Object.assign((i) => (all ? all.subarray(i * size, (i + 1) * size) : grey), { size, use(bytes) { all = bytes; } });
}
