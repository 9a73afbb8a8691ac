// A few words to build elements with; text is always text, never markup.

export const byId = (id) => document.getElementById(id);

/** Return an element; `properties` are attributes, of which class, text and on… mean what they say. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") made.textContent = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** Say something in the live region, which screen readers read out. */
export function say(words) {
  byId("live").textContent = words;
}

/** Show a problem in its place, or none. */
export function showProblem(place, words) {
  place.textContent = words ?? "";
  place.hidden = !words;
}

export const FINDINGS = { normal: "normal", pneumonia: "pneumonia, not COVID-19", covid: "COVID-19 pneumonia", unreadable: "unreadable" };
