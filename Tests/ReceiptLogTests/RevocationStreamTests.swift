import ClawWire
import Foundation
import ReceiptLog
import TestSupport
import Testing

struct RevocationStreamTests {
    private static let scopes: [CutoffScope] = [
        .all, CutoffScope(.jobClass, "prod_db_maintenance"), CutoffScope(.agent, "did:key:z6MkAgentRun1"),
        CutoffScope(.subject, "0f3c1d9a-5f8e-4f3b-9d7e-2c1a4b5d6e7f"), CutoffScope(.approval, "entra-pim/harborline/7"),
        CutoffScope(.request, "req-1"), CutoffScope(.entitlement, "entra_role:62E90394:/"),
        CutoffScope(.policyHash, Digest(hashing: "wpc").b64u), CutoffScope(.policyID, "wpc prod \"db\""),
        CutoffScope(.source, "entra-pim"), CutoffScope(.issuerKey, "38813bba8285efdd"),
        CutoffScope(.token, Digest(hashing: "token 0").hex.uppercased()), CutoffScope(.jti, "jti:1"),
        CutoffScope(.job, "job-é"),
    ].compactMap { $0 }

    private func cutoff(_ scope: CutoffScope = .all, reason: String? = "the agent left its sandbox") -> CutoffRecord {
        CutoffRecord(
            scope: scope, notIssuedBefore: Samples.noon.adding(seconds: 1), eventID: "ctl-7", stopID: "stop-2026-0001",
            controlPosition: 7, cause: .stopped, reason: reason, revokedBy: "ops/avery",
            revokedAt: Timestamp(milliseconds: Samples.noon.milliseconds + 250),
            receiptID: ReceiptID(Digest(hashing: "receipt id").b64u), receiptDigest: Digest(hashing: "receipt"))
    }

    private func head(_ log: LogID = Samples.logID) -> RevocationHead {
        RevocationHead(
            logID: log, asOf: Timestamp(microseconds: Samples.noon.microseconds + 250_999),
            nextSequence: SequenceNumber(42), controlPosition: 8, sweptPosition: 7,
            live: RevocationHead.Live(tokens: 40, cutoffs: 1))
    }

    // MARK: Keys

    @Test func everyKindOfScopeHasAKeyOfItsOwnThatReadsBack() throws {
        #expect(Set(Self.scopes.map(\.kind)) == Set(CutoffScope.Kind.allCases))
        for scope in Self.scopes {
            let key = RevocationKey.cutoff(scope)
            #expect(RevocationKey(key.bytes) == key)
            #expect(CutoffScope(scope.description) == scope)
        }
        let token = RevocationKey.token(Digest(hashing: "token 0"))
        #expect(RevocationKey(token.bytes) == token)
        #expect(RevocationKey(Array("head".utf8)) == .head)
        #expect(RevocationKey(try #require(RevocationRecord(try Samples.revocation().encoded())).recordKey) != nil)
    }

    @Test(arguments: [
        "", "HEAD", "cutoff", "cutoff:", "cutoff:all:", "cutoff:all:x", "cutoff:agent", "cutoff:agent:",
        "cutoff:agent: ",
        "cutoff:unknown:x", "cutoff:entitlement:ROLE:x", "abc",
        "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
    ])
    func otherTextIsNoKey(_ text: String) {
        #expect(RevocationKey(Array(text.utf8)) == nil)
    }

    @Test func bytesThatAreNoTextAreNoKey() {
        #expect(RevocationKey(Array("cutoff:agent:".utf8) + [0xFF]) == nil)
    }

    @Test func scopesTakeAValueExceptForAll() {
        #expect(CutoffScope(.all, "x") == nil)
        #expect(CutoffScope(.agent, nil) == nil)
        #expect(CutoffScope(.agent, String(repeating: "a", count: 1_025)) == nil)
        #expect(CutoffScope(.agent, String(repeating: "a", count: 1_024)) != nil)
    }

