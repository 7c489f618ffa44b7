// What each view shows of the standing and of the lists.

const outcomes = {
  issued: ["issued", "Issued", "good"], denied: ["denied", "Denied", "bad"], expired: ["expired", "Expired", "warn"],
  quarantined: ["quarantined", "Set aside", "warn"], revoked: ["revoked", "Revoked", "bad"],
  control: ["control", "Control", "call"], finding: ["finding", "Finding", "warn"],
};

const severities = { info: ["finding", "info", "soft"], warning: ["finding", "warning", "warn"], critical: ["quarantined", "critical", "bad"] };

const sum = (items, of) => items.reduce((total, item) => total + of(item), 0);

// MARK: Vital signs

/** The eight views, each with what can be said of it in a word. */
const vitals = [
  ["decisions", "Decisions", ({ standing: { latest: last } }) => {
    return last ? [outcomes[last.outcome][1], "soft", [ago(last.at), " · ", last.job_class ?? last.kind]] : ["none yet", "soft", ""];
  }],
  ["stops", "Stops", ({ standing }) => {
    const { verdict, stops } = standing;
    const note = `control position ${verdict.control_position}`;
    if (verdict.stopped === "everything") return ["Stopped", "bad", "everything"];
    if (verdict.obstacle) return ["Not issuing", "bad", note];
    if (verdict.stopped === "partly") return [`${stops.length} in force`, "warn", note];
    return ["None", "good", note];
  }],
  ["waiting", "Waiting", ({ standing }) =>
    [`${number(standing.waiting.count)}${standing.waiting.is_more ? "+" : ""}`, "soft", "requests"]],
  ["grants", "Live grants", ({ standing }) => {
    if (!standing.grants) return ["not known", "warn", "counting took too long"];
    const first = standing.grants.map((each) => each.soonest_expiry).sort()[0];
    return [number(sum(standing.grants, (each) => each.live)), "soft",
      first ? ["next expiry ", ago(first)] : "nothing lives"];
  }],
  ["log", "Log and outputs", ({ standing }) => {
    const behind = backlog(standing);
    return [number(standing.log.receipts), behind.tone, behind.text];
  }],
  ["sources", "Sources", ({ standing }) => {
    const silent = standing.sources.filter((source) => source.is_silent).length;
    const behind = standing.inputs.map((input) => input.records_behind);
    const lag = behind.includes(null) ? "lag not known" : `${number(sum(behind, (value) => value))} records behind`;
    return silent ? [`${silent} silent`, "bad", lag] : [count(standing.sources.length, "source"), "soft", lag];
  }],
  ["workers", "Workers", ({ standing }) => {
    const alive = standing.workers.filter((worker) => worker.is_alive).length;
    const free = standing.roles.filter((role) => !role.is_held && role.owner).length;
    const unread = sum(standing.inputs, (input) => input.unread);
    const note = unread ? `${count(unread, "partition")} unread` : free ? `${count(free, "role")} not held` : "everything is held";
    return [`${alive} alive`, alive === 0 ? "bad" : unread ? "warn" : "soft", note];
  }],
  ["trouble", "Findings", ({ standing }) => {
    if (!standing.findings || !standing.dead_letters) return ["not known", "warn", "counting took too long"];
    const day = standing.findings.filter((finding) => now() - new Date(finding.raised_at).getTime() < 86400000);
    const worst = day.some((finding) => finding.severity === "critical") ? "bad" : day.some((finding) => finding.severity === "warning") ? "warn" : "soft";
    const open = standing.dead_letters.open;
    return [`${day.length}${day.length === 100 ? "+" : ""} today`, worst, `${count(open, "dead letter")} open`];
  }],
];

function backlog({ log, sinks }) {
  const lane = Math.max(0, ...log.lanes.map((each) => each.batches_behind));
  const old = log.oldest_unsealed_at ? now() - new Date(log.oldest_unsealed_at).getTime() : 0;
  if (old > 10000) return { tone: "bad", text: ["not sealed since ", ago(log.oldest_unsealed_at)] };
  if (lane > 50) return { tone: "bad", text: `${number(lane)} batches to publish` };
  const held = (sinks ?? []).filter((sink) => sink.failures).length;
  if (held) return { tone: "warn", text: `${count(held, "sink")} failing` };
  return { tone: "soft", text: log.sealed_at ? ["sealed ", ago(log.sealed_at)] : "nothing sealed yet" };
}

