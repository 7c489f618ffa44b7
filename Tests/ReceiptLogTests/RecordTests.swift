import ClawWire
import Foundation
import ReceiptLog
import TestSupport
import Testing

struct RecordTests {
    private func batch(_ receipts: [Receipt]) throws -> SealedReceipts {
        try ReceiptBatch.seal(
            receipts: try receipts.map { try $0.encoded().bytes }, previous: try LogTail(logID: Samples.logID),
            at: Samples.noon, signer: Samples.signer)
    }

    private func grants() throws -> [(draft: GrantRecord, published: PublishedGrant)] {
        let deliveries: [GrantDelivery] = [
            .sealed(jwe: "h..i.c.t"), .plain(BearerToken("a.b.c")), .reference(ClaimReference("jti-1")),
            .reference(
                ClaimReference(
                    "jti-2", address: "https://issuer.harborline.example/v1/grants/req-2/claim",
                    key: Digest(hashing: "key"))),
        ]
        return try deliveries.enumerated().map { n, delivery in
            let sample = Samples.grant(n)
            guard case .grantIssued(let grant) = sample.content else { throw CancellationError() }
            let receipt = Receipt(
                content: .grantIssued(
                    Receipt.Grant(
                        asked: grant.asked, granted: grant.granted, token: grant.token, delivery: delivery.mode,
                        replaces: grant.replaces, rule: grant.rule)),
                subject: sample.subject, provenance: sample.provenance, occurredAt: sample.occurredAt)
            let encoded = try receipt.encoded()
            let draft = try #require(GrantRecord(encoded, claimsDigest: Digest(hashing: "claims")))
            let proof = try #require(try batch([receipt, Samples.denial()]).batch.proof(of: 0))
            return (draft, try draft.complete(delivery: delivery, proof: proof))
        }
    }

    private func expectCanonical(_ bytes: [UInt8]) throws {
        #expect(JSONWriter.bytes(try JSONReader.parse(bytes), order: .canonical) == bytes)
    }

    @Test func grantsAreCompletedAndReadBack() throws {
        for (draft, published) in try grants() {
            try expectCanonical(draft.canonicalBytes)
            try expectCanonical(published.canonicalBytes)
            #expect(try GrantRecord(parsing: draft.canonicalBytes) == draft)
            #expect(try PublishedGrant(parsing: published.canonicalBytes) == published)
            #expect(draft.recordKey == Array(draft.jobID.rawValue.utf8))
            #expect(!String(reflecting: published).contains("a.b.c"))
            #expect(!"\(published)".contains("a.b.c"))
        }
    }

