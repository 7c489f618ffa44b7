extension PageScript {
    /// All checks in their order, and what they come to.
    static let verify = #"""
        /** Lets the browser breathe now and then, and tells how far the work is. */
        function pacer(report, progress) {
          let last = performance.now();
          return async () => {
            if (performance.now() - last < 40) return;
            progress(report.rows.length);
            await new Promise((resolve) => setTimeout(resolve));
            last = performance.now();
          };
        }

        /** Checks a bundle against keys; never throws. */
        async function verify(model, trust, can, progress) {
          const report = new Report();
          const outcome = { report, trust, can, at: new Date() };
          if (!can.hashes) {
            report.add("form", "Browser", "skip", can.reason);
            return { ...outcome, verdict: "unable" };
          }
          const c = {
            model, trust, report, abilities: can, tokens: derivedTokens(model), batches: new Map(), batchList: [],
            eventOf: new Map(), eventByHash: new Map(), callsByID: new Map(), checkpoint: null, logName: "",
              pause: pacer(report, progress),
          };
          c.broken = (kind) => report.broken(kind);
          c.genesis = await hashText(`clawgrant-log-v1\n${text(at(model.evidence, "log", "log_id"))}`);
          const withEvidence = model.evidence !== undefined;
          const stages = [
            checkForm, withEvidence && checkLog, checkCallSignatures, checkChain, withEvidence && checkPolicies,
            withEvidence && checkTokens, withEvidence && checkApprovals, checkCallBindings, checkTools,
            withEvidence && checkSums, withEvidence && checkLoggedCalls, checkSeals,
          ];
          for (const stage of stages.filter(Boolean)) {
            try {
              await stage(c);
            } catch (error) {
              report.add("form", "Reading", "fail", `A part of the file cannot be read: ${shown(String(error), 120)}.`);
            }
          }
          return { ...outcome, verdict: verdictOf(report, trust, can) };
        }

        /** `bad`, `unable`, `verified`, `partial` or `intact`; only the reader's own keys make a file verified. */
        function verdictOf(report, trust, can) {
          if (report.counts.fail > 0) return "bad";
          if (!can.signatures || report.counts.pass === 0) return "unable";
          if (!trust.isGiven) return "intact";
          return report.counts.skip > 0 ? "partial" : "verified";
        }

        const number = new Intl.NumberFormat("en");
        const plural = (count, one, many = `${one}s`) => `${number.format(count)} ${count === 1 ? one : many}`;

        /** The verdict in words. */
        function verdictText({ verdict, report, can }) {
          const { pass, fail, skip } = report.counts;
          const open = skip > 0 ? ` ${plural(skip, "check")} could not be made; each says why.` : "";
          switch (verdict) {
            case "bad": return {
              title: "Do not rely on this file",
              sentence: `${plural(fail, "check")} failed: something was altered, or parts contradict each other.`,
            };
            case "unable": return {
              title: "Not verified",
              sentence: `${can.reason || "Too little could be checked."} Use another browser, or clawgrant proof verify.`,
            };
            case "verified": return {
              title: "Verified", sentence: `All ${number.format(pass)} checks hold, against the keys that you gave.`,
            };
            case "partial": return {
              title: "Verified in part",
                sentence: `${plural(pass, "check")} hold, against the keys that you gave.${open}`,
            };
            default: return {
              title: "Intact, if the keys are right",
              sentence: `${plural(pass, "check")} hold, against the keys that the file itself names. Compare these keys with ` +
                `ones that you got elsewhere: whoever makes up a whole run can sign it with made-up keys.${open}`,
            };
          }
        }
        """#
}
