// A bundle, as bundle.py writes it: gzip over the length of a header, the header in JSON, and arrays one after another.
// gzip's own checksum notices a truncated or an altered file.

const FORMAT = 1;
const NEEDED = ["DecompressionStream", "IntersectionObserver", "ResizeObserver"]; // of the browser

class Failure extends Error {} // its message is the name of a sentence that stands in the place

async function load(file) {
  const inPage = document.getElementById(`course-${file}`); // where all of a book's page is one file
  if (inPage) return fromText(inPage.textContent);
  const answer = await fetch(new URL(file, import.meta.url)).catch(() => null);
  if (!answer?.ok) throw new Failure("missing");
  return answer.arrayBuffer();
}

const open = async (file) => unpack(await load(file));

async function unpack(packed) {
  let header, raw, length;
  try {
    raw = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
    length = new DataView(raw).getUint32(0, true);
    header = JSON.parse(new TextDecoder().decode(new Uint8Array(raw, 4, length)));
  } catch {
    throw new Failure("damaged");
  }
  if (header.format !== FORMAT) throw new Failure("other");
  const from = 8 * Math.ceil((4 + length) / 8);
  const bytes = (name) => {
    const [at, count] = header.parts[name] ?? [0, 0];
    return new Uint8Array(raw, from + at, count);
  };
  const numbers = (name, Kind) => {
    const part = bytes(name);
    return new Kind(part.buffer, part.byteOffset, part.length / Kind.BYTES_PER_ELEMENT);
  };
  return { ...header, bytes, numbers };
}
