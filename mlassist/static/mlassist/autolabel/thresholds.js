// What is kept of what a model says of an image: the same as mlassist/autolabel/thresholds.py does in the run.

/**
 * @typedef {{class: number, confidence: number, bbox?: number[], polygon?: number[][]}} Region
 * @typedef {Map<number, number>} Thresholds by class
 */

/** The region of the class that is surest, the first of equals. @param {Region[]} found @returns {Region[]} */
export function likeliest(found) {
  let best = found[0];
  for (const each of found) if (each.confidence > best.confidence) best = each;
  return best ? [best] : [];
}

/** @param {Region[]} found @param {Thresholds} thresholds @param {boolean} exclusive */
function candidates(found, thresholds, exclusive) {
  const known = found.filter((each) => thresholds.has(each.class));
  return exclusive ? likeliest(known) : known;
}

/** What is proposed of an image. @param {Region[]} found @param {Thresholds} thresholds @param {boolean} exclusive */
export function kept(found, thresholds, exclusive) {
  return candidates(found, thresholds, exclusive).filter((each) => each.confidence >= (thresholds.get(each.class) ?? 2));
}

/**
 * How many are shown of each class, and how many there are, over some images.
 * @param {Region[][]} images @param {Thresholds} thresholds @param {boolean} exclusive
 * @returns {Map<number, {shown: number, total: number}>}
 */
export function counted(images, thresholds, exclusive) {
  const counts = new Map([...thresholds.keys()].map((label) => [label, { shown: 0, total: 0 }]));
  for (const found of images) {
    for (const each of candidates(found, thresholds, exclusive)) {
      const count = counts.get(each.class);
      if (!count) continue;
      count.total += 1;
      if (each.confidence >= (thresholds.get(each.class) ?? 2)) count.shown += 1;
    }
  }
  return counts;
}

/** How many images have a class from a threshold on, by counts in hundredths. @param {number[]} spread @param {number} threshold */
export function above(spread, threshold) {
  const from = Math.ceil(threshold * (spread.length - 1) - 1e-6);
  return spread.slice(from).reduce((sum, each) => sum + each, 0);
}
