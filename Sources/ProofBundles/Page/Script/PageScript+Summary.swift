extension PageScript {
    /// The top of the page: whose run it is, the verdict, the run in six facts.
    static let summary = #"""
        const subjectsOf = (kind, count) => Array.from({ length: count }, (_, index) => `${kind}:${index}`);

        function approversOf(model) {
          const people = new Set();
          for (const receipt of model.receipts) for (const person of texts(at(receipt.body,
            "approver_ids"))) people.add(person);
          return [...people];
        }

        function signedApprovals(model) {
          const found = new Map();
          model.approvals.forEach((approval, index) => approval.inputs.forEach(({ envelope }, place) => {
            if (envelope === undefined) return;
            const name = text(at(envelope, "payload_hash_b64u"));
            const entry = found.get(name) ?? { payload: at(envelope, "payload"), subjects: [] };
            entry.subjects.push(`input:${index}:${place}`);
            found.set(name, entry);
          }));
          return [...found.values()];
        }

        function unionOf(model, path) {
          const values = new Set();
          for (const { receipt } of derivedTokens(model)) for (const value of texts(at(receipt.body,
            ...path))) values.add(value);
          return [...values];
        }

        const policyName = (policy) => text(at(policy.envelope, "payload", "policy_id")) || policy.hash;

        /** The run in two or three sentences. */
        function story(model) {
          const tokens = derivedTokens(model);
          const people = approversOf(model);
          const sums = sumUsage(model);
          const parts = model.evidence ? []
            : ["This file holds no evidence of a receipt log: who approved, and what was allowed, is not in it. "];
          if (people.length > 0) parts.push([row(people), " approved this run. "]);
          const agents = texts(at(model.evidence, "run", "agent_dids"));
          const who = agents.length > 0 ? ["The agent ", row(agents, said, 2)] : ["The agent"];
          if (tokens.length > 0) {
            const longest = Math.max(...tokens.map((token) => token.expires - token.issued).filter(Number.isFinite), 0);
            parts.push([who, ` received ${plural(tokens.length, "token")} for `,
              row(unionOf(model, ["granted", "scope"]), code),
              ` of at most ${duration(longest)} and made `]);
          } else {
            parts.push([who, " received no token that this file knows of, and made "]);
          }
          parts.push([`${plural(sums.calls, "call")} with ${number.format(sums.tokens_input)} tokens in and `,
            `${number.format(sums.tokens_output)} out. `]);
          const ended = tokens.at(-1)?.ending;
          if (ended) parts.push([`${kindOf(ended) === "revocation" ? "A revocation" : "An emergency stop"} ended the last token.`]);
          else if (tokens.length > 0) parts.push(["The last token was left to expire."]);
          return el("p", { class: "story" }, parts);
        }

        function masthead(model) {
          const run = model.runID || "an unnamed run";
          return el("header", { class: "masthead" },
            el("p", { class: "brand" }, icon("document"), "Trust Pulse"),
            el("h1", {}, said(run, 120)),
            story(model));
        }

        function verdictPanel(actions) {
          const title = el("h2", { id: "verdict-title" }, "Not checked yet");
          const sentence = el("p", {},
            "Your browser can check every hash, path and signature in this file by itself, without a network.");
          const counts = el("p", { class: "counts" });
          const faults = el("div");
          const button = el("button", { type: "button", id: "verify-button", onclick: actions.verify }, "Verify");
          const save = el("button", { type: "button", class: "quiet", onclick: actions.save }, "Save the file as JSON");
          const seal = el("div", { class: "seal", "aria-hidden": "true" }, icon("dot"));
          const panel = el("section", { id: "verdict", "aria-labelledby": "verdict-title", "data-verdict": "none" },
            seal, el("div", { class: "verdict-text", role: "status", "aria-live": "polite" }, title, sentence, counts),
            el("div", { class: "actions" }, button, save), faults);
          const glyphs = { bad: "cross", unable: "dash", intact: "check", partial: "check", verified: "check" };
          return {
            panel,
            busy(count) {
              button.disabled = true;
              button.textContent = "Checking…";
              counts.textContent = count > 0 ? `${number.format(count)} checks so far` : "";
            },
            show(outcome) {
              const words = verdictText(outcome);
              const { pass, fail, skip } = outcome.report.counts;
              panel.dataset.verdict = outcome.verdict;
              document.documentElement.dataset.verdict = outcome.verdict;
              document.title = `${words.title} · Trust Pulse`;
              title.textContent = words.title;
              sentence.textContent = words.sentence;
              counts.textContent = `${number.format(pass)} hold · ${number.format(fail)} failed · ${number.format(skip)} not checked` +
                ` · by this browser, ${outcome.at.toISOString().slice(0, 19).replace("T", " ")} UTC`;
              seal.replaceChildren(icon(glyphs[outcome.verdict] ?? "dot"));
              faults.replaceChildren(...failureList(outcome.report));
              button.disabled = false;
              button.textContent = "Verify again";
            },
          };
        }

        const capitalised = (words) => words.charAt(0).toUpperCase() + words.slice(1);

        /** What failed, with ways to the items. */
        function failureList(report) {
          const failed = report.rows.filter((each) => each.outcome === "fail");
          if (failed.length === 0) return [];
          const seals = GROUPS[0].kinds;
          const first = failed.filter((each) => !seals.includes(each.subject.split(":")[0]));
          const items = (first.length > 0 ? first : failed).slice(0, 12).map((each) => {
            const target = marks.targets.get(each.subject);
            const name = each.path || subjectName(each.subject);
            const link = target ? el("a", { href: `#${target.id}`, onclick: () => reveal(target) }, shown(name, 120))
              : said(name, 120);
            const whose = capitalised(subjectName(each.subject));
            return el("li", {}, el("strong", {}, whose, ": "), each.sentence, " ",
              el("span", { class: "where" }, link));
          });
          const rest = failed.length - items.length;
          const note = rest === 0 ? null
            : first.length > 0 ? `${plural(rest, "more check")} failed with it, among them the seals over the whole file; see “Every check”.`
            : `${plural(rest, "more check")} failed; see “Every check”.`;
          return [el("div", { class: "failures" }, el("h3", {}, "What failed"), el("ul", {}, items),
            note ? el("p", {}, note) : null)];
        }

        /** Opens what hides an element and moves the focus there. */
        function reveal(target) {
          for (let parent = target; parent; parent = parent.parentElement) if (parent.tagName === "DETAILS") parent.open = true;
          target.focus({ preventScroll: false });
        }

        function tile(title, value, note, subjects) {
          const box = el("div", { class: "tile" });
          box.append(el("h3", {}, title), el("p", { class: "value" }, value),
            note ? el("p", { class: "note" }, note) : "",
            marks.make(subjects, box, true));
          return box;
        }

        /** The run in six facts. */
        function overview(model) {
          const tokens = derivedTokens(model);
          const people = approversOf(model);
          const sums = sumUsage(model);
          const signed = signedApprovals(model);
          const missing = list(at(model.evidence, "completeness", "missing"));
          const receipts = tokens.map((token) => `receipt:${token.receipt.index}`);
          const ending = tokens.at(-1)?.ending;
          const first = Math.min(...tokens.map((token) => token.issued));
          const actions = unionOf(model, ["granted", "actions"]);
          const approvalSubjects = model.approvals.flatMap((approval, index) => [`approval:${index}`,
            ...approval.inputs.map((_, place) => `input:${index}:${place}`),
            ...approval.attestations.map((_, place) => `attest:${index}:${place}`)]);
          return el("section", { "aria-labelledby": "overview-title", id: "overview" },
            el("h2", { id: "overview-title", class: "unseen" }, "The run in six facts"),
            el("div", { class: "tiles" },
              tile("Approved by", people.length ? row(people, said, 3) : "nobody that is known here",
                people.length === 0 ? null : signed.length === 0
                  ? "by the worker's word; no approver's own signature is in the file"
                  : `${plural(signed.length, "approval")} signed by the approver; the worker vouches for the rest`,
                approvalSubjects),
              tile("Policy", model.policies.length ? row(model.policies, (policy) => said(policyName(policy), 80), 2)
                : "none is named",
                model.policies.some((policy) => policy.envelope === undefined) ? "a document is not in the file" : null,
                subjectsOf("policy", model.policies.length)),
              tile("Allowed", unionOf(model, ["granted", "scope"]).length
                ? row(unionOf(model, ["granted", "scope"]), code, 4) : "nothing",
                actions.length ? ["for ", row(actions, said, 5)] : null,
                  [...subjectsOf("token", tokens.length), ...receipts]),
              tile("Did", plural(sums.calls, "model call"),
                `${number.format(sums.tokens_input)} tokens in, ${number.format(sums.tokens_output)} out`,
                ["usage", ...subjectsOf("call", model.calls.length)]),
              tile("Ended", !tokens.length ? "no token" : ending ? endingWords(ending) : "by expiry",
                tokens.length ? `${duration(tokens.at(-1).voidFrom - first)} after the first token` : null,
                ["revocations", ...(ending ? [`receipt:${ending.index}`] : [])]),
              tile("Complete", model.evidence ? `${plural(model.receipts.length, "receipt")} of the log`
                : "no evidence of a log",
                model.evidence ? missing.length ? `${plural(missing.length, "gap")} stated`
                  : "nothing is stated as missing" : null,
                ["completeness", "checkpoint", ...subjectsOf("receipt", model.receipts.length)])));
        }

        const endingWords = (receipt) => kindOf(receipt) === "revocation"
          ? CAUSES[text(at(receipt.body, "revocation", "cause"))] ?? "revoked" : "by an emergency stop";

        const CAUSES = Object.freeze({
          approval_ended: "the approval ended", approval_expired: "the approved time was over",
          subject_invalidated: "what it rests on became void", upgraded: "another token took its place",
          stopped: "an emergency stop", key_withdrawn: "its key is no longer trusted",
            budget_spent: "the budget was spent",
          requested: "an operator asked for it", policy_rotated: "the policy was replaced",
          elevation_disabled: "elevated execution was disabled",
          proxy_required: "the proxied model route was required",
        });
        """#
}
