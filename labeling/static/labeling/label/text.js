// Texts in the labeler's language.

/** @param {string} text @param {Record<string, unknown>} [values] for its {names} */
export function t(text, values) {
  return fill(text, values);
}

/** One text for one, another for any other count. @param {number} count @param {string} one @param {string} many */
export function tn(count, one, many, values = {}) {
  return fill(count === 1 ? one : many, { count, ...values });
}

/** @param {string} text @param {Record<string, unknown>} [values] */
function fill(text, values) {
  return values ? text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole)) : text;
}
