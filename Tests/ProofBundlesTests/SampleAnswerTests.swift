import ClawWire
import Foundation
import ReceiptLog
import Testing

@testable import ProofBundles

/// What the reference says of our bundles, what single documents answer, and what trust files may say.
struct SampleAnswerTests {
    @Test func bothReferenceVerifiersAcceptOurBundles() throws {
        for options in [
            SampleRun.Options(), SampleRun.Options(revokedAfter: nil), SampleRun.Options(calls: []),
            SampleRun.Options(
                change: { material in
                    material.calls.append(
                        try GatewayCall(
                            try SampleRun.call(
                                7, event: Digest(hashing: "x"), scope: material.calls[0].scopeHash, at: SampleRun.noon))
                    )
                }),
        ] {
            let run = try SampleRun.assembled(options)
            for document in [run.proofBundle, run.exportBundle] {
                let answer = CompatibleAnswer(
                    JSONWriter.bytes(document), trust: SampleRun.trust, now: SampleRun.now)
                #expect(!answer.answers.isEmpty)
                for answer in answer.answers {
                    #expect(answer.isValid, "\(answer.verifier): \(answer.code ?? "") \(answer.field ?? "")")
                    if !options.calls.isEmpty { #expect(answer.tier == "gateway") }
                }
            }
        }
    }

    /// A bundle that the agent signs holds the approvals that it can anchor; the worker's word stays the worker's.
    @Test func anAgentsOwnBundleHoldsItsApprovals() throws {
        let agent = SampleRun.signer("agent")
        var options = SampleRun.Options()
        options.agent = AgentDID(agent.publicKey.did)
        options.span = "span-1"
        options.calls = [5]
        var assembly = AssemblyOptions()
        assembly.issuer = SampleRun.signer("envelope")
        let run = try BundleAssembler.assemble(
            RunRecord(try SampleRun.material(options)), signer: agent, options: assembly)
        #expect(run.proofBundle["payload"]?["human_approval_receipts"]?.array?.count == 1)
        for document in [run.proofBundle, run.exportBundle] {
            let answer = CompatibleAnswer(JSONWriter.bytes(document), trust: SampleRun.trust, now: SampleRun.now)
            #expect(answer.exitCode == 0, "\(answer.answers)")
        }
        var trust = SampleRun.trust
        trust.bundleSigners = [agent.publicKey.did]
        let verification = ProofVerifier.verify(run.fileBytes, trust: trust, now: SampleRun.now)
        #expect(verification.verdict == .valid, "\(verification.failures)")
        #expect(ProofVerifier.verify(run.fileBytes, trust: SampleRun.trust, now: SampleRun.now).verdict == .invalid)
        let late = ProofVerifier.verify(
            JSONWriter.bytes(run.proofBundle), trust: trust, now: SampleRun.now)
        #expect(late.failures.map(\.code) == ["APPROVAL_UNSIGNED"])
    }

    /// Two calls of one span at different times: the reference refuses a bundle that holds both.
    @Test func callsThatTheReferenceRefusesAreSetAside() throws {
        var options = SampleRun.Options()
        options.span = "span-1"
        let material = try SampleRun.material(options)
        let (run, document) = try BundleAssembler.assemble(material, signer: SampleRun.signer("envelope"))
        #expect(run.calls.count == 1)
        #expect(run.setAside.map(\.reason) == [.contradictory])
        for document in [document.proofBundle, document.exportBundle] {
            let answer = CompatibleAnswer(JSONWriter.bytes(document), trust: SampleRun.trust, now: SampleRun.now)
            #expect(answer.exitCode == 0, "\(answer.answers)")
        }
        #expect(document.evidence["usage"]?["calls"]?.integer == 2)
        let verification = SampleRun.verify(document.exportBundle)
        #expect(verification.failures.isEmpty, "\(verification.failures)")
    }

    /// Work stays within a multiple of the size, whatever is repeated.
    @Test func excessesAreRefused() throws {
        let run = try SampleRun.assembled()
        func failures(_ change: (inout JSONObject) -> Void) throws -> Set<String> {
            var object = try #require(run.exportBundle.object)
            change(&object)
            return Set(SampleRun.verify(.object(object)).failures.map(\.code))
        }
        func evidence(_ key: String, _ value: JSONValue) throws -> Set<String> {
            try failures { object in
                var inner = object["metadata"]?["clawgrant"]?.object ?? [:]
                inner[key] = value
                object["metadata"] = ["clawgrant": .object(inner)]
            }
        }
        let many = JSONValue.array(Array(repeating: [:], count: 20_001))
        #expect(try evidence("receipts", many).contains("LIMIT_EXCEEDED"))
        #expect(try evidence("gateway_receipts", many).contains("LIMIT_EXCEEDED"))
        #expect(
            try failures { $0["manifest"] = ["manifest_version": "1", "entries": many] }.contains("LIMIT_EXCEEDED"))
        let deep = String(repeating: "[", count: 100_000)
        #expect(verify("{\"x\":" + deep).failures.map(\.code) == ["MALFORMED_JSON"])
        var bundle = try #require(run.proofBundle.object)
        var payload = try #require(bundle["payload"]?.object)
        payload["event_chain"] = many
        bundle["payload"] = .object(payload)
        #expect(SampleRun.verify(.object(bundle)).failures.contains { $0.code == "LIMIT_EXCEEDED" })
    }

    private func verify(_ text: String, at time: Timestamp = SampleRun.noon) -> Verification {
        ProofVerifier.verify(Array(text.utf8), trust: SampleRun.trust, now: time)
    }