    @Test func aStoredGrantIsCompletedWithoutReadingIt() throws {
        for (draft, published) in try grants() {
            let stored = try StoredGrant(scanning: draft.canonicalBytes)
            #expect(stored.requestID == draft.requestID)
            #expect(
                try stored.complete(delivery: published.delivery, proof: published.proof) == published.canonicalBytes)
            for end in [0, 1, draft.canonicalBytes.count / 2, draft.canonicalBytes.count - 1] {
                #expect(fault { _ = try StoredGrant(scanning: Array(draft.canonicalBytes.prefix(end))) } != nil)
            }
        }
        #expect(fault { _ = try StoredGrant(scanning: try Samples.denial().encoded().bytes) }?.code == .malformed)
    }

    @Test func aGrantTakesOnlyTheDecidedDelivery() throws {
        let (draft, published) = try grants()[0]
        let stored = try StoredGrant(scanning: draft.canonicalBytes)
        let other = fault {
            _ = try stored.complete(delivery: .plain(BearerToken("a.b.c")), proof: published.proof)
        }
        #expect(other?.code == .invalidMember)
        let found = fault {
            _ = try draft.complete(delivery: .plain(BearerToken("a.b.c")), proof: published.proof)
        }
        #expect(found?.code == .invalidMember)
    }

    @Test func decisionsAreCapabilityResponses() throws {
        for receipt in [Samples.grant(), Samples.denial(), Samples.denial(1), Samples.denial(2, expired: true)] {
            let record = try #require(DecisionRecord(try receipt.encoded()))
            try expectCanonical(record.canonicalBytes)
            #expect(try DecisionRecord(parsing: record.canonicalBytes) == record)
            var response = try #require(try JSONReader.parse(record.canonicalBytes).object)
            response["clawgrant"] = nil
            let known: Set = [
                "response_version", "response_id", "request_id", "decision", "reason_code", "reason",
                "granted_capability", "denied_actions", "approval_channel", "timestamp",
            ]
            #expect(Set(response.keys).isSubset(of: known))
            #expect(response["decision"]?.string == (record.outcome == .issued ? "granted" : "denied"))
        }
        #expect(DecisionRecord(try Samples.heartbeat().encoded()) == nil)
    }

    @Test func anApprovalWithoutARequestIsKeyedByItself() throws {
        let receipt = Receipt(
            content: .decisionExpired(Receipt.Refusal(asked: nil, rule: "sources.entra-pim.max_age")),
            subject: Receipt.Subject(approvalIDs: [ApprovalID("entra-pim/harborline/7")]),
            provenance: Samples.provenance(), occurredAt: Samples.noon)
        let record = try #require(DecisionRecord(try receipt.encoded()))
        #expect(record.recordKey == Array("entra-pim/harborline/7".utf8))
        #expect(try DecisionRecord(parsing: record.canonicalBytes) == record)
    }

    @Test func revocationsKeepTheFiveMembers() throws {
        let record = try #require(RevocationRecord(try Samples.revocation().encoded()))
        try expectCanonical(record.canonicalBytes)
        #expect(try RevocationRecord(parsing: record.canonicalBytes) == record)
        let value = try JSONReader.parse(record.canonicalBytes)
        #expect(value["token_hash"]?.string == Samples.token().tokenHash.hex)
        #expect(value["revoked_at"]?.integer == 1_772_366_460)
        #expect(value["revoked_at_iso"]?.string == "2026-03-01T12:01:00.000Z")
        #expect(value["reason"]?.string == "the holder gave the role back")
        #expect(value["revoked_by"]?.string == "did:web:issuer.harborline.example")
        #expect(RevocationRecord(try Samples.grant().encoded()) == nil)
    }

    @Test func revocationReasonsAreCutAtWholeScalars() throws {
        let sample = Samples.revocation()
        let receipt = Receipt(
            content: sample.content, subject: sample.subject, provenance: sample.provenance,
            reasons: [Receipt.Reason(code: "X", detail: "a" + String(repeating: "😀", count: 200))],
            occurredAt: sample.occurredAt)
        let record = try #require(RevocationRecord(try receipt.encoded()))
        #expect(record.reason?.utf16.count == 255)
    }

    @Test func deadLettersShowAnExcerpt() throws {
        let excerpt = Redaction.excerpt(Array("{\"password\":\"x\",\"a\":1".utf8))
        let record = try #require(DeadLetterRecord(try Samples.quarantine().encoded(), excerpt: excerpt))
        try expectCanonical(record.canonicalBytes)
        #expect(try DeadLetterRecord(parsing: record.canonicalBytes) == record)
        #expect(record.recordKey == Array("claw.requests.v1/0/0".utf8))
        #expect(DeadLetterRecord(try Samples.grant().encoded(), excerpt: excerpt) == nil)
    }

    @Test func auditRecordsRepeatTheClaimsButNeverTheNonce() throws {
        let claims: JSONObject = [
            "token_version": "1", "sub": "did:key:z6MkAgentRun77", "aud": "clawproxy.com", "scope": ["proxy:call"],
            "iat": 1_772_366_400, "exp": 1_772_367_000, "mission_id": "job-1", "token_lane": "legacy", "jti": "jti-1",
            "nonce": "n",
        ]
        let record = AuditRecord(
            tokenHash: Samples.token().tokenHash, issuedAt: Samples.noon, kid: KeyID("38813bba8285efdd"),
            claims: claims)
        try expectCanonical(record.canonicalBytes)
        let read = try AuditRecord(parsing: record.canonicalBytes)
        #expect(read.canonicalBytes == record.canonicalBytes)
        #expect(read.claims["nonce"] == nil)
        #expect(read.claims["mission_id"] == "job-1")
    }

    @Test func anyBytesAreSurvived() throws {
        var random = SeededGenerator(seed: 7)
        let seeds = [
            try grants()[0].published.canonicalBytes,
            try #require(DecisionRecord(try Samples.grant().encoded())).canonicalBytes,
            try #require(RevocationRecord(try Samples.revocation().encoded())).canonicalBytes,
        ]
        for round in 0..<2_000 {
            var bytes = seeds[round % seeds.count]
            let i = Int.random(in: 0..<bytes.count, using: &random)
            if Bool.random(using: &random) {
                bytes[i] = UInt8.random(in: 0...255, using: &random)
            } else {
                bytes.removeSubrange(i..<min(bytes.count, i + 9))
            }
            _ = fault { _ = try PublishedGrant(parsing: bytes) }
            _ = fault { _ = try GrantRecord(parsing: bytes) }
            _ = fault { _ = try DecisionRecord(parsing: bytes) }
            _ = fault { _ = try RevocationRecord(parsing: bytes) }
            _ = fault { _ = try DeadLetterRecord(parsing: bytes) }
            _ = fault { _ = try AuditRecord(parsing: bytes) }
        }
    }

    // MARK: Schemas

    @Test func everyRecordFitsItsSchema() throws {
        for receipt in Samples.every { try expectValid(try receipt.encoded().bytes, "receipt.v1.json") }
        for (_, published) in try grants() { try expectValid(published.canonicalBytes, "grant.v1.json") }
        for receipt in [Samples.grant(), Samples.denial(), Samples.denial(1, expired: true)] {
            try expectValid(
                try #require(DecisionRecord(try receipt.encoded())).canonicalBytes, "decision.v1.json")
        }
        try expectValid(
            try #require(RevocationRecord(try Samples.revocation().encoded())).canonicalBytes, "revocation.v1.json")
        let excerpt = Redaction.excerpt(Array("poison".utf8))
        try expectValid(
            try #require(DeadLetterRecord(try Samples.quarantine().encoded(), excerpt: excerpt)).canonicalBytes,
            "dead-letter.v1.json")
        for finding in [Samples.finding(), Samples.finding(1)] {
            let record = try #require(FindingRecord(try finding.encoded()))
            #expect(try FindingRecord(parsing: record.canonicalBytes) == record)
            try expectValid(record.canonicalBytes, "finding.v1.json")
        }
        let mark = try #require(BudgetRecord(try Samples.budgetMark().encoded()))
        #expect(try BudgetRecord(parsing: mark.canonicalBytes) == mark)
        try expectValid(mark.canonicalBytes, "budget.v1.json")
        let sealed = try batch(Samples.every)
        let note = try sealed.tail.checkpoint.signed(by: Samples.signer)
        let root = try LogInclusionProof.SignedRoot(
            tree: sealed.batch.compatibleTree(), logID: Samples.logID, publishedAt: Samples.noon,
            signer: Samples.signer)
        try expectValid(sealed.batch.record(checkpoint: note, compatibleRoot: root), "batch.v1.json")
        try expectValid(sealed.batch.record(), "batch.v1.json")
    }

    @Test func schemasRefuseWhatTheParsersRefuse() throws {
        let bytes = try #require(RevocationRecord(try Samples.revocation().encoded())).canonicalBytes
        var object = try #require(try JSONReader.parse(bytes).object)
        object["added"] = 1
        #expect(try !Schema.faults(.object(object), in: "revocation.v1.json").isEmpty)
        object["added"] = nil
        object["token_hash"] = "ABC"
        #expect(try !Schema.faults(.object(object), in: "revocation.v1.json").isEmpty)
        object["token_hash"] = nil
        #expect(try !Schema.faults(.object(object), in: "revocation.v1.json").isEmpty)
    }

    private func expectValid(_ bytes: [UInt8], _ name: String) throws {
        let faults = try Schema.faults(try JSONReader.parse(bytes), in: name)
        #expect(faults.isEmpty, "\(name): \(faults)")
    }
}
