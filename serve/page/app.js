// What is on the page and when: the token, the files and the worklist, one radiograph at a time.

import { Problem, getJson, grey, postJson, scoreFile, token } from "./api.js";
import { showAnswer, verdict } from "./answer.js";
import { FINDINGS, byId, element, say, showProblem } from "./dom.js";
import { LAYERS, Viewer } from "./viewer.js";
import { WorklistPanel } from "./worklist.js";

let me = null;
let shown = null; // the answer on the page
let showing = 0; // grows with every radiograph that is opened: what an earlier one still loads comes too late

const sliders = { level: (value) => Math.round(value), width: (value) => Math.round(value), zoom: (value) => `${Number(value).toFixed(2).replace(/\.?0+$/, "")}×` };

const viewer = new Viewer(byId("canvas"), (settings) => {
  for (const [name, words] of Object.entries(sliders)) {
    byId(name).value = settings[name];
    byId(`${name}-said`).textContent = words(settings[name]);
  }
});
const worklist = new WorklistPanel((id) => guarded(() => openStored(id)));

/** Run something that asks the server; a problem is told, and a token that is not valid any more is asked for again. */
async function guarded(work) {
  try {
    return await work();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    if (problem.status === 401) askForToken("This token is not in force. Give another one.");
    else {
      byId("answer").replaceChildren(element("p", { class: "problem", text: problem.message }));
      say(problem.message);
    }
    return null;
  }
}

function askForToken(words) {
  token.forget();
  byId("desk").hidden = byId("views").hidden = byId("forget").hidden = true;
  byId("who").textContent = "";
  byId("entrance").hidden = false;
  showProblem(byId("token-problem"), words);
  byId("token").focus();
}

async function enter() {
  me = await getJson("/v1/me");
  byId("entrance").hidden = true;
  byId("desk").hidden = false;
  byId("who").textContent = me.open ? "open to this machine" : me.name;
  byId("forget").hidden = me.open;
  const views = { files: me.scopes.includes("score"), worklist: me.results && (me.scopes.includes("read") || me.scopes.includes("review")) };
  for (const [name, offered] of Object.entries(views)) byId(`view-${name}`).hidden = !offered;
  byId("views").hidden = !(views.files && views.worklist);
  const first = Object.keys(views).find((name) => views[name]);
  if (first) await choose(first);
  else byId("answer").replaceChildren(element("p", { text: "This token allows nothing that the page shows: ask for one with the scope score, read or review." }));
}

async function choose(view) {
  for (const name of ["files", "worklist"]) {
    byId(name).hidden = name !== view;
    byId(`view-${name}`).setAttribute("aria-pressed", String(name === view));
  }
  if (view === "worklist") await worklist.load();
}

/** Show an answer, its radiograph and its maps, as they come. */
async function open(answer, title) {
  const turn = (showing += 1);
  shown = answer;
  showAnswer(byId("answer"), answer);
  showReading(answer);
  offerLayers(answer);
  viewer.show(null);
  byId("nothing").hidden = Boolean(answer.image);
  byId("nothing").textContent = answer.image ? "" : "There is no picture of this file.";
  const words = verdict(answer).words;
  byId("canvas").setAttribute("aria-label", answer.image ? `${title}: ${words}` : "No radiograph is shown");
  say(`${title}: ${words}`);
  byId("canvas").setAttribute("aria-busy", "true");
  try {
    if (answer.image) await showPictures(answer, () => turn === showing);
  } finally {
    if (turn === showing) byId("canvas").setAttribute("aria-busy", "false");
  }
}

/** Show the radiograph and lay its maps over it, one after the other, as long as `wanted()`. */
async function showPictures(answer, wanted) {
  const { values } = await grey(answer.image);
  if (!wanted()) return;
  viewer.show(values);
  for (const [kind, url] of Object.entries(answer.heatmaps)) {
    const map = await grey(url);
    if (!wanted()) return;
    viewer.lay(kind, map.values);
  }
}

async function openStored(id) {
  worklist.mark(id);
  const answer = await getJson(`/v1/instances/${id}`);
  await open(answer, `Radiograph of ${answer.InstitutionName ?? "an unknown site"}`);
}

