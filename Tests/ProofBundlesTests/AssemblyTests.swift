import ClawWire
import Foundation
import ReceiptLog
import Testing

@testable import ProofBundles

/// Runs put together from the records of a log.
struct AssemblyTests {
    @Test func sampleIsTheFileInTheTree() throws {
        let files = [
            "run.export.json": try SampleRun.assembled().fileBytes,
            "trust.json": JSONWriter.bytes(SampleRun.trustFile) + [0x0A],
        ]
        for (name, bytes) in files {
            let url = SampleRun.folder.appendingPathComponent(name)
            if ProcessInfo.processInfo.environment["CLAWGRANT_WRITE_SAMPLES"] == "1" {
                try Data(bytes).write(to: url)
            }
            #expect(Array(try Data(contentsOf: url)) == bytes, "write it anew with CLAWGRANT_WRITE_SAMPLES=1")
        }
    }

    @Test func sameMaterialGivesTheSameBytes() throws {
        let first = try SampleRun.assembled()
        let again = try SampleRun.assembled(
            SampleRun.Options(change: { $0.calls.reverse() }))
        #expect(first.fileBytes == again.fileBytes)
    }

    @Test func bundleHoldsTheRun() throws {
        let run = try SampleRun.assembled()
        let payload = try #require(run.proofBundle["payload"])
        let chain = try RunEvent.chain(try #require(payload["event_chain"]?.array))
        #expect(
            chain.map(\.type) == ["approval_decision", "cst_issued", "llm_call", "llm_call", "cst_revoked"]
                || chain.map(\.type) == ["approval_decision", "cst_issued", "cst_revoked"])
        #expect(payload["receipts"]?.array?.count == 2)
        #expect(payload["tool_receipts"]?.array?.count == 2)
        #expect(payload["agent_did"]?.string == SampleRun.signer("envelope").publicKey.did)
        let evidence = run.evidence
        #expect(evidence["receipts"]?.array?.compactMap { $0["position"]?.integer } == [1, 5])
        let token = try #require(evidence["tokens"]?.array?.first)
        #expect(token["state_at_checkpoint"]?.string == "revoked")
        #expect(token["claims"]?["mission_id"]?.string == SampleRun.job.rawValue)
        #expect(token["claims"]?["nonce"] == nil)
        #expect(evidence["completeness"]?["missing"]?.array?.isEmpty == true)
        #expect(evidence["usage"]?["tokens_input"]?.integer == 1_801)
        #expect(JSONWriter.bytes(try #require(payload["metadata"])).count <= 16_384)
        #expect(!String(decoding: run.fileBytes, as: UTF8.self).contains("eyJ"))
    }