function drawVitals(state) {
  fill(byID("views"), vitals.map(([view, label, tell], index) => {
    const [value, tone, note] = tell(state);
    return make("a", { href: address({ view, request: null }), "data-view": view, "data-tone": tone, "aria-current": state.view === view ? "page" : null },
      make("span", { class: "label" }, label, make("kbd", { "aria-hidden": "true" }, index + 1)),
      make("span", { class: "value" }, value), make("span", { class: "aside" }, note));
  }));
}

function drawStopBanner({ verdict, stops }) {
  const banner = byID("stop-banner");
  const isHeld = verdict.stopped !== "no" || verdict.obstacle;
  banner.hidden = !isHeld;
  if (!isHeld) return say(banner, "");
  banner.dataset.stopped = verdict.obstacle ? "everything" : verdict.stopped;
  const text = [verdict.headline, verdict.obstacle].filter(Boolean).join("; but ");
  const first = stops[0];
  const why = first ? [first.reason, first.incident, `since ${instant(first.at)} UTC`].filter(Boolean).join(" · ") : "";
  const shown = `${text}|${why}`;
  if (banner.dataset.shown === shown) return;
  banner.dataset.shown = shown;
  fill(banner, make("strong", {}, icon("control"), text), make("span", {}, why), make("a", { href: address({ view: "stops", request: null }) }, "Look at the stops"));
}

// MARK: Views

