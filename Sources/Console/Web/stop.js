// Stops: what holds, what was lifted, what is cut off; and, where it is allowed, a new one.

const stopWords = { revoke_and_deny: "nothing is issued, live tokens are void", deny_new: "nothing is issued, live tokens run out", revoked: "revoked" };

function drawStops(state) {
  const { standing } = state;
  const { stops, lifted, cutoffs, restrictions, lifts_waiting: pending, revocation_runs: runs, verdict } = standing;
  const topic = verdict.control_topic;
  return [
    sheet("In force", `control position ${verdict.control_position}`, stops.length === 0
      ? empty("No stop holds. A stop shows here on every worker’s console as soon as it is acknowledged.")
      : table("Stops in force", [{ name: "Since", kind: "time" }, { name: "Scope" }, { name: "Stop" }, { name: "Why", kind: "why" }, { name: "To lift it", kind: "why" }],
        stops.map((stop) => ({ key: `${stop.stop_id} ${stop.scope}`, cells: [when(stop.at), [mark("control", stop.scope, "bad"), stop.is_widened ? make("div", { class: "note" }, "widened: its declaration did not read") : null],
          [code(stop.stop_id), make("div", { class: "note" }, stopWords[stop.what])], [[stop.reason, stop.incident].filter(Boolean).join(" · ") || "no reason was given", make("div", { class: "note" }, stop.by.length ? `by ${stop.by.join(", ")}` : "")],
          stop.to_lift] })))),
    stopSheet(state.session),
    topic.name ? sheet("View of the control topic", topic.name, make("p", { class: "body" }, topic.is_stale
      ? [mark("quarantined", "stale", "bad"), " last read to its end ", when(topic.polled_at), `; ${topic.allowed_ms} ms are allowed, so nothing is issued`]
      : [mark("issued", "fresh", "good"), ` read to its end within the last ${topic.allowed_ms} ms`])) : null,
    pending.length ? sheet("Lifts that wait", "for a stop of that name", table("Lifts that wait", [{ name: "Declared", kind: "time" }, { name: "Stop" }, { name: "By" }],
      pending.map((lift) => ({ key: lift.event_id, cells: [when(lift.declared_at), code(lift.stop_id), lift.by.join(", ")] })))) : null,
    runs.length ? sheet("Revoking one by one", "the cut-off voids the tokens already", table("Revocation runs", [{ name: "Begun", kind: "time" }, { name: "Scope" }, { name: "By" }, { name: "Revoked so far", kind: "number" }],
      runs.map((run) => ({ key: `${run.id} ${run.scope}`, cells: [when(run.started_at), run.scope, code(run.id), number(run.revoked_tokens)] })))) : null,
    restrictions.length ? sheet("Restrictions that hold", null, table("Restrictions", [{ name: "What" }, { name: "Control position", kind: "number" }],
      restrictions.map((each) => ({ key: `${each.control_position} ${each.text}`, cells: [each.text, number(each.control_position)] })))) : null,
    cutoffs.length ? sheet("Cut-offs", "what was issued before is void, however many tokens that is", table("Cut-offs", [{ name: "What is void" }, { name: "Over", kind: "time" }, { name: "Control position", kind: "number" }],
      cutoffs.map((each) => ({ key: each.key, cells: [code(each.key), each.ends_at ? when(each.ends_at) : "never", number(each.control_position)] })))) : null,
    sheet("Lifted", "the last 20", lifted.length === 0 ? empty("No stop was ever lifted.")
      : table("Lifted stops", [{ name: "Lifted", kind: "time" }, { name: "Scope" }, { name: "Stop" }, { name: "Why", kind: "why" }, { name: "Lifted by" }],
        lifted.map((stop) => ({ key: `${stop.stop_id} ${stop.scope}`, cells: [when(stop.lifted_at), stop.scope, code(stop.stop_id), [stop.reason, stop.incident].filter(Boolean).join(" · "), stop.lifted_by.join(", ")] })))),
  ];
}

// MARK: A new stop

const stopKinds = [["job_class", "job class"], ["all", "everything"], ["agent", "agent (DID)"], ["subject", "person"], ["approval", "approval"], ["request", "request"],
  ["job", "job"], ["entitlement", "entitlement"], ["policy_hash", "WPC by hash"], ["policy_id", "WPC by id"], ["source", "source"], ["issuer_key", "signing key"]];

/** Made once, so that nothing that is being typed is lost when the view is drawn again. */
let stopForm = null;

