// A file of labels, or those of a folder, goes up at once; its report is the next page.

const form = /** @type {HTMLFormElement} */ (document.querySelector("[data-labels]"));
const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (form.querySelector(`[data-${name}]`));
const MOST = 1_900; // files at once, a little less than the server takes
const MEGABYTE = 2 ** 20;
let busy = false;

/** @param {string} text */
function refuse(text) {
  part("error").textContent = text;
  part("error").hidden = false;
  part("upload").hidden = true;
}

/** @param {File[]} files */
function send(files) {
  const wanted = files.filter((file) => !(file.webkitRelativePath || file.name).split("/").some((name) => name.startsWith(".")));
  if (busy || !wanted.length) return;
  part("error").hidden = true;
  if (wanted.length > MOST) return refuse(`The folder has ${wanted.length.toLocaleString("en")} files. Pack more than ${MOST.toLocaleString("en")} into a ZIP, and choose that.`);
  busy = true;
  const body = new FormData();
  for (const file of wanted) {
    body.append("files", file, file.name);
    body.append("paths", file.webkitRelativePath || file.name); // a file's name travels without its folders
  }
  body.append("format", /** @type {HTMLSelectElement} */ (form.elements.namedItem("format")).value);
  const request = new XMLHttpRequest();
  request.open("POST", form.dataset.url ?? "");
  request.setRequestHeader("X-CSRFToken", document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] ?? "");
  request.responseType = "json";
  part("upload").hidden = false;
  request.upload.addEventListener("progress", (event) => {
    part("upload").textContent = `Sending: ${Math.round(event.loaded / MEGABYTE)} of ${Math.ceil(event.total / MEGABYTE)} MB`;
  });
  request.addEventListener("load", () => {
    busy = false;
    if (request.status < 300) location.assign(`${form.dataset.page}${request.response.id}/`);
    else refuse(request.response?.error?.message ?? `The server answered ${request.status}.`);
  });
  request.addEventListener("error", () => {
    busy = false;
    refuse("The connection broke. Nothing was taken; choose the file again.");
  });
  request.send(body);
}

for (const node of form.querySelectorAll("[data-files]")) {
  const input = /** @type {HTMLInputElement} */ (node);
  const take = () => {
    send([...(input.files ?? [])]);
    input.value = "";
  };
  input.addEventListener("change", take);
  if (input.files?.length) take(); // chosen before this script was here
}
for (const kind of ["dragenter", "dragover"]) {
  form.addEventListener(kind, (event) => {
    event.preventDefault();
    form.classList.add("over");
  });
}
form.addEventListener("dragleave", (event) => {
  if (!form.contains(/** @type {Node|null} */ (event.relatedTarget))) form.classList.remove("over");
});
form.addEventListener("drop", (event) => {
  event.preventDefault();
  form.classList.remove("over");
  send([...(event.dataTransfer?.files ?? [])]);
});
form.addEventListener("submit", (event) => event.preventDefault());