const views = {
  decisions: {
    title: "Decisions",
    draw(state) {
      const list = state.decisions;
      const rows = list.rows;
      const filtered = Object.keys(state.filter).length > 0;
      return [
        rows.length === 0
          ? sheet("Nothing here", null, empty(filtered
            ? "No decision fits the filter as far as was looked. Clear it, or press Enter in Find to look the name up exactly."
            : "Nothing was decided yet. Decisions stand here as soon as a worker has read a request and its approval."))
          : make("section", { class: "sheet" }, table("Decisions, newest first", [
            { name: "Time", kind: "time" }, { name: "Outcome" }, { name: "Request" }, { name: "Class and agent" }, { name: "Why", kind: "why" },
          ], rows.map((entry) => decisionRow(entry, state)))),
        more(list, state),
      ];
    },
  },
  waiting: {
    title: "Waiting requests",
    draw({ waiting, params }) {
      if (!waiting.rows.length) return sheet("Nothing waits", null, empty("Every request that was read has its outcome."));
      return [make("section", { class: "sheet" }, table("Requests that wait, the next to be looked at first", [
        { name: "Received", kind: "time" }, { name: "Request" }, { name: "Class and agent" }, { name: "Waits for", kind: "why" }, { name: "Expires", kind: "time" },
      ], waiting.rows.map((row) => ({ key: row.request_id, selected: params.request === row.request_id, cells: [
        when(row.received_at), [requestLink(row.request_id)], [row.job_class, make("span", { class: "agent", title: row.agent_did }, row.agent_did)],
        row.waits_for.length ? row.waits_for.map((each) => make("div", {}, each.detail, make("span", { class: "id" }, each.code)))
          : "its stored form does not read; ask `clawgrant explain`",
        when(row.ends_at),
      ] })))), goOn(waiting)];
    },
  },
  grants: {
    title: "Live grants",
    draw({ standing, live, filter, params }) {
      const classes = standing.grants ?? [];
      return [
        sheet("By job class", "tokens neither expired nor revoked", classes.length === 0
          ? empty(standing.grants ? "No token is live." : "Counting took too long; the list below is read from the requests themselves.")
          : table("Live tokens by job class", [{ name: "Job class" }, { name: "Live", kind: "number" }, { name: "Next expiry", kind: "time" }],
            classes.map((each) => ({ key: each.job_class, header: true, cells: [
              make("a", { href: address({ view: "grants", class: each.job_class, request: null }) }, each.job_class), number(each.live), when(each.soonest_expiry)] })))),
        sheet(filter.class ? `Tokens of ${filter.class}` : "Tokens", "the one that expires first in front", filter.class
          ? make("p", { class: "body" }, make("a", { href: address({ view: "grants", class: null, request: null }) }, "Show every class")) : null,
        live.rows.length === 0 ? empty(filter.class ? "No token of this class is among the 20 000 that expire first." : "No token is live.")
          : table("Live tokens", [{ name: "Expires", kind: "time" }, { name: "Request" }, { name: "Class and agent" }, { name: "Scope", kind: "why" }],
            live.rows.map((row) => ({ key: row.request_id, selected: params.request === row.request_id, cells: [
              when(row.expires_at), [requestLink(row.request_id)], [row.job_class, make("span", { class: "agent", title: row.agent_did }, row.agent_did)],
              [row.scope.join(", "), row.is_elevated ? [" ", mark("quarantined", "elevated", "warn")] : null],
            ] })))),
        goOn(live),
      ];
    },
  },
  stops: { title: "Stops and cut-offs", draw: (state) => drawStops(state) },
  log: {
    title: "Log and outputs",
    draw({ standing: { log, log_id: logID, sinks, verdict } }) {
      return [
        sheet("Receipt log", logID, make("div", { class: "body stack" }, facts([
          ["Receipts", number(log.receipts)], ["Last batch", log.last_batch === null ? "none" : number(log.last_batch)],
          ["Sealed", log.sealed_at ? when(log.sealed_at) : "nothing is sealed yet"],
          ["To be sealed", log.unsealed_groups === 0 ? "nothing" : [`${number(log.unsealed_groups)}${log.is_more_unsealed ? " or more" : ""} groups`,
            log.oldest_unsealed_at ? [", the oldest ", ago(log.oldest_unsealed_at)] : null]],
          ["Control position", number(verdict.control_position)],
        ]), log.checkpoint ? [make("h3", {}, "Last checkpoint"), make("pre", {}, ...log.checkpoint.trimEnd().split("\n").flatMap((line) => [line, make("br")]))]
          : empty("The first checkpoint stands here once a receipt is sealed."))),
        sheet("Publisher", "batches that may not be on their topics yet", table("Lanes of the publisher", [{ name: "Lane" }, { name: "Next batch", kind: "number" }, { name: "Behind", kind: "number" }],
          log.lanes.map((lane) => ({ key: lane.name, header: true, cells: [lane.name === "control" ? "stops and revocations" : "everything else", number(lane.next_batch), number(lane.batches_behind)] })))),
        sheet("Security events", "sinks and their positions", sinks === null
          || sinks.length === 0 ? empty("No sink of security events has begun. `clawgrant siem replay` writes the events all the same.")
            : table("Sinks of security events", [{ name: "Sink" }, { name: "Next receipt", kind: "number" }, { name: "Behind", kind: "number" }, { name: "Never got", kind: "number" }, { name: "Delivered", kind: "time" }, { name: "State", kind: "why" }],
              sinks.map((sink) => ({ key: sink.name, header: true, cells: [sink.name, number(sink.next_position), number(sink.receipts_behind), number(sink.skipped), when(sink.delivered_at),
                sink.failures ? [mark("quarantined", `${count(sink.failures, "failure")} in a row`, "bad"), " since ", ago(sink.failing_since), sink.failure ? `: ${sink.failure}` : ""]
                  : sink.delivered_at ? mark("issued", "goes on", "good") : "nothing was delivered yet"] })))),
      ];
    },
  },
  sources: {
    title: "Sources and inputs",
    draw({ standing: { sources, inputs } }) {
      const behind = (value) => value === null ? "not known" : number(value);
      return [
        sheet("Sources", "of approvals and requests, by the rules in force", sources.length === 0 ? empty("The rules name no source.")
          : table("Sources", [{ name: "Source" }, { name: "Kind" }, { name: "Authenticity" }, { name: "Last heard", kind: "time" }, { name: "State", kind: "why" }, { name: "Behind", kind: "number" }],
            sources.map((source) => ({ key: source.name, header: true, cells: [
              source.name, source.kind, source.authenticity, source.seen_at ? when(source.seen_at) : source.is_watched ? "never" : "",
              source.is_silent ? [mark("quarantined", "silent", "bad"), ` for longer than ${distance(source.allowed_silence_s * 1000)}; requests that rest on it: ${source.while_silent}`]
                : source.is_watched ? mark("issued", "heard", "good") : make("span", { class: "soft" }, "not watched for silence"),
              behind(source.records_behind)] })))),
        sheet("Input topics", "records that are there and not decided", inputs.length === 0 ? empty("No partition was ever read.")
          : table("Input topics", [{ name: "Topic" }, { name: "Partitions", kind: "number" }, { name: "Read by nobody", kind: "number" }, { name: "Decided", kind: "number" }, { name: "Behind", kind: "number" }],
            inputs.map((input) => ({ key: input.topic, header: true, cells: [code(input.topic), number(input.partitions),
              input.unread ? mark("quarantined", number(input.unread), "bad") : "0", number(input.decided), behind(input.records_behind)] })))),
      ];
    },
  },
  workers: {
    title: "Workers and leases",
    draw({ standing: { workers, roles } }) {
      return [
        sheet("Workers", "of the last hour", workers.length === 0 ? empty("No worker has announced itself. Start one with `clawgrant run`.")
          : table("Workers", [{ name: "Worker" }, { name: "State" }, { name: "Came", kind: "time" }, { name: "Partitions", kind: "number" }, { name: "Roles", kind: "why" }],
            workers.map((worker) => ({ key: worker.id, header: true, cells: [code(worker.id),
              worker.is_alive ? mark("issued", "alive", "good") : [mark("denied", "gone", "bad"), " ", ago(worker.gone_since)],
              when(worker.started_at), number(worker.partitions), worker.roles.join(", ")] })))),
        sheet("Roles", "each held by one worker at a time", table("Roles", [{ name: "Role" }, { name: "Held by" }, { name: "Fence", kind: "number" }],
          roles.map((role) => ({ key: role.name, header: true, cells: [role.name,
            role.is_held ? code(role.owner) : role.owner ? [mark("denied", "its worker is gone", "bad"), " ", code(role.owner)] : make("span", { class: "soft" }, "nobody, it may not be needed"), number(role.epoch)] })))),
      ];
    },
  },
  trouble: {
    title: "Findings and dead letters",
    draw({ standing: { findings, dead_letters: letters } }) {
      return [
        sheet("Findings", "the newest 100; each is raised once", !findings ? empty("They could not be read in time; they are on their topic all the same.")
          : findings.length === 0 ? empty("Nothing was found that is not as the grants say it should be.")
            : table("Findings", [{ name: "Raised", kind: "time" }, { name: "Severity" }, { name: "What", kind: "why" }, { name: "About" }],
              findings.map((finding, index) => ({ key: `${index}`, cells: [when(finding.raised_at), mark(...(severities[finding.severity] ?? severities.warning)),
                [finding.detail, make("span", { class: "id" }, finding.code)], finding.request_id ? [requestLink(finding.request_id)] : [code(finding.about)]] })))),
        sheet("Dead letters", letters ? `${count(letters.open, "record")}${letters.is_more ? " or more" : ""} open; redrive them with \`clawgrant dlq\`` : null,
          !letters ? empty("They could not be counted in time.")
            : letters.open === 0 ? empty("No record is set aside.")
              : [table("Open dead letters by source", [{ name: "Source" }, { name: "Open", kind: "number" }],
                letters.by_source.map((each) => ({ key: each.source, header: true, cells: [each.source || "no source of approvals", number(each.open)] }))),
              table("The newest of them", [{ name: "Set aside", kind: "time" }, { name: "Record" }, { name: "Why" }, { name: "Source" }, { name: "Read again", kind: "number" }],
                letters.newest.map((letter) => ({ key: letter.origin, cells: [when(letter.set_aside_at), code(letter.origin), code(letter.code), letter.source, number(letter.hops)] })))]),
      ];
    },
  },
};

