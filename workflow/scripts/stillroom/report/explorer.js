// The query explorer: a list of queries, and what up to three systems find for one of them, side by side.

const PAGE_LENGTH = 10;
const control = (name) => document.getElementById(`explorer-${name}`);
const SYSTEM_CONTROLS = ["first", "second", "third"].map(control);
const state = { index: null, page: 0, query: null };

const ORDERS = {
  differ: (values) => -spreadOf(values),
  ahead: (values) => values[1] - values[0],
  behind: (values) => values[0] - values[1],
  lowest: (values) => values.reduce((sum, value) => sum + value, 0),
};

function spreadOf(values) {
  return Math.max(...values) - Math.min(...values);
}

// Three decimals without a leading zero, as the tables have them.
function numberOf(value) {
  return value.toFixed(3).replace(/^(-?)0\./, "$1.");
}

function option(value, text) {
  return element("option", { value: String(value) }, text);
}

// The places of the systems that are compared, each once.
function chosenSystems() {
  const places = SYSTEM_CONTROLS.map((select) => select.value).filter((value) => value !== "");
  return [...new Set(places)].map(Number);
}

async function openTestSet() {
  state.index = await unpack(control("test-set").value);
  const { systems, values, queries } = state.index;
  const labels = systems.map(({ label }, place) => option(place, label));
  SYSTEM_CONTROLS.forEach((select, place) => {
    const none = place === 0 ? [] : [option("", "none")];
    select.replaceChildren(...none, ...labels.map((each) => each.cloneNode(true)));
    select.value = String([0, systems.length - 1, ""][place]);
  });
  if (systems.length === 1) SYSTEM_CONTROLS[1].value = "";
  control("measure").replaceChildren(...Object.keys(values).map((name) => option(name, name)));
  control("words").value = "";
  control("capped").textContent = document.getElementById(`data-${control("test-set").value}`).dataset.capped;
  showList();
  if (queries.length) showQuery(listed()[0] ?? 0);
}

// The places of the queries that fit what is asked for, in the order that is asked for.
function listed() {
  const { queries, values } = state.index;
  const [systems, measured] = [chosenSystems(), values[control("measure").value]];
  const words = control("words").value.trim().toLowerCase().split(/\s+/);
  const least = Number(control("least").value) || 0;
  const of = (place) => systems.map((system) => measured[system][place]);
  const places = queries.map((_, place) => place).filter((place) => {
    const text = queries[place].join(" ").toLowerCase();
    return words.every((word) => text.includes(word)) && spreadOf(of(place)) >= least - 1e-9;
  });
  const keyOf = ORDERS[control("order").value];
  if (!keyOf) return places.sort((one, two) => queries[one][1].localeCompare(queries[two][1], "en"));
  const keys = new Map(places.map((place) => [place, keyOf(of(place)) || 0]));
  return places.sort((one, two) => keys.get(one) - keys.get(two));
}

function showList() {
  const { systems } = state.index;
  const [places, compared] = [listed(), chosenSystems()];
  const pages = Math.max(1, Math.ceil(places.length / PAGE_LENGTH));
  state.page = Math.min(Math.max(state.page, 0), pages - 1);
  const first = state.page * PAGE_LENGTH;
  const here = places.slice(first, first + PAGE_LENGTH);
  const heads = ["query", ...compared.map((place) => systems[place].label)];
  if (compared.length > 1) heads.push("difference");
  const header = heads.map((text) => element("th", { scope: "col" }, text));
  control("head").replaceChildren(element("tr", {}, ...header));
  control("list").replaceChildren(...here.map((place) => listedQuery(place, compared)));
  const range = here.length ? `${first + 1}–${first + here.length} of ` : "";
  control("count").textContent = `${range}${places.length.toLocaleString("en")} queries`;
  control("previous").disabled = state.page === 0;
  control("next").disabled = state.page >= pages - 1;
}

function listedQuery(place, compared) {
  const { queries, values } = state.index;
  const measured = values[control("measure").value];
  const own = compared.map((system) => measured[system][place]);
  const button = element("button", { type: "button", className: "query" }, queries[place][1]);
  if (place === state.query) button.setAttribute("aria-current", "true");
  button.addEventListener("click", () => showQuery(place, true));
  const cells = own.map((value) => element("td", {}, numberOf(value)));
  if (own.length > 1) cells.push(differenceOf(own));
  return element("tr", {}, element("th", { scope: "row" }, button), ...cells);
}

// Of two systems how far the second is above the first, of three how far they are apart.
function differenceOf(own) {
  if (own.length > 2) return element("td", {}, numberOf(spreadOf(own)));
  const difference = own[1] - own[0];
  const side = difference > 0 ? "above" : difference < 0 ? "below" : "within";
  return element("td", { className: side }, `${difference > 0 ? "+" : ""}${numberOf(difference)}`);
}

