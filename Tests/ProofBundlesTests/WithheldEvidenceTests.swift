import ClawWire
import ReceiptLog
import Testing

@testable import ProofBundles

/// What an assembler that signs can leave out, and what of it the rest of the bundle gives away.
struct WithheldEvidenceTests {
    private func codes(_ verification: Verification, _ outcome: Check.Outcome = .failed) -> Set<String> {
        Set(verification.checks.filter { $0.outcome == outcome }.map(\.code))
    }

    @Test func aCallThatTheLogKnowsIsNotWithheld() throws {
        #expect(SampleRun.verify(try SampleRun.logged()).verdict == .valid)
        let without = try SampleRun.logged(change: { $0.calls.removeLast() })
        let told = SampleRun.verify(without)
        #expect(told.verdict == .undetermined)
        #expect(codes(told, .notChecked) == ["STATED_MISSING", "CALL_NOT_GIVEN"])
        let silent = try SampleRun.retold(without) { evidence in
            var statement = try #require(evidence["completeness"]?.object)
            statement["missing"] = []
            evidence["completeness"] = .object(statement)
        }
        #expect(codes(SampleRun.verify(silent)) == ["CALL_WITHHELD"])
        // What the log says of the time of the call needs no envelope.
        let late = SampleRun.verify(try SampleRun.logged([5, 130], change: { $0.calls.removeLast() }))
        #expect(codes(late) == ["RECEIPT_AFTER_REVOCATION"])
    }

    @Test func aCallThatTheLogDoesNotKnowIsTold() throws {
        let verification = SampleRun.verify(try SampleRun.logged(leaves: 1))
        #expect(verification.verdict == .undetermined)
        #expect(codes(verification, .notChecked) == ["STATED_MISSING", "CALL_NOT_IN_LOG"])
    }

    @Test func anApprovalThatIsTakenOutIsTold() throws {
        let stripped = try SampleRun.retold(try SampleRun.assembled().exportBundle) { SampleRun.stripApprovals(&$0) }
        let verification = SampleRun.verify(stripped)
        #expect(verification.verdict == .undetermined)
        #expect(codes(verification, .notChecked) == ["APPROVAL_NOT_GIVEN"])
        // Whoever lists no approvers asks for no signature of theirs.
        var trust = SampleRun.trust
        trust.approvers = []
        #expect(ProofVerifier.verify(JSONWriter.bytes(stripped), trust: trust, now: SampleRun.now).verdict == .valid)
        let lost = try SampleRun.assembled(
            SampleRun.Options(change: { material in
                material.approvalEnvelopes = [:]
                material.approvalsNotFound = 1
            }))
        let missing = lost.evidence["completeness"]?["missing"]?.array ?? []
        #expect(missing.map { $0["code"]?.string } == ["APPROVALS_NOT_FOUND"])
    }

    @Test func aHeadThatIsTakenOutIsTold() throws {
        let sample = try SampleRun.assembled().exportBundle
        func retold(_ head: JSONValue?) throws -> Verification {
            SampleRun.verify(
                try SampleRun.retold(sample) { evidence in
                    var revocations = evidence["revocations"]?.object ?? [:]
                    revocations["head"] = head
                    evidence["revocations"] = .object(revocations)
                })
        }
        func text(_ seconds: Int64) throws -> JSONValue {
            .string(String(decoding: try SampleRun.head(at: seconds).canonicalBytes, as: UTF8.self))
        }
        #expect(try retold(text(120)).verdict == .valid)
        let without = try retold(nil)
        #expect(without.verdict == .undetermined)
        #expect(codes(without, .notChecked) == ["REVOCATION_HEAD_NOT_GIVEN"])
        let older = try retold(text(119))
        #expect(older.verdict == .undetermined)
        #expect(codes(older, .notChecked) == ["REVOCATION_HEAD_OLDER"])
        // The assembler says so itself, and a run without revocations needs none.
        for change in [
            { $0.revocationHead = nil }, { $0.revocationHead = try SampleRun.head(at: 119).canonicalBytes },
        ] as [(inout RunMaterial) throws -> Void] {
            let told = try SampleRun.assembled(SampleRun.Options(change: change))
            let missing = told.evidence["completeness"]?["missing"]?.array ?? []
            #expect(missing.map { $0["code"]?.string } == ["REVOCATION_HEAD_NOT_FOUND"])
        }
        let live = try SampleRun.assembled(
            SampleRun.Options(revokedAfter: nil, change: { $0.revocationHead = nil }))
        #expect(SampleRun.verify(live.exportBundle).verdict == .valid)
    }

