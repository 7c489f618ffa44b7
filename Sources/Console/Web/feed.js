// Asking the worker. Nothing is asked while nobody looks.

class Fault extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const tags = new Map();

/** Asks for a document. Returns `null` when it is the one that was had last. */
async function ask(path, { fresh = false } = {}) {
  const known = fresh ? undefined : tags.get(path);
  const response = await fetch(path, {
    headers: known ? { "if-none-match": known } : {}, credentials: "same-origin", redirect: "error", cache: "no-store",
    signal: AbortSignal.timeout(10000),
  });
  const asOf = response.headers.get("x-console-as-of");
  if (asOf) clockDifference = new Date(asOf).getTime() - Date.now();
  if (response.status === 304) return null;
  const body = await read(response);
  const tag = response.headers.get("etag");
  if (tags.size > 200) tags.clear();
  if (tag) tags.set(path, tag);
  return body;
}

async function read(response) {
  let body = null;
  try { body = await response.json(); } catch { body = null; }
  if (response.ok && body) return body;
  throw new Fault(response.status, body?.error?.code ?? "unknown",
    body?.error?.message ?? body?.error_description ?? body?.message ?? `the worker answered with status ${response.status}`);
}

/** Sends something that changes something. */
async function send(path, { body, headers } = {}) {
  const response = await fetch(path, {
    method: "POST", credentials: "same-origin", redirect: "error", cache: "no-store",
    headers: { ...(body ? { "content-type": "application/json" } : {}), ...headers },
    body: body ? JSON.stringify(body) : undefined, signal: AbortSignal.timeout(20000),
  });
  return read(response);
}

const search = (values) => {
  const pairs = Object.entries(values).filter(([, value]) => value);
  return pairs.length ? `?${new URLSearchParams(pairs)}` : "";
};

// MARK: Decisions, page by page

/** The list of decisions: its newest page is asked for again and again, older ones stay. */
class DecisionList {
  static most = 600;
  entries = new Map();
  next = null;
  note = null;
  query = "";
  held = 0;

  /** Takes the newest page. True when something changed. */
  async refresh(filter, isPaused) {
    const query = search(filter);
    const isOther = query !== this.query;
    const page = await ask(`/console/api/v1/decisions${query}`, { fresh: isOther || this.entries.size === 0 });
    if (!page) return false;
    if (isPaused && !isOther) {
      this.held = page.decisions.filter((entry) => !this.entries.has(entry.place)).length;
      tags.delete(`/console/api/v1/decisions${query}`);
      return true;
    }
    this.query = query;
    this.held = 0;
    const isGap = page.next !== null && !page.decisions.some((entry) => this.entries.has(entry.place));
    if (isOther || isGap || this.entries.size === 0 || this.entries.size > DecisionList.most) {
      this.entries = new Map();
      this.take(page, true);
    } else {
      this.take(page, false);
    }
    return true;
  }

  async older() {
    if (!this.next) return;
    this.take(await ask(`/console/api/v1/decisions${this.query}${this.query ? "&" : "?"}before=${this.next}`, { fresh: true }), true);
  }

  take(page, isEnd) {
    for (const entry of page.decisions) this.entries.set(entry.place, entry);
    if (!isEnd) return;
    this.next = page.next;
    this.note = page.is_cut_short ? page.searched_to : null;
  }

  get rows() {
    const order = (place) => place.split(".").map(Number);
    return [...this.entries.values()].sort((left, right) => {
      const [a, b] = [order(left.place), order(right.place)];
      return b[0] - a[0] || b[1] - a[1] || b[2] - a[2];
    });
  }
}

/** A list that goes on from a place: what waits, what lives. */
class PlacedList {
  rows = [];
  next = null;
  path = "";

  constructor(member) { this.member = member; }

  async refresh(path) {
    const isOther = path !== this.path;
    const page = await ask(path, { fresh: isOther });
    if (!page) return false;
    // Pages behind the first may have moved: they are asked for again by whoever wants them.
    this.path = path;
    this.rows = page[this.member];
    this.next = page.next;
    return true;
  }

  async more() {
    if (!this.next) return;
    const page = await ask(`${this.path}${this.path.includes("?") ? "&" : "?"}after=${this.next}`, { fresh: true });
    const known = new Set(this.rows.map((row) => row.request_id));
    this.rows = this.rows.concat(page[this.member].filter((row) => !known.has(row.request_id)));
    this.next = page.next;
  }
}
