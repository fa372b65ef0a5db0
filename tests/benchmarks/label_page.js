// Runs in the measured page before its own scripts: notes how long input takes to reach the screen.
// A frame counts as painted once a message posted in it arrives: the browser handles that after style, layout and paint.

const meter = {
  /** For each pointer or wheel event: milliseconds from the event, and from its first listener, to the painted frame. */
  inputs: [],
  /** For each Enter: milliseconds until images that were not there before were painted. */
  submits: [],
  /** How many new images a submit waits for; 0 where none is under way. */
  awaited: 0,
  /** Addresses of images that were drawn on a canvas since the last submit. */
  drawn: new Set(),
};
globalThis.meter = meter;

function afterPaint(done) {
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => done(performance.now());
    port2.postMessage(0);
  });
}

for (const kind of ["pointermove", "wheel"]) {
  addEventListener(kind, (event) => {
    const began = performance.now();
    afterPaint((painted) => meter.inputs.push([painted - event.timeStamp, painted - began]));
  }, { capture: true, passive: true });
}

const drawImage = CanvasRenderingContext2D.prototype.drawImage;
CanvasRenderingContext2D.prototype.drawImage = function (source, ...rest) {
  if (source instanceof HTMLImageElement) meter.drawn.add(source.src);
  return drawImage.call(this, source, ...rest);
};

function shownImages() {
  const inPage = [...document.querySelectorAll("[data-part=stage] img")];
  const complete = inPage.filter((image) => image.complete && image.naturalWidth && image.checkVisibility());
  return new Set([...complete.map((image) => image.src), ...meter.drawn]);
}

addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !meter.awaited) return;
  const before = shownImages();
  meter.drawn.clear();
  const look = (painted) => {
    const fresh = [...shownImages()].filter((address) => !before.has(address));
    if (fresh.length < meter.awaited) return afterPaint(look);
    meter.submits.push(painted - event.timeStamp);
    meter.awaited = 0;
  };
  afterPaint(look);
}, { capture: true });