    @Test func anApprovalUnderAnotherPolicyIsRefused() throws {
        var payload = try SampleRun.approvalEnvelope().payload
        payload["policy_hash_b64u"] = .string(Digest(hashing: "another policy").b64u)
        let envelope = try SignedEnvelope.sign(
            type: HumanApprovalReceipt.envelopeType, payload: payload, rule: .document,
            signer: SampleRun.signer("approver"), issuedAt: SampleRun.noon)
        let run = try SampleRun.assembled(SampleRun.Options(approvalEnvelope: envelope))
        #expect(codes(SampleRun.verify(run.exportBundle)) == ["APPROVAL_POLICY_MISMATCH"])
    }

    /// What may be left out without changing what is proven: further proofs of the same, and words.
    private static let spare = [
        "assembled_at", "log_inclusion_proof", "completeness.", "run.job_class", "run.agent_", "log.signers",
    ]

    @Test func noMemberOfTheEvidenceIsLeftOutUnseen() throws {
        let export = try SampleRun.logged()
        let evidence = try #require(export["metadata"]?["clawgrant"])
        for path in members(evidence) where !Self.spare.contains(where: path.joined(separator: ".").contains) {
            let shorter = try SampleRun.retold(export) { object in
                object = removed(.object(object), path[...]).object ?? [:]
            }
            #expect(SampleRun.verify(shorter).verdict != .valid, "\(path.joined(separator: "."))")
        }
    }

    private func members(_ value: JSONValue, _ path: [String] = []) -> [[String]] {
        switch value {
        case .object(let object): object.members.flatMap { [path + [$0.key]] + members($0.value, path + [$0.key]) }
        case .array(let array): array.enumerated().flatMap { members($0.element, path + ["\($0.offset)"]) }
        case .null, .bool, .number, .string: []
        }
    }

    private func removed(_ value: JSONValue, _ path: ArraySlice<String>) -> JSONValue {
        guard let key = path.first else { return value }
        switch value {
        case .object(var object):
            object[key] = path.count == 1 ? nil : object[key].map { removed($0, path.dropFirst()) }
            return .object(object)
        case .array(var array):
            guard let index = Int(key), array.indices.contains(index) else { return value }
            array[index] = removed(array[index], path.dropFirst())
            return .array(array)
        case .null, .bool, .number, .string: return value
        }
    }

    // MARK: Witnesses, proofs

    @Test func aWitnessCountsOnce() throws {
        let one = SampleRun.signer("witness one")
        let two = SampleRun.signer("witness two")
        var trust = SampleRun.trust
        let log = try #require(trust.logs.first)
        func key(_ signer: SeedSigner, _ name: String) throws -> NoteKey {
            try #require(NoteKey(name: name, publicKey: signer.publicKey, algorithm: .cosignature))
        }
        trust.logs = [
            TrustConfiguration.Log(
                logID: log.logID, keys: log.keys,
                witnesses: [try key(one, "witness.one"), try key(one, "witness.alias"), try key(two, "witness.two")],
                requiredWitnesses: 2)
        ]
        let material = try SampleRun.material()
        let note = material.log.checkpoint.note
        let at = SampleRun.noon
        let once = try note.cosigned(name: "witness.one", at: at, signer: one)
        let twice = try once.cosigned(name: "witness.one", at: at.adding(seconds: 1), signer: one)
        let alias = try once.cosigned(name: "witness.alias", at: at, signer: one)
        let both = try once.cosigned(name: "witness.two", at: at, signer: two)
        func verify(_ bytes: [UInt8]) -> Verification { ProofVerifier.verify(bytes, trust: trust, now: SampleRun.now) }
        for note in [once, twice, alias] {
            #expect(codes(verify(Array(note.encoded.utf8))) == ["WITNESSES_MISSING"])
        }
        #expect(verify(Array(both.encoded.utf8)).verdict == .valid)
        let receipt = material.log.receipts[0]
        func inclusion(_ note: SignedNote) throws -> Verification {
            let proof = InclusionProof(
                index: receipt.index, batchPath: receipt.batchPath, header: material.log.batches[0].header,
                headerPath: material.log.batches[0].headerPath, checkpoint: note)
            return verify(
                JSONWriter.bytes([
                    "receipt": .string(receipt.text), "proof": try JSONReader.parse(proof.canonicalBytes),
                ]))
        }
        #expect(codes(try inclusion(twice)) == ["WITNESSES_MISSING"])
        #expect(try inclusion(both).verdict == .valid)
        var whole = try SampleRun.Log()
        try whole.seal([SampleRun.stranger(0)], at: at)
        #expect(verify(whole.records[0]).verdict == .undetermined)
    }

