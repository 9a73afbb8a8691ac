// An answer in words and bars, with its threshold; or why there is none, and what to do.

import { element } from "./dom.js";

const number = (value) => value.toFixed(3);

/** Return what the cascade says, in a few words. */
export function verdict(answer) {
  if (answer.withheld) return { words: "Scores hidden", kind: "hidden" };
  if (answer.outcome !== "scored") return { words: `Not scored: ${(answer.reason ?? answer.outcome).replaceAll("_", " ")}`, kind: "refused" };
  if (answer.covid_positive) return { words: "COVID-19 positive", kind: "covid" };
  if (answer.pneumonia_positive) return { words: "Pneumonia positive, COVID-19 negative", kind: "pneumonia" };
  return { words: "Negative", kind: "negative" };
}

/** Return a stage's probability (or score, where the bundle has no calibration) beside its threshold. */
function bar(stage, name, answer) {
  const calibrated = answer[`${stage}_probability`];
  const value = calibrated ?? answer[`${stage}_score`];
  const threshold = answer[`${stage}_threshold`];
  const what = calibrated === null ? "score" : "probability";
  if (value === null || value === undefined) {
    return element("div", { class: "bar-row" }, element("p", { class: "bar-name", text: name }), element("p", { class: "soft", text: "not reached: stage 2 is negative" }));
  }
  const positive = value >= threshold;
  const drawn = element("div", { class: `track ${positive ? "over" : "under"} ${stage}`, "aria-hidden": "true" }, element("span", { class: "fill" }), element("span", { class: "mark" }));
  drawn.style.setProperty("--value", value);
  drawn.style.setProperty("--threshold", threshold);
  const words = `${what} ${number(value)}, ${positive ? "at or above" : "below"} the threshold ${number(threshold)}`;
  return element("div", { class: "bar-row" },
    element("p", { class: "bar-name" }, element("span", { text: name }), element("strong", { text: number(value) })),
    drawn,
    element("p", { class: "soft", text: words }));
}

function facts(answer) {
  const known = {
    "Site": answer.InstitutionName,
    "Age": answer.age_years === null ? null : `${answer.age_years} years`,
    "Sex": answer.PatientSex,
    "View": answer.ViewPosition,
    "Study": answer.StudyDate,
    "Lung area": answer.lung_area_fraction === null ? null : `${(100 * answer.lung_area_fraction).toFixed(0)} % of the image`,
    "Night": answer.screen_date,
    "Bundle": `${answer.bundle_name} (${answer.bundle_digest.slice(0, 12)})`,
  };
  const rows = Object.entries(known).filter(([, value]) => value !== null && value !== undefined);
  return element("dl", {}, ...rows.flatMap(([name, value]) => [element("dt", { text: name }), element("dd", { text: value })]));
}

/** Fill `place` with an answer. */
export function showAnswer(place, answer) {
  const { words, kind } = verdict(answer);
  const parts = [element("p", { class: `verdict ${kind}`, text: words })];
  if (answer.withheld) parts.push(element("p", { text: `They are ${answer.withheld}.` }));
  else if (answer.outcome === "scored") {
    parts.push(bar("pneumonia", "Pneumonia (stage 2)", answer));
    parts.push(bar("covid", answer.audit_sample ? "COVID-19 (stage 3, audit sample)" : "COVID-19 (stage 3)", answer));
  } else {
    parts.push(element("p", {}, element("strong", { text: "Why: " }), answer.detail ?? "no detail was given"));
    parts.push(element("p", { class: "soft", text: answer.outcome === "failed" ? "It might be scored: try again." : "This file would be refused again. A refused image is not a negative one." }));
  }
  place.replaceChildren(...parts, facts(answer));
}
