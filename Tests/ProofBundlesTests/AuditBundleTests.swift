import ClawWire
import ReceiptLog
import TestSupport
import Testing

@testable import ProofBundles

/// The reference's audit bundle, made of a run.
struct AuditBundleTests {
    @Test func tellsWhatWasIssuedAndRevoked() throws {
        let run = RunRecord(try SampleRun.material())
        let bundle = AuditBundle(run)
        #expect(bundle.leftOut == 0)
        let token = try #require(run.tokens.first)
        let issued = try #require(bundle.json["issuance"]?["events"]?.array)
        #expect(issued.count == 1)
        let hash = token.grant.token.tokenHash.hex
        let second = 9_999_999_999 - token.grant.token.issuedAt.seconds
        #expect(issued[0]["key"]?.string == "events:issuance:\(second):\(hash)")
        let record = try #require(issued[0]["record"]?.object)
        #expect(record["token_hash"]?.string == hash)
        #expect(record["mission_id"]?.string == SampleRun.job.rawValue)
        #expect(record["jti"]?.string == token.grant.token.jti.rawValue)
        #expect(record["owner_ref"]?.string?.isEmpty == false)
        #expect(record["nonce"] == nil)
        let parsed = try AuditRecord(parsing: JSONWriter.bytes(.object(record), order: .canonical))
        #expect(parsed.members == record)
        let revoked = try #require(bundle.json["revocations"]?["events"]?.array)
        #expect(revoked.count == 1)
        let names = revoked[0]["record"]?.object?.members.map(\.key)
        #expect(names == ["token_hash", "revoked_at", "revoked_at_iso", "reason", "revoked_by"])
        #expect(bundle.json["issuance"]?["list_complete"]?.bool == true)
        #expect(AuditBundle(RunRecord(try SampleRun.material())) == bundle)
        #expect(!JSONWriter.text(bundle.json).contains("eyJ"))
    }

    @Test func aTokenWithoutItsClaimsIsLeftOutAndSaidSo() throws {
        let (grant, _) = try SampleRun.grant(evidence: Digest(hashing: "e"))
        // Another approval than the one that the token's owner_ref is made of.
        let other = Receipt(
            content: grant.content,
            subject: Receipt.Subject(
                requestID: RequestID("req-1"), approvalIDs: [ApprovalID("other")], jobID: SampleRun.job,
                jobClass: JobClass("ledger_reconcile"), agentDID: SampleRun.agent),
            provenance: SampleRun.provenance([SampleRun.input(Digest(hashing: "e"), 17)]), occurredAt: SampleRun.noon)
        var log = try SampleRun.Log()
        try log.seal([other], at: SampleRun.noon)
        var collector = try RunCollector(
            jobID: SampleRun.job, logID: SampleRun.logID, logKeys: [SampleRun.signer("log").publicKey])
        try collector.add(log.records[0], at: 0)
        let collected = try #require(try collector.collected())
        let bundle = AuditBundle(RunRecord(RunMaterial(jobID: SampleRun.job, log: collected)))
        #expect(bundle.leftOut == 1)
        #expect(bundle.json["issuance"]?["events"] == [])
        #expect(bundle.json["issuance"]?["list_complete"]?.bool == false)
    }

    @Test(.enabled(if: SharedVectors.arePresent)) func recordsAreTheReferences() throws {
        let body = try SharedVectors.load("revocation")["cases"]?["audit_bundle"]?["body"]
        let events = try #require(body?["issuance"]?["events"]?.array)
        for event in events {
            let record = try #require(event["record"]?.object)
            let ours = AuditRecord(
                tokenHash: try #require(Digest(hex: record["token_hash"]?.string ?? "")),
                issuedAt: Timestamp(seconds: record["issued_at"]?.integer ?? 0),
                kid: KeyID(record["kid"]?.string ?? ""), claims: record)
            #expect(JSONWriter.text(.object(ours.members)) == JSONWriter.text(.object(record)))
            #expect(ours.eventKey == event["key"]?.string)
        }
    }
}
