extension PageScript {
    /// Checks of what rests on the log: tokens, policies, approvals, sums, completeness.
    static let evidenceChecks = #"""
        /** The receipt that an entry of the evidence is about, with the subjects that it rests on. */
        function basis(c, position) {
          const receipt = c.model.byPosition.get(position);
          return receipt ? { receipt, rests: [`receipt:${receipt.index}`] } : { receipt: null, rests: [] };
        }

        /** Compares members that follow from receipts with what the bundle says, one row for all of them. */
        function compareMembers(c, subject, what, { rests, expected, stated, path, sentence }) {
          const wrong = Object.entries(expected).find(([key, value]) => !same(at(stated, key), value));
          c.report.settle(subject, what, {
            rests, sentence,
            problem: wrong ? `“${wrong[0]}” is not what the receipts say: ${shown(at(stated, wrong[0]) ?? "nothing", 80)} ` +
              `instead of ${shown(wrong[1] ?? "nothing", 80)}.` : null,
            path: wrong ? `${path}.${wrong[0]}` : path,
          });
        }

        const iso = (milliseconds) =>
          Math.abs(milliseconds) < 8.64e15 ? new Date(milliseconds).toISOString() : undefined;

        // --- Tokens ---

        /** The hash that names a token's authority, over the normalised claims. */
        async function scopeHash(claims) {
          const names = (value) => [...new Set(texts(value).map((name) => name.trim()).filter(Boolean))].sort();
          const object = {
            aud: names(typeof claims.aud === "string" ? [claims.aud] : claims.aud),
            scope: names(claims.scope), sub: text(claims.sub).trim(), token_version: "1",
          };
          for (const key of ["agent_did", "control_plane_policy_hash_b64u", "controller_did", "delegate_did",
            "delegation_id",
            "delegation_policy_hash_b64u", "delegation_spend_cap_minor", "delegator_did", "mission_id", "owner_did",
            "owner_ref", "payment_account_did", "policy_hash_b64u"]) {
            const value = text(claims[key]).trim();
            if (value && (key !== "delegation_spend_cap_minor" || /^\d+$/.test(value))) object[key] = value;
          }
          if (claims.delegation_expires_at > 0) object.delegation_expires_at = claims.delegation_expires_at;
          if (Number.isFinite(claims.spend_cap) && claims.spend_cap >= 0) object.spend_cap = claims.spend_cap;
          return hashText(canonical(object));
        }

        async function checkTokens(c) {
          const { model, report } = c;
          const path = "metadata.clawgrant.tokens";
          const endings = report.weakest(model.receipts
            .filter((receipt) => ["revocation", "stop.declared", "control.applied"].includes(kindOf(receipt)))
            .map((receipt) => `receipt:${receipt.index}`));
          endings.push(...c.broken("receipt"));
          const sealed = timeOf(at(model.evidence, "log", "sealed_at"));
          const known = new Map(c.tokens.map((token) => [token.receipt.position, token]));
          for (const [index, stated] of model.tokens.entries()) {
            const subject = `token:${index}`;
            const where = `${path}[${index}]`;
            const token = known.get(at(stated, "position"));
            known.delete(at(stated, "position"));
            if (!token) {
              report.settle(subject, "Issuance", {
                rests: c.broken("receipt"), problem: "No receipt of an issuance stands behind it.",
                  path: `${where}.position`,
              });
              continue;
            }
            const rests = [`receipt:${token.receipt.index}`];
            const body = token.receipt.body;
            compareMembers(c, subject, "Issuance", {
              rests, stated, path: where, sentence: "It is what the receipt of its issuance says.",
              expected: {
                request_id: at(body, "request_id"), token_hash: token.token.token_hash, jti: token.token.jti,
                kid: token.token.kid, token_scope_hash_b64u: token.scope, issued_at: iso(token.issued),
                expires_at: iso(token.expires), policy_hash_b64u: token.policy,
              },
            });
            await checkClaims(c, token, stated, subject, where);
            compareMembers(c, subject, "End", {
              rests: [...rests, ...endings], stated, path: where,
                sentence: "When and why it ended follows from the receipts.",
              expected: {
                ended_by: token.ending?.position, ended_by_kind: token.ending ? kindOf(token.ending) : undefined,
                cause: at(token.ending?.body, "revocation", "cause"), void_from: iso(token.voidFrom),
                state_at_checkpoint: token.ending ? "revoked" : token.voidFrom <= sealed ? "expired" : "live",
              },
            });
            if (!model.policies.some((policy) => policy.hash === token.policy) && token.policy !== undefined) {
              report.settle(subject, "Policy", {
                rests: [...rests, ...c.broken("policy")], path: `${where}.policy_hash_b64u`,
                problem: "The policy that it pins is not among the policies of the bundle.",
              });
            }
            await c.pause();
          }
          for (const token of known.values()) {
            report.settle("completeness", "Tokens", {
              rests: [`receipt:${token.receipt.index}`, ...c.broken("token")],
              problem: `The token issued at position ${token.receipt.position} is not among the tokens.`, path,
            });
          }
        }