    @Test func singleDocuments() throws {
        var log = try SampleRun.Log()
        let (grant, claims) = try SampleRun.grant(evidence: Digest(hashing: "e"))
        try log.seal([SampleRun.stranger(0), grant], at: SampleRun.noon)
        try log.seal([SampleRun.stranger(1)], at: SampleRun.noon)
        let batch = ProofVerifier.verify(log.records[0], trust: SampleRun.trust, now: SampleRun.noon)
        #expect(batch.verdict == .valid && batch.kind == .batch)
        var torn = log.records[0]
        torn[torn.count / 2] ^= 1
        #expect(ProofVerifier.verify(torn, trust: SampleRun.trust, now: SampleRun.noon).verdict == .invalid)

        let note = log.checkpoints[0].encoded
        #expect(verify(note).verdict == .valid && verify(note).kind == .checkpoint)
        #expect(verify(note.replacingOccurrences(of: "\n1\n", with: "\n2\n")).verdict == .invalid)

        let headers = try log.records.map { record in
            try VerifiedBatch(
                parsing: record, previous: nil, logID: SampleRun.logID, logKeys: [SampleRun.signer("log").publicKey]
            ).header.canonicalBytes
        }
        let tree = MerkleTree(leaves: headers)
        let path = try #require(tree.consistencyPath(from: 1))
        func pair(_ second: String, _ path: [Digest]) -> Verification {
            SampleRun.verify([
                "first": .string(note), "second": .string(second), "path": .array(path.map { .string($0.b64u) }),
            ])
        }
        #expect(pair(log.checkpoints[1].encoded, path).verdict == .valid)
        #expect(pair(log.checkpoints[1].encoded, []).failures.map(\.code) == ["CONSISTENCY_INVALID"])
        var other = try SampleRun.Log()
        try other.seal([SampleRun.stranger(9)], at: SampleRun.noon)
        #expect(pair(other.checkpoints[0].encoded, []).failures.map(\.code) == ["SPLIT_VIEW"])
        var claimed = LogClaims(trust: SampleRun.trust)
        claimed.add(log.records[0], named: "a")
        #expect(claimed.contradictions.isEmpty)
        claimed.add(other.records[0], named: "b")
        #expect(claimed.contradictions.map(\.code) == ["SPLIT_VIEW", "SPLIT_VIEW"])

        let run = try SampleRun.material()
        let receipt = run.log.receipts[0]
        let proof = InclusionProof(
            index: receipt.index, batchPath: receipt.batchPath, header: run.log.batches[0].header,
            headerPath: run.log.batches[0].headerPath, checkpoint: run.log.checkpoint.note)
        let document = try JSONReader.parse(proof.canonicalBytes)
        #expect(SampleRun.verify(["receipt": .string(receipt.text), "proof": document]).verdict == .valid)
        #expect(SampleRun.verify(["receipt": "another", "proof": document]).verdict == .invalid)
        #expect(SampleRun.verify(document).verdict == .undetermined)
        #expect(SampleRun.verify(try #require(receipt.compatibleProof).json).verdict == .valid)

        let token = try CST.mint(claims, signer: SampleRun.signer("token")).token.exposed
        #expect(verify(token).kind == .token && verify(token).verdict == .undetermined)
        #expect(verify(token, at: SampleRun.noon.adding(seconds: 600)).failures.map(\.code) == ["TOKEN_EXPIRED"])
        let stranger = try CST.mint(claims, signer: SampleRun.signer("stranger")).token.exposed
        #expect(verify(stranger).verdict == .invalid)

        #expect(SampleRun.verify(try #require(run.policies.values.first)).verdict == .valid)
        #expect(SampleRun.verify(run.calls[0].envelope.json).verdict == .valid)
        let approval = try SampleRun.approvalEnvelope().json
        #expect(SampleRun.verify(approval, at: SampleRun.noon).verdict == .valid)
        #expect(SampleRun.verify(approval).failures.map(\.code) == ["HUMAN_APPROVAL_EXPIRED"])
        for text in [
            "", "{", "{}", "[]", "null", "a.b.c", "\u{0}", "{\"envelope_type\":\"x\"}", "{\"header\":1,\"receipts\":2}",
        ] {
            #expect(verify(text).verdict == .invalid)
        }
    }

    @Test func trustFilesAreReadStrictly() throws {
        #expect(try TrustConfiguration.parse(JSONWriter.bytes(SampleRun.trustFile)) == SampleRun.trust)
        func problems(_ change: (inout JSONObject) -> Void) -> [String] {
            guard var object = SampleRun.trustFile.object else { return [] }
            change(&object)
            do {
                _ = try TrustConfiguration.parse(JSONWriter.bytes(.object(object)))
                return []
            } catch { return error.problems.map(\.path) }
        }
        #expect(problems { $0["trust_version"] = "2" } == ["trust_version"])
        #expect(problems { $0["signers"] = [] } == ["signers"])
        #expect(problems { $0["approvers"] = ["did:web:a.example", 7] } == ["approvers[0]", "approvers[1]"])
        #expect(problems { $0["logs"] = [["log_id": "a b", "keys": []]] } == ["logs[0].log_id"])
        #expect(problems { $0["logs"] = [["log_id": "a.example", "keys": []]] } == ["logs[0].keys"])
        #expect(
            problems { $0["token_keys"] = [["key": "x", "until": 1]] } == ["token_keys[0].until", "token_keys[0].key"])
        #expect(problems { $0["maximum_skew_seconds"] = -1 } == ["maximum_skew_seconds"])
    }
}
