// The radiograph on a canvas: window and level, zoom and place, and the maps over it.

export const LAYERS = {
  lungs: { name: "Lung outline", colour: [64, 224, 208], opacity: 0.8 },
  pneumonia: { name: "Pneumonia map", colour: [86, 180, 233], opacity: 0.5 },
  covid: { name: "COVID-19 map", colour: [255, 122, 26], opacity: 0.5 },
  guided: { name: "Guided activation", colour: [240, 228, 66], opacity: 0 },
};

const SIDE = 512; // pixels of every picture
const FIT = { level: 128, width: 256, zoom: 1, x: 0, y: 0 };
const LIMITS = { level: [0, 255], width: [8, 510], zoom: [1, 8] };
const KEYS = {
  ArrowLeft: ["x", 32], ArrowRight: ["x", -32], ArrowUp: ["y", 32], ArrowDown: ["y", -32],
  "+": ["zoom", 0.5], "=": ["zoom", 0.5], "-": ["zoom", -0.5],
  "]": ["width", 16], "[": ["width", -16], ".": ["level", 8], ",": ["level", -8],
};

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** Return how opaque each pixel of a map is, in [0, 1], before the slider. */
function strength(kind, values) {
  if (kind === "guided") return Float32Array.from(values, (value) => Math.abs(value - 128) / 127);
  if (kind !== "lungs") return Float32Array.from(values, (value) => value / 255);
  const edge = new Float32Array(values.length);
  for (let at = 0; at < values.length; at += 1) {
    if (values[at] < 128) continue;
    const near = [at - 1, at + 1, at - SIDE, at + SIDE, at - 2, at + 2, at - 2 * SIDE, at + 2 * SIDE];
    edge[at] = near.some((other) => !(values[other] >= 128)) ? 1 : 0;
  }
  return edge;
}

export class Viewer {
  /** `changed` is called with the settings {level, width, zoom} after each change. */
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    this.drag = "window";
    this.settings = { ...FIT };
    this.opacity = Object.fromEntries(Object.entries(LAYERS).map(([kind, layer]) => [kind, layer.opacity]));
    this.maps = {};
    this.pixels = null;
    this.picture = new OffscreenCanvas(SIDE, SIDE);
    this.waits = false;
    this.listen();
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  /** Show a radiograph of 512 x 512 bytes, or none, without maps. */
  show(pixels) {
    this.pixels = pixels;
    this.maps = {};
    this.set({ ...FIT });
  }

  /** Lay a map over it. */
  lay(kind, values) {
    this.maps[kind] = strength(kind, values);
    this.draw();
  }

  set(settings) {
    const next = { ...this.settings, ...settings };
    for (const [name, [low, high]] of Object.entries(LIMITS)) next[name] = clamp(next[name], low, high);
    const reach = (SIDE / 2) * (1 - 1 / next.zoom); // so that the radiograph fills the canvas
    next.x = clamp(next.x, -reach, reach);
    next.y = clamp(next.y, -reach, reach);
    this.settings = next;
    this.changed(next);
    this.draw();
  }

  reset() {
    this.set({ ...FIT });
  }

  setOpacity(kind, opacity) {
    this.opacity[kind] = opacity;
    this.draw();
  }

  draw() {
    if (this.waits) return;
    this.waits = true;
    requestAnimationFrame(() => {
      this.waits = false;
      this.paint();
    });
  }

  paint() {
    const side = Math.round(this.canvas.clientWidth * devicePixelRatio) || SIDE;
    if (this.canvas.width !== side) this.canvas.width = this.canvas.height = side;
    const context = this.canvas.getContext("2d");
    context.fillStyle = "#000";
    context.fillRect(0, 0, side, side);
    if (!this.pixels) return;
    this.compose();
    const { zoom, x, y } = this.settings;
    const seen = SIDE / zoom;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.picture, (SIDE - seen) / 2 - x, (SIDE - seen) / 2 - y, seen, seen, 0, 0, side, side);
  }

  compose() {
    const { level, width } = this.settings;
    const shades = Uint8ClampedArray.from({ length: 256 }, (_, value) => ((value - level) / width + 0.5) * 255);
    const laid = Object.keys(LAYERS).filter((kind) => this.maps[kind] && this.opacity[kind] > 0);
    const image = new ImageData(SIDE, SIDE);
    for (let at = 0; at < this.pixels.length; at += 1) {
      let red = shades[this.pixels[at]];
      let green = red;
      let blue = red;
      for (const kind of laid) {
        const share = this.maps[kind][at] * this.opacity[kind];
        const [r, g, b] = LAYERS[kind].colour;
        red += share * (r - red);
        green += share * (g - green);
        blue += share * (b - blue);
      }
      image.data.set([red, green, blue, 255], 4 * at);
    }
    this.picture.getContext("2d").putImageData(image, 0, 0);
  }

  listen() {
    const { canvas } = this;
    const pointers = new Map();
    canvas.addEventListener("pointerdown", (event) => {
      pointers.set(event.pointerId, event);
      canvas.setPointerCapture(event.pointerId);
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => pointers.delete(event.pointerId));
    canvas.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (!before || !this.pixels) return;
      const other = [...pointers.values()].find((pointer) => pointer.pointerId !== event.pointerId);
      if (other) this.pinch(before, event, other);
      else this.dragged(event.clientX - before.clientX, event.clientY - before.clientY);
      pointers.set(event.pointerId, event);
    });
    canvas.addEventListener("wheel", (event) => {
      if (document.activeElement !== canvas && !event.ctrlKey) return; // the page scrolls
      event.preventDefault();
      this.set({ zoom: this.settings.zoom * Math.exp(-event.deltaY / 400) });
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => this.pressed(event));
  }

  pinch(before, after, other) {
    const apart = (event) => Math.hypot(event.clientX - other.clientX, event.clientY - other.clientY) || 1;
    this.set({ zoom: (this.settings.zoom * apart(after)) / apart(before) });
  }

  dragged(right, down) {
    const { level, width, zoom, x, y } = this.settings;
    if (this.drag === "window") {
      this.set({ level: level + down / 2, width: width + right });
      return;
    }
    const scale = SIDE / zoom / this.canvas.clientWidth;
    this.set({ x: x + right * scale, y: y + down * scale });
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "0") this.reset();
    else if (event.key in KEYS) {
      const [name, step] = KEYS[event.key];
      this.set({ [name]: this.settings[name] + ("xy".includes(name) ? step / this.settings.zoom : step) });
    } else return;
    event.preventDefault();
  }
}
