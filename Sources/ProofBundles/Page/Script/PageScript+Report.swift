extension PageScript {
    /// Results of checks, and the checks that all envelopes share.
    static let report = #"""
        const WORST = Object.freeze({ pass: 0, skip: 1, fail: 2 });

        class Report {
          constructor() {
            this.rows = [];
            this.bySubject = new Map();
            this.counts = { pass: 0, skip: 0, fail: 0 };
            this.firstFailed = new Map();
          }

          add(subject, what, outcome, sentence, path = "") {
            const row = { subject, what, outcome, sentence, path };
            this.rows.push(row);
            this.counts[outcome] += 1;
            if (!this.bySubject.has(subject)) this.bySubject.set(subject, []);
            this.bySubject.get(subject).push(row);
            const kind = subject.split(":")[0];
            if (outcome === "fail" && !this.firstFailed.has(kind)) this.firstFailed.set(kind, subject);
            return outcome;
          }

          /** The first subject of a kind that failed, as a list to rest on. */
          broken(kind) {
            return this.firstFailed.has(kind) ? [this.firstFailed.get(kind)] : [];
          }

          /** Of many subjects the one that decides: a failed one, else one that was not checked, else none. */
          weakest(subjects) {
            const worst = this.outcome(...subjects);
            return worst === null || worst === "pass" ? []
              : [subjects.find((subject) => this.outcome(subject) === worst)];
          }

          /** The worst that came of what was looked at of a subject; null when nothing was. */
          outcome(...subjects) {
            let worst = null;
            for (const subject of subjects) {
              for (const row of this.bySubject.get(subject) ?? []) {
                if (worst === null || WORST[row.outcome] > WORST[worst]) worst = row.outcome;
              }
            }
            return worst;
          }

          /**
           * Notes a result that rests on other subjects: when one of those failed, nothing follows from this one, so that a
           * fault shows where it is and not wherever it leads to.
           *
           * `problem` is a sentence, or null when all is as it must be.
           */
          settle(subject, what, { rests = [], problem = null, sentence = "", path = "", quiet = false }) {
            const broken = rests.find((other) => this.outcome(other) === "fail");
            if (broken !== undefined) {
              if (quiet) return null;
              return this.add(subject, what, "skip",
                `Not checked: it rests on ${subjectName(broken)}, which failed.`, path);
            }
            if (problem !== null) return this.add(subject, what, "fail", problem, path);
            const open = rests.find((other) => this.outcome(other) === "skip");
            if (open !== undefined) {
              const why = `It fits, but rests on ${subjectName(open)}, which could not be checked.`;
              return quiet ? null : this.add(subject, what, "skip", why, path);
            }
            return this.add(subject, what, "pass", sentence, path);
          }
        }

        /** What a subject is called within a sentence. */
        function subjectName(subject) {
          const [kind, first] = subject.split(":");
          const number = Number(first) + 1;
          switch (kind) {
            case "checkpoint": return "the log's checkpoint";
            case "batch": return `batch header ${number} of the list`;
            case "receipt": return `receipt ${number} of the list`;
            case "event": return `entry ${number} of the event chain`;
            case "call": return `gateway receipt ${number}`;
            case "aside": return `gateway receipt ${number} of those set aside`;
            case "tool": return `tool receipt ${number}`;
            case "token": return `token ${number}`;
            case "policy": return `policy ${number}`;
            case "approval": return `approval ${number}`;
            case "input": return `a signed approval of grant ${number}`;
            case "attest": return `an attestation of grant ${number}`;
            case "bundle": return "the seal of the proof bundle";
            case "export": return "the seal of the file";
            case "evidence": return "the hash of the evidence";
            case "manifest": return "the manifest";
            case "form": return "the form of the file";
            case "usage": return "the sums of use";
            case "revocations": return "the list of revocations";
            case "head": return "the head of the revocations topic";
            case "completeness": return "the statement of completeness";
            case "chain": return "the event chain";
            default: return "another item";
          }
        }

        /** How the checks are grouped, by the kind of their subject. */
        const GROUPS = Object.freeze([
          { name: "Seals over the whole file", kinds: ["form", "export", "manifest", "bundle", "evidence"] },
          { name: "Receipt log", kinds: ["checkpoint", "batch", "receipt"] },
          { name: "Approvals", kinds: ["approval", "input", "attest"] },
          { name: "Policies", kinds: ["policy"] },
          { name: "Tokens", kinds: ["token", "tool"] },
          { name: "Event chain", kinds: ["chain", "event"] },
          { name: "Gateway calls", kinds: ["call", "aside", "usage"] },
          { name: "Revocations and completeness", kinds: ["revocations", "head", "completeness"] },
        ]);

        /** Checks one document's hash and signature: the parts that all envelopes share. */
        async function checkEnvelope(c, subject, envelope,
          { type, role, path, rule = "document", version = "1", now }) {
          const { report } = c;
          const say = (what, problem, sentence, member) =>
            report.settle(subject, what, { problem, sentence, path: `${path}.${member}` });
          if (!isObject(envelope) || !isObject(envelope.payload)) {
            say("Envelope", "There is no envelope, so that nobody has signed this.", "", "payload");
            return false;
          }
          const members = ["envelope_version", "envelope_type", "payload", "payload_hash_b64u", "hash_algorithm",
            "signature_b64u", "algorithm", "signer_did", "issued_at", "expires_at", "co_signatures"];
          const foreign = Object.keys(envelope).find((key) => !members.includes(key));
          if (foreign !== undefined) say("Envelope", `An envelope has no member “${shown(foreign, 60)}”.`, "",
            shown(foreign, 60));
          const fits = envelope.envelope_type === type && envelope.envelope_version === version &&
            envelope.algorithm === "Ed25519" && envelope.hash_algorithm === "SHA-256";
          if (!fits) say("Envelope", `It is no ${type} of version ${version} with Ed25519 and SHA-256.`, "",
            "envelope_type");
          const hash = await hashText(rule === "canonical" ? canonical(envelope.payload)
            : JSON.stringify(envelope.payload));
          const intact = hash === envelope.payload_hash_b64u;
          say("Hash", intact ? null : "The content does not have the hash that was signed: it was altered.",
            "The content has the hash that was signed.", "payload_hash_b64u");
          if (envelope.expires_at !== undefined
            && !(timeOf(envelope.expires_at) > (now ?? Date.now() - c.trust.skew))) {
            say("Validity", `The envelope expired at ${shown(envelope.expires_at, 40)}.`, "", "expires_at");
          }
          await checkSignature(c, subject, {
            role, did: envelope.signer_did, signature: envelope.signature_b64u,
              message: text(envelope.payload_hash_b64u), path,
          });
          return fits && intact && foreign === undefined && report.outcome(subject) !== "fail";
        }

        /** Checks one Ed25519 signature by the key of a DID that must be trusted for a role. */
        async function checkSignature(c, subject,
          { role, did, signature, message, path, what = "Signature", prefix = "" }) {
          const where = `${path}.${prefix}signature_b64u`;
          const note = (outcome, sentence) => c.report.add(subject, what, outcome, sentence, where);
          const name = shown(text(did), 80);
          if (!c.trust.allows(role, did)) {
            return note("fail", `Signed by ${name || "nobody"}, which is not among the keys of your configuration for this.`);
          }
          const key = keyOfDID(did);
          if (!key) return note("fail",
            `“${name}” is no Ed25519 key (did:key:z6Mk…), so that the signature proves nothing.`);
          const bytes = fromBase64URL(text(signature));
          if (bytes?.length !== 64) return note("fail", "The signature is not 64 bytes of base64url.");
          if (!c.abilities.signatures) return note("skip", c.abilities.reason);
          return (await isSigned(key, bytes, bytesOf(message)))
            ? note("pass", `Signed by ${name}.`)
            : note("fail", `The signature is not that of ${name}: content or signature were altered.`);
        }
        """#
}