        async function checkClaims(c, token, stated, subject, path) {
          const claims = at(stated, "claims");
          if (claims === undefined) {
            c.report.add(subject, "Claims", "skip", "The bundle does not hold the token's claims.", `${path}.claims`);
            return;
          }
          const rests = [`receipt:${token.receipt.index}`];
          const body = token.receipt.body;
          const audience = typeof claims.aud === "string" ? [claims.aud] : claims.aud;
          compareMembers(c, subject, "Claims", {
            rests, path: `${path}.claims`, sentence: "Claim by claim, it allows what was granted and no more.",
            stated: { ...(isObject(claims) ? claims : {}), aud: audience },
            expected: {
              sub: at(body, "agent_did"), aud: at(body, "granted", "audience"), scope: at(body, "granted", "scope"),
              iat: token.token.iat, exp: token.token.exp, jti: token.token.jti, mission_id: at(body, "job_id"),
              token_scope_hash_b64u: token.scope,
            },
          });
          const hash = isObject(claims) ? await scopeHash(claims) : "";
          c.report.settle(subject, "Scope hash", {
            rests, sentence: "The claims have the scope hash of the token.", path: `${path}.claims`,
            problem: hash === token.scope ? null : "The claims do not have the token's scope hash: they were altered.",
          });
        }

        // --- Policies ---

        async function checkPolicies(c) {
          for (const [index, policy] of c.model.policies.entries()) {
            const subject = `policy:${index}`;
            const path = `metadata.clawgrant.policies[${index}]`;
            if (policy.envelope === undefined) {
              c.report.add(subject, "Document", "skip",
                "The policy's document is not in the bundle; only its hash is.", path);
              continue;
            }
            await checkEnvelope(c, subject, policy.envelope, {
              type: "work_policy_contract", role: "policy", path: `${path}.envelope`, rule: "canonical",
            });
            const fits = at(policy.envelope, "payload_hash_b64u") === policy.hash;
            c.report.settle(subject, "Name", {
              problem: fits ? null : "The document is that of another policy.",
              sentence: "It is the policy whose hash the token pins.", path: `${path}.policy_hash_b64u`,
            });
          }
        }

        // --- Approvals ---