function stopSheet(session) {
  if (!session.may_stop) {
    return sheet("Stop something", null, make("p", { class: "empty" }, sentence(session.why_no_stop ?? "Stopping from the console is off."), "."));
  }
  stopForm ??= sheet("Stop something", `as the holder of this connection’s certificate`, make("div", { class: "body stack" }, orderForm(session), make("div", { id: "stop-step", class: "stack", "aria-live": "polite" })));
  return stopForm;
}

function field(id, label, input, note) {
  input.id = id;
  return make("p", {}, make("label", { for: id }, label), input, note ? make("span", { class: "note" }, note) : null);
}

function orderForm(session) {
  const kind = make("select", { name: "kind" }, stopKinds.map(([value, label]) => make("option", { value }, label)));
  const value = make("input", { name: "value", maxlength: 1024, spellcheck: "false", autocomplete: "off", list: "classes", required: true });
  kind.addEventListener("change", () => {
    value.disabled = kind.value === "all";
    if (value.disabled) value.value = "";
  });
  const form = make("form", { class: "order", method: "post", "aria-label": "A new stop", autocomplete: "off" },
    make("div", { class: "pair" }, field("s-kind", "What", kind), field("s-value", "Which", value)),
    make("fieldset", {}, make("legend", {}, "Tokens that live"),
      make("label", {}, make("input", { type: "radio", name: "action", value: "revoke_and_deny", checked: true }), "are void from then on"),
      make("label", {}, make("input", { type: "radio", name: "action", value: "deny_new" }), "run out")),
    field("s-reason", "Reason, for the record", make("input", { name: "reason", maxlength: 1000, required: true, autocomplete: "off" })),
    field("s-incident", "Incident", make("input", { name: "incident", maxlength: 128, required: true, autocomplete: "off", spellcheck: "false" })),
    make("p", {}, make("button", { type: "submit" }, "Prepare the stop")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const order = Object.fromEntries(new FormData(form));
    const body = { kind: order.kind, action: order.action, reason: order.reason, incident: order.incident };
    if (order.kind !== "all") body.value = order.value;
    prepare(session, body);
  });
  return form;
}

const tell = (...children) => fill(byID("stop-step"), ...children);
const tellFault = (fault) => tell(make("p", { class: "fault", role: "alert" }, sentence(fault.message), "."));

async function prepare(session, order) {
  try {
    const plan = await send("/console/api/v1/stop/prepare", { body: order, headers: { "x-console-token": session.token } });
    const typed = make("input", { id: "s-typed", autocomplete: "off", spellcheck: "false", autocapitalize: "off" });
    const fire = make("button", { type: "submit", class: "danger", disabled: true }, "Stop now");
    typed.addEventListener("input", () => { fire.disabled = typed.value !== plan.type; });
    const live = plan.live_tokens === null ? "live tokens are too many to count quickly" : count(plan.live_tokens, "live token") + (plan.live_tokens >= 100000 ? " or more" : "");
    const form = make("form", { class: "confirm", method: "post" },
      make("h3", {}, `Stop of ${plan.scope}`),
      make("p", {}, `${sentence(live)}${order.action === "revoke_and_deny" ? ", void from then on" : ", which run out"}. It is prepared for ${plan.seconds} s.`),
      plan.warning ? make("p", { class: "fault" }, mark("quarantined", sentence(plan.warning), "bad")) : null,
      make("p", {}, make("label", { for: "s-typed" }, "Type ", make("code", {}, plan.type), " to go on"), typed), make("p", {}, fire));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!fire.disabled) declare(session, { ...order, challenge: plan.challenge, typed: typed.value }, fire);
    });
    tell(form);
    typed.focus();
  } catch (fault) { tellFault(fault); }
}

async function declare(session, order, button) {
  button.disabled = true;
  try {
    const answer = await send("/console/api/v1/stop", { body: order, headers: { "x-console-token": session.token } });
    tell(make("div", { class: "done", role: "status" }, make("p", {}, mark("control", `${answer.result}  ${answer.scope}`, "bad")), facts([
      ["Stop", code(answer.stop_id)], ["Acknowledged", when(answer.acknowledged_at)],
      ["Control position", answer.control_position === null ? null : number(answer.control_position)],
      ["Grants before it", number(answer.grants_before)], ["Void tokens", answer.voided_tokens === null ? "counted while they are revoked" : number(answer.voided_tokens)],
      ["Receipt", answer.receipt_id ? code(answer.receipt_id) : null],
    ])));
    state.refreshSoon();
  } catch (fault) {
    button.disabled = false;
    byID("stop-step").append(make("p", { class: "fault", role: "alert" }, sentence(fault.message), "."));
  }
}
