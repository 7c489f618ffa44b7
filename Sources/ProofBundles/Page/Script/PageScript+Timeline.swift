extension PageScript {
    /// What happened, in the order of time.
    static let timeline = #"""
        /** Receipts by kind: what a person calls it, how it looks, what is worth saying. */
        const KINDS = Object.freeze({
          "grant.issued": { icon: "key", tone: "good", title: () => "Token issued", tell: tellGrant },
          "grant.claimed": { icon: "key", tone: "good", title: () => "Token claimed", tell: tellClaim },
          "decision.denied": { icon: "deny", tone: "warn", title: () => "Request denied", tell: tellReasons },
          "decision.expired": { icon: "clock", tone: "plain", title: () => "Request ran out of time",
            tell: tellReasons },
          "decision.quarantined": { icon: "flag", tone: "warn", title: () => "Record set aside as unreadable",
            tell: tellReasons },
          "dead_letter.redriven": { icon: "flag", tone: "plain", title: () => "Record that was set aside read again",
            tell: tellReasons },
          "dead_letter.discarded": { icon: "flag", tone: "warn", title: () => "Record that was set aside given up",
            tell: tellReasons },
          revocation: { icon: "revoke", tone: "stop", title: () => "Token revoked", tell: tellRevocation },
          "key.changed": { icon: "key", tone: "plain", title: () => "Key changed", tell: tellReasons },
          "stop.declared": { icon: "stop", tone: "stop", title: () => "Emergency stop", tell: tellControl },
          "stop.lifted": { icon: "stop", tone: "plain", title: () => "Stop lifted", tell: tellControl },
          "stop.drilled": { icon: "stop", tone: "plain", title: () => "Stop rehearsed", tell: tellControl },
          "control.applied": { icon: "stop", tone: "warn", title: () => "Control event", tell: tellControl },
          "gateway.receipt": { icon: "call", tone: "plain", title: () => "Call recorded in the log",
            tell: tellLoggedCall },
          "finding.raised": { icon: "flag", tone: "warn",
            title: (body) => ["Finding: ", said(at(body, "finding", "code"), 80)], tell: tellFinding },
          "budget.reached": { icon: "budget", tone: "warn",
            title: (body) => [`Budget at ${shown(at(body, "budget", "percent"), 12)} %`], tell: tellBudget },
          heartbeat: { icon: "dot", tone: "plain", title: () => "Sign of life", tell: () => [] },
        });

        const reasonsOf = (body) => list(at(body, "reasons")).slice(0, 8).map((reason) =>
          [said(at(reason, "detail") || at(reason, "code"), 300)]);

        function tellReasons(body) {
          const needed = texts(at(body, "needed"));
          const asked = texts(at(body, "asked", "scope"));
          return [...reasonsOf(body), asked.length ? ["Asked for: ", row(asked, code)] : null,
            needed.length ? ["Needed: ", row(needed)] : null];
        }

        function tellGrant(body) {
          const audience = texts(at(body, "granted", "audience"));
          const actions = texts(at(body, "granted", "actions"));
          const life = (whole(at(body, "token", "exp")) ?? NaN) - (whole(at(body, "token", "iat")) ?? NaN);
          const replaced = at(body, "replaces_request_id");
          return [
            ["Allows ", row(texts(at(body, "granted", "scope")), code),
              audience.length ? [" at ", row(audience)] : null,
              ` for ${duration(life * 1000)}`, actions.length ? ["; actions ", row(actions)] : null],
            ["Approved by ", row(texts(at(body, "approver_ids")))],
            replaced ? ["Takes the place of the token of request ", said(replaced, 80)] : null,
          ];
        }

        function tellClaim(body) {
          const sealed = at(body, "claim", "sealed_to");
          return [["Token ", code(at(body, "claim", "jti"), 60), ", by the key ", code(at(body, "claim", "jkt"), 60)],
            sealed ? ["Sealed to the key ", code(sealed, 60)] : null];
        }

        function tellRevocation(body) {
          const cause = text(at(body, "revocation", "cause"));
          return [["Because ", CAUSES[cause] ?? said(cause, 80)], ["Token ", code(at(body, "revocation", "jti"), 60)]];
        }

        function tellControl(body) {
          const payload = at(body, "payload");
          const scopes = list(at(payload, "cutoffs")).slice(0, 8).map((cutoff) =>
            `${text(at(cutoff, "scope", "kind"))} ${text(at(cutoff, "scope", "value"))}`);
          const people = list(at(payload, "declared_by")).slice(0, 8).map((person) => at(person, "id") ?? person);
          return [
            at(payload, "reason") ? ["Reason: ", said(at(payload, "reason"), 300)] : null,
            people.length ? ["Declared by ", row(people)] : null,
            scopes.length ? ["Ends the tokens of ", row(scopes, code)] : null,
          ];
        }

        function tellFinding(body) {
          const finding = at(body, "finding");
          return [["Severity: ", said(at(finding, "severity"), 40)], ["About ", said(at(finding, "about"), 160)]];
        }

        const DIMENSIONS = Object.freeze({
          model_calls: "model calls", input_tokens: "tokens in", output_tokens: "tokens out",
            cost: "minor units of money",
          wall_time_seconds: "seconds of running",
        });
        const dimensionName = (value) => [DIMENSIONS[text(value)] ?? shown(value, 40)];
        const count = (value) => (whole(value) === null ? shown(value, 40) : number.format(value));

        function tellBudget(body) {
          const budget = at(body, "budget");
          return [[`${count(at(budget, "used"))} of ${count(at(budget, "limit"))} `,
            dimensionName(at(budget, "dimension"))]];
        }

        function tellLoggedCall(body) {
          const call = at(body, "gateway_call");
          return [[said(at(call, "provider"), 60), " / ", said(at(call, "model"), 80),
            `, ${count(at(call, "input_tokens"))} tokens in, ${count(at(call, "output_tokens"))} out`]];
        }

        /** All that happened, oldest first. */
        function happenings(model) {
          const items = [];
          const events = new Map(model.events.map((event, index) => [text(at(event, "event_id")), `event:${index}`]));
          const eventOf = (id) => (events.has(id) ? [events.get(id)] : []);
          const taken = new Set();
          for (const { payload, subjects } of signedApprovals(model)) {
            items.push({
              time: timeOf(at(payload, "timestamp")), icon: "approve", tone: "good", subjects,
              title: [said(at(payload, "approver_subject"), 100), " approved"],
              lines: [at(payload, "scope_summary") ? [said(at(payload, "scope_summary"), 400)] : null,
                ["Signed by the approver"]],
            });
          }
          const tools = new Map(model.tools.map((tool, index) =>
            [text(at(tool, "payload", "receipt_id")), `tool:${index}`]));
          const hashes = new Map(model.calls.map((call, index) => [text(at(call, "payload_hash_b64u")), index]));
          const logged = new Map();
          for (const receipt of model.receipts) {
            const kind = kindOf(receipt);
            const own_ = [`receipt:${receipt.index}`, ...eventOf(`receipt:${receipt.position}`)];
            const call = kind === "gateway.receipt" ? hashes.get(at(receipt.body, "gateway_call", "payload_hash_b64u"))
              : undefined;
            if (call !== undefined) {
              logged.set(call, own_[0]);
              continue;
            }
            const known = Object.hasOwn(KINDS, kind) ? KINDS[kind] : null;
            const tool = tools.get(`clawgrant:${text(at(receipt.body, "receipt_id"))}`);
            items.push({
              time: timeOf(at(receipt.body, "occurred_at")), icon: known?.icon ?? "dot", tone: known?.tone ?? "plain",
              subjects: tool ? [...own_, tool] : own_,
              title: known ? known.title(receipt.body) : ["Receipt of the kind ", said(kind || "unknown", 60)],
              lines: [...(known ? known.tell(receipt.body) : []),
                [el("span", { class: "place" }, `Receipt at position ${count(receipt.position)} of the log`)]],
            });
          }
          model.calls.forEach((call, index) => {
            const payload = at(call, "payload");
            const id = `call:${text(at(payload, "receipt_id"))}`;
            taken.add(id);
            items.push({
              call: isObject(payload) ? payload : {}, time: timeOf(at(payload, "timestamp")), icon: "call",
                tone: "call",
              subjects: [`call:${index}`, ...eventOf(id), ...(logged.has(index) ? [logged.get(index)] : [])],
            });
          });
          model.aside.forEach((entry, index) => {
            const payload = at(entry, "envelope", "payload");
            if (isOfTheRun(entry)) taken.add(`call:${text(at(payload, "receipt_id"))}`);
            items.push({
              time: timeOf(at(payload, "timestamp")), icon: "flag", tone: "warn", subjects: [`aside:${index}`],
              title: ["Call set aside: ", ASIDE[text(at(entry, "reason"))] ?? said(at(entry, "reason"), 60)],
              lines: [[said(at(payload, "provider"), 60), " / ", said(at(payload, "model"), 80)]],
            });
          });
          model.events.forEach((event, index) => {
            const id = text(at(event, "event_id"));
            if (taken.has(id) || (model.evidence && /^(receipt|evidence):/.test(id))) return;
            const name = id.startsWith("call:") ? "Call without its receipt: "
              : model.evidence ? "Agent's own entry: " : "Entry of the event chain: ";
            items.push({
              time: timeOf(at(event, "timestamp")), icon: "dot", tone: "plain", subjects: [`event:${index}`],
              title: [name, said(at(event, "event_type"), 80)], lines: [[code(id, 80)]],
            });
          });
          const sealed = timeOf(at(model.evidence, "log", "sealed_at"));
          for (const token of derivedTokens(model)) {
            if (token.ending || !(token.expires <= sealed)) continue;
            items.push({
              time: token.expires, icon: "clock", tone: "plain", subjects: [`receipt:${token.receipt.index}`],
              title: ["Token expired"], lines: [["Token ", code(token.token.jti, 60)]],
            });
          }
          const rank = (item) => (Number.isNaN(item.time) ? Infinity : item.time);
          return items.sort((a, b) => rank(a) - rank(b) || 0);
        }

        const ASIDE = Object.freeze({
          signer_unknown: "its signer is no known gateway", signature_invalid: "its hash or signature do not fit",
          not_in_chain: "it names no entry of the chain", other_run: "it names another run",
            replayed: "its identifier came twice",
          limit: "there was no room for it", contradictory: "it contradicts others by the reference's rules",
        });

        /** Puts three calls or more in a row together, so that the rest can be seen. */
        function grouped(items) {
          const result = [];
          for (let index = 0; index < items.length; ) {
            let end = index;
            while (end < items.length && items[end].call) end += 1;
            if (end - index >= 3) result.push({ ...items[index], calls: items.slice(index, end), call: undefined });
            else result.push(...items.slice(index, Math.max(end, index + 1)));
            index = Math.max(end, index + 1);
          }
          return result;
        }

        function callRow(item) {
          const line = el("tr");
          const call = item.call;
          const cell = el("td");
          cell.append(marks.make(item.subjects, line));
          line.append(
            el("td", { class: "clock" },
              el("time", { datetime: iso(item.time) ?? null }, Number.isNaN(item.time) ? "?" : clock(item.time))),
            el("td", {}, said(at(call, "provider"), 60), " / ", said(at(call, "model"), 80)),
            el("td", { class: "number" }, count(at(call, "tokens_input"))),
              el("td", { class: "number" }, count(at(call, "tokens_output"))),
            el("td", {}, code(at(call, "receipt_id"), 60)), cell);
          return line;
        }

        function timelineEntry(item, start) {
          const offset = item.time - start;
          const when = Number.isNaN(item.time) ? el("span", { class: "when" }, "no time")
            : el("time", { class: "when", datetime: iso(item.time) ?? null }, clock(item.time),
              el("span", { class: "offset" }, offset < 500 ? "start" : `+${duration(offset)}`));
          const body = el("div", { class: "what" });
          const entry = el("li", { class: "entry", "data-tone": item.tone }, when,
            el("span", { class: "node" }, icon(item.icon)), body);
          const head = el("div", { class: "head" });
          body.append(head);
          if (item.calls) {
            const sum = (key) => item.calls.reduce((total, { call }) => total + (whole(at(call, key)) ?? 0), 0);
            const names = [...new Set(item.calls.map(({ call }) =>
              `${text(at(call, "provider"))}/${text(at(call, "model"))}`))];
            const last = item.calls.at(-1).time;
            head.append(el("h4", {}, plural(item.calls.length, "call")),
              marks.make(item.calls.flatMap((each) => each.subjects), body, true));
            body.append(el("p", {}, "To ", row(names, said, 3),
              ` until ${clock(last)}: ${number.format(sum("tokens_input"))} tokens in, ` +
              `${number.format(sum("tokens_output"))} out`),
            el("details", {}, el("summary", {}, "Each call"),
              table("Calls", ["Time", "Model", "Tokens in", "Tokens out", "Receipt", "Result"],
                item.calls.map((each) => () => callRow(each)))));
            return entry;
          }
          const call = item.call;
          const lines = call ? [[said(at(call, "provider"), 60), " / ", said(at(call, "model"), 80),
            `: ${count(at(call, "tokens_input"))} tokens in, ` +
            `${count(at(call, "tokens_output"))} out`]] : item.lines;
          head.append(el("h4", {}, call ? "Model call" : item.title), marks.make(item.subjects, body));
          body.append(...lines.filter(Boolean).map((line) => el("p", {}, line)));
          return entry;
        }

        function timeline(model) {
          const items = grouped(happenings(model));
          const start = items.find((item) => !Number.isNaN(item.time))?.time ?? 0;
          let today = null;
          const made = el("ol", { class: "timeline" });
          const content = portions(items, 200, made, (item) => {
            const date = Number.isNaN(item.time) ? today : day(item.time);
            const entry = timelineEntry(item, start);
            if (date === today) return entry;
            today = date;
            entry.prepend(el("h3", { class: "day" }, date));
            return entry;
          });
          return section("timeline", "What happened", "All times are UTC, as the one who signed the entry wrote them.",
            items.length > 0 ? content : el("p", {}, "The file tells of nothing that happened."));
        }
        """#
}