        async function checkApprovals(c) {
          const byPosition = new Map(c.tokens.map((token) => [token.receipt.position, token]));
          for (const [index, approval] of c.model.approvals.entries()) {
            const subject = `approval:${index}`;
            const path = `metadata.clawgrant.approvals[${index}]`;
            const token = byPosition.get(approval.position);
            if (!token) {
              c.report.settle(subject, "Grant", {
                rests: c.broken("receipt"), problem: "No receipt of an issuance stands behind it.",
                  path: `${path}.position`,
              });
              continue;
            }
            byPosition.delete(approval.position);
            const rests = [`receipt:${token.receipt.index}`];
            const body = token.receipt.body;
            compareMembers(c, subject, "Approval", {
              rests, path, sentence: "Who approved, and on what evidence, is what the receipt of the grant says.",
              stated: { ...approval.entry,
                inputs: approval.inputs.map(({ input }) => without(input ?? {}, "envelope")) },
              expected: {
                approval_ids: at(body, "approval_ids"), approver_ids: at(body, "approver_ids"),
                authenticity: at(body, "authenticity"), inputs: at(body, "inputs"),
              },
            });
            for (const [place, { input, envelope }] of approval.inputs.entries()) {
              if (envelope !== undefined) await checkOriginal(c, token, input, envelope, index, place, path);
            }
            if (approval.inputs.every(({ envelope }) => envelope === undefined)) noOriginal(c, token, subject, path);
            const people = texts(at(body, "approver_ids"));
            c.report.settle(subject, "Attestations", {
              rests, problem: approval.attestations.length === people.length ? null
                : `There are ${approval.attestations.length} attestations for ${people.length} approvers.`,
              sentence: "The worker attests each approver.", path: `${path}.attestations`,
            });
            for (const [place, envelope] of approval.attestations.entries()) {
              await checkAttestation(c, token, envelope, people[place], index, place, path);
            }
            await c.pause();
          }
          for (const token of byPosition.values()) {
            c.report.settle("completeness", "Approvals", {
              rests: [`receipt:${token.receipt.index}`, ...c.broken("approval")],
              problem: `Who approved the grant at position ${token.receipt.position} is not in the bundle.`,
              path: "metadata.clawgrant.approvals",
            });
          }
        }

        /** What the approver signed: the document itself, and whether it was about this run and in time. */
        async function checkOriginal(c, token, input, envelope, index, place, base) {
          const subject = `input:${index}:${place}`;
          const path = `${base}.inputs[${place}].envelope`;
          await checkEnvelope(c, subject, envelope, {
            type: "human_approval_receipt", role: "approver", path, now: token.issued,
          });
          const payload = at(envelope, "payload");
          const fail = (what, sentence, member) => c.report.settle(subject, what, {
            rests: [`receipt:${token.receipt.index}`], problem: sentence, path: `${path}.${member}`,
          });
          if (at(input, "digest_b64u") !== at(envelope, "payload_hash_b64u")) {
            fail("Evidence", "The grant rests on another record than this one.", "payload_hash_b64u");
          }
          if (!["explicit_approve", "auto_approve"].includes(at(payload, "approval_type"))) {
            fail("Decision", "It is no approval.", "payload.approval_type");
          }
          if (at(payload, "agent_did") !== at(token.receipt.body, "agent_did")) {
            fail("Agent", "The approval is for another agent.", "payload.agent_did");
          }
          const run = at(payload, "binding", "run_id");
          if (run !== undefined && run !== c.model.runID) fail("Run", "The approval is for another run.",
            "payload.binding.run_id");
          for (const pinned of [at(payload, "policy_hash_b64u"), at(payload, "binding", "policy_hash")]) {
            if (pinned !== undefined && pinned !== token.policy) {
              fail("Policy", "The approval is under another policy than the token's.", "payload.policy_hash_b64u");
            }
          }
          const given = timeOf(at(payload, "timestamp"));
          if (!(token.issued + 1000 >= given)) fail("Time", "The token was issued before the approval.",
            "payload.timestamp");
          const ttl = at(payload, "minted_capability_ttl_seconds");
          if (ttl !== undefined && !(token.issued <= given + ttl * 1000)) {
            fail("Time", "The approval had run out when the token was issued.",
              "payload.minted_capability_ttl_seconds");
          }
        }

        /** Who approved rests on the worker's word: enough for those alone whose configuration lists no approvers. */
        function noOriginal(c, token, subject, path) {
          const add = (outcome, sentence) => c.report.add(subject, "Signed approval", outcome, sentence, `${path}.inputs`);
          if (!c.trust.names("approver")) {
            return add("pass", "By the worker's word and the log's: your configuration lists no approvers.");
          }
          return ["confirmed", "topic"].includes(at(token.receipt.body, "authenticity"))
            ? add("skip", "The approval's source signs nothing: that it was given is its word and the worker's.")
            : add("skip", "The grant rests on a signed approval, and nothing that an approver signed is in the file.");
        }

