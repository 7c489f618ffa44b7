extension PageScript {
    /// Whose signatures count.
    static let trust = #"""
        const ROLES = Object.freeze({
          log: { list: "logs", name: "Receipt log", does: "signs the log's checkpoints" },
          bundle: { list: "bundle_signers", name: "Assembler", does: "put this file together and sealed it" },
          envelope: { list: "envelope_signers", name: "Worker", does: "issues and revokes, says what it verified" },
          gateway: { list: "gateway_signers", name: "Gateway", does: "signs what the agent called" },
          policy: { list: "policy_signers", name: "Policy registry", does: "signs work policies" },
          approver: { list: "approvers", name: "Approver", does: "signed an approval" },
        });

        /** Trust in the keys that the bundle names: shows that it was not altered since, not by whom it was made. */
        function ownTrust(model) {
          const keys = texts(at(model.evidence, "log", "signers")).slice(0, LIMITS.keys);
          return {
            isGiven: false,
            skew: 300_000,
            witnesses: [],
            required: 0,
            logKeys: () => keys,
            names: () => true,
            allows: () => true,
          };
        }

        /** Reads a trust configuration: `{trust}` or `{problems}`. */
        function parseTrust(source) {
          const problems = [];
          const note = (where, what) => problems.push(`${where}: ${what}`);
          const value = source.length <= 1_048_576 ? parsed(source) : undefined;
          if (!isObject(value)) return { problems: ["This is not a JSON object of at most 1 MiB."] };
          const members = ["trust_version", "comment", "token_keys", "maximum_skew_seconds",
            ...Object.values(ROLES).map((role) => role.list)];
          for (const key of Object.keys(value)) if (!members.includes(key)) note(shown(key, 60),
            "there is no such setting");
          if (value.trust_version !== "1") note("trust_version", 'must be "1"');
          const dids = (entries, where) => {
            if (entries !== undefined && !Array.isArray(entries)) note(where, "a list was expected");
            if (list(entries).length > LIMITS.keys) note(where, `more than ${LIMITS.keys} keys`);
            return list(entries).slice(0, LIMITS.keys).filter((did, index) => {
              if (keyOfDID(did)) return true;
              note(`${where}[${index}]`, "no did:key of an Ed25519 key (did:key:z6Mk…)");
              return false;
            });
          };
          const lists = new Map();
          for (const [role, { list: member }] of Object.entries(ROLES)) {
            if (role !== "log") lists.set(role, new Set(dids(value[member], member)));
          }
          const logs = new Map();
          list(value.logs).slice(0, LIMITS.keys).forEach((log, index) => {
            const where = `logs[${index}]`;
            const name = text(at(log, "log_id"));
            if (!name) note(`${where}.log_id`, "the name of a log was expected");
            const keys = dids(at(log, "keys"), `${where}.keys`);
            if (keys.length === 0) note(`${where}.keys`, "at least one key is needed");
            const witnesses = list(at(log, "witnesses")).map((entry, place) => {
              const witness = witnessKey(text(entry));
              if (!witness) note(`${where}.witnesses[${place}]`, "a verifier key was expected: name+key id+base64");
              return witness;
            });
            const required = at(log, "required_witnesses") ?? 0;
            if (!Number.isSafeInteger(required) || required < 0 || required > witnesses.length) {
              note(`${where}.required_witnesses`, "a number from 0 to that of the witnesses was expected");
            }
            logs.set(name, { keys, witnesses, required });
          });
          const skew = value.maximum_skew_seconds ?? 300;
          if (!Number.isSafeInteger(skew) || skew < 0 || skew > 86_400) {
            note("maximum_skew_seconds", "seconds from 0 to a day were expected");
          }
          if (problems.length > 0) return { problems: problems.slice(0, 20) };
          return {
            trust: {
              isGiven: true,
              skew: skew * 1000,
              logKeys: (name) => logs.get(name)?.keys ?? [],
              knowsLog: (name) => logs.has(name),
              names: (role) => (lists.get(role)?.size ?? 0) > 0,
              witnessesOf: (name) => logs.get(name) ?? { witnesses: [], required: 0 },
              allows: (role, did) =>
                role === "cosigner"
                  ? lists.get("envelope").has(did) || lists.get("approver").has(did)
                  : lists.get(role)?.has(did) ?? false,
            },
          };
        }

        /** A witness's verifier key in text, without the check of its key id, which its signature lines repeat. */
        function witnessKey(value) {
          const [name, , material] = value.split("+", 2).concat(value.split("+").slice(2).join("+"));
          const bytes = fromBase64(material ?? "");
          return name && bytes?.length === 33 && bytes[0] === 4 ? { name, key: bytes.slice(1) } : null;
        }

        /** Every key that the bundle names, by what it is needed for, in a fixed order. */
        function namedKeys(model) {
          const found = new Map();
          const add = (role, did) => {
            if (typeof did !== "string" || found.size >= LIMITS.keys) return;
            const name = `${role} ${did}`;
            const entry = found.get(name) ?? { role, did, uses: 0 };
            entry.uses += 1;
            found.set(name, entry);
          };
          for (const did of texts(at(model.evidence, "log", "signers")).slice(0, LIMITS.keys)) add("log", did);
          add("bundle", at(model.export, "issuer_did"));
          add("bundle", at(model.bundle, "signer_did"));
          for (const approval of model.approvals) {
            for (const input of approval.inputs) if (input.envelope) add("approver", at(input.envelope, "signer_did"));
            for (const attestation of approval.attestations) add("envelope", at(attestation, "signer_did"));
          }
          for (const tool of model.tools) {
            add("envelope", at(tool, "signer_did"));
            for (const other of list(at(tool, "co_signatures")).slice(0, 16)) add("envelope", at(other, "signer_did"));
          }
          for (const policy of model.policies) if (policy.envelope) add("policy", at(policy.envelope, "signer_did"));
          for (const call of model.calls) add("gateway", at(call, "signer_did"));
          for (const entry of model.aside) add("gateway", at(entry, "envelope", "signer_did"));
          const order = Object.keys(ROLES);
          return [...found.values()].sort((a, b) => order.indexOf(a.role) - order.indexOf(b.role));
        }
        """#
}
