// Requests to the server that gave this page. The token lives in sessionStorage only, and goes out in the Authorization header only.

const KEY = "screening-token";

export const token = {
  get: () => sessionStorage.getItem(KEY),
  set: (secret) => sessionStorage.setItem(KEY, secret),
  forget: () => sessionStorage.removeItem(KEY),
};

/** A request that was not carried out: its status, and in words what is wrong (application/problem+json). */
export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

async function send(path, options = {}) {
  const headers = new Headers(options.headers);
  if (token.get()) headers.set("Authorization", `Bearer ${token.get()}`);
  let response;
  try {
    response = await fetch(path, { ...options, headers, credentials: "omit" });
  } catch {
    throw new Problem(0, "The server does not answer. Try again in a moment.");
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  throw new Problem(response.status, told.detail ?? `The server answered ${response.status}.`);
}

export async function getJson(path) {
  return (await send(path)).json();
}

export async function postJson(path, message) {
  const headers = { "Content-Type": "application/json" };
  return (await send(path, { method: "POST", headers, body: JSON.stringify(message) })).json();
}

/** Return the answer to one file, with its pictures as data URLs. */
export async function scoreFile(file) {
  const form = new FormData();
  form.append("file", file, file.name);
  const told = await (await send("/v1/score?heatmaps=true", { method: "POST", body: form })).json();
  return told.answers[0];
}

/** Return the pixels of a PNG, {width, height, values: one byte each}; `url` is a data URL or a path of this server. */
export async function grey(url) {
  const isData = url.startsWith("data:");
  const source = isData ? url : URL.createObjectURL(await (await send(url)).blob());
  try {
    const image = new Image();
    image.src = source;
    await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, image.width, image.height);
    return { width: image.width, height: image.height, values: Uint8Array.from({ length: data.length / 4 }, (_, i) => data[4 * i]) };
  } finally {
    if (!isData) URL.revokeObjectURL(source);
  }
}