async function showQuery(place, isAsked = false) {
  const { index } = state;
  const [id, text] = index.queries[place];
  const block = await unpack(`${control("test-set").value}-${Math.floor(place / index.per_block)}`);
  if (index !== state.index) return; // meanwhile another test set was chosen
  state.query = place;
  showList();
  const shown = {
    place,
    found: block.queries[id],
    passages: block.passages,
    grades: new Map(block.queries[id].grades),
    terms: termsOf(text),
    compared: chosenSystems(),
  };
  const heading = element("h3", { tabIndex: -1 }, text);
  control("answer").replaceChildren(
    heading,
    element("p", { className: "note" }, "Query ", element("code", {}, id)),
    knownRelevant(shown),
    element("div", { className: "systems" }, ...shown.compared.map((system) => columnOf(system, shown))),
  );
  if (isAsked) heading.focus();
}

// What is known to be relevant, and at which rank each system has it.
function knownRelevant(shown) {
  const { relevant, relevant_count: count } = shown.found;
  const rest = count - relevant.length;
  const items = relevant.map(([passage, ranks]) => {
    const places = shown.compared.map((system) => `${labelOf(system)} ${ranks[system] ?? "not found"}`);
    return element("li", {}, element("p", { className: "ranks" }, `rank: ${places.join(" · ")}`),
      ...passageOf(passage, shown));
  });
  const more = rest > 0 ? `, of which ${relevant.length} are shown` : "";
  const name = `Known to be relevant: ${count} ${count === 1 ? "passage" : "passages"}${more}`;
  return element("details", { className: "relevant" }, element("summary", {}, name), element("ul", {}, ...items));
}

function labelOf(system) {
  return state.index.systems[system].label;
}

function columnOf(system, shown) {
  const measures = Object.entries(state.index.values);
  const values = measures.map(([name, values]) => `${name} ${numberOf(values[system][shown.place])}`);
  const found = shown.found.runs[system];
  const items = found.map(([passage, score], rank) => {
    const others = shown.compared.filter((other) => other !== system).map((other) => {
      const place = shown.found.runs[other].findIndex(([same]) => same === passage);
      return `${labelOf(other)} ${place < 0 ? "–" : place + 1}`;
    });
    const head = element("p", { className: "ranks" },
      element("span", { className: "rank" }, String(rank + 1)),
      element("span", { className: "score" }, String(score)),
      gradeOf(passage, shown));
    const foot = others.length ? [element("p", { className: "others" }, `also at: ${others.join(" · ")}`)] : [];
    return element("li", {}, head, ...passageOf(passage, shown), ...foot);
  });
  const column = element("section", { className: "system" },
    element("h4", { id: `column-${system}` }, labelOf(system)),
    element("p", { className: "note" }, values.join(" · ")),
    items.length ? element("ol", {}, ...items) : element("p", {}, "Nothing was found."));
  column.setAttribute("aria-labelledby", `column-${system}`);
  return column;
}

function gradeOf(passage, shown) {
  const grade = shown.grades.get(passage);
  if (grade === undefined) return element("span", { className: "grade" }, "not judged");
  const isRelevant = grade >= state.index.min_relevance;
  const kind = isRelevant ? "grade is-relevant" : "grade is-judged";
  return element("span", { className: kind }, `${isRelevant ? "relevant" : "not relevant"}, grade ${grade}`);
}

function passageOf(passage, shown) {
  const [id, text] = shown.passages[passage];
  return [
    element("p", { className: "text" }, ...markedText(text, shown.terms)),
    element("p", { className: "id" }, element("code", {}, id)),
  ];
}

function turnPage(by) {
  state.page += by;
  showList();
}

function listAnew() {
  state.page = 0;
  showList();
}

function compareAnew() {
  listAnew();
  if (state.query !== null) showQuery(state.query);
}

function startExplorer() {
  const canUnpack = "DecompressionStream" in window && "Segmenter" in Intl;
  control("too-old").hidden = canUnpack;
  if (!canUnpack) return;
  control("body").hidden = false;
  control("test-set").addEventListener("change", () => {
    state.page = 0;
    state.query = null;
    openTestSet();
  });
  for (const select of SYSTEM_CONTROLS) select.addEventListener("change", compareAnew);
  for (const name of ["measure", "order"]) control(name).addEventListener("change", listAnew);
  for (const name of ["words", "least"]) control(name).addEventListener("input", listAnew);
  control("previous").addEventListener("click", () => turnPage(-1));
  control("next").addEventListener("click", () => turnPage(1));
  openTestSet();
}

if (control("body")) startExplorer();
