extension PageScript {
    /// Checks of the receipt log: checkpoint, batch headers, receipts.
    static let logChecks = #"""
        async function checkLog(c) {
          const { evidence } = c.model;
          const log = at(evidence, "log");
          c.logName = text(at(log, "log_id"));
          await checkCheckpoint(c, log);
          for (const [index, batch] of c.model.batches.entries()) await checkBatch(c, batch, index);
          checkLinks(c);
          for (const receipt of c.model.receipts) {
            await checkReceipt(c, receipt);
            await c.pause();
          }
          await checkHead(c);
        }

        async function checkCheckpoint(c, log) {
          const path = "metadata.clawgrant.log.checkpoint";
          const add = (what, outcome, sentence, where = path) =>
            c.report.add("checkpoint", what, outcome, sentence, where);
          const note = parseCheckpoint(text(at(log, "checkpoint")));
          if (!note) return add("Note", "fail", "The checkpoint is no signed note with the size and root of a log.");
          if (note.origin !== c.logName) {
            return add("Log", "fail",
              `The checkpoint is of the log “${shown(note.origin, 80)}”, the bundle says another.`);
          }
          c.checkpoint = note;
          if (at(log, "size") !== note.size) {
            add("Size", "fail", `The checkpoint is of ${note.size} batches, the bundle says another number.`,
              "metadata.clawgrant.log.size");
          }
          const keys = c.trust.logKeys(c.logName);
          if (c.trust.isGiven && !c.trust.knowsLog(c.logName)) {
            return add("Signature", "fail", `The log “${shown(c.logName, 80)}” is not in your configuration.`);
          }
          if (keys.length === 0) return add("Signature", "skip", "The bundle names no key of the log.");
          if (!c.abilities.signatures) return add("Signature", "skip", c.abilities.reason);
          const verdicts = [];
          for (const did of keys) {
            const key = keyOfDID(did);
            verdicts.push(key ? await noteSignedBy(note, c.logName, key) : null);
          }
          if (verdicts.includes(false)) {
            return add("Signature", "fail", "The log's signature under the checkpoint does not fit: it was altered.");
          }
          if (!verdicts.includes(true)) return add("Signature", "fail", "No key of the log has signed the checkpoint.");
          add("Signature", "pass", `Signed by the log: ${note.size} batches with one root.`);
          for (const [index, did] of texts(at(log, "signers")).slice(0, LIMITS.keys).entries()) {
            if (!keys.includes(did)) {
              add("Signers", "fail", `Batches were signed by ${shown(did, 80)}, which your configuration does not list.`,
                `metadata.clawgrant.log.signers[${index}]`);
            }
          }
          if (!c.trust.isGiven) return undefined;
          const { witnesses, required } = c.trust.witnessesOf(c.logName);
          let cosigned = 0;
          for (const witness of witnesses) {
            const answer = await noteCosignedBy(note, witness);
            if (answer === false) add("Witness", "fail", `The cosignature of ${shown(witness.name, 80)} does not fit.`);
            if (answer) cosigned += 1;
          }
          if (cosigned < required) add("Witnesses", "fail",
            `${cosigned} witnesses cosigned, ${required} are required.`);
          return undefined;
        }

        async function checkBatch(c, batch, index) {
          const subject = `batch:${index}`;
          const path = `metadata.clawgrant.log.batches[${index}]`;
          const bytes = bytesOf(text(at(batch, "header")));
          const header = parsed(at(batch, "header"));
          const state = { index, subject, header, hash: toBase64URL(await sha256(bytes)) };
          c.batchList.push(state);
          const bad = (sentence, member = "header") =>
            c.report.add(subject, "Header", "fail", sentence, `${path}.${member}`);
          if (!isObject(header) || canonical(header) !== batch.header) return bad("The header is no canonical JSON.");
          const [number, first, last, count] = ["number", "first_position", "last_position", "count"]
            .map((key) => whole(header[key]));
          const total = Object.values(header.counts ?? {}).reduce((sum, value) => sum + (whole(value) ?? NaN), 0);
          const digests = ["root_b64u", "previous_header_hash_b64u"].every((key) => digestOf(header[key]));
          if (number === null || first === null || count === null || count < 1 || last - first + 1 !== count ||
              total !== count || !digests) {
            return bad("The numbers of the header contradict each other, or members are missing.");
          }
          if (header.log_id !== c.logName) return bad(`The header is of the log “${shown(header.log_id, 80)}”.`);
          if (at(batch, "number") !== number) return bad(`The header is of batch ${number}.`, "number");
          if (c.batches.has(number)) return bad(`Two batches bear the number ${number}: the log shows two histories.`,
            "number");
          state.number = number;
          c.batches.set(number, state);
          const proof = pathOf(at(batch, "path"));
          const root = proof && c.checkpoint
            ? await rootOfPath(await leafHash(bytes), number, c.checkpoint.size, proof) : null;
          const holds = root !== null && equalBytes(root, c.checkpoint.root);
          return c.report.settle(subject, "Merkle path", {
            rests: ["checkpoint"],
            problem: holds ? null : `Batch ${number} is not proven to be in the log: header or path were altered.`,
            sentence: `Batch ${number} is in the log that the checkpoint signs.`,
            path: `${path}.path`,
          });
        }