    @Test func whatIsNotBoundIsSetAside() throws {
        let run = try SampleRun.assembled(
            SampleRun.Options(change: { material in
                let scope = material.calls[0].scopeHash
                func add(_ value: JSONValue) throws { material.calls.append(try GatewayCall(value)) }
                let event = material.calls[0].eventHash
                try add(SampleRun.call(7, event: Digest(hashing: "x"), scope: scope, at: SampleRun.noon))
                try add(SampleRun.call(8, event: event, scope: scope, at: SampleRun.noon, run: "job-other"))
                try add(SampleRun.call(9, event: event, scope: scope, at: SampleRun.noon, by: "stranger"))
                try add(
                    SampleRun.call(10, event: event, scope: scope, at: SampleRun.noon.adding(seconds: 50), id: "rcpt-0")
                )
            }))
        let aside = try #require(run.evidence["gateway_receipts"]?.array)
        #expect(
            Set(aside.compactMap { $0["reason"]?.string })
                == ["not_in_chain", "other_run", "signer_unknown", "replayed"])
        #expect(run.proofBundle["payload"]?["receipts"]?.array?.count == 2)
    }

    /// Whoever may write to the gateways' topic can put nothing into the place of a call.
    @Test func forgedCallsTakeNoPlace() throws {
        let run = try SampleRun.assembled(
            SampleRun.Options(change: { material in
                let call = material.calls[0]
                let early = SampleRun.noon.adding(seconds: 1)
                var forged = try #require(
                    SampleRun.call(7, event: call.eventHash, scope: call.scopeHash, at: early, id: "rcpt-0").object)
                forged["signature_b64u"] = .string(Base64URL.encode([UInt8](repeating: 1, count: 64)))
                material.calls.append(try GatewayCall(.object(forged)))
                material.calls.append(
                    try GatewayCall(
                        try SampleRun.call(
                            8, event: call.eventHash, scope: call.scopeHash, at: early, by: "stranger", id: "rcpt-1")))
            }))
        let receipts = run.proofBundle["payload"]?["receipts"]?.array ?? []
        #expect(receipts.compactMap { $0["payload"]?["tokens_input"]?.integer } == [900, 901])
        let aside = try #require(run.evidence["gateway_receipts"]?.array)
        #expect(Set(aside.compactMap { $0["reason"]?.string }) == ["signature_invalid", "signer_unknown"])
    }

    /// Of two calls that one gateway signed under one identifier, the one that was counted stands.
    @Test func theLoggedCallStands() throws {
        let material = try SampleRun.loggedMaterial(change: { material in
            let call = material.calls[0]
            material.calls.append(
                try GatewayCall(
                    try SampleRun.call(
                        7, event: call.eventHash, scope: call.scopeHash, at: SampleRun.noon.adding(seconds: 1),
                        id: "rcpt-0")))
        })
        let run = RunRecord(material)
        #expect(run.calls.map(\.tokensInput) == [900, 901])
        #expect(run.setAside.map(\.reason) == [.replayed])
    }

    @Test func strangersTakeNoRoomFromCalls() throws {
        let material = try SampleRun.loggedMaterial()
        var collector = CallCollector(
            jobID: SampleRun.job, log: material.log, signers: [SampleRun.signer("gateway").publicKey.did])
        let junk = JSONWriter.bytes(
            try SampleRun.call(9, event: nil, scope: nil, at: SampleRun.noon, by: "stranger"))
        for _ in 0..<(CallCollector.maximumStrangers + 20) { collector.take(junk) }
        for call in material.calls { collector.take(JSONWriter.bytes(call.envelope.json)) }
        #expect(collector.calls.count == CallCollector.maximumStrangers + 2)
        #expect(collector.unreadable == 20)
        #expect(Array(collector.calls.suffix(2)) == material.calls)
    }

    @Test func agentsOwnChainIsKept() throws {
        func entry(_ id: String, _ previous: Digest?) -> RunEvent {
            RunEvent(
                id: id, runID: SampleRun.job.rawValue, type: "llm_call", timestamp: "2026-03-01T12:00:20.000Z",
                payloadHash: Digest(hashing: id), previousHash: previous)
        }
        let plain = RunRecord(try SampleRun.material())
        let issued = try #require(plain.eventHashes[1])
        var material = try SampleRun.material()
        let first = entry("a1", issued)
        material.agentEvents = [first, entry("a2", first.hash)]
        let continued = RunRecord(material)
        #expect(continued.agentContinuesOurs)
        #expect(Set(continued.chain.map(\.hash)).isSuperset(of: material.agentEvents.map(\.hash)))
        _ = try RunEvent.chain(continued.chain.map(\.json))

        let own = entry("b1", nil)
        material.agentEvents = [own, entry("b2", own.hash)]
        let separate = RunRecord(material)
        #expect(!separate.agentContinuesOurs)
        #expect(separate.chain.first == own)
        _ = try RunEvent.chain(separate.chain.map(\.json))
    }

    @Test func trackerAgreesWithTheTree() {
        for size in 0..<70 {
            let leaves = (0..<size).map { RFC9162.leafHash(Array("leaf \($0)".utf8)) }
            var tracker = InclusionTracker()
            for (index, leaf) in leaves.enumerated() { tracker.append(leaf, isOfInterest: index % 3 == 1) }
            let tree = MerkleTree(leafHashes: leaves)
            let completed = tracker.completed()
            #expect(completed.root == tree.root)
            #expect(completed.paths.count == leaves.indices.count { $0 % 3 == 1 })
            for (index, path) in completed.paths { #expect(path == tree.inclusionPath(of: Int(index))) }
        }
    }

    @Test func collectorRefusesGapsAndSplitViews() throws {
        func code(_ records: [[UInt8]]) throws -> EvidenceError.Code? {
            var collector = try RunCollector(
                jobID: SampleRun.job, logID: SampleRun.logID, logKeys: [SampleRun.signer("log").publicKey])
            do {
                for (offset, record) in records.enumerated() { try collector.add(record, at: Int64(offset)) }
                return nil
            } catch { return error.code }
        }
        var log = try SampleRun.Log()
        for n in 0..<4 { try log.seal([SampleRun.stranger(n)], at: SampleRun.noon) }
        var other = try SampleRun.Log()
        for n in 0..<4 { try other.seal([SampleRun.stranger(n + 10)], at: SampleRun.noon) }
        #expect(try code(log.records) == nil)
        #expect(try code([log.records[0], log.records[0], log.records[1]]) == nil)
        #expect(try code([log.records[0], log.records[2]]) == .positionMismatch)
        #expect(try code([log.records[0], log.records[1], other.records[1]]) == .consistencyInvalid)
        #expect(try code([log.records[0], other.records[1]]) == .chainBroken)
    }

    @Test func aLastBatchWithoutCheckpointIsLeftForLater() throws {
        let (grant, _) = try SampleRun.grant(evidence: Digest(hashing: "e"))
        var log = try SampleRun.Log()
        try log.seal([grant], at: SampleRun.noon)
        try log.seal([SampleRun.stranger(0)], at: SampleRun.noon)
        try log.seal(
            [try #require(SampleRun.revocation(of: grant, after: 9))], at: SampleRun.noon, withCheckpoint: false)
        var collector = try RunCollector(
            jobID: SampleRun.job, logID: SampleRun.logID, logKeys: [SampleRun.signer("log").publicKey])
        for (offset, record) in log.records.enumerated() { try collector.add(record, at: Int64(offset)) }
        let collected = try #require(try collector.collected())
        #expect(collected.checkpoint.checkpoint.size == 2)
        #expect(collected.receipts.count == 1)
    }
}

/// When a run's bundle is due.
struct OpenRunsTests {
    private func ended(_ records: [[UInt8]], after seconds: Int64, settle: Int64 = 0) -> [OpenRuns.Ended] {
        var open = OpenRuns()
        for record in records { open.take(record) }
        return open.ended(at: SampleRun.noon.adding(seconds: seconds), settle: settle)
    }

    @Test func runsEndWithTheirLastToken() throws {
        let (grant, _) = try SampleRun.grant(evidence: Digest(hashing: "e"))
        let (second, _) = try SampleRun.grant(1, evidence: Digest(hashing: "e"))
        var log = try SampleRun.Log()
        try log.seal([SampleRun.stranger(0), grant], at: SampleRun.noon)
        #expect(ended(log.records, after: 599).isEmpty)
        #expect(ended(log.records, after: 600).map(\.lastPosition) == [1])
        #expect(ended(log.records, after: 630, settle: 60).isEmpty)
        try log.seal([try #require(SampleRun.revocation(of: grant, after: 20))], at: SampleRun.noon)
        #expect(ended(log.records, after: 20).map(\.lastPosition) == [2])
        try log.seal([second], at: SampleRun.noon)
        #expect(ended(log.records, after: 20).isEmpty)
        #expect(ended(log.records + [Array("no batch".utf8)], after: 601).map(\.lastPosition) == [3])
    }

    @Test func toldOnceUnlessGrantedAnew() throws {
        let (grant, _) = try SampleRun.grant(evidence: Digest(hashing: "e"))
        var log = try SampleRun.Log()
        try log.seal([grant], at: SampleRun.noon)
        var open = OpenRuns()
        open.take(log.records[0])
        let later = SampleRun.noon.adding(seconds: 700)
        #expect(open.ended(at: later, settle: 0).count == 1)
        #expect(open.ended(at: later, settle: 0).isEmpty && open.count == 0)
        open.take(log.records[0])
        #expect(open.ended(at: later, settle: 0).count == 1)
    }

    /// While a log is read that never pauses, the time is that of its last batch.
    @Test func theLastBatchTellsTheTime() throws {
        let (grant, _) = try SampleRun.grant(evidence: Digest(hashing: "e"))
        var log = try SampleRun.Log()
        try log.seal([grant], at: SampleRun.noon)
        try log.seal([SampleRun.stranger(0)], at: SampleRun.noon.adding(seconds: 601))
        var open = OpenRuns()
        #expect(open.sealedAt == nil)
        open.take(log.records[0])
        let first = try #require(open.sealedAt)
        #expect(open.ended(at: first, settle: 0).isEmpty)
        open.take(log.records[1])
        let second = try #require(open.sealedAt)
        #expect(open.ended(at: second, settle: 0).count == 1)
    }

    @Test func fileNamesStayInTheirFolder() {
        func name(_ job: String) -> String {
            OpenRuns.fileName(OpenRuns.Ended(jobID: JobID(job), lastPosition: 7))
        }
        #expect(name("job-1.a_B") == "job-1.a_B.7.json")
        #expect(name("../x") == "%2E.%2Fx.7.json" || !name("../x").contains("/"))
        #expect(!name("..").hasPrefix("."))
        #expect(name(String(repeating: "é", count: 400)).utf8.count < 150)
        #expect(name(String(repeating: "a", count: 300) + "b") != name(String(repeating: "a", count: 300) + "c"))
    }
}
