// Who is signed in, where one is, what is drawn when, and the keys.

const state = {
  session: null, standing: null, view: "decisions", params: {}, filter: {}, isPaused: false,
  decisions: new DecisionList(), waiting: new PlacedList("requests"), live: new PlacedList("tokens"),
  lastAnswer: 0, failure: null, request: null,
  act: async (step) => {
    try {
      await step();
      drawView();
    } catch (fault) { failed(fault); }
  },
  refreshSoon: () => loop.now(),
};

// MARK: Where one is

const filterNames = ["text", "outcome", "class", "agent", "approval"];

function readAddress() {
  const [view, query] = location.hash.slice(1).split("?");
  const params = Object.fromEntries(new URLSearchParams(query ?? ""));
  return { view: Object.hasOwn(views, view) ? view : "decisions", params };
}

/** The address that differs from this one by these values. */
function address(changes) {
  const { view, params } = readAddress();
  const next = { ...params, ...changes };
  delete next.view;
  const pairs = Object.entries(next).filter(([, value]) => value);
  return `#${changes.view ?? view}${pairs.length ? `?${new URLSearchParams(pairs)}` : ""}`;
}

function go(changes, { replace = false } = {}) {
  if (!replace) {
    location.hash = address(changes);
    return;
  }
  history.replaceState(null, "", address(changes));
  arrive();
}

let lastFocus = null;

function arrive() {
  const { view, params } = readAddress();
  const isOtherView = view !== state.view;
  const wasOpen = state.params.request;
  state.view = view;
  state.params = params;
  state.filter = Object.fromEntries(filterNames.filter((name) => params[name]).map((name) => [name, params[name]]));
  for (const name of filterNames) {
    const input = byID(`f-${name}`);
    if (document.activeElement !== input) input.value = params[name] ?? (name === "outcome" ? "decisions" : "");
  }
  byID("filter").hidden = view !== "decisions";
  byID("matches").hidden = view !== "decisions" || byID("matches").childNodes.length === 0;
  if (params.request !== wasOpen) {
    state.request = null;
    byID("detail").hidden = !params.request;
    if (params.request) {
      lastFocus = document.activeElement?.dataset?.request ?? lastFocus;
      drawRequest(null, params.request);
      byID("detail").focus({ preventScroll: true });
    } else {
      const link = lastFocus && document.querySelector(`#content a.row[data-request="${CSS.escape(lastFocus)}"]`);
      (link ?? byID("main")).focus({ preventScroll: true });
    }
  }
  drawView();
  if (isOtherView && !params.request) byID("main").focus({ preventScroll: true });
  loop.now();
}

// MARK: Drawing

