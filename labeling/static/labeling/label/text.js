// Texts in the reader's language. What is written in the scripts is English; other languages come with the page.

export const language = document.documentElement.lang || "en";

/** By their English; several forms where the text depends on a count. @type {Record<string, string | Record<string, string>>} */
const texts = JSON.parse(document.getElementById("label-texts")?.textContent ?? "{}");
const plural = new Intl.PluralRules(language);
const number = new Intl.NumberFormat(language);

/** @typedef {Record<string, string | number>} Values */

/** @param {unknown} value */
const shown = (value) => (typeof value === "number" ? number.format(value) : String(value));

/** @param {string} text @param {Values} values */
function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (place, name) => (name in values ? shown(values[name]) : place));
}

/** A text; {name} stands for a value. @param {string} text @param {Values} [values] */
export function t(text, values = {}) {
  return fill(String(texts[text] ?? text), values);
}

/** A text for a number of things, which {count} stands for. @param {number} count @param {string} one @param {string} several @param {Values} [values] */
export function tn(count, one, several, values = {}) {
  const form = plural.select(count);
  const forms = /** @type {Record<string, string> | undefined} */ (texts[one]);
  const text = forms ? (forms[form] ?? forms.other) : form === "one" ? one : several;
  return fill(text, { count, ...values });
}

/**
 * What is left of a text where a value is no text: the pieces with the values between them.
 * @template V @param {string} text from t() or tn(), without these values @param {Record<string, V>} values
 * @returns {(string | V)[]}
 */
export function split(text, values) {
  return text
    .split(/\{(\w+)\}/)
    .map((piece, index) => (index % 2 ? values[piece] : piece))
    .filter((piece) => piece !== "");
}
