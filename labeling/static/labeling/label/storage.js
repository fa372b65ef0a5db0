// Small things kept in this browser. Where it keeps nothing, or nonsense, the page works without.

/** @template T @param {string} key @param {T} fallback @returns {T} */
export function read(key, fallback) {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "null") ?? fallback;
  } catch {
    return fallback;
  }
}

/** @param {string} key @param {unknown} value undefined forgets it @returns {boolean} whether it is kept */
export function write(key, value) {
  try {
    if (value === undefined) localStorage.removeItem(key);
    else localStorage.setItem(key, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}
