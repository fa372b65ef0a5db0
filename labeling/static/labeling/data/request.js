// Talking to the API from pages of reviewers.

/** Send JSON; returns the reply, null for none. Throws an Error with the server's sentence. @param {string} address @param {object|null} body */
export async function send(address, body, method = "POST") {
  const response = await fetch(address, {
    method,
    keepalive: true,
    headers: {
      "Content-Type": "application/json",
      "X-CSRFToken": document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] ?? "",
    },
    body: body === null ? undefined : JSON.stringify(body),
  });
  const reply = response.status === 204 ? null : await response.json();
  if (!response.ok) throw new Error(reply.error.message);
  return reply;
}

/** Get a part of a page. @param {string} address */
export async function part(address) {
  const response = await fetch(address, { headers: { "HX-Request": "true" } });
  if (!response.ok) throw new Error("this can no longer be opened.");
  return response.text();
}

export const sentence = (/** @type {unknown} */ error) => error instanceof TypeError ? "the server cannot be reached." : /** @type {Error} */ (error).message;

/** Put a number where an address has its last 0. @param {string} address @param {number} id */
export const withId = (address, id) => address.replace(/\/0\/(?=[^0]*$)/, `/${id}/`);

/** The letter of a key on any layout. @param {KeyboardEvent} event */
export const letterOf = (event) => /^Key[A-Z]$/.test(event.code) ? event.code[3].toLowerCase() : event.key;