        /** Headers name the one before them. Only neighbours can be compared; the tree binds all of them anyway. */
        function checkLinks(c) {
          for (const { number, header, subject, index } of c.batchList) {
            if (number === undefined) continue;
            const before = c.batches.get(number - 1);
            const expected = number === 0 ? c.genesis : before?.hash;
            if (expected === undefined) continue;
            c.report.settle(subject, "Link to the batch before", {
              rests: before ? [before.subject] : [], quiet: true,
              problem: header.previous_header_hash_b64u === expected ? null
                : `Batch ${number} does not name batch ${number - 1} as the one before it.`,
              sentence: number === 0 ? "It is the first batch of the log." : `It names batch ${number - 1}.`,
              path: `metadata.clawgrant.log.batches[${index}].header`,
            });
            if (before && timeOf(header.sealed_at) < timeOf(before.header.sealed_at)) {
              c.report.settle(subject, "Time", {
                rests: [before.subject], quiet: true, problem: `Batch ${number} is dated before batch ${number - 1}.`,
              });
            }
          }
        }

        async function checkReceipt(c, receipt) {
          const subject = `receipt:${receipt.index}`;
          const path = `metadata.clawgrant.receipts[${receipt.index}]`;
          const batch = c.batches.get(receipt.batch);
          receipt.digest = await hashText(receipt.text);
          if (!batch) {
            const listed = c.broken("batch").length > 0;
            return c.report.add(subject, "Merkle path", listed ? "skip" : "fail",
              listed ? "Not checked: a batch header failed, and the receipt's batch may be that one."
                : "The header of its batch is not in the bundle, so that nothing proves it.", `${path}.batch`);
          }
          const { header } = batch;
          const proof = pathOf(at(receipt.entry, "path"));
          const root = proof && receipt.place !== null
            ? await rootOfPath(await leafHash(bytesOf(receipt.text)), receipt.place, header.count, proof) : null;
          c.report.settle(subject, "Merkle path", {
            rests: [batch.subject],
            problem: root && toBase64URL(root) === header.root_b64u ? null
              : `The receipt is not proven to stand in batch ${receipt.batch}: its text or its path were altered.`,
            sentence: `It stands at position ${receipt.position} of the log, in batch ${receipt.batch}.`,
            path: `${path}.text`,
          });
          const settle = (what, problem, member) => {
            if (problem) c.report.settle(subject, what, { rests: [batch.subject], problem, path: `${path}.${member}` });
          };
          const position = header.first_position + receipt.place;
          settle("Position", receipt.position === position ? null : `The log has it at position ${position}.`,
            "position");
          settle("Kind", at(receipt.entry, "kind") === at(receipt.body, "kind") ? null
            : "The receipt is of another kind.", "kind");
          const previous = c.model.receipts[receipt.index - 1];
          receipt.proven = position;
          settle("Order", previous?.proven !== undefined && !(previous.proven < position)
            ? "Receipts do not stand in the order of their positions, or one is repeated." : null, "position");
          if (!Object.hasOwn(KINDS, kindOf(receipt))) {
            c.report.add(subject, "Kind", "skip", "This page does not know receipts of this kind.", `${path}.kind`);
          }
          const compatible = at(receipt.entry, "log_inclusion_proof");
          return compatible === undefined ? undefined : checkCompatible(c, receipt, compatible, batch, path);
        }

