// The HTTP API as the Label page uses it. Throws ApiError; knows nothing of pages on screen.

import { t } from "./text.js";

/** What the server answered, or that it could not be reached (`status` 0). */
export class ApiError extends Error {
  /** @param {number} status @param {string} message @param {string} [code] */
  constructor(status, message, code = "") {
    super(message);
    this.status = status;
    this.code = code;
  }

  get offline() {
    return this.status === 0 || this.status >= 500 || this.status === 429;
  }

  get signedOut() {
    return this.status === 401 || this.status === 403;
  }
}

const csrfToken = () => document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] ?? "";

/**
 * @param {string} method @param {string} url @param {object} [body] @param {{keepalive?: boolean}} [options]
 * @returns {Promise<any>} the reply, null when there is none
 */
export async function call(method, url, body, options = {}) {
  let response;
  try {
    response = await fetch(url, {
      method,
      credentials: "same-origin",
      headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": csrfToken() },
      body: body === undefined ? undefined : JSON.stringify(body),
      ...options,
    });
  } catch {
    throw new ApiError(0, t("The server cannot be reached."));
  }
  if (response.status === 204) return null;
  const reply = await response.json().catch(() => null);
  if (response.ok) return reply;
  throw new ApiError(response.status, reply?.error?.message ?? t("The server answered {status}.", { status: response.status }), reply?.error?.code);
}

/** @param {string} url @param {{keys: Record<string, string[]>, singleKeys: boolean}} choice @returns {Promise<boolean>} false when signed out */
export async function saveKeys(url, { keys, singleKeys }) {
  const reply = await call("POST", url, { keys, single_keys: singleKeys }, { keepalive: true });
  return reply !== null;
}

/** @param {string} base the project's address in the API, with a slash at the end */
export function projectApi(base) {
  return {
    facts: () => call("GET", base),
    /** @param {number} size @param {number[]} holding pages that the labeler's screens have already */
    claim: (size, holding) => call("POST", `${base}pages/`, { size, holding }),
    /** @param {number} page @param {object[]} answers */
    submit: (page, answers) => call("POST", `${base}pages/${page}/submit/`, { answers }),
    undo: () => call("POST", `${base}pages/undo/`, {}),
    recent: () => call("GET", `${base}pages/`),
    /** A page of one's own that was submitted, with its answers. @param {number} page */
    submitted: (page) => call("GET", `${base}pages/${page}/`),
    /** @param {number} page */
    extend: (page) => call("POST", `${base}pages/${page}/extend/`, {}),
    /** Also works while the page is being left. @param {number} page */
    release: (page) => call("POST", `${base}pages/${page}/release/`, {}, { keepalive: true }),
    /** The outline of what was clicked or boxed. @param {number} item @param {object} asked */
    outline: (item, asked) => call("POST", `${base}items/${item}/outline/`, asked),
  };
}
