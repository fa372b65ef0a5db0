// Where images come from: of all that buckets need, only what this kind of address does.

/** @type {Record<string, string>} */
const KINDS = { s3: "s3", az: "azure", abfs: "azure", gs: "gcs", gcs: "gcs", http: "http", https: "http" };

for (const node of document.querySelectorAll("form[data-source]")) {
  const form = /** @type {HTMLFormElement} */ (node);
  const address = /** @type {HTMLInputElement|null} */ (form.elements.namedItem("address"));
  const parts = /** @type {NodeListOf<HTMLElement>} */ (form.querySelectorAll("[data-kinds]"));

  const show = () => {
    const scheme = address?.value.trim().split("://")[0].toLowerCase() ?? "";
    const kind = form.dataset.kind ?? (address?.value.includes("://") ? KINDS[scheme] : undefined) ?? "none";
    for (const part of parts) {
      part.hidden = !part.dataset.kinds?.split(" ").includes(kind);
    }
  };
  address?.addEventListener("input", show);
  show();
}