    @Test func scopesAreComparedByBytes() {
        #expect(CutoffScope(.job, "caf\u{E9}") != CutoffScope(.job, "cafe\u{301}"))
        #expect(CutoffScope(.entitlement, "Group:A") == CutoffScope(.entitlement, "group:a"))
    }

    // MARK: Cut-offs

    @Test func cutoffsAreCanonicalAndReadBack() throws {
        for scope in Self.scopes {
            let record = cutoff(scope)
            #expect(
                JSONWriter.bytes(try JSONReader.parse(record.canonicalBytes), order: .canonical)
                    == record.canonicalBytes)
            #expect(try CutoffRecord(parsing: record.canonicalBytes) == record)
            #expect(RevocationKey(record.recordKey) == .cutoff(scope))
            try expectValid(record.canonicalBytes, "cutoff.v1.json")
        }
        let bare = CutoffRecord(
            scope: .all, notIssuedBefore: Samples.noon, eventID: "ctl-1", controlPosition: 0, cause: .requested,
            reason: " ", revokedBy: "cli", revokedAt: Samples.noon, receiptID: ReceiptID(Digest(hashing: "r").b64u),
            receiptDigest: Digest(hashing: "r"))
        #expect(try CutoffRecord(parsing: bare.canonicalBytes) == bare)
        #expect(bare.reason == nil)
    }

    @Test func aCutoffHasThisText() {
        let text =
            #"{"cause":"stopped","control_position":7,"cutoff_version":"1","event_id":"ctl-7","#
            + #""not_issued_before":1772366401,"reason":"the agent left its sandbox","receipt_digest_b64u":""#
            + Digest(hashing: "receipt").b64u + #"","receipt_id":""# + Digest(hashing: "receipt id").b64u
            + #"","revoked_at":1772366400,"revoked_at_iso":"2026-03-01T12:00:00.000Z","revoked_by":"ops/avery","#
            + #""scope":{"kind":"job_class","value":"prod_db_maintenance"},"stop_id":"stop-2026-0001"}"#
        #expect(cutoff(Self.scopes[1]).canonicalBytes == Array(text.utf8))
    }

    @Test func aCutoffMaySpareWhatWasIssuedBeforeAnInstant() throws {
        func record(since: Timestamp?, before: Int64 = 60) -> CutoffRecord {
            CutoffRecord(
                scope: Self.scopes[10], notIssuedBefore: Samples.noon.adding(seconds: before), issuedSince: since,
                eventID: "ctl-9", controlPosition: 9, cause: .keyWithdrawn, revokedBy: "ops/avery",
                revokedAt: Samples.noon, receiptID: ReceiptID(Digest(hashing: "r").b64u),
                receiptDigest: Digest(hashing: "r"))
        }
        let since = record(since: Timestamp(milliseconds: Samples.noon.milliseconds + 900))
        #expect(since.issuedSince == Samples.noon)
        let text = String(decoding: since.canonicalBytes, as: UTF8.self)
        #expect(text.contains(#""event_id":"ctl-9","issued_since":1772366400,"not_issued_before":1772366460,"#))
        #expect(try CutoffRecord(parsing: since.canonicalBytes) == since)
        try expectValid(since.canonicalBytes, "cutoff.v1.json")
        #expect(!since.voids(issuedAt: Samples.noon.adding(seconds: -1)) && since.voids(issuedAt: Samples.noon))
        #expect(since.voids(issuedAt: Samples.noon.adding(seconds: 59)))
        #expect(!since.voids(issuedAt: Samples.noon.adding(seconds: 60)))
        let all = record(since: nil)
        #expect(all.covers(since) && !since.covers(all) && since.covers(since))
        #expect(record(since: Samples.noon.adding(seconds: -1)).covers(since))
        #expect(!record(since: Samples.noon.adding(seconds: 1)).covers(since))
        #expect(!record(since: nil, before: 59).covers(since))
    }

    @Test func cutoffsThatSayMoreOrLessAreRefused() throws {
        let object = try #require(try JSONReader.parse(cutoff(Self.scopes[1]).canonicalBytes).object)
        func refusal(_ change: (inout JSONObject) -> Void) -> EvidenceError.Code? {
            var changed = object
            change(&changed)
            return fault { _ = try CutoffRecord(parsing: JSONWriter.bytes(.object(changed), order: .canonical)) }?.code
        }
        #expect(refusal { $0["expires_at"] = 1 } == .notCanonical)
        #expect(refusal { $0["cutoff_version"] = "2" } == .unknownVersion)
        #expect(refusal { $0["scope"] = ["kind": "planet", "value": "x"] } == .invalidMember)
        #expect(refusal { $0["scope"] = ["kind": "all", "value": "x"] } == .invalidMember)
        #expect(refusal { $0["scope"] = ["kind": "agent"] } == .invalidMember)
        #expect(refusal { $0["scope"] = ["kind": "entitlement", "value": "Group:A"] } == .notCanonical)
        #expect(refusal { $0["not_issued_before"] = -1 } == .invalidMember)
        #expect(refusal { $0["not_issued_before"] = 1.5 } == .invalidMember)
        #expect(refusal { $0["control_position"] = nil } == .invalidMember)
        for member in ["scope", "not_issued_before", "event_id", "revoked_by", "receipt_id"] {
            var changed = object
            changed[member] = nil
            #expect(try !Schema.faults(.object(changed), in: "cutoff.v1.json").isEmpty)
        }
    }

    // MARK: Ends

    @Test func whatIsOverIsNamedByItsKeys() throws {
        let receipt = Samples.ended()
        let bytes = try receipt.encoded().bytes
        guard case .revocationsEnded(let end) = try Receipt(parsing: bytes).content else {
            Issue.record("another kind of receipt")
            return
        }
        #expect(receipt.content == .revocationsEnded(end))
        #expect(end.keys.map(\.description) == end.payload["ended"]?.array?.compactMap(\.string))
        try expectValid(bytes, "receipt.v1.json")
        let text = String(decoding: bytes, as: UTF8.self)
        for (part, other) in [
            ("cutoff:all", "head"), ("cutoff:all", "cutoff:planet:x"), ("\"expired_before\"", "\"expired_after\""),
            ("{\"ended\"", "{\"a\":1,\"ended\""),
        ] {
            let spoiled = text.replacingOccurrences(of: part, with: other)
            #expect(spoiled != text)
            #expect(fault { _ = try Receipt(parsing: Array(spoiled.utf8)) } != nil, "\(other)")
        }
    }

    // MARK: Heads

    @Test func headsAreSignedAndVerified() throws {
        let signed = try head().signed(by: Samples.signer)
        let bytes = signed.canonicalBytes
        #expect(JSONWriter.bytes(try JSONReader.parse(bytes), order: .canonical) == bytes)
        let keys = [Samples.signer("older").publicKey, Samples.signer.publicKey]
        #expect(try SignedRevocationHead(verifying: bytes, logKeys: keys, logID: Samples.logID) == signed)
        #expect(signed.head.asOf == Timestamp(milliseconds: Samples.noon.milliseconds + 250))
        try expectValid(bytes, "revocation-head.v1.json")
    }

    /// The signature was made with `openssl pkeyutl -rawin` over the context line and the hash of the text without it.
    @Test func aHeadHasThisText() throws {
        let text =
            #"{"as_of":"2026-03-01T12:00:00.250Z","control_position":8,"head_version":"1","live":{"cutoffs":1,"#
            + #""tokens":40},"log_id":"logs.harborline.example/clawgrant","next_sequence":42,"signature":{"algorithm":"#
            + #""Ed25519","signature_b64u":"SIGNATURE","signer_did":"DID"},"swept_position":7}"#
        let expected = text.replacingOccurrences(of: "DID", with: Samples.signer.publicKey.did)
            .replacingOccurrences(of: "SIGNATURE", with: Self.headSignature)
        #expect(String(decoding: try head().signed(by: Samples.signer).canonicalBytes, as: UTF8.self) == expected)
    }

    private static let headSignature =
        "kzMzHX3180rRBN9Wj6-K7gMcTKCx9LwVXJmzd6lN7k_D5CT6mMnHK3Mpioc-1UsmJNOx8sesePckNLHVcEBVDg"

    @Test func headsOfOthersAreRefused() throws {
        let bytes = try head().signed(by: Samples.signer).canonicalBytes
        func refusal(_ bytes: [UInt8], keys: [Ed25519PublicKey], log: LogID = Samples.logID) -> EvidenceError.Code? {
            fault { _ = try SignedRevocationHead(verifying: bytes, logKeys: keys, logID: log) }?.code
        }
        let key = Samples.signer.publicKey
        #expect(refusal(bytes, keys: [key]) == nil)
        #expect(refusal(bytes, keys: []) == .signerUnknown)
        #expect(refusal(bytes, keys: [Samples.signer("other").publicKey]) == .signerUnknown)
        #expect(refusal(bytes, keys: [key], log: LogID("other.example/log")) == .logMismatch)
        var object = try #require(try JSONReader.parse(bytes).object)
        object["next_sequence"] = 41
        #expect(refusal(JSONWriter.bytes(.object(object), order: .canonical), keys: [key]) == .signatureInvalid)
        object["added"] = 1
        #expect(refusal(JSONWriter.bytes(.object(object), order: .canonical), keys: [key]) == .notCanonical)
        #expect(try !Schema.faults(.object(object), in: "revocation-head.v1.json").isEmpty)
    }

    /// Domain separation: what the same key signs for another purpose is no head.
    @Test func aSignatureOfAnotherPurposeIsNoHead() throws {
        let unsigned = try #require(try JSONReader.parse(try head().signed(by: Samples.signer).canonicalBytes).object)
        var body = unsigned
        body["signature"] = nil
        let hash = JSONValue.object(body).canonicalDigest
        for message in ["clawgrant-batch-v1\n\(hash.b64u)", hash.b64u] {
            var object = unsigned
            object["signature"] = [
                "algorithm": "Ed25519",
                "signature_b64u": .string(try Samples.signer.sign(Array(message.utf8)).b64u),
                "signer_did": .string(Samples.signer.publicKey.did),
            ]
            let found = fault {
                _ = try SignedRevocationHead(
                    verifying: JSONWriter.bytes(.object(object), order: .canonical),
                    logKeys: [Samples.signer.publicKey], logID: Samples.logID)
            }
            #expect(found?.code == .signatureInvalid)
        }
    }

    @Test func anyBytesAreSurvived() throws {
        var random = SeededGenerator(seed: 11)
        let seeds = [
            cutoff(Self.scopes[1]).canonicalBytes, try head().signed(by: Samples.signer).canonicalBytes,
            cutoff(.all, reason: nil).recordKey,
        ]
        for round in 0..<2_000 {
            var bytes = seeds[round % seeds.count]
            let i = Int.random(in: 0..<bytes.count, using: &random)
            if Bool.random(using: &random) {
                bytes[i] = UInt8.random(in: 0...255, using: &random)
            } else {
                bytes.removeSubrange(i..<min(bytes.count, i + 9))
            }
            if let record = try? CutoffRecord(parsing: bytes) { #expect(record.canonicalBytes == bytes) }
            if let key = RevocationKey(bytes) { #expect(key.bytes == bytes) }
            _ = fault {
                _ = try SignedRevocationHead(
                    verifying: bytes, logKeys: [Samples.signer.publicKey], logID: Samples.logID)
            }
        }
    }

    private func expectValid(_ bytes: [UInt8], _ name: String) throws {
        let faults = try Schema.faults(try JSONReader.parse(bytes), in: name)
        #expect(faults.isEmpty, "\(name): \(faults)")
    }
}
