extension PageScript {
    /// What the bundle says, sorted for showing and checking.
    static let model = #"""
        /** Text that is safe to show: control and invisible characters become visible, long text is cut and says so. */
        function shown(value, limit = 400) {
          const string = typeof value === "string" ? value : value === undefined ? "" : safeJSON(value);
          const cut = string.length > limit ? `${string.slice(0, limit)}… (${string.length} characters)` : string;
          const hidden =
            /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\p{Cs}/gu;
          return cut.replace(hidden,
            (mark) => `⟨U+${mark.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
        }

        function safeJSON(value) {
          try {
            return JSON.stringify(value);
          } catch {
            return "(something that cannot be shown)";
          }
        }

        /** A list, at most so long; the rest is counted in `over`. */
        function bounded(value, limit, name, over) {
          const entries = list(value);
          if (entries.length > limit) over.push({ name, count: entries.length, limit });
          return entries.slice(0, limit);
        }

        function readModel(document) {
          const over = [];
          const isExport = at(document, "envelope_type") === undefined;
          const bundle = isExport ? at(document, "artifacts", "proof_bundle_envelope") : document;
          const payload = at(bundle, "payload") ?? {};
          const evidence = isExport ? at(document, "metadata", "clawgrant") : undefined;
          const model = {
            document, over, bundle, payload,
            export: isExport ? document : undefined,
            evidence: isObject(evidence) ? evidence : undefined,
            summary: at(payload, "metadata", "clawgrant"),
            batches: bounded(at(evidence, "log", "batches"), LIMITS.receipts, "batch headers", over),
            policies: bounded(at(evidence, "policies"), LIMITS.inputs, "policies", over)
              .map((entry) => ({ hash: text(at(entry, "policy_hash_b64u")), envelope: at(entry, "envelope") })),
            tokens: bounded(at(evidence, "tokens"), LIMITS.receipts, "tokens", over),
            approvals: bounded(at(evidence, "approvals"), LIMITS.receipts, "approvals", over).map((entry) => ({
              entry,
              position: whole(at(entry, "position")),
              inputs: bounded(at(entry, "inputs"), LIMITS.inputs, "inputs of an approval", over)
                .map((input) => ({ input, envelope: at(input, "envelope") })),
              attestations: bounded(at(entry, "attestations"), LIMITS.inputs, "attestations of an approval", over),
            })),
            events: bounded(at(payload, "event_chain"), LIMITS.entries, "entries of the event chain", over),
            calls: bounded(at(payload, "receipts"), LIMITS.entries, "gateway receipts", over),
            tools: bounded(at(payload, "tool_receipts"), LIMITS.entries, "tool receipts", over),
            aside: bounded(at(evidence, "gateway_receipts"), LIMITS.set_aside, "gateway receipts set aside", over),
          };
          model.receipts = bounded(at(evidence, "receipts"), LIMITS.receipts, "receipts", over).map((entry, index) => ({
            entry, index,
            text: text(at(entry, "text")),
            body: parsed(at(entry, "text")) ?? {},
            position: whole(at(entry, "position")),
            batch: whole(at(entry, "batch")),
            place: whole(at(entry, "index")),
          }));
          model.byPosition = new Map(model.receipts.map((receipt) => [receipt.position, receipt]));
          model.runID = text(at(evidence, "run", "run_id")) || text(at(model.events[0], "run_id"));
          return model;
        }

        const kindOf = (receipt) => text(at(receipt.body, "kind"));

        /** What ends tokens, or may. */
        const ENDINGS = Object.freeze(["revocation", "stop.declared", "stop.lifted", "stop.drilled", "control.applied"]);

        /** The tokens of the run as its receipts have them, with what ended each. */
        function derivedTokens(model) {
          const revoked = new Map();
          const controls = [];
          for (const receipt of model.receipts) {
            const kind = kindOf(receipt);
            const hash = at(receipt.body, "revocation", "token_hash");
            if (kind === "revocation" && !revoked.has(hash)) revoked.set(hash, receipt);
            if (["stop.declared", "control.applied"].includes(kind) && controls.length < 256) controls.push(receipt);
          }
          return model.receipts
            .filter((receipt) => kindOf(receipt) === "grant.issued" && at(receipt.body, "job_id") === model.runID)
            .map((receipt) => {
              const token = at(receipt.body, "token") ?? {};
              const endings = [revoked.get(token.token_hash), controls.find((control) => endsToken(control, receipt))]
                .filter(Boolean)
                .sort((a, b) => a.position - b.position);
              const ending = endings[0];
              const expires = (whole(at(token, "exp")) ?? NaN) * 1000;
              const ended = timeOf(at(ending?.body, "occurred_at"));
              return {
                receipt, token, ending, expires,
                issued: (whole(at(token, "iat")) ?? NaN) * 1000,
                scope: text(at(token, "token_scope_hash_b64u")),
                policy: at(receipt.body, "wpc_hash_b64u"),
                voidFrom: ended < expires ? ended : expires,
              };
            });
        }

        /** Whether a control event has a cut-off that covers a token. */
        function endsToken(control, receipt) {
          const body = receipt.body;
          const issued = whole(at(body, "token", "iat"));
          const subjects = {
            job: at(body, "job_id"), job_class: at(body, "job_class"), agent: at(body, "agent_did"),
            request: at(body, "request_id"), policy_hash: at(body, "wpc_hash_b64u"),
              issuer_key: at(body, "token", "kid"),
            token: at(body, "token", "token_hash"), jti: at(body, "token", "jti"),
          };
          return list(at(control.body, "payload", "cutoffs")).slice(0, 64).some((cutoff) => {
            const before = whole(at(cutoff, "not_issued_before"));
            const since = whole(at(cutoff, "issued_since")) ?? 0;
            if (before === null || issued === null || issued >= before || issued < since) return false;
            const kind = at(cutoff, "scope", "kind");
            const value = at(cutoff, "scope", "value") ?? "";
            if (kind === "all") return true;
            if (kind === "approval") return texts(at(body, "approval_ids")).includes(value);
            return typeof kind === "string" && Object.hasOwn(subjects, kind) && subjects[kind] === value;
          });
        }

        /** Calls of the run that no entry of the chain stands for count as its use all the same. */
        const isOfTheRun = (entry) => ["not_in_chain", "limit", "contradictory"].includes(at(entry, "reason"));

        function sumUsage(model) {
          const bound = model.calls.map((call) => at(call, "payload"));
          const all = [...bound, ...model.aside.filter(isOfTheRun).map((entry) => at(entry, "envelope", "payload"))];
          const models = new Map();
          let [input, output] = [0, 0];
          for (const call of all) {
            const name = `${text(at(call, "provider"))}/${text(at(call, "model"))}`;
            const sum = models.get(name) ?? { model: name, calls: 0, tokens_input: 0, tokens_output: 0 };
            sum.calls += 1;
            sum.tokens_input += whole(at(call, "tokens_input")) ?? 0;
            sum.tokens_output += whole(at(call, "tokens_output")) ?? 0;
            input += whole(at(call, "tokens_input")) ?? 0;
            output += whole(at(call, "tokens_output")) ?? 0;
            models.set(name, sum);
          }
          return {
            calls: all.length, calls_bound: bound.length, tokens_input: input, tokens_output: output,
            models: [...models.values()], times: all.map((call) => timeOf(at(call, "timestamp"))),
          };
        }
        """#
}
