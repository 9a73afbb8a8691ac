// The positives of a night, to be read from the top.

import { getJson } from "./api.js";
import { FINDINGS, byId, element } from "./dom.js";

export class WorklistPanel {
  /** `opened` is called with the object_id of the entry that was chosen. */
  constructor(opened) {
    this.opened = opened;
    this.chosen = null;
    byId("night").addEventListener("change", () => this.load({ night: byId("night").value }));
    byId("site").addEventListener("change", () => this.load({ night: byId("night").value, site: byId("site").value }));
  }

  /** Ask for a night and site, or those shown last, and show them. Throws Problem. */
  async load(asked = this.asked ?? {}) {
    this.asked = asked;
    const query = new URLSearchParams(Object.entries(asked).filter(([, value]) => value));
    const list = await getJson(`/v1/worklist?${query}`);
    choices(byId("night"), list.nights.map((night) => [night, night]), list.night);
    choices(byId("site"), [["", "all sites"], ...list.sites.map((site) => [site, site])], list.site ?? "");
    const order = list.blind ? "Unread ones come first, in an order by chance; scores show after your reading." : "Most urgent first.";
    const more = list.total > list.entries.length ? `The first ${list.entries.length} of ${list.total}` : `${list.total}`;
    byId("worklist-said").textContent = list.night ? `${more} called positive by the cascade. ${order}` : "Nothing was screened yet.";
    byId("worklist-list").replaceChildren(...list.entries.map((entry) => this.item(entry)));
    this.mark(this.chosen);
    return list;
  }

  item(entry) {
    const who = [entry.age_years === null ? null : `${entry.age_years} y`, entry.PatientSex].filter(Boolean).join(" ");
    const button = element("button", { type: "button", class: "entry", "data-id": entry.object_id, onclick: () => this.opened(entry.object_id) },
      element("span", { class: "entry-name", text: entry.InstitutionName ?? "unknown site" }),
      call(entry),
      element("span", { class: "soft", text: [who, entry.StudyDate].filter(Boolean).join(", ") }),
      element("span", { class: entry.finding ? "read" : "unread", text: entry.finding ? `read: ${FINDINGS[entry.finding]}` : "unread" }));
    return element("li", {}, button);
  }

  mark(id) {
    this.chosen = id;
    for (const button of byId("worklist-list").querySelectorAll("button")) {
      if (button.dataset.id === id) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
  }
}

function call(entry) {
  if (entry.covid_positive === null) return element("span", { class: "tag hidden", text: "hidden" });
  return entry.covid_positive
    ? element("span", { class: "tag covid", text: `COVID-19 ${entry.covid_value.toFixed(2)}` })
    : element("span", { class: "tag pneumonia", text: `pneumonia ${entry.pneumonia_value.toFixed(2)}` });
}

function choices(select, options, value) {
  select.replaceChildren(...options.map(([key, words]) => element("option", { value: key, text: words })));
  select.value = value ?? "";
}