        /** `log_inclusion_proof.v1`: the reference's tree, its signature of the root, and ours of log, size and time. */
        async function checkCompatible(c, receipt, proof, batch, path) {
          const subject = `receipt:${receipt.index}`;
          const where = `${path}.log_inclusion_proof`;
          const settle = (what, problem, sentence) =>
            c.report.settle(subject, what, { rests: ["checkpoint", batch.subject], problem, sentence, path: where });
          const size = whole(at(proof, "tree_size"));
          const place = whole(at(proof, "metadata", "leaf_index"));
          const audit = pathOf(at(proof, "audit_path"));
          const leaf = digestOf(at(proof, "leaf_hash_b64u"));
          const fits = size === batch.header.count && place === receipt.place && audit && leaf &&
            audit.length === compatibleLength(size) && at(proof, "log_id") === c.logName &&
            at(proof, "root_hash_b64u") === batch.header.clawlogs_root_b64u &&
            toBase64URL(await compatibleRoot(leaf, place, audit)) === at(proof, "root_hash_b64u");
          settle("Second tree", fits ? null
            : "The proof under the reference's tree rule does not lead to the batch's root.",
            "The proof under the reference's tree rule holds.");
          const isMine = at(proof, "leaf_hash_b64u") === receipt.digest;
          if (!isMine && c.report.outcome(subject) !== "fail") settle("Second tree",
            "The proof is of another receipt.");
          const did = at(proof, "root_signature", "signer_did");
          const key = c.trust.logKeys(c.logName).includes(did) ? keyOfDID(did) : null;
          if (!key) return settle("Signed root", "The root is not signed by a key of the log.");
          if (!c.abilities.signatures) return c.report.add(subject, "Signed root", "skip", c.abilities.reason, where);
          const statement = {
            log_id: proof.log_id, root_hash_b64u: proof.root_hash_b64u,
              root_published_at: at(proof, "root_published_at"),
            tree_size: proof.tree_size,
          };
          const signed = async (signature, message) => {
            const bytes = fromBase64URL(text(signature));
            return bytes?.length === 64 && isSigned(key, bytes, bytesOf(message));
          };
          const both = (await signed(at(proof, "root_signature", "sig_b64u"), text(proof.root_hash_b64u))) &&
            (await signed(at(proof, "metadata", "statement_sig_b64u"),
              `clawgrant-log-root-v1\n${await hashText(canonical(statement))}`));
          return settle("Signed root", both ? null : "A signature under the root does not fit.",
            "Log, size and time are signed.");
        }

        /** The log's statement of how far the revocations topic was complete. */
        async function checkHead(c) {
          const source = at(c.model.evidence, "revocations", "head");
          const path = "metadata.clawgrant.revocations.head";
          const endings = c.model.receipts.filter((receipt) => ENDINGS.includes(kindOf(receipt)))
            .map((receipt) => timeOf(at(receipt.body, "occurred_at"))).filter((time) => !Number.isNaN(time));
          const last = endings.length > 0 ? endings.reduce((a, b) => Math.max(a, b)) : null;
          if (source === undefined) {
            if (last !== null) c.report.add("head", "Head of the revocations topic", "skip",
              "There are revocations or stops, and no signed head of their topic is in the file.", path);
            return;
          }
          const head = parsed(source);
          if (!isObject(head) || canonical(head) !== source || head.log_id !== c.logName) {
            c.report.add("head", "Head of the revocations topic", "fail", "It is no canonical JSON of this log.", path);
            return;
          }
          const did = at(head, "signature", "signer_did");
          if (!c.trust.logKeys(c.logName).includes(did)) {
            c.report.settle("head", "Head of the revocations topic", {
              rests: ["checkpoint"], problem: "It is not signed by a key of the log.", path,
            });
            return;
          }
          const message = `clawgrant-revocation-head-v1\n${await hashText(canonical(without(head, "signature")))}`;
          await checkSignature({ ...c, trust: { allows: () => true } }, "head", {
            role: "log", did, signature: at(head, "signature", "signature_b64u"), message, path,
            what: "Head of the revocations topic",
          });
          if (last !== null && !(timeOf(head.as_of) >= last)) {
            c.report.add("head", "Age of the head", "skip",
              "The head of the revocations topic is older than the last revocation or stop.", path);
          }
        }
        """#
}