        /** The worker's signed word that a person approved this token. */
        async function checkAttestation(c, token, envelope, person, index, place, base) {
          const subject = `attest:${index}:${place}`;
          const path = `${base}.attestations[${place}]`;
          const intact = await checkEnvelope(c, subject, envelope, {
            type: "human_approval_receipt", role: "envelope", path, now: token.issued,
          });
          if (!intact) return;
          const event = c.eventOf.get(`receipt:${token.receipt.position}`);
          const rests = [`receipt:${token.receipt.index}`, ...(event ? [event.subject] : c.broken("event"))];
          const payload = envelope.payload;
          compareMembers(c, subject, "Statement", {
            rests, path: `${path}.payload`, sentence: "It says of the token what the receipt says.",
            stated: { ...payload, run_id: at(payload, "binding", "run_id"),
              event_hash_b64u: at(payload, "binding", "event_hash_b64u") },
            expected: {
              approver_subject: person, agent_did: at(token.receipt.body, "agent_did"), scope_hash_b64u: token.scope,
              minted_capability_id: token.token.jti, policy_hash_b64u: token.policy, run_id: c.model.runID,
              minted_capability_ttl_seconds: (token.expires - token.issued) / 1000, event_hash_b64u: event?.hash,
            },
          });
        }

        // --- Sums and completeness ---

        function checkSums(c) {
          const { model, report } = c;
          const sums = sumUsage(model);
          const times = sums.times.filter((time) => !Number.isNaN(time));
          const positions = (wanted) =>
            model.receipts.filter((receipt) => wanted.includes(kindOf(receipt))).map((r) => r.position);
          const calls = [...model.calls.keys()].map((index) => `call:${index}`);
          const stated = at(model.evidence, "usage");
          const byName = (rows) => [...rows].sort((a, b) => (text(at(a, "model")) < text(at(b, "model")) ? -1 : 1));
          compareMembers(c, "usage", "Sums", {
            rests: [...calls, ...c.broken("aside"), ...c.broken("receipt")], path: "metadata.clawgrant.usage",
            sentence: "Calls and tokens add up to what the gateways signed.",
            stated: { ...(isObject(stated) ? stated : {}), models: byName(list(at(stated, "models"))) },
            expected: {
              calls: sums.calls, calls_bound: sums.calls_bound, tokens_input: sums.tokens_input,
              tokens_output: sums.tokens_output, models: byName(sums.models),
              first_at: times.length ? iso(times.reduce((a, b) => Math.min(a, b))) : undefined,
              last_at: times.length ? iso(times.reduce((a, b) => Math.max(a, b))) : undefined,
              budget_positions: positions(["budget.reached"]), finding_positions: positions(["finding.raised"]),
            },
          });
          compareMembers(c, "revocations", "List", {
            rests: c.broken("receipt"), path: "metadata.clawgrant.revocations",
              sentence: "Revocations and stops are those of the receipts.",
            stated: at(model.evidence, "revocations"),
            expected: { positions: positions(ENDINGS) },
          });
          const statement = at(model.evidence, "completeness");
          const counts = {};
          for (const receipt of model.receipts) {
            const kind = text(at(receipt.entry, "kind"));
            counts[kind] = (counts[kind] ?? 0) + 1;
          }
          const last = whole(at(statement, "last_position_read"));
          compareMembers(c, "completeness", "Positions", {
            rests: c.broken("receipt"), path: "metadata.clawgrant.completeness", stated: statement,
            sentence: "The receipts in the bundle are exactly those that it states.",
            expected: {
              positions: model.receipts.map((receipt) => receipt.position), counts,
              last_position_read: (whole(at(model.evidence, "log", "receipts")) ?? NaN) - 1,
            },
          });
          if (last === null || last < Math.max(-1,
            ...model.receipts.slice(-1).map((receipt) => receipt.position ?? 0))) {
            report.add("completeness", "Last position", "fail",
              "Receipts stand behind the last position that was read.",
              "metadata.clawgrant.completeness.last_position_read");
          }
          for (const [index, missing] of list(at(statement, "missing")).slice(0, 64).entries()) {
            report.add("completeness", "Stated as missing", "skip",
              `${shown(at(missing, "count"), 20)} × ${shown(at(missing, "code"), 60)}: ${shown(at(missing, "detail"), 200)}.`,
              `metadata.clawgrant.completeness.missing[${index}]`);
          }
        }
        """#
}
