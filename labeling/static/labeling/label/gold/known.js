// What is said of an image whose answer was known, where a project tells it; most never load this.

import { warning } from "../notices.js";
import { t } from "../text.js";

/** @typedef {import("../types.js").Notice} Notice */

/**
 * What was right on an image whose answer was known.
 * @param {{right: boolean, regions: {class: number}[]}} told @param {import("../types.js").LabelClass[]} classes @returns {Notice}
 */
export function known(told, classes) {
  if (told.right) return { ...warning(t("The answer to that image was known: you were right.")), tone: "good" };
  const names = [...new Set(told.regions.map((each) => classes.find(({ id }) => id === each.class)?.name ?? "?"))];
  return warning(names.length ? t("The answer to an image of the last page was known. Right is: {names}.", { names: names.join(", ") })
    : t("The answer to an image of the last page was known. Right is: none of these."));
}