    @Test func theProofOfAnotherReceiptIsRefused() throws {
        let call = try SampleRun.material().calls[0].envelope.json
        func with(_ proof: JSONValue) throws -> JSONValue {
            var object = try #require(call.object)
            var payload = try #require(object["payload"]?.object)
            payload["metadata"] = ["log_inclusion_proof": proof]
            object["payload"] = .object(payload)
            return .object(object)
        }
        let hash = try #require(call["payload_hash_b64u"])
        for proof: JSONValue in ["no proof", ["leaf_hash_b64u": .string(Digest(hashing: "other").b64u)], 7] {
            #expect(codes(SampleRun.verify(try with(proof))) == ["HASH_MISMATCH"])
        }
        let empty = SampleRun.verify(try with(["leaf_hash_b64u": hash, "anything": "a lie"]))
        #expect(empty.verdict == .invalid)
    }

    @Test func envelopesOfARunAreKnownAlone() throws {
        let run = try SampleRun.assembled()
        let tool = try #require(run.proofBundle["payload"]?["tool_receipts"]?.array?.first)
        let answer = SampleRun.verify(tool)
        #expect(answer.kind == .toolReceipt && answer.verdict == .undetermined)
        let word = try #require(run.evidence["approvals"]?.array?.first?["attestations"]?.array?.first)
        let attested = SampleRun.verify(word, at: SampleRun.noon)
        #expect(attested.verdict == .valid)
        #expect(attested.checks.contains { $0.code == "ATTESTATION" })
    }

    // MARK: Split views

    @Test func aSplitViewIsNamedWhateverElseIsWrong() throws {
        func contradictions(_ documents: [[UInt8]]) -> Int {
            var claims = LogClaims(trust: SampleRun.trust)
            for (index, bytes) in documents.enumerated() { claims.add(bytes, named: "\(index)") }
            return claims.contradictions.count
        }
        let material = try SampleRun.material()
        let own = material.log.checkpoint
        let other = try Checkpoint(
            origin: own.checkpoint.origin, size: own.checkpoint.size, root: Digest(hashing: "another history")
        ).signed(by: SampleRun.signer("log"))
        let late = try SampleRun.assembled(SampleRun.Options(calls: [5, 130]))
        #expect(SampleRun.verify(late.exportBundle).verdict == .invalid)
        let split = Array(other.encoded.utf8)
        #expect(contradictions([late.fileBytes, split]) == 1)
        #expect(contradictions([JSONWriter.bytes(late.proofBundle), split]) == 1)
        #expect(contradictions([late.fileBytes, Array(own.note.encoded.utf8)]) == 0)
        // Nobody's signature, nobody's claim.
        let forged = try Checkpoint(
            origin: own.checkpoint.origin, size: own.checkpoint.size, root: Digest(hashing: "x")
        ).signed(by: SampleRun.signer("stranger"))
        #expect(contradictions([late.fileBytes, Array(forged.encoded.utf8)]) == 0)

        var first = try SampleRun.Log()
        var second = try SampleRun.Log()
        try first.seal([SampleRun.stranger(0)], at: SampleRun.noon)
        try second.seal([SampleRun.stranger(1)], at: SampleRun.noon)
        try second.seal([SampleRun.stranger(2)], at: SampleRun.noon)
        #expect(contradictions([first.records[0], second.records[1]]) == 1, "batch 1 names another batch 0")
        #expect(contradictions([second.records[0], second.records[1]]) == 0)

        func head(_ tokens: Int64) throws -> [UInt8] {
            try RevocationHead(
                logID: SampleRun.logID, asOf: SampleRun.noon, nextSequence: SequenceNumber(7), controlPosition: 1,
                sweptPosition: 1, live: RevocationHead.Live(tokens: tokens, cutoffs: 0)
            ).signed(by: SampleRun.signer("log")).canonicalBytes
        }
        #expect(contradictions([try head(1), try head(1)]) == 0)
        #expect(contradictions([try head(1), try head(2)]) == 1)
    }
}
