// Building the page. Strings become text and nothing else: no markup is ever made from them.

const byID = (id) => document.getElementById(id);

/** Marks what would hide or turn other text around, so that a name cannot be shown as another. */
const plain = (text) => String(text).replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu, (scalar) =>
  scalar === "\n" || scalar === "\t" ? " " : `⟨U+${scalar.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);

/** An element with attributes and children; children that are no nodes become text. */
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : plain(value));
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat(3)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : plain(child));
  }
}

function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

/** Replaces text only when it differs, so that nothing is read aloud twice. */
function say(element, text) {
  const shown = plain(text);
  if (element.textContent !== shown) element.textContent = shown;
}

const drawing = "http://www.w3.org/2000/svg";

function icon(name) {
  const svg = document.createElementNS(drawing, "svg");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(drawing, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

const mark = (name, word, tone) => make("span", { class: "mark", "data-tone": tone }, icon(name), word);
const code = (text) => make("span", { class: "id" }, text);
const number = (value) => Math.abs(value) >= 10000 ? value.toLocaleString("en").replaceAll(",", "\u202f") : String(value);
const count = (value, one, many) => `${number(value)} ${value === 1 ? one : many ?? one + "s"}`;

// MARK: Times

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (value) => String(value).padStart(2, "0");

/** How far the ledger's clock is ahead of this machine's, in milliseconds. */
let clockDifference = 0;
const now = () => Date.now() + clockDifference;

const clock = (time) => `${two(time.getUTCHours())}:${two(time.getUTCMinutes())}:${two(time.getUTCSeconds())}`;

/** The time of day, with the day when it is another one; UTC. */
function instant(text) {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) return "?";
  const today = new Date(now());
  const sameDay = time.toISOString().slice(0, 10) === today.toISOString().slice(0, 10);
  const day = `${time.getUTCDate()} ${months[time.getUTCMonth()]}`;
  const year = time.getUTCFullYear() === today.getUTCFullYear() ? "" : ` ${time.getUTCFullYear()}`;
  return sameDay ? clock(time) : `${day}${year} ${clock(time)}`;
}

function distance(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h ${two(Math.floor(seconds / 60) % 60)}`;
  return `${Math.floor(seconds / 86400)} days`;
}

function age(text) {
  const difference = now() - new Date(text).getTime();
  if (Number.isNaN(difference)) return "";
  return difference >= -999 ? `${distance(difference)} ago` : `in ${distance(-difference)}`;
}

/** A time with its age, which goes on by itself. */
function when(text, { short = false } = {}) {
  if (!text) return "";
  const exact = make("time", { datetime: text, title: `${text}` }, instant(text));
  return short ? exact : [exact, " ", make("span", { class: "ago", "data-age": text }, age(text))];
}

const ago = (text) => make("span", { "data-age": text }, age(text));

function tellAges() {
  for (const element of document.querySelectorAll("[data-age]")) say(element, age(element.dataset.age));
}

// MARK: Tables

/** A table of rows of cells; each cell is told by its column's name on a narrow screen. */
function table(caption, columns, rows) {
  return make("table", {},
    make("caption", { class: "unseen" }, caption),
    make("thead", {}, make("tr", {}, columns.map((column) =>
      make("th", { scope: "col", class: column.kind }, column.name)))),
    make("tbody", {}, rows.map((row) => make("tr", { "data-key": row.key, "aria-selected": row.selected ? "true" : null },
      row.cells.map((cell, index) => make(index === 0 && row.header ? "th" : "td",
        { class: columns[index].kind, "data-label": columns[index].name, scope: index === 0 && row.header ? "row" : null },
        wrapped(cell)))))));
}

/** One element a cell, so that it stays one beside its label on a narrow screen. */
const wrapped = (cell) => Array.isArray(cell) ? (cell.length ? make("div", {}, cell) : null)
  : cell instanceof Node || cell === null || cell === undefined || cell === "" ? cell : make("span", {}, cell);

const sheet = (title, note, ...children) => make("section", { class: "sheet" },
  make("h2", {}, make("span", {}, title), note ? make("span", { class: "note" }, note) : null), children);

const empty = (text) => make("p", { class: "empty" }, text);

function facts(pairs) {
  return make("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
}

/** A link that opens a request beside the list; the one that the keys j and k go to. */
const requestLink = (id) => id ? make("a", { class: "row", href: address({ request: id }), "data-request": id }, id) : "";
