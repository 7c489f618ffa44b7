// One request: its story as `clawgrant explain` tells it, its receipt and where the proof is.

function drawRequest(found, id) {
  const aside = byID("detail");
  const close = make("button", { type: "button", class: "close", "aria-label": "Close the request", onclick: () => go({ request: null }) }, icon("close"));
  if (!found) {
    return fill(aside, make("div", { class: "detail-head" }, make("h2", { id: "detail-title" }, id), close), make("p", { class: "note" }, "Reading…"));
  }
  if (found instanceof Fault) {
    return fill(aside, make("div", { class: "detail-head" }, make("h2", { id: "detail-title" }, id), close), make("p", { class: "fault", role: "alert" }, found.message));
  }
  const states = { waiting: ["waiting", "Waiting", "call"], issued: ["issued", "Issued", "good"], denied: ["denied", "Denied", "bad"], expired: ["expired", "Expired", "warn"] };
  const outcome = found.revoked_at ? ["revoked", "Revoked", "bad"] : states[found.state] ?? states.waiting;
  fill(aside,
    make("div", { class: "detail-head" }, make("h2", { id: "detail-title" }, found.request_id), close),
    make("p", {}, mark(...outcome), " ", found.decided_at ? when(found.decided_at) : when(found.received_at)),
    make("p", { class: "story" }, sentence(found.headline)),
    found.confirmations.length ? make("section", { class: "chapter" }, make("h3", {}, "waits for an answer"), items(found.confirmations)) : null,
    found.story.map((part) => make("section", { class: "chapter" }, make("h3", {}, part.title), items(part.items))),
    evidence(found));
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** Two spaces in front of a line say that it belongs to the one before. */
const items = (lines) => make("ul", {}, lines.map((line) => make("li", { class: line.startsWith("  ") ? "sub" : null }, line.trimStart())));

function evidence(request) {
  if (!request.receipt) return null;
  const links = [];
  if (request.position !== null) {
    links.push(make("a", { href: `/v1/proofs/inclusion/${request.position}`, target: "_blank", rel: "noopener" }, "Inclusion proof"));
    links.push(make("a", { href: "/v1/checkpoint", target: "_blank", rel: "noopener" }, "Latest checkpoint"));
  }
  return make("section", { class: "chapter" }, make("h3", {}, "proof"),
    facts([["Position in the log", request.position === null ? "not sealed yet" : number(request.position)], ["Batch", request.batch === null ? null : number(request.batch)]]),
    links.length ? make("p", { class: "links" }, links) : null,
    make("details", {}, make("summary", {}, "Receipt"), make("pre", { tabindex: "0", "aria-label": "Receipt as JSON" },
      ...JSON.stringify(request.receipt, null, 2).split("\n").flatMap((line) => [line, make("br")]))));
}