function decisionRow(entry, { params }) {
  const [name, word, tone] = outcomes[entry.outcome];
  const reason = entry.reasons[0];
  return { key: entry.place, selected: params.request && params.request === entry.request_id, cells: [
    when(entry.at), mark(name, word, tone), entry.request_id ? [requestLink(entry.request_id)] : make("span", { class: "soft" }, entry.kind),
    entry.job_class || entry.agent_did ? [entry.job_class ?? "", entry.agent_did ? make("span", { class: "agent", title: entry.agent_did }, entry.agent_did) : null] : "",
    [entry.summary, reason ? make("span", { class: "id" }, entry.reasons.map((each) => each.code).join(" · ")) : null],
  ] };
}

function more(list, state) {
  const parts = [];
  if (list.note) parts.push(make("span", { class: "note" }, "looked as far back as ", instant(list.note), " UTC"));
  if (list.next) parts.unshift(make("button", { type: "button", class: "quiet", onclick: () => state.act(() => list.older()) }, list.note ? "Look further back" : "Show older"));
  return parts.length ? make("div", { class: "more" }, parts) : null;
}

const goOn = (list) => list.next
  ? make("div", { class: "more" }, make("button", { type: "button", class: "quiet", onclick: () => state.act(() => list.more()) }, "Show more")) : null;
