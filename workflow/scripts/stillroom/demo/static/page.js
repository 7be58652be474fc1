// Asks the chosen systems one after the other, so that none disturbs the clock of another, and shows what they find.
// Passages are put into the page as text, never as markup. Words are compared by ../../report/words.js.
"use strict";

const SHOWN_LETTERS = 320; // of a passage, until more is asked for

const form = document.getElementById("question");
const field = document.getElementById("query");
const statusLine = document.getElementById("status");
const answers = document.getElementById("answers");
let turn = 0; // what an earlier query's systems answer is dropped

form.addEventListener("submit", (event) => {
  event.preventDefault();
  search();
});
for (const example of form.querySelectorAll(".examples button")) {
  example.addEventListener("click", () => {
    field.value = example.textContent;
    search();
  });
}
if (matchMedia("(max-width: 40rem)").matches) form.querySelector("details").open = false;
restore();

/** Search at once where the address has a query, as after a reload. */
function restore() {
  const address = new URLSearchParams(location.search);
  const systems = address.getAll("system");
  for (const box of form.querySelectorAll("[name=system]")) {
    if (systems.length) box.checked = systems.includes(box.value);
  }
  field.value = address.get("query") ?? "";
  if (field.value) search();
}

async function search() {
  const query = field.value.trim();
  const systems = [...form.querySelectorAll("[name=system]:checked")].map((box) => ({
    name: box.value,
    label: box.dataset.label,
  }));
  if (!query || !systems.length) {
    statusLine.textContent = query ? "Choose a system." : "Type a query.";
    return;
  }
  const mine = ++turn;
  remember(query, systems);
  const columns = systems.map(newColumn);
  answers.replaceChildren(...columns.map((column) => column.section));
  const found = [];
  for (const [place, system] of systems.entries()) {
    statusLine.textContent = `Asking ${system.label} …`;
    const answer = await ask(system, query);
    if (mine !== turn) return;
    show(columns[place], answer, query);
    if (answer.passages) found.push({ ...answer, ...columns[place], label: system.label });
  }
  compare(found);
  const silent = systems.length - found.length;
  statusLine.textContent =
    `${found.length} of ${systems.length} systems answered` + (silent ? "; what went wrong stands in the others." : ".");
}

/** Put query and systems into the address, to be kept or reloaded. */
function remember(query, systems) {
  const address = new URLSearchParams([["corpus", form.dataset.corpus], ["query", query]]);
  for (const system of systems) address.append("system", system.name);
  history.replaceState(null, "", `?${address}`);
}

async function ask(system, query) {
  const question = new URLSearchParams({ corpus: form.dataset.corpus, system: system.name, query });
  try {
    const response = await fetch(`search?${question}`);
    return await response.json();
  } catch {
    return { error: "The demo does not answer; is it still running in the terminal?" };
  }
}

/** An element with a class and children, which are elements or text. */
function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** The column of a system before it has answered. */
function newColumn(system, place) {
  const letter = String.fromCharCode(65 + place);
  const section = element("section");
  const title = element("h2", "", element("span", "letter", letter), element("span", "", system.label));
  title.id = `system-${place}`;
  section.setAttribute("aria-labelledby", title.id);
  section.setAttribute("aria-busy", "true");
  const head = element("div", "head", title, element("code", "", system.name));
  section.append(head);
  return { section, head, letter };
}

function show({ section, head }, answer, query) {
  section.setAttribute("aria-busy", "false");
  if (answer.error) {
    section.append(element("p", "error", answer.error));
    return;
  }
  head.append(element("p", "", times(answer)));
  if (!answer.passages.length) {
    section.append(element("p", "nothing", "No passage has a word of the query."));
    return;
  }
  const terms = termsOf(query);
  section.append(element("ol", "", ...answer.passages.map((passage, place) => item(passage, place + 1, terms))));
}

function times({ encode_ms, search_ms }) {
  const search = `search ${milliseconds(search_ms)}`;
  return encode_ms === null ? search : `encode ${milliseconds(encode_ms)}, ${search}`;
}

function milliseconds(number) {
  return `${number < 9.95 ? number.toFixed(1) : Math.round(number).toLocaleString("en")} ms`;
}

function item(passage, rank, terms) {
  const facts = element("p", "facts", element("b", "", `${rank}`), passage.score.toFixed(2));
  facts.append(element("span", "id", passage.id), element("span", "others"));
  const text = element("p", "text");
  const listed = element("li", "passage", facts, text);
  const fill = (shown) => text.replaceChildren(...markedText(shown, terms));
  if (passage.text.length <= SHOWN_LETTERS) {
    fill(passage.text);
    return listed;
  }
  fill(`${passage.text.slice(0, SHOWN_LETTERS).replace(/\S*$/, "")}…`);
  const more = element("button", "more", "the whole passage");
  more.type = "button";
  more.addEventListener("click", () => {
    fill(passage.text);
    more.remove();
  });
  listed.append(more);
  return listed;
}

/** Say of each passage who else has found it, and draw the times to one scale. */
function compare(found) {
  const slowest = Math.max(...found.map((answer) => (answer.encode_ms ?? 0) + answer.search_ms));
  for (const answer of found) {
    const bar = element("div", "bar");
    bar.setAttribute("aria-hidden", "true");
    for (const part of ["encode", "search"]) {
      const milliseconds = answer[`${part}_ms`];
      if (milliseconds === null) continue;
      const stretch = element("i", part);
      stretch.style.width = `${(100 * milliseconds) / slowest}%`;
      bar.append(stretch);
    }
    answer.head.append(bar);
    if (found.length > 1) sayWhoElse(answer, found);
  }
}

function sayWhoElse(answer, found) {
  const items = answer.section.querySelectorAll("li.passage");
  for (const [place, passage] of answer.passages.entries()) {
    const ranks = [];
    for (const other of found) {
      const rank = 1 + other.passages.findIndex((theirs) => theirs.id === passage.id);
      if (other !== answer && rank) ranks.push(`${other.letter} ${rank}`);
    }
    items[place].querySelector(".others").textContent = ranks.length ? `also ${ranks.join(", ")}` : "only here";
  }
}
