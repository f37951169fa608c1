// The browser's check of what the kernel sends, by CONTRACT, in the words of spec.py. explorer.py writes
// `const CONTRACT = ...` from spec.py in front of this file; all of them are one module.

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const isText = (value) => typeof value === "string";
const isTruth = (value) => typeof value === "boolean";
const isNothing = (value) => value === null || value === undefined;
const isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const IS = {
  text: isText,
  number: isNumber,
  positive: (value) => isNumber(value) && value > 0,
  whole: (value) => isNumber(value) && value >= 0 && Number.isInteger(value),
  truth: isTruth,
  range: (value) => Array.isArray(value) && value.length === 2 && value.every(isNumber) && value[0] < value[1],
  choice: (value) => isNothing(value) || isText(value) || isTruth(value) || isNumber(value),
};

function inWords(value) {
  if (isNothing(value)) return "nothing";
  if (isText(value)) return JSON.stringify([...value].length <= 40 ? value : `${[...value].slice(0, 40).join("")}…`);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return isRecord(value) ? "a record" : String(value);
}

// The first thing in a value that is not of the wanted type, in words; empty where all of it is.
function fault(wanted, value, place = "") {
  const must = (what) => `${place ? `its ${place}` : "it"} is ${inWords(value)}, but must be ${what}`;
  if (isText(wanted)) return IS[wanted](value) ? "" : must(CONTRACT.words[wanted]);
  if (Array.isArray(wanted)) {
    if (!Array.isArray(value)) return must("a list");
    const exact = wanted.length > 1;
    if (exact && value.length !== wanted.length) return must(`a list of ${wanted.length}`);
    for (const [k, one] of value.entries()) {
      const wrong = fault(wanted[exact ? k : 0], one, `${place}[${k}]`);
      if (wrong) return wrong;
    }
    return "";
  }
  if (wanted["or null"]) return isNothing(value) ? "" : fault(wanted["or null"], value, place);
  if (wanted["one of"]) return wanted["one of"].includes(value) ? "" : must(`one of ${wanted["one of"].join(", ")}`);
  if (!isRecord(value)) return must("a record");
  const inside = place ? `${place}.` : "";
  if (wanted.every) {
    for (const [name, one] of Object.entries(value)) {
      const wrong = fault(wanted.every, one, inside + name);
      if (wrong) return wrong;
    }
    return "";
  }
  if (wanted["by kind"]) {
    const kinds = wanted["by kind"];
    if (!isText(value.kind) || !Object.hasOwn(kinds, value.kind)) {
      return `its ${inside}kind is ${inWords(value.kind)}, but must be one of ${Object.keys(kinds).join(", ")}`;
    }
    wanted = { kind: "text", ...kinds[value.kind] };
  }
  const known = new Set();
  for (const [full, type] of Object.entries(wanted)) {
    const name = full.replace(/\?$/, "");
    known.add(name);
    if (Object.hasOwn(value, name)) {
      const wrong = fault(type, value[name], inside + name);
      if (wrong) return wrong;
    } else if (name === full) return `its ${inside}${name} is missing`;
  }
  const unknown = Object.keys(value).find((name) => !known.has(name));
  if (unknown !== undefined) return `its ${inside}${unknown} is no field that is known`;
  if (known.has("max") && value.min >= value.max) {
    return `its ${inside}max is ${inWords(value.max)}, but must be above its min, ${inWords(value.min)}`;
  }
  return "";
}
