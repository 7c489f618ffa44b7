extension PageScript {
    /// Holds the calls against the receipts by which the log knows them.
    static let loggedCalls = #"""
        /** What the log has and the file has not must be stated, and what the log says of its time needs no envelope. */
        function checkLoggedCalls(c) {
          const { model, report } = c;
          if (!Array.isArray(at(model.evidence, "gateway_receipts"))) {
            report.add("completeness", "Calls set aside", "fail", "The list of calls that were set aside is missing.",
              "metadata.clawgrant.gateway_receipts");
          }
          const leaves = model.receipts.filter((receipt) => kindOf(receipt) === "gateway.receipt");
          if (leaves.length === 0) return;
          const hashOf = (leaf) => text(at(leaf.body, "gateway_call", "payload_hash_b64u"));
          const calls = [
            ...model.calls.map((call, index) => ({ call, subject: `call:${index}`, path: `payload.receipts[${index}]` })),
            ...model.aside.map((entry, index) => ({ call: at(entry, "envelope"), subject: `aside:${index}`,
              path: `metadata.clawgrant.gateway_receipts[${index}]` })),
          ];
          const given = new Set(calls.map(({ call }) => text(at(call, "payload_hash_b64u"))).filter(Boolean));
          const known = new Set(leaves.map(hashOf));
          const lost = leaves.filter((leaf) => !given.has(hashOf(leaf)));
          const statement = list(at(model.evidence, "completeness", "missing"))
            .find((entry) => at(entry, "code") === "GATEWAY_RECEIPTS_NOT_FOUND");
          const stated = whole(at(statement, "count")) ?? 0;
          const broken = [...c.broken("call"), ...c.broken("aside")];
          for (const leaf of lost) {
            const rests = [`receipt:${leaf.index}`, ...broken];
            const path = `metadata.clawgrant.receipts[${leaf.index}]`;
            if (lost.length > stated) {
              report.settle("completeness", "Calls", { rests, path,
                problem: `The log has a gateway's receipt of a call at position ${leaf.position}, and the call is not in the file.` });
            } else {
              report.add("completeness", "Calls", "skip",
                `The call at position ${leaf.position} of the log is not in the file.`, path);
            }
            const called = timeOf(at(leaf.body, "gateway_call", "called_at"));
            const mine = c.tokens.filter((token) => token.scope === at(leaf.body, "gateway_call", "token_scope_hash_b64u"));
            const late = mine.length > 0 ? timeProblem(c, mine, called) : null;
            if (late) {
              report.settle("completeness", "Time of a call",
                { rests: [`receipt:${leaf.index}`], path, problem: `Position ${leaf.position} of the log: ${late}` });
            }
          }
          for (const { call, subject, path } of calls) {
            if (report.outcome(subject) !== "fail" && !known.has(text(at(call, "payload_hash_b64u")))) {
              report.add(subject, "Log", "skip", "The log has no receipt of this call, and has of others.", path);
            }
          }
        }
        """#
}