function drawView() {
  if (!state.standing) return;
  drawVitals(state);
  drawStopBanner(state.standing);
  const view = views[state.view];
  say(byID("view-title"), view.title);
  document.title = `${state.standing.verdict.is_issuing ? "" : "■ "}${view.title} · Clawgrant console`;
  say(byID("log-id"), state.standing.log_id);
  const content = byID("content");
  const focused = content.contains(document.activeElement) ? document.activeElement.dataset.request : undefined;
  // Whoever is about to stop something is not disturbed; the rest is drawn at the next answer.
  if (stopForm?.contains(document.activeElement)) return;
  fill(content, view.draw(state));
  if (focused) content.querySelector(`a.row[data-request="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  drawNote();
  const classes = byID("classes");
  const names = (state.standing.grants ?? []).map((each) => each.job_class);
  if (classes.dataset.names !== names.join("\n")) {
    classes.dataset.names = names.join("\n");
    fill(classes, names.map((name) => make("option", { value: name })));
  }
}

function drawNote() {
  const note = byID("view-note");
  if (state.view !== "decisions") return say(note, "");
  if (!state.isPaused) return say(note, "newest first");
  say(note, state.decisions.held ? `paused; ${state.decisions.held}${state.decisions.held >= 50 ? " or more" : ""} newer` : "paused");
}

function drawStale() {
  const banner = byID("stale-banner");
  const since = Date.now() - state.lastAnswer;
  const isStale = state.lastAnswer > 0 && since > 6000 && state.failure !== null;
  banner.hidden = !isStale;
  document.documentElement.toggleAttribute("data-stale", isStale);
  say(byID("live"), isStale ? "not up to date" : state.isPaused ? "paused" : "live");
  if (!isStale) return;
  say(banner, `Not up to date: the last answer came at ${clock(new Date(state.lastAnswer + clockDifference))} UTC. `
    + `What stands here may have changed. ${sentence(state.failure.message)}.`);
}

// MARK: Asking again

const loop = {
  timer: null, isBusy: false, isWanted: false, failures: 0,
  now() {
    clearTimeout(this.timer);
    if (this.isBusy) { this.isWanted = true; return; }
    this.run();
  },
  async run() {
    if (!state.session || document.hidden) return;
    this.isBusy = true;
    try {
      const changed = await refresh();
      this.failures = 0;
      state.failure = null;
      state.lastAnswer = Date.now();
      if (changed) drawView();
    } catch (fault) {
      this.failures += 1;
      failed(fault);
    }
    this.isBusy = false;
    drawStale();
    const pause = this.isWanted ? 0 : this.failures ? Math.min(15000, 1000 * 2 ** this.failures) : 2000;
    this.isWanted = false;
    this.timer = setTimeout(() => this.run(), pause);
  },
};

async function refresh() {
  const wanted = [ask("/console/api/v1/overview", { fresh: !state.standing }).then((standing) => {
    if (standing) state.standing = standing;
    return Boolean(standing);
  })];
  if (state.view === "decisions") {
    wanted.push(state.decisions.refresh(state.filter, state.isPaused));
  } else if (state.view === "waiting") wanted.push(state.waiting.refresh("/console/api/v1/waiting"));
  else if (state.view === "grants") wanted.push(state.live.refresh(`/console/api/v1/live${search({ class: state.filter.class })}`));
  if (state.params.request) wanted.push(refreshRequest(state.params.request));
  const changes = await Promise.all(wanted);
  return changes.includes(true);
}

async function refreshRequest(id) {
  let found;
  try {
    found = await ask(`/console/api/v1/request${search({ id })}`, { fresh: state.request === null });
  } catch (fault) {
    if (!(fault instanceof Fault) || fault.status !== 404) throw fault;
    found = fault;
  }
  if (found && state.params.request === id) {
    state.request = found;
    drawRequest(found, id);
  }
  return false;
}

function failed(fault) {
  if (fault instanceof Fault && fault.status === 401) return showSignIn("The session is over. Sign in again.");
  state.failure = fault instanceof Fault ? fault : new Fault(0, "unreachable", "the worker does not answer; another one may");
  drawStale();
}

// MARK: Signing in and out

function showSignIn(message) {
  state.session = null;
  stopForm = null;
  clearTimeout(loop.timer);
  byID("console").hidden = true;
  byID("sign-in").hidden = false;
  say(byID("sign-in-fault"), message ?? "");
  byID("token").focus();
}

function enter(session) {
  state.session = session;
  tags.clear();
  byID("sign-in").hidden = true;
  byID("console").hidden = false;
  say(byID("who"), `${session.name}${session.has_certificate ? ", by certificate" : ""}`);
  state.lastAnswer = Date.now();
  state.view = "";
  arrive();
}

async function signIn(headers) {
  try {
    enter(await send("/console/session", { headers }));
  } catch (fault) {
    const refused = fault instanceof Fault && (fault.status === 401 || fault.status === 403);
    say(byID("sign-in-fault"), refused ? "That is not accepted here: it takes a caller with the scope read."
      : fault instanceof Fault ? `${sentence(fault.message)}.` : "The worker does not answer.");
  }
}

byID("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = byID("token").value.trim();
  byID("token").value = "";
  if (/^[\x21-\x7e]+$/.test(token)) signIn({ authorization: `Bearer ${token}` });
  else say(byID("sign-in-fault"), "A token has no spaces and no letters beyond ASCII.");
});
byID("certificate").addEventListener("click", () => signIn({}));
byID("sign-out").addEventListener("click", async () => {
  try { await send("/console/logout"); } catch { /* The cookie ends by itself. */ }
  state.standing = null;
  fill(byID("content"));
  fill(byID("detail"));
  showSignIn("");
});

// MARK: Filter

let filterTimer = null;

function applyFilter() {
  clearTimeout(filterTimer);
  const changes = { request: state.params.request };
  for (const name of filterNames) {
    const value = byID(`f-${name}`).value.trim();
    changes[name] = name === "outcome" && value === "decisions" ? "" : value;
  }
  fill(byID("matches"));
  byID("matches").hidden = true;
  go(changes, { replace: true });
}

byID("filter").addEventListener("input", () => {
  clearTimeout(filterTimer);
  filterTimer = setTimeout(applyFilter, 250);
});
byID("filter").addEventListener("submit", async (event) => {
  event.preventDefault();
  applyFilter();
  const name = byID("f-text").value.trim();
  if (!name) return;
  try {
    const found = await ask(`/console/api/v1/find${search({ q: name })}`, { fresh: true });
    const matches = byID("matches");
    matches.hidden = false;
    fill(matches, found.matches.length ? make("span", {}, "Named exactly:") : "Nothing bears exactly this name.",
      found.matches.map((match) => make("span", {}, requestLink(match.request_id), match.by === "request" ? "" : ` by its ${match.by}`)));
  } catch (fault) { failed(fault); }
});
byID("clear").addEventListener("click", () => {
  for (const name of filterNames) byID(`f-${name}`).value = name === "outcome" ? "decisions" : "";
  applyFilter();
  byID("f-text").focus();
});

function pause() {
  state.isPaused = !state.isPaused;
  const button = byID("pause");
  button.setAttribute("aria-pressed", String(state.isPaused));
  say(button, state.isPaused ? "Paused" : "Pause");
  drawNote();
  drawStale();
  loop.now();
}
byID("pause").addEventListener("click", pause);

// MARK: Theme

const themes = ["auto", "light", "dark"];
const themeNames = { auto: "System", light: "Light", dark: "Dark" };

function setTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  say(byID("theme-name"), themeNames[theme]);
  byID("theme").setAttribute("aria-label", `Theme: ${themeNames[theme]}. Change it.`);
  try { localStorage.setItem("theme", theme); } catch { /* Then it is chosen anew next time. */ }
}

function storedTheme() {
  try {
    const theme = localStorage.getItem("theme");
    return themes.includes(theme) ? theme : "auto";
  } catch { return "auto"; }
}

const nextTheme = () => setTheme(themes[(themes.indexOf(document.documentElement.dataset.theme ?? "auto") + 1) % themes.length]);
byID("theme").addEventListener("click", nextTheme);

// MARK: Keys

const help = byID("help");
byID("help-button").addEventListener("click", () => help.showModal());

function step(direction) {
  const rows = [...document.querySelectorAll("#content a.row")];
  if (!rows.length) return;
  const index = rows.indexOf(document.activeElement);
  const next = rows[index < 0 ? (direction > 0 ? 0 : rows.length - 1) : Math.max(0, Math.min(rows.length - 1, index + direction))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (!state.session || help.open || event.ctrlKey || event.metaKey || event.altKey) return;
  const target = event.target;
  const isField = ["INPUT", "SELECT", "TEXTAREA"].includes(target.tagName);
  if (event.key === "Escape") {
    if (isField) { target.blur(); byID("main").focus({ preventScroll: true }); } else if (state.params.request) go({ request: null });
    return;
  }
  if (isField) return;
  const view = vitals[Number(event.key) - 1];
  const keys = {
    "/": () => { if (state.view !== "decisions") go({ view: "decisions", request: null }); byID("filter").hidden = false; byID("f-text").focus(); byID("f-text").select(); },
    j: () => step(1), k: () => step(-1), p: pause, t: nextTheme, "?": () => help.showModal(),
  };
  const act = view ? () => go({ view: view[0], request: null }) : Object.hasOwn(keys, event.key) ? keys[event.key] : null;
  if (!act) return;
  event.preventDefault();
  act();
});

// MARK: Start

setTheme(storedTheme());
window.addEventListener("hashchange", () => { if (state.session) arrive(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) loop.now(); });
setInterval(() => {
  say(byID("clock"), clock(new Date(now())));
  tellAges();
  drawStale();
}, 1000);

try {
  const session = await ask("/console/api/v1/session", { fresh: true });
  if (session.name) enter(session);
  else showSignIn();
} catch (fault) {
  showSignIn(fault instanceof Fault ? `${sentence(fault.message)}.` : "The worker does not answer.");
}
