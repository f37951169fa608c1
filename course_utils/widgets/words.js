// Sentences as templates: the same as words.py, letter for letter. A place is {name}, {name:2} or {name:0%}.

function say(template, values = {}) {
  return template.replace(/\{(\w+)(?::(\d+)(%?))?\}/g, (_, name, digits, percent) => {
    if (digits === undefined) return values[name];
    return inDigits(percent ? 100 * values[name] : values[name], Number(digits)) + percent;
  });
}

function inDigits(value, digits) { // a tie goes away from zero, and zero has no sign
  const text = value.toFixed(digits);
  return /[1-9]/.test(text) ? text : text.replace("-", "");
}
