// Requests of the Auto-label page, with errors in the server's words.

/** @param {string} url @param {unknown} [body] @param {string} [method] @returns {Promise<any>} */
export async function ask(url, body, method = body === undefined ? "GET" : "POST") {
  const token = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] ?? "";
  const headers = { "X-CSRFToken": token, ...(body === undefined ? {} : { "Content-Type": "application/json" }) };
  const response = await fetch(url, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  if (response.status === 401) {
    location.reload();
    return new Promise(() => {});
  }
  const answer = response.status === 204 ? null : await response.json().catch(() => null);
  if (!response.ok) throw new Error(answer?.error?.message ?? String(response.status));
  return answer;
}
