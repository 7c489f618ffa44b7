extension PageScript {
    /// The sections under the timeline.
    static let details = #"""
        function approvalsSection(model) {
          const cards = el("div", { class: "cards" });
          const content = portions(model.approvals, 50, cards, (approval, index) => {
            const card = el("article", { class: "card" });
            const entry = approval.entry;
            const subjects = [`approval:${index}`, ...approval.inputs.map((_, place) => `input:${index}:${place}`),
              ...approval.attestations.map((_, place) => `attest:${index}:${place}`)];
            card.append(el("div", { class: "head" }, el("h3", {}, row(texts(at(entry, "approver_ids")), said, 4)),
              marks.make(subjects, card)),
              facts(
                ["Approval", row(texts(at(entry, "approval_ids")), code)],
                ["Known to be genuine by",
                  AUTHENTICITY[text(at(entry, "authenticity"))] ?? said(at(entry, "authenticity") ?? "not stated", 60)],
                ["For the token at", `position ${count(approval.position)} of the log`],
                ["Worker's attestations", number.format(approval.attestations.length)]),
              el("ul", { class: "plain" },
                approval.inputs.slice(0, 20).map(({ input, envelope }) => originalItem(input, envelope))));
            return card;
          });
          return section("approvals", "Who approved", "For every token, who approved it and on what evidence.",
            model.approvals.length > 0 ? content : el("p", {}, "The file names no approval."));
        }

        const AUTHENTICITY = Object.freeze({
          signed: "a signature", confirmed: "asking the system that it came from",
            topic: "the access control of the topic",
        });

        function originalItem(input, envelope) {
          const where = [code(at(input, "topic"), 100),
            ` partition ${count(at(input, "partition"))}, offset ${count(at(input, "offset"))}`];
          if (envelope === undefined) return el("li", {}, "A record of ", where,
            "; its text is not in the file, only its hash.");
          const payload = at(envelope, "payload");
          const ttl = at(payload, "minted_capability_ttl_seconds");
          return el("li", {}, el("strong", {}, said(at(payload, "approver_subject"), 100)), " signed ",
            moment(timeOf(at(payload, "timestamp"))), ttl === undefined ? "" : `, usable for ${duration(ttl * 1000)}`,
            at(payload, "scope_summary") ? [": “", said(at(payload, "scope_summary"), 400), "”"] : "", ". Read from ",
              where, ".");
        }

        function policiesSection(model) {
          const cards = model.policies.slice(0, 20).map((policy, index) => {
            const card = el("article", { class: "card" });
            const document = at(policy.envelope, "payload");
            card.append(el("div", { class: "head" }, el("h3", {}, said(policyName(policy), 100)),
              marks.make([`policy:${index}`], card)),
              facts(["Hash that the token pins", code(policy.hash, 60)],
                document === undefined ? ["Document", "not in the file"] : null,
                ...Object.entries(isObject(document) ? document
                  : {}).filter(([key]) => key !== "policy_id").slice(0, 12)
                  .map(([key, value]) => [said(key.replaceAll("_", " "), 60), policyValue(value)])));
            return card;
          });
          return section("policies", "Under which policy", "The Work Policy Contract that the tokens were bound to.",
            cards.length > 0 ? el("div", { class: "cards" }, cards) : el("p", {}, "The file names no policy."));
        }

        const policyValue = (value) => (Array.isArray(value) && value.every((entry) => typeof entry === "string")
          ? row(value, code, 12) : typeof value === "string" ? said(value, 300) : code(value, 600));

        function tokensSection(model) {
          const derived = new Map(derivedTokens(model).map((token) => [token.receipt.position, token]));
          const cards = el("div", { class: "cards" });
          const content = portions(model.tokens, 50, cards, (token, index) => {
            const card = el("article", { class: "card" });
            const known = derived.get(at(token, "position"));
            const granted = at(known?.receipt.body, "granted");
            const [issued, expires] = [timeOf(at(token, "issued_at")), timeOf(at(token, "expires_at"))];
            card.append(el("div", { class: "head" }, el("h3", {}, `Token ${number.format(index + 1)}`),
              marks.make([`token:${index}`], card)),
              facts(
                ["Scope", row(texts(at(granted, "scope")), code, 12)],
                ["Actions", texts(at(granted, "actions")).length ? row(texts(at(granted, "actions")), code, 12) : null],
                ["Usable at", row(texts(at(granted, "audience")), said, 12)],
                ["Issued", moment(issued)],
                ["Lifetime", `${duration(expires - issued)}, until ${clock(expires)}`],
                ["Void from", [moment(timeOf(at(token, "void_from"))),
                  known?.ending ? [" (", endingWords(known.ending), ")"] : ""]],
                ["State at the checkpoint", said(at(token, "state_at_checkpoint"), 40)],
                ["Identifier (jti)", code(at(token, "jti"), 80)],
                ["Hash of the token", code(at(token, "token_hash"), 80)],
                ["Scope hash", code(at(token, "token_scope_hash_b64u"), 60)]));
            return card;
          });
          return section("tokens", "What the agent was allowed",
            "The tokens themselves are never in a file like this one, only what they say.",
            model.tokens.length > 0 ? content : el("p", {}, "The file holds no token."));
        }

        function meter(used, limit) {
          const percent = limit > 0 ? Math.min(100, Math.round((100 * used) / limit)) : 0;
          const bar = document.createElementNS("http://www.w3.org/2000/svg", "svg");
          const rect = (name, width) => {
            const shape = document.createElementNS("http://www.w3.org/2000/svg", "rect");
            for (const [key, value] of Object.entries({ class: name, width, height: "6",
              rx: "3" })) shape.setAttribute(key, value);
            return shape;
          };
          bar.setAttribute("class", "meter");
          bar.setAttribute("viewBox", "0 0 100 6");
          bar.setAttribute("preserveAspectRatio", "none");
          bar.setAttribute("aria-hidden", "true");
          bar.append(rect("rail", "100"), rect("fill", String(percent)));
          return bar;
        }

        function usageSection(model) {
          const sums = sumUsage(model);
          const card = el("article", { class: "card" });
          card.append(el("div", { class: "head" }, el("h3", {}, "Coverage"), marks.make(["usage"], card)),
            facts(["Calls proven to belong to this run",
              `${number.format(sums.calls_bound)} of ${number.format(sums.calls)}`],
              ["Tokens in", number.format(sums.tokens_input)], ["Tokens out", number.format(sums.tokens_output)]),
            table("Use by model", ["Model", "Calls", "Tokens in", "Tokens out"],
              sums.models.map((each) => () => el("tr", {},
              el("td", {}, said(each.model, 120)), ...[each.calls, each.tokens_input, each.tokens_output]
                .map((value) => el("td", { class: "number" }, number.format(value)))))));
          const latest = new Map();
          for (const receipt of model.receipts.filter((each) => kindOf(each) === "budget.reached")) {
            const budget = at(receipt.body, "budget");
            latest.set(`${text(at(budget, "dimension"))} ${text(at(budget, "currency"))}`, { budget, receipt });
          }
          const budgets = [...latest.values()].slice(0, 20).map(({ budget, receipt }) => {
            const box = el("article", { class: "card" });
            const [used, limit] = [whole(at(budget, "used")) ?? 0, whole(at(budget, "limit")) ?? 0];
            box.append(el("div", { class: "head" }, el("h3", {}, "Budget: ", dimensionName(at(budget, "dimension"))),
              marks.make([`receipt:${receipt.index}`], box)), meter(used, limit),
            el("p", {}, `${number.format(used)} of ${number.format(limit)} `, said(at(budget, "currency") ?? "", 8),
              " were used when the last mark was reached, ", moment(timeOf(at(receipt.body, "occurred_at"))), "."));
            return box;
          });
          const findings = model.receipts.filter((each) => kindOf(each) === "finding.raised").slice(0, 50)
            .map((receipt) => {
            const box = el("article", { class: "card", "data-tone": "warn" });
            box.append(el("div", { class: "head" }, el("h3", {}, KINDS["finding.raised"].title(receipt.body)),
              marks.make([`receipt:${receipt.index}`], box)),
              ...tellFinding(receipt.body).map((line) => el("p", {}, line)));
            return box;
          });
          return section("usage", "Use, budget and findings", "Added up from receipts that gateways signed.",
            el("div", { class: "cards" }, card, budgets, findings));
        }

        function completenessSection(model) {
          if (!model.evidence) return null;
          const statement = at(model.evidence, "completeness");
          const card = el("article", { class: "card" });
          const missing = list(at(statement, "missing")).slice(0, 64);
          card.append(el("div", { class: "head" }, el("h3", {}, "What was read"), marks.make(["completeness"], card)),
            el("p", {}, said(at(statement, "statement"), 1200)),
            facts(["Positions read", `${count(at(statement, "first_position_read"))} to ${count(at(statement, "last_position_read"))}`],
              ["Receipts of this run", number.format(model.receipts.length)],
              ...Object.entries(at(statement, "counts") ?? {}).slice(0, 20)
                .map(([kind, value]) => [said(kind, 60), count(value)])),
            missing.length === 0 ? el("p", {}, "Nothing is stated as missing.")
              : el("ul", {}, missing.map((each) =>
                el("li", {}, `${count(at(each, "count"))} × `, said(at(each, "detail"), 300)))));
          const log = el("article", { class: "card" });
          log.append(el("div", { class: "head" },
            el("h3", {}, "Receipt log ", said(at(model.evidence, "log", "log_id"), 120)),
            marks.make(["checkpoint", "head", "revocations"], log)),
            el("pre", { tabindex: "0", "aria-label": "Checkpoint" },
              shown(text(at(model.evidence, "log", "checkpoint")).replaceAll("\n", "\u2028"), 4000)
              .replaceAll("⟨U+2028⟩", "\n")),
            el("details", {}, el("summary", {}, `${plural(model.batches.length, "batch header")}`),
              table("Batch headers", ["Batch", "Positions", "Sealed", "Result"],
                model.batches.map((batch, index) => () => batchRow(batch, index)))));
          const seals = el("article", { class: "card" });
          seals.append(el("div", { class: "head" }, el("h3", {}, "Seals over the whole file"),
            marks.make(["form", "bundle", "evidence", "manifest", "export"], seals)),
          el("p", {}, "Any change of the file breaks them; the marks at the items show where it is."));
          return section("completeness", "Completeness",
            "That no receipt was withheld can only be proven by reading the log itself. This is what the assembler states.",
            el("div", { class: "cards" }, card, log, seals));
        }

        function batchRow(batch, index) {
          const header = parsed(at(batch, "header"));
          const line = el("tr");
          const cell = el("td");
          cell.append(marks.make([`batch:${index}`], line));
          line.append(el("td", {}, count(at(header, "number"))),
            el("td", {}, `${count(at(header, "first_position"))} to ${count(at(header, "last_position"))}`),
            el("td", {}, said(at(header, "sealed_at"), 40)), cell);
          return line;
        }

        function keysSection(model, actions) {
          const rows = namedKeys(model);
          const states = [];
          const body = rows.map(({ role, did, uses }) => () => {
            const state = el("td", {}, "named by this file");
            states.push({ role, did, state });
            return el("tr", {}, el("th", { scope: "row" }, ROLES[role].name,
              el("span", { class: "note" }, ROLES[role].does)),
              el("td", {}, code(did, 128)), el("td", { class: "number" }, number.format(uses)), state);
          });
          const input = el("textarea",
            { id: "trust", rows: "8", spellcheck: "false", autocomplete: "off",
            "aria-describedby": "trust-help trust-problems" });
          const problems = el("div", { id: "trust-problems", role: "alert" });
          const element = section("keys", "The keys this was checked against",
            "A signature only says which key made it. Compare these keys with ones that you got from their owners, by another way than this file.",
            table("Keys", ["Role", "Key", "Signatures", "Trusted because"], body),
            el("details", { class: "trust" }, el("summary", {}, "Check against keys that you already have"),
              el("label", { for: "trust" }, "Trust configuration (JSON)"),
              el("p", { id: "trust-help", class: "note" },
                "The file that clawgrant proof verify takes with --trust. It stays in this browser."),
              input,
              el("div", { class: "actions" },
                el("button", { type: "button", id: "verify-trust",
                  onclick: () => actions.verifyWith(input.value, problems) }, "Verify with these keys"),
                el("button", { type: "button", class: "quiet", onclick: () => actions.verify() },
                  "Use the keys of the file")), problems));
          return {
            element,
            show(trust) {
              for (const { role, did, state } of states) {
                const known = role === "log" ? trust.logKeys(text(at(model.evidence, "log", "log_id"))).includes(did)
                  : trust.allows(role, did);
                state.textContent = !trust.isGiven ? "named by this file" : known ? "in your configuration"
                  : "not in your configuration";
                state.className = trust.isGiven && !known ? "untrusted" : "";
              }
            },
          };
        }

        function checksSection() {
          const holder = el("div", {}, el("p", {}, "Nothing was checked yet."));
          return {
            element: section("checks", "Every check", null, holder),
            show(report) {
              holder.replaceChildren(...GROUPS.map(({ name, kinds }) => {
                const rows = report.rows.filter((each) => kinds.includes(each.subject.split(":")[0]));
                if (rows.length === 0) return "";
                rows.sort((a, b) => WORST[b.outcome] - WORST[a.outcome]);
                const failed = rows.filter((each) => each.outcome === "fail").length;
                const open = rows.filter((each) => each.outcome === "skip").length;
                const tally = [`${number.format(rows.length - failed - open)} hold`,
                  failed ? `${number.format(failed)} failed` : "",
                  open ? `${number.format(open)} not checked` : ""].filter(Boolean).join(", ");
                return el("details", { class: "group", open: failed > 0,
                  "data-state": failed ? "fail" : open ? "skip" : "pass" },
                  el("summary", {}, name, " ", el("span", { class: "tally" }, tally)),
                  table(name, ["Result", "What", "Finding", "Where"], rows.map((each) => () => checkRow(each))));
              }));
            },
          };
        }

        const checkRow = (each) => el("tr", { "data-state": each.outcome, "data-subject": each.subject },
          el("td", {}, el("span", { class: "mark", "data-state": each.outcome }, icon(STATES[each.outcome].icon),
            STATES[each.outcome].word)),
          el("td", {}, each.what), el("td", {}, each.sentence), el("td", {}, code(each.path, 140)));

        function closing(model) {
          return el("footer", {},
            el("h2", {}, "What this page cannot tell"),
            el("ul", {},
              el("li", {}, "Whether the keys belong to whom they are said to belong: compare them."),
              el("li", {}, "Whether a receipt was withheld: that needs the log, which anybody with the batch topic can read again."),
              el("li", {}, "Whether this page does what it says: whoever sent it could have changed its program. Render it yourself from the " +
                "saved file, or use another program: clawgrant proof verify, or the steps for openssl and sha256sum in docs/evidence.md.")),
            el("p", { class: "note" }, "This page loads nothing and sends nothing. File ",
              code(at(model.export, "export_id") ?? at(model.payload, "bundle_id"), 80), "."));
        }
        """#
}
