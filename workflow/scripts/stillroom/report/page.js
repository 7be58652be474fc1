// What tables can do: be sorted, and say where a number is from. Markup is made of elements and text only, never parsed
// from strings, so that no text of a collection can become markup.

const unpacked = new Map();

// Data of the page: compressed JSON in base64, opened when it is asked for.
function unpack(name) {
  if (!unpacked.has(name)) {
    const letters = document.getElementById(`data-${name}`).textContent.trim();
    const bytes = Uint8Array.from(atob(letters), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    unpacked.set(name, new Response(stream).json());
  }
  return unpacked.get(name);
}

// An element with properties and children: element("p", { className: "note" }, "text", other).
function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// Sorting

const FIRST_ORDER = { number: "descending", text: "ascending" };
const OTHER = { ascending: "descending", descending: "ascending" };

function makeSortable(table) {
  const headers = [...(table.tHead?.rows[table.tHead.rows.length - 1]?.cells ?? [])];
  const body = table.tBodies[0];
  const rows = [...(body?.rows ?? [])];
  if (rows.length < 2 || rows.some((row) => row.cells.length !== headers.length)) return;
  repeatLabels(rows);
  headers.forEach((header, column) => {
    const button = element("button", { type: "button", className: "sort" }, ...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => sortBy(table, rows, headers, column));
  });
}

// A label that is printed once for the rows of its group is said for each of them, and shown when they are apart.
function repeatLabels(rows) {
  const above = [];
  for (const row of rows) {
    [...row.cells].forEach((cell, column) => {
      if (cell.tagName !== "TH") return;
      if (cell.textContent.trim() === "" && above[column]) {
        cell.append(element("span", { className: "repeated" }, above[column]));
      }
      above[column] = cell.textContent;
    });
  }
}

function sortBy(table, rows, headers, column) {
  const kind = rows.some((row) => row.cells[column].dataset.value !== undefined) ? "number" : "text";
  const now = headers[column].getAttribute("aria-sort");
  const next = now === null ? FIRST_ORDER[kind] : now === FIRST_ORDER[kind] ? OTHER[now] : null;
  headers.forEach((header) => header.removeAttribute("aria-sort"));
  if (next) headers[column].setAttribute("aria-sort", next);
  table.classList.toggle("sorted", next !== null);
  table.tBodies[0].append(...(next ? sorted(rows, column, kind, next) : rows));
}

// Rows without a value are last in both directions; equal ones keep their order.
function sorted(rows, column, kind, order) {
  const sign = order === "ascending" ? 1 : -1;
  const keyOf = (row) => {
    const cell = row.cells[column];
    return kind === "text" ? cell.textContent.trim() : cell.dataset.value ? Number(cell.dataset.value) : null;
  };
  const compare = (one, two) => {
    const [a, b] = [keyOf(one), keyOf(two)];
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (kind === "text" ? a.localeCompare(b, "en", { numeric: true }) : a - b);
  };
  return [...rows].sort(compare);
}

// A wide table scrolls in a frame of its own, which the keyboard can reach.
function makeScrollable(table) {
  if (table.closest(".scroll")) return;
  const name = table.closest("section")?.querySelector("h2, h3")?.textContent ?? "Table";
  const frame = element("div", { className: "scroll", tabIndex: 0 });
  frame.setAttribute("role", "region");
  frame.setAttribute("aria-label", `${name}, scrolls sideways`);
  table.replaceWith(frame);
  frame.append(table);
}

// Where a number is from

const dialog = document.getElementById("number");

function makeTraceable(cell) {
  const button = element("button", { type: "button", className: "number" }, ...cell.childNodes);
  button.setAttribute("aria-haspopup", "dialog");
  cell.append(button);
  button.addEventListener("click", () => showOrigin(cell));
}

async function showOrigin(cell) {
  const known = await unpack("provenance");
  const sources = cell.dataset.source.split(" ");
  const content = dialog.querySelector(".content");
  const where = [cell.closest("table"), cell.closest("tr").querySelector("th")].filter(Boolean);
  dialog.querySelector("h2").textContent = `Where ${cell.textContent.trim()} is from`;
  content.replaceChildren(
    facts([
      ["row", where[1]?.textContent.trim() ?? ""],
      ["value", cell.dataset.value],
      ["measure", cell.dataset.measure],
      ["mean of", sources.length > 1 ? `${sources.length} files` : ""],
    ]),
    ...sources.map((source) => originOf(source, cell.dataset.measure, known)),
  );
  dialog.showModal();
}

// Terms and what is known of them; what is empty is left out.
function facts(pairs) {
  const list = element("dl", { className: "facts" });
  for (const [term, value] of pairs) {
    if (value !== "" && value !== undefined && value !== null) {
      list.append(element("dt", {}, term), element("dd", {}, value));
    }
  }
  return list;
}

function originOf(source, measure, known) {
  const found = known.sources[source];
  const part = element("section", {}, element("h3", {}, element("code", {}, source)));
  if (!found) return part;
  const notation = found.measures[measure] ?? measure;
  const { run, qrels } = found.data;
  part.append(facts([
    ...Object.entries(found.data).map(([name, [path, digest]]) => [name, withDigest(path, digest)]),
    ...Object.entries(found.facts).map(([name, value]) => [name.replaceAll("_", " "), String(value)]),
  ]));
  if (run && qrels && notation) {
    part.append(
      element("p", {}, "Computed again from the run alone:"),
      element("pre", { tabIndex: 0 }, `ir_measures ${qrels[0]} ${run[0]} '${notation}'`),
    );
  }
  const steps = found.steps.map((place) => known.steps[place]);
  part.append(element("h4", {}, "Steps, the last first"), ...steps.reverse().map((step) => stepOf(step, known)));
  return part;
}

function withDigest(path, digest) {
  return element("span", {}, element("code", {}, path), digest ? " sha256 " : "", element("code", {}, digest));
}

function stepOf(step, known) {
  const cost = [
    step.seconds === null ? "not timed" : durationOf(step.seconds),
    step.gigabytes === null ? "" : `${step.gigabytes.toFixed(1)} GB`,
    step.gpu_hours ? `${step.gpu_hours.toFixed(2)} GPU-hours` : "",
  ].filter(Boolean);
  const machine = step.machine === null ? null : known.machines[step.machine];
  return element("details", {},
    element("summary", {}, element("strong", {}, step.rule), ` ${cost.join(", ")} `, element("code", {}, step.makes[0])),
    facts([
      ["makes", step.makes.join(" ")],
      ["code digest", step.code],
      ["machine", machine ? machineOf(machine) : "not noted"],
      ["versions", machine ? versionsOf(machine) : ""],
      ["settings", step.settings ? element("pre", { tabIndex: 0 }, step.settings) : ""],
    ]));
}

function machineOf(machine) {
  const gpus = machine.gpus.length ? `, ${machine.gpus.join(", ")}` : "";
  return `${machine.processor}, ${machine.cores} cores, ${machine.memory_gb} GB${gpus}, ${machine.system}`;
}

function versionsOf(machine) {
  const libraries = Object.entries(machine.libraries).map(([name, version]) => `${name} ${version}`);
  return [`Python ${machine.python}`, ...libraries].join(", ");
}

function durationOf(seconds) {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

for (const table of document.querySelectorAll("main table")) {
  makeSortable(table);
  makeScrollable(table);
}
for (const cell of document.querySelectorAll("td[data-source]")) makeTraceable(cell);
dialog.querySelector(".close").addEventListener("click", () => dialog.close());
