// A worker that decodes, so that the page goes on answering to the reader. It follows decoder.js in its file.

const networks = {};
self.postMessage("ready");
self.addEventListener("message", ({ data: { network, numbers, name, z } }) => {
  if (network) networks[name] = prepare(network, numbers);
  else self.postMessage(decode(networks[name], z));
});