function offerLayers(answer) {
  for (const kind of Object.keys(LAYERS)) {
    const has = kind in answer.heatmaps;
    byId(`layer-${kind}`).disabled = !has;
    byId(`layer-${kind}-said`).textContent = has ? `${byId(`layer-${kind}`).value} %` : answer.withheld ? "hidden" : "none";
  }
}

function makeLayers() {
  for (const [kind, layer] of Object.entries(LAYERS)) {
    const id = `layer-${kind}`;
    const slider = element("input", { id, type: "range", min: 0, max: 100, value: 100 * layer.opacity, disabled: true, "aria-describedby": kind === "guided" ? "sanity" : null });
    const output = element("output", { id: `${id}-said`, for: id, text: "none" });
    slider.addEventListener("input", () => {
      viewer.setOpacity(kind, slider.value / 100);
      output.textContent = `${slider.value} %`;
    });
    const label = element("label", { for: id }, element("span", { class: `swatch ${kind}`, "aria-hidden": "true" }), layer.name);
    byId("layers").append(element("div", { class: "slider" }, label, slider, output));
  }
}

function showReading(answer) {
  const stored = answer.screen_date !== undefined;
  byId("reading").hidden = !(stored && me.scopes.includes("review"));
  byId("reading-form").reset();
  showProblem(byId("reading-problem"), null);
  const before = answer.finding ? `You read it as ${FINDINGS[answer.finding]}. Another reading takes its place; both are kept.` : "";
  byId("reading-before").textContent = before || (answer.withheld ? "Scores and heatmaps show after you have saved it." : "");
}

async function save(event) {
  event.preventDefault();
  const finding = new FormData(byId("reading-form")).get("finding");
  try {
    await postJson("/v1/readings", { instance: shown.object_id, finding, comment: byId("comment").value || null });
  } catch (problem) {
    showProblem(byId("reading-problem"), problem.message);
    return;
  }
  await guarded(async () => {
    const id = shown.object_id;
    await worklist.load();
    await openStored(id);
    say(`Reading saved: ${FINDINGS[finding]}. ${verdict(shown).words}.`);
  });
}

async function take(files) {
  for (const file of files) {
    const button = element("button", { type: "button", class: "entry", disabled: true }, element("span", { class: "entry-name", text: file.name }), element("span", { class: "tag", text: "waiting…" }));
    byId("file-list").prepend(element("li", {}, button));
    say(`Scoring ${file.name}`);
    let answer;
    try {
      answer = await scoreFile(file);
    } catch (problem) {
      button.lastChild.replaceWith(element("span", { class: "tag refused", text: "not carried out" }), element("span", { class: "soft", text: problem.message }));
      await guarded(() => Promise.reject(problem));
      continue;
    }
    const { words, kind } = verdict(answer);
    button.lastChild.replaceWith(element("span", { class: `tag ${kind}`, text: words }));
    button.disabled = false;
    const openIt = () => {
      for (const other of byId("file-list").querySelectorAll("button")) other.removeAttribute("aria-current");
      button.setAttribute("aria-current", "true");
      return open(answer, `Radiograph ${file.name}`);
    };
    button.addEventListener("click", openIt);
    await openIt();
  }
}

function listen() {
  byId("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    token.set(byId("token").value.trim());
    byId("token").value = "";
    guarded(enter);
  });
  byId("forget").addEventListener("click", () => askForToken(null));
  for (const view of ["files", "worklist"]) byId(`view-${view}`).addEventListener("click", () => guarded(() => choose(view)));
  for (const name of Object.keys(sliders)) byId(name).addEventListener("input", () => viewer.set({ [name]: Number(byId(name).value) }));
  for (const radio of document.querySelectorAll("input[name=drag]")) radio.addEventListener("change", () => (viewer.drag = radio.value));
  byId("reset").addEventListener("click", () => viewer.reset());
  byId("reading-form").addEventListener("submit", save);
  byId("choose").addEventListener("change", async (event) => {
    const files = [...event.target.files];
    event.target.value = "";
    await take(files);
  });
  const drop = byId("drop");
  for (const name of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragover");
      if (name === "drop") take([...event.dataTransfer.files]);
    });
  }
}

makeLayers();
listen();
if (document.documentElement.dataset.token === "needed" && !token.get()) askForToken(null);
else guarded(enter);
