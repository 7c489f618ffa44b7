extension PageScript {
    /// Checks of the proof bundle in its export bundle: form, seals, event chain, calls, tool receipts.
    static let bundleChecks = #"""
        const EVENT_TYPES = Object.freeze({
          "grant.issued": "cst_issued", "decision.denied": "cst_denied", "decision.expired": "cst_expired",
          revocation: "cst_revoked", "stop.declared": "emergency_stop", "stop.lifted": "emergency_stop_lifted",
          "control.applied": "control_applied", "budget.reached": "budget_reached", "finding.raised": "finding_raised",
        });

        const EXPORT_MEMBERS = Object.freeze(["export_version", "export_id", "created_at", "issuer_did", "manifest",
          "artifacts", "bundle_hash_b64u", "hash_algorithm", "signature_b64u", "algorithm", "issued_at", "expires_at",
            "metadata"]);
        const EVIDENCE_MEMBERS = Object.freeze(["evidence_version", "assembled_at", "run", "log", "receipts",
          "policies",
          "tokens", "approvals", "gateway_receipts", "usage", "revocations", "completeness"]);
        const UNSIGNED_MEMBERS = Object.freeze(["side_effect_receipts", "delegation_receipts", "web_receipts",
          "vir_receipts",
          "coverage_attestations", "rate_limit_claims", "attestations", "urm", "human_approval_receipts"]);

        function checkForm(c) {
          const { model, report } = c;
          for (const { name, count, limit } of model.over) {
            report.add("form", "Size", "fail", `There are ${count} ${name}; at most ${limit} are looked at.`);
          }
          const foreign = (object, members, path) => {
            for (const key of Object.keys(isObject(object) ? object
              : {}).filter((key) => !members.includes(key)).slice(0, 20)) {
              report.add("form", "Members", "fail", `There is no member “${shown(key, 60)}” in this format.`,
                `${path}${shown(key, 60)}`);
            }
          };
          if (model.export) foreign(model.export, EXPORT_MEMBERS, "");
          if (model.evidence) {
            foreign(model.evidence, EVIDENCE_MEMBERS, "metadata.clawgrant.");
            if (model.evidence.evidence_version !== "1") {
              report.add("form", "Version", "fail", "The evidence is of an unknown version.",
                "metadata.clawgrant.evidence_version");
            }
            if (!model.runID || at(model.evidence, "run", "job_id") !== model.runID) {
              report.add("form", "Run", "fail", "Run and job must be named, and be the same.",
                "metadata.clawgrant.run");
            }
          } else {
            report.add("form", "Evidence", "skip",
              "The file holds no evidence of a receipt log, so that much cannot be checked.",
              "metadata.clawgrant");
          }
          for (const member of UNSIGNED_MEMBERS) {
            if (Object.hasOwn(model.payload, member)) {
              report.add("form", "Unsigned entries", "skip",
                `“${member}” is the assembler's word alone: nothing in it is signed.`,
                `payload.${member}`);
            }
          }
        }

        // --- Seals ---

        async function checkSeals(c) {
          const { model, report } = c;
          await checkEnvelope(c, "bundle", model.bundle, {
            type: "proof_bundle", role: "bundle", path: "artifacts.proof_bundle_envelope",
          });
          if (at(model.payload, "agent_did") !== at(model.bundle, "signer_did")) {
            report.add("bundle", "Signer", "fail", "The bundle is signed by another than it says.",
              "payload.agent_did");
          }
          if (model.evidence) {
            const stated = at(model.summary, "evidence_sha256_b64u");
            const holds = stated === (await hashText(canonical(model.evidence)));
            report.settle("evidence", "Hash of the evidence", {
              problem: holds ? null : "The evidence was altered after the bundle was signed, or is not the one it names.",
              sentence: "The evidence is the one that the signed bundle names.",
                path: "payload.metadata.clawgrant.evidence_sha256_b64u",
            });
            compareMembers(c, "evidence", "Summary", {
              rests: ["checkpoint"], stated: model.summary, path: "payload.metadata.clawgrant",
              sentence: "The signed summary is that of this run and this checkpoint.",
              expected: {
                job_id: model.runID, log_id: c.logName, checkpoint_size: c.checkpoint?.size,
                checkpoint_root_b64u: c.checkpoint ? toBase64URL(c.checkpoint.root) : undefined,
                completeness: at(model.evidence, "completeness", "summary"), tokens_total: model.tokens.length,
              },
            });
          }
          if (!model.export) return;
          const signed = canonical(without(model.export, "bundle_hash_b64u", "hash_algorithm", "signature_b64u",
            "algorithm"));
          const holds = model.export.bundle_hash_b64u === (await hashText(signed));
          report.settle("export", "Hash of the file", {
            problem: holds ? null : "Something in the file was altered after it was sealed.",
            sentence: "The file has the hash that was signed.", path: "bundle_hash_b64u",
          });
          await checkSignature(c, "export", {
            role: "bundle", did: model.export.issuer_did, signature: model.export.signature_b64u,
            message: text(model.export.bundle_hash_b64u), path: "file",
          });
          const [created, issued] = [timeOf(model.export.created_at), timeOf(model.export.issued_at)];
          if (!(created <= issued)) report.add("export", "Time", "fail", "It was created after it was issued.",
            "created_at");
          if (!(issued <= Date.now() + c.trust.skew)) {
            report.add("export", "Time", "fail", "The file is dated in the future of this computer's clock.",
              "issued_at");
          }
          const end = model.export.expires_at;
          if (end !== undefined && !(timeOf(end) > Date.now() - c.trust.skew)) {
            report.add("export", "Time", "fail", `The file expired at ${shown(end, 40)}.`, "expires_at");
          }
          await checkManifest(c);
        }

        async function checkManifest(c) {
          const { model, report } = c;
          const entries = list(at(model.export, "manifest", "entries"));
          const bytes = bytesOf(canonical(model.bundle ?? null));
          const entry = entries.find((each) => at(each, "path") === "artifacts/proof_bundle_envelope.json");
          const holds = at(entry, "sha256_b64u") === toBase64URL(await sha256(bytes))
            && at(entry, "size_bytes") === bytes.length;
          report.settle("manifest", "Proof bundle", {
            problem: holds ? null : "The proof bundle in the file is not the one that the manifest names.",
            sentence: "The manifest names the proof bundle with its hash and size.", path: "manifest.entries",
          });
          const others = Object.keys(at(model.export, "artifacts") ?? {}).filter((key) =>
            key !== "proof_bundle_envelope");
          for (const key of others.slice(0, 20)) {
            report.add("manifest", "Other artifacts", "skip", `“${shown(key, 60)}” is not looked at here.`,
              `artifacts.${shown(key, 60)}`);
          }
          if (others.length === 0 && entries.length !== 1) {
            report.add("manifest", "Entries", "fail", `The manifest has ${entries.length} entries for one artifact.`,
              "manifest.entries");
          }
        }

        // --- Event chain ---

        async function checkChain(c) {
          const { model, report } = c;
          const path = "payload.event_chain";
          let before = null;
          const ids = new Set();
          for (const [index, event] of model.events.entries()) {
            const subject = `event:${index}`;
            const where = `${path}[${index}]`;
            const six = ["event_id", "run_id", "event_type", "timestamp", "payload_hash_b64u", "prev_hash_b64u"];
            const computed = await hashText(JSON.stringify(Object.fromEntries(six.map((key) =>
              [key, at(event, key) ?? null]))));
            const stated = text(at(event, "event_hash_b64u"));
            const state = { subject, hash: stated, id: text(at(event, "event_id")) };
            const fail = (what, problem, member) => {
              if (problem) report.add(subject, what, "fail", problem, `${where}.${member}`);
            };
            report.settle(subject, "Hash", {
              problem: computed === stated ? null : "The entry does not have its hash: it was altered.",
              sentence: "The entry has its hash.", path: `${where}.event_hash_b64u`,
            });
            const previous = at(event, "prev_hash_b64u") ?? null;
            const linked = before === null ? previous === null : [before.stated, before.computed].includes(previous);
            fail("Link", linked ? null
              : "It does not name the entry before it: an entry is missing or was put in between.",
              "prev_hash_b64u");
            fail("Run", at(event, "run_id") === model.runID ? null : "The entry is of another run.", "run_id");
            fail("Identifier", ids.has(state.id) ? "The identifier was used before." : null, "event_id");
            ids.add(state.id);
            c.eventOf.set(state.id, state);
            c.eventByHash.set(stated, state);
            checkMeaning(c, event, state, where);
            before = { stated, computed };
            await c.pause();
          }
          if (model.events.length === 0) report.add("chain", "Entries", "fail", "The bundle has no event chain.", path);
          for (const receipt of model.receipts) {
            if (Object.hasOwn(EVENT_TYPES, kindOf(receipt)) && !c.eventOf.has(`receipt:${receipt.position}`)) {
              report.settle("chain", "Entries", {
                rests: [`receipt:${receipt.index}`, ...c.broken("event")], path,
                problem: `The receipt at position ${receipt.position} (${kindOf(receipt)}) has no entry in the chain.`,
              });
            }
          }
        }

        /** An entry says the same as the receipt, the evidence or the call that it stands for. */
        function checkMeaning(c, event, state, path) {
          const [kind, name, place] = state.id.split(":");
          const settle = (problem, sentence, rests) => {
            if (c.report.outcome(state.subject) !== "fail") {
              c.report.settle(state.subject, "Stands for", { rests, problem, sentence, path });
            }
          };
          const payload = at(event, "payload_hash_b64u");
          if (kind === "call") {
            const id = state.id.slice(5);
            const found = c.callsByID.get(id);
            if (!found && c.broken("call").length === 0 && c.broken("aside").length === 0) {
              return c.report.add(state.subject, "Stands for", "skip",
                "No gateway receipt in the file stands behind this call.",
                path);
            }
            return settle(found?.hash === payload ? null : "The call's receipt is another one.",
              "It stands for a call that a gateway signed.",
              found ? [found.subject] : [...c.broken("call"), ...c.broken("aside")]);
          }
          if (kind !== "receipt" && kind !== "evidence") return undefined;
          if (!c.model.evidence) return undefined;
          const { receipt, rests } = basis(c, /^\d{1,15}$/.test(name) ? Number(name) : null);
          if (!receipt) return settle("No receipt in the bundle stands behind this entry.", "", c.broken("receipt"));
          if (kind === "evidence") {
            const input = list(at(receipt.body, "inputs"))[Number(place)];
            return settle(input && at(input, "digest_b64u") === payload ? null : "The receipt names no such evidence.",
              "It stands for evidence that the receipt names.", rests);
          }
          const fits = payload === receipt.digest && at(event, "event_type") === EVENT_TYPES[kindOf(receipt)] &&
            at(event, "timestamp") === at(receipt.body, "occurred_at");
          return settle(fits ? null : `It says something else than the receipt at position ${receipt.position}.`,
            "It stands for a receipt of the log.", rests);
        }

        // --- Calls ---

        async function checkCallSignatures(c) {
          const seen = new Map();
          for (const [index, call] of c.model.calls.entries()) {
            const path = `payload.receipts[${index}]`;
            await checkEnvelope(c, `call:${index}`, call, { type: "gateway_receipt", role: "gateway", path });
            const id = at(call, "payload", "receipt_id");
            if (seen.has(id)) {
              c.report.add(`call:${index}`, "Identifier", "fail", "Another receipt has the same identifier.",
                `${path}.payload.receipt_id`);
            }
            seen.set(id, index);
            c.callsByID.set(id, { subject: `call:${index}`, hash: at(call, "payload_hash_b64u") });
            await c.pause();
          }
          for (const [index, entry] of c.model.aside.entries()) {
            await checkAside(c, entry, index);
            const id = at(entry, "envelope", "payload", "receipt_id");
            if (isOfTheRun(entry) && !c.callsByID.has(id)) {
              c.callsByID.set(id, { subject: `aside:${index}`, hash: at(entry, "envelope", "payload_hash_b64u") });
            }
            await c.pause();
          }
        }

        /** A call that was set aside must deserve it; it is never evidence of more than that. */
        async function checkAside(c, entry, index) {
          const subject = `aside:${index}`;
          const path = `metadata.clawgrant.gateway_receipts[${index}]`;
          const envelope = at(entry, "envelope");
          const add = (outcome, sentence) => c.report.add(subject, "Set aside", outcome, sentence, path);
          const hash = await hashText(JSON.stringify(at(envelope, "payload") ?? null));
          const isIntact = hash === at(envelope, "payload_hash_b64u");
          switch (at(entry, "reason")) {
            case "signature_invalid":
              if (isIntact && (await isSignedEnvelope(c, envelope))) {
                return add("fail", "It was set aside for a wrong signature, and the signature is right.");
              }
              return add("skip", "Set aside because its hash or signature do not fit. It proves nothing.");
            case "signer_unknown":
              return c.trust.isGiven && c.trust.allows("gateway", at(envelope, "signer_did"))
                ? add("fail", "It was set aside as of an unknown signer, whom your configuration lists.")
                : add("skip", "Set aside because its signer is no known gateway. It proves nothing.");
            case "replayed":
              return add("fail", "A gateway's receipt identifier came twice with different content.");
            case "other_run": case "not_in_chain": case "limit": case "contradictory": break;
            default: return add("fail", "It was set aside for a reason that this format does not have.");
          }
          if (!isIntact) return add("fail", "The content does not have the hash that was signed: it was altered.");
          await checkSignature(c, subject, {
            role: "gateway", did: at(envelope, "signer_did"), signature: at(envelope, "signature_b64u"),
            message: text(at(envelope, "payload_hash_b64u")), path: `${path}.envelope`,
          });
          const isMine = at(envelope, "payload", "binding", "run_id") === c.model.runID;
          if ((at(entry, "reason") === "other_run") === isMine) return add("fail",
            "The reason for setting it aside does not hold.");
          return at(entry, "reason") === "not_in_chain"
            ? add("skip", "The call names no entry of this chain; only the agent's own chain could tell what it belongs to.")
            : add("skip", "It is not among the calls that this bundle proves.");
        }

        /** Whether the stated signer signed the stated hash, whoever that is. */
        async function isSignedEnvelope(c, envelope) {
          const key = keyOfDID(at(envelope, "signer_did"));
          const bytes = fromBase64URL(text(at(envelope, "signature_b64u")));
          return Boolean(key && bytes?.length === 64 && c.abilities.signatures) &&
            isSigned(key, bytes, bytesOf(text(at(envelope, "payload_hash_b64u"))));
        }

        /** What calls are bound to: those of the bundle, and of those set aside the ones that are the run's use all the same. */
        function checkCallBindings(c) {
          const receipts = c.report.weakest(c.tokens.map((token) => `receipt:${token.receipt.index}`));
          receipts.push(...c.broken("receipt"));
          const calls = c.model.calls.map((call, index) => ({ call, subject: `call:${index}`,
            path: `payload.receipts[${index}].payload`, isBound: true }));
          const others = c.model.aside.map((entry, index) => ({ call: at(entry, "envelope"), subject: `aside:${index}`,
            reason: at(entry, "reason"), path: `metadata.clawgrant.gateway_receipts[${index}].envelope.payload` }));
          const ours = ["not_in_chain", "limit", "contradictory", "other_run"];
          for (const each of [...calls, ...others.filter(({ reason }) => ours.includes(reason))]) {
            const { call, subject, path } = each;
            if (c.report.outcome(subject) === "fail") continue;
            const binding = at(call, "payload", "binding");
            const settle = (what, problem, member, rests = [], sentence = "") =>
              c.report.settle(subject, what, { problem, rests, sentence, path: `${path}.${member}` });
            const mine = c.tokens.filter((token) => token.scope === at(binding, "token_scope_hash_b64u"));
            if (each.reason === "other_run") {
              if (mine.length > 0) settle("Run", "A token of this run was used in another run.", "binding.run_id",
                receipts);
              continue;
            }
            const event = c.eventByHash.get(at(binding, "event_hash_b64u"));
            if (!each.isBound && (each.reason === "not_in_chain") === (event !== undefined)) {
              settle("Set aside", "The reason for setting it aside does not hold.", "binding.event_hash_b64u",
                c.broken("event"));
            }
            if (each.isBound) settle("Run",
              at(binding, "run_id") === c.model.runID ? null : "The call is of another run.",
              "binding.run_id", [],
              "The call is of this run.");
            if (each.isBound) settle("Chain", event ? null : "The call names no entry of the event chain.",
              "binding.event_hash_b64u",
              event ? [event.subject] : c.broken("event"), "The call names an entry of the event chain.");
            if (!c.model.evidence) continue;
            if (mine.length === 0) {
              settle("Scope", "The call was made with a token that is none of this run's.",
                "binding.token_scope_hash_b64u", receipts);
              continue;
            }
            const policy = at(binding, "policy_hash");
            if (policy !== undefined && !mine.some((token) => token.policy === policy)) {
              settle("Policy", "The call was made under another policy than the token pins.", "binding.policy_hash",
                receipts);
            }
            settle("Time", timeProblem(c, mine, timeOf(at(call, "payload", "timestamp"))), "timestamp", receipts,
              "A token of the run was alive at the time.");
          }
        }

        /** Why a call cannot have been made at a time with one of some tokens; null when it can. */
        function timeProblem(c, tokens, time) {
          if (tokens.some((token) => token.issued <= time && time < token.voidFrom)) return null;
          if (tokens.some((token) => token.issued <= time)) return "The call is dated after its token had ended.";
          return tokens.some((token) => time + c.trust.skew >= token.issued) ? null
            : "The call is dated before its token was issued.";
        }

        // --- Tool receipts ---

        async function checkTools(c) {
          for (const [index, tool] of c.model.tools.entries()) {
            const subject = `tool:${index}`;
            const path = `payload.tool_receipts[${index}]`;
            const payload = at(tool, "payload");
            const version = at(payload, "receipt_version") === "1" ? "1" : "2";
            await checkEnvelope(c, subject, tool, { type: "tool_receipt", role: "envelope", path, version });
            for (const [place, other] of list(at(tool, "co_signatures")).slice(0, 16).entries()) {
              await checkSignature(c, subject, {
                role: "cosigner", did: at(other, "signer_did"), signature: at(other, "signature_b64u"),
                message: text(at(tool, "payload_hash_b64u")), path, what: "Co-signature",
                  prefix: `co_signatures[${place}].`,
              });
            }
            if (at(payload, "agent_did") !== at(c.model.payload, "agent_did")) {
              c.report.settle(subject, "Agent",
                { problem: "It is of another agent than the bundle.", path: `${path}.payload.agent_did` });
            }
            await c.pause();
            if (c.report.outcome(subject) === "fail" || !c.model.evidence) continue;
            const event = c.eventByHash.get(at(payload, "binding", "event_hash_b64u"));
            const { receipt, rests } = basis(c, event?.id.startsWith("receipt:") ? Number(event.id.slice(8)) : null);
            if (!receipt || at(payload, "binding", "run_id") !== c.model.runID) {
              c.report.settle(subject, "Receipt", {
                rests: [...c.broken("event"), ...c.broken("receipt")], problem: "It names no receipt of this run.",
                  path: `${path}.payload.binding`,
              });
              continue;
            }
            const salts = ["args_salt_b64u", "result_salt_b64u"].map((key) => digestOf(at(payload, key)));
            const hashes = salts.includes(null) ? [] : [
              toBase64URL(await sha256(salts[0], bytesOf(canonical(at(receipt.body, "inputs") ?? [])))),
              toBase64URL(await sha256(salts[1], bytesOf(receipt.text))),
            ];
            compareMembers(c, subject, "Receipt", {
              rests: [...rests, event.subject], stated: payload, path: `${path}.payload`,
              sentence: `It says what the receipt at position ${receipt.position} says.`,
              expected: {
                args_hash_b64u: hashes[0], result_hash_b64u: hashes[1], timestamp: at(receipt.body, "occurred_at"),
                receipt_id: `clawgrant:${text(at(receipt.body, "receipt_id"))}`,
                tool_name: kindOf(receipt) === "grant.issued" ? "clawgrant.issue" : "clawgrant.revoke",
              },
            });
          }
        }
        """#
}
