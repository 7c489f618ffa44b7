import ClawWire

/// Scripts that tests run inside the page, with everything of its program in reach.
enum PageTampering {
    /// Writes what a test wants to know where it finds it in the document.
    static let tell = #"""
        const tell = (value) => document.body.append(el("pre", { id: "results" }, JSON.stringify(value)));
        const settled = () => new Promise((resolve) => {
          const look = () => (document.documentElement.dataset.verdict ? resolve() : setTimeout(look, 20));
          look();
        });
        """#

    /// Alters one thing at a time and says which subjects failed. Each entry: name, the subject that must fail, change.
    static let eachKind = #"""
        const E = (d) => d.metadata.clawgrant;
        const P = (d) => d.artifacts.proof_bundle_envelope.payload;
        const flip = (s) => s.slice(0,
          s.length >> 1) + (s[s.length >> 1] === "A" ? "B" : "A") + s.slice((s.length >> 1) + 1);
        const set = (object, key, change) => { object[key] = change(object[key]); };
        const KINDS_OF_CHANGE = [
          ["text of a receipt", "receipt:3",
            (d) => set(E(d).receipts[3], "text", (t) => t.replace("worker-1", "worker-2"))],
          ["text of the grant", "receipt:0",
            (d) => set(E(d).receipts[0], "text", (t) => t.replace("proxy:call", "proxy:kall"))],
          ["text of a revocation", "receipt:7",
            (d) => set(E(d).receipts[7], "text", (t) => t.replace("stopped", "requested"))],
          ["receipt that is no JSON", "receipt:3", (d) => set(E(d).receipts[3], "text", (t) => t.slice(1))],
          ["path of a receipt", "receipt:0", (d) => set(E(d).receipts[0].path, 0, flip)],
          ["position of a receipt", "receipt:2", (d) => set(E(d).receipts[2], "position", (p) => p + 100)],
          ["leaf of the second tree", "receipt:5",
            (d) => set(E(d).receipts[5].log_inclusion_proof, "leaf_hash_b64u", flip)],
          ["signature of the second root", "receipt:5",
            (d) => set(E(d).receipts[5].log_inclusion_proof.root_signature, "sig_b64u", flip)],
          ["time of a batch", "batch:2", (d) => set(E(d).log.batches[2], "header", (t) => t.replace("12:05", "12:06"))],
          ["path of a batch", "batch:1", (d) => set(E(d).log.batches[1].path, 1, flip)],
          ["signature of the checkpoint", "checkpoint",
            (d) => set(E(d).log, "checkpoint", (t) => t.slice(0, -10) + (t.at(-10) === "A" ? "B" : "A") + t.slice(-9))],
          ["size of the checkpoint", "checkpoint",
            (d) => set(E(d).log, "checkpoint", (t) => t.replace("\n9\n", "\n8\n"))],
          ["stated size of the log", "checkpoint", (d) => set(E(d).log, "size", (n) => n + 1)],
          ["key of the log", "checkpoint", (d) => set(E(d).log.signers, 0, flip)],
          ["document of the policy", "policy:0", (d) => { E(d).policies[0].envelope.payload.allowed_models = ["*"]; }],
          ["hash of the policy", "policy:0", (d) => set(E(d).policies[0], "policy_hash_b64u", flip)],
          ["signature of the policy", "policy:0", (d) => set(E(d).policies[0].envelope, "signature_b64u", flip)],
          ["name of an approver", "approval:0",
            (d) => set(E(d).approvals[0].approver_ids, 0, () => "someone@harborline.example")],
          ["signed approval", "input:0:0",
            (d) => set(E(d).approvals[0].inputs[0].envelope.payload, "scope_summary", (s) => `${s}!`)],
          ["signature of an approval", "input:1:0",
            (d) => set(E(d).approvals[1].inputs[0].envelope, "signature_b64u", flip)],
          ["attestation", "attest:0:1",
            (d) => set(E(d).approvals[0].attestations[1].payload, "approver_subject", (s) => `x${s}`)],
          ["claim of a token", "token:0", (d) => E(d).tokens[0].claims.scope.push("proxy:*")],
          ["expiry of a token", "token:1", (d) => { E(d).tokens[1].expires_at = "2026-03-01T13:00:00.000Z"; }],
          ["end of a token", "token:1", (d) => { E(d).tokens[1].void_from = "2026-03-01T12:20:00.000Z"; }],
          ["position of a token", "token:1", (d) => { E(d).tokens[1].position = 999; }],
          ["hash of an event", "event:4", (d) => set(P(d).event_chain[4], "event_hash_b64u", flip)],
          ["type of an event", "event:8", (d) => { P(d).event_chain[8].event_type = "tool_call"; }],
          ["payload of an event", "event:2", (d) => set(P(d).event_chain[2], "payload_hash_b64u", flip)],
          ["name of an event", "event:2", (d) => { P(d).event_chain[2].event_id = "receipt:99"; }],
          ["event taken out", "event:3", (d) => P(d).event_chain.splice(3, 1)],
          ["tokens of a call", "call:2", (d) => { P(d).receipts[2].payload.tokens_output += 1; }],
          ["signature of a call", "call:5", (d) => set(P(d).receipts[5], "signature_b64u", flip)],
          ["event of a call", "call:1", (d) => set(P(d).receipts[1].payload.binding, "event_hash_b64u", flip)],
          ["identifier of a call", "call:1", (d) => { P(d).receipts[1].payload.receipt_id += "x"; }],
          ["tool receipt", "tool:1", (d) => { P(d).tool_receipts[1].payload.tool_name = "clawgrant.other"; }],
          ["co-signature", "tool:0", (d) => set(P(d).tool_receipts[0].co_signatures[0], "signature_b64u", flip)],
          ["call set aside", "aside:1", (d) => { E(d).gateway_receipts[1].envelope.payload.model += "x"; }],
          ["sum of tokens", "usage", (d) => { E(d).usage.tokens_input -= 1; }],
          ["list of revocations", "revocations", (d) => E(d).revocations.positions.pop()],
          ["head of the revocations", "head",
            (d) => set(E(d).revocations, "head", (t) => t.replace('"next_sequence":3', '"next_sequence":4'))],
          ["stated positions", "completeness", (d) => E(d).completeness.positions.pop()],
          ["signature of the bundle", "bundle", (d) => set(d.artifacts.proof_bundle_envelope, "signature_b64u", flip)],
          ["signature of the file", "export", (d) => set(d, "signature_b64u", flip)],
          ["manifest", "manifest", (d) => { d.manifest.entries[0].size_bytes += 1; }],
          ["named evidence", "evidence", (d) => set(P(d).metadata.clawgrant, "evidence_sha256_b64u", flip)],
          ["member that the format has not", "form", (d) => { E(d).extra = 1; }],
        ];
        (async () => {
          const source = document.getElementById("bundle").textContent;
          const results = [];
          for (const [name, expected, change] of [["nothing", "", () => {}], ...KINDS_OF_CHANGE]) {
            const value = JSON.parse(source);
            change(value);
            const model = readModel(value);
            const { report, verdict } = await verify(model, ownTrust(model), await abilities(), () => {});
            const failed = report.rows.filter((each) => each.outcome === "fail").map((each) => each.subject);
            results.push({ name, expected, verdict, failed: [...new Set(failed)] });
          }
          tell(results);
        })();
        """#

    /// Verifies other bundles than the page's own and says what of each does not hold or was not checked.
    static func verifying(_ bundles: [(name: String, export: JSONValue)], trust: String? = nil) -> String {
        let list: JSONValue = .array(bundles.map { [.string($0.name), $0.export] })
        let given = trust.map { "parseTrust(\(JSONText.quoted($0))).trust" } ?? "ownTrust(model)"
        return #"""
            (async () => {
              const results = {};
              for (const [name, value] of JSON.parse(\#(JSONText.quoted(JSONWriter.text(list))))) {
                const model = readModel(value);
                const { report, verdict } = await verify(model, \#(given), await abilities(), () => {});
                results[name] = { verdict, rows: report.rows.filter((each) => each.outcome !== "pass")
                  .map((each) => `${each.outcome} ${each.subject} ${each.what}`) };
              }
              tell(results);
            })();
            """#
    }

    /// Says what is red on the page after it verified itself.
    static let redItems = #"""
        settled().then(() => tell({
          verdict: document.documentElement.dataset.verdict,
          call: marks.targets.get("call:2").dataset.state,
          sentence: marks.targets.get("call:2").querySelector(".faults")?.textContent ?? "",
          isOpen: marks.targets.get("call:2").closest("details").open,
          others: [...document.querySelectorAll("main [data-state=fail][id]")].filter((each) =>
            each !== marks.targets.get("call:2"))
            .map((each) => each.querySelector("h3, h4")?.textContent ?? each.tagName),
          title: document.title,
        }));
        """#

    /// Pastes trust configurations as a reader would.
    static func pasting(_ configuration: String) -> String {
        #"""
        const configuration = JSON.parse(\#(JSONText.quoted(configuration)));
        const paste = async (value) => {
          delete document.documentElement.dataset.verdict;
          document.getElementById("trust").value = typeof value === "string" ? value : JSON.stringify(value);
          document.getElementById("verify-trust").click();
          const problems = document.getElementById("trust-problems").textContent;
          if (problems) return { verdict: "refused", problems };
          await settled();
          const failed = marks.report.rows.filter((each) => each.outcome === "fail").map((each) =>
            each.subject.split(":")[0]);
          return { verdict: document.documentElement.dataset.verdict, failed: [...new Set(failed)].sort() };
        };
        (async () => {
          const results = {};
          results.right = await paste(configuration);
          results.noGateway = await paste({ ...configuration, gateway_signers: [] });
          results.noLog = await paste({ ...configuration, logs: [] });
          results.noApprover = await paste({ ...configuration, approvers: [] });
          results.malformed = await paste("{");
          results.unknown = await paste({ ...configuration, gateway: [] });
          results.noKey = await paste({ ...configuration, policy_signers: ["did:key:z6Mk"] });
          tell(results);
        })();
        """#
    }

    /// Puts odd values everywhere, one after the other, and builds and checks the page of each.
    static let oddValues = #"""
        (async () => {
          const source = document.getElementById("bundle").textContent;
          const paths = [];
          const walk = (value, path) => {
            if (path.length > 0) paths.push(path);
            if (path.length < 7 && value !== null && typeof value === "object") {
              for (const key of Object.keys(value).slice(0, 12)) walk(value[key], [...path, key]);
            }
          };
          walk(JSON.parse(source), []);
          let deep = 1;
          for (let level = 0; level < 50; level += 1) deep = [deep];
          const odd = [null, 1e308, "<\/script><img src=x onerror=tell(1)>", {}, [], [null], deep, true];
          const results = { tried: 0, wrong: [] };
          for (const [index, path] of paths.entries()) {
            const value = JSON.parse(source);
            const holder = path.slice(0, -1).reduce((object, key) => object[key], value);
            holder[path.at(-1)] = odd[index % odd.length];
            results.tried += 1;
            try {
              marks.entries = [];
              const model = readModel(value);
              const parts = [masthead(model), overview(model), timeline(model), approvalsSection(model),
                policiesSection(model),
                tokensSection(model), usageSection(model), completenessSection(model), keysSection(model, {}).element,
                  closing(model)];
              if (parts.some((part) => part?.querySelector("img, script"))) results.wrong.push(`${path.join(".")}: markup`);
              if (index % 9 !== 0) continue;
              const { report, verdict } = await verify(model, ownTrust(model), await abilities(), () => {});
              marks.apply(report);
              if (verdict !== "bad") results.wrong.push(`${path.join(".")}: ${verdict}`);
            } catch (error) {
              results.wrong.push(`${path.join(".")}: ${error.stack}`);
            }
          }
          tell(results);
        })();
        """#

    /// Multiplies what there is and says how much of it is shown.
    static let masses = #"""
        (async () => {
          const value = JSON.parse(document.getElementById("bundle").textContent);
          const aside = value.metadata.clawgrant.gateway_receipts;
          value.metadata.clawgrant.gateway_receipts = Array.from({ length: 20_000 },
            (_, index) => aside[index % aside.length]);
          const model = readModel(value);
          const section = timeline(model);
          const { verdict } = await verify(model, ownTrust(model), await abilities(), () => {});
          tell({ shown: section.querySelectorAll("li.entry").length,
            note: section.querySelector(".portion").textContent, verdict,
            kept: model.aside.length });
        })();
        """#
}

/// Writes text as ECMAScript reads it.
enum JSONText {
    static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case "\n": quoted += "\\n"
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
