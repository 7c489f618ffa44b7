import ApprovalSources
import ClawWire
import Foundation
import GrantWorker
import IssuanceRules
import Keys
import ReceiptLog
import SecurityEvents
import TestSupport
import Testing

@testable import SecuritySinks

@Suite struct SessionRevokedTests {
    private static func claims(
        _ event: SecurityEvent, audience: String = SignalBench.parties.audience
    ) throws -> JSONObject {
        try #require(SessionRevoked.claims(event, issuer: SignalBench.parties.issuer, audience: audience))
    }

    @Test func aRevocationIsTold() throws {
        let event = SignalBench.revocation(7)
        let claims = try Self.claims(event)
        #expect(claims["iss"]?.string == SignalBench.parties.issuer)
        #expect(claims["aud"]?.string == SignalBench.parties.audience)
        #expect(claims["iat"]?.integer == event.sealedAt.seconds)
        #expect(claims["sub"] == nil && claims["exp"] == nil)
        #expect(claims["sub_id"]?["format"] == "complex")
        #expect(
            claims["sub_id"]?["session"] == [
                "format": "jwt_id", "iss": .string(SignalBench.parties.issuer), "jti": "jti-7",
            ])
        #expect(claims["sub_id"]?["user"]?["sub"]?.string == event.receipt.subject.agentDID?.rawValue)
        #expect(claims["sub_id"]?["tenant"] == ["format": "opaque", "id": "harborline"])
        let told = try #require(claims["events"]?[SessionRevoked.eventType])
        #expect(told["event_timestamp"]?.integer == event.receipt.occurredAt.seconds)
        #expect(told["initiating_entity"] == "policy")
        #expect(told["reason_admin"]?["en"]?.string == "The approval ended before its time")
    }

    @Test func nothingElseIsTold() {
        for event in SinkBench.events(60) {
            let isRevocation = event.receipt.content.kind == .revocation
            #expect((SessionRevoked.claims(event, issuer: "i", audience: "a") != nil) == isRevocation)
        }
    }

    private static func stop(
        _ scope: JSONValue, action: String = "revoke_and_deny", reason: String = "unexpected writes"
    ) -> SecurityEvent {
        SinkBench.event(
            Receipt(
                content: .stopDeclared([
                    "stop_id": "stop-1", "operation": "stop", "declared_by": ["jonas.lindqvist@harborline.example"],
                    "data": ["stop_id": "stop-1", "scope": scope, "action": .string(action)],
                    "reason": .string(reason),
                ]), subject: Receipt.Subject(), provenance: Samples.provenance(), occurredAt: Samples.noon), at: 5)
    }

    @Test func aStopThatRevokesIsToldOnceForItsScope() throws {
        let scope: JSONValue = ["kind": "job_class", "value": "prod_db_maintenance"]
        let claims = try Self.claims(Self.stop(scope))
        #expect(claims["sub_id"]?["group"] == ["format": "opaque", "id": "job_class/prod_db_maintenance"])
        #expect(claims["sub_id"]?["session"] == nil && claims["sub_id"]?["user"] == nil)
        #expect(claims["events"]?[SessionRevoked.eventType]?["initiating_entity"] == "admin")
        // It and the revocations that follow from it are one transaction.
        let revocation = SignalBench.revocation(1, cause: .stopped, detail: "stop stop-1: unexpected writes")
        #expect(try Self.claims(revocation)["txn"] == claims["txn"])
        let agent = try Self.claims(Self.stop(["kind": "agent", "value": "did:key:z6MkAgent"]))
        #expect(agent["sub_id"]?["user"]?["sub"] == "did:key:z6MkAgent" && agent["sub_id"]?["group"] == nil)
        #expect(try Self.claims(Self.stop(["kind": "all"]))["sub_id"]?["group"]?["id"] == "all")
        // One that lets live tokens live revokes nothing.
        #expect(SessionRevoked.claims(Self.stop(scope, action: "deny_new"), issuer: "i", audience: "a") == nil)
    }

    @Test func aRepeatIsTheSameTokenAndAnotherAudienceGetsAnother() throws {
        let first = try Self.claims(SignalBench.revocation(1))
        let again = SecurityEvent(
            receipt: SignalBench.revocation(1).receipt, sequence: SequenceNumber(1), batch: SequenceNumber(0),
            sealedAt: Samples.noon.adding(seconds: 120),
            producer: EventProducer(
                version: "9.9.9", logID: Samples.logID, workerID: WorkerID("worker-2"), tenant: "harborline"))
        #expect(try Self.claims(again) == first)
        let others = [
            try Self.claims(SignalBench.revocation(2)), try Self.claims(SignalBench.revocation(1), audience: "b"),
        ]
        #expect(Set(([first] + others).compactMap { $0["jti"]?.string }).count == 3)
    }

    @Test func allTokensOfOneCauseHaveOneTransaction() throws {
        func transaction(_ number: Int, _ cause: RevocationCause, _ detail: String) throws -> String? {
            try Self.claims(SignalBench.revocation(number, cause: cause, detail: detail))["txn"]?.string
        }
        let stops = try (0..<4).map { try transaction($0, .stopped, "stop stop-1: unexpected writes") }
        #expect(Set(stops).count == 1)
        #expect(try transaction(0, .stopped, "stop stop-2: unexpected writes") != stops[0])
        #expect(try transaction(0, .requested, "stop stop-1: unexpected writes") != stops[0])
        // The sentence about a spent budget names no job; two jobs that spend as much are two causes.
        #expect(try transaction(0, .budgetSpent, "4 of 4 usd") != transaction(1, .budgetSpent, "4 of 4 usd"))
    }

    @Test(arguments: RevocationCause.allCases) func everyCauseHasAnInitiatorAndAReason(cause: RevocationCause) throws {
        let event = SignalBench.revocation(1, cause: cause, detail: SinkBench.hostile)
        let claims = try Self.claims(event)
        let told = try #require(claims["events"]?[SessionRevoked.eventType])
        #expect(["admin", "policy", "system"].contains(told["initiating_entity"]?.string))
        #expect(told["reason_admin"]?["en"]?.string?.isEmpty == false)
        // What strangers wrote does not leave.
        #expect(!JSONWriter.text(.object(claims)).contains("forged"))
    }

    @Test func aTokenThatIsNotOursIsNamedByItsHash() throws {
        let event = SignalBench.revocation(1, isOurs: false)
        guard case .revocation(let revocation) = event.receipt.content else { return }
        let session = try Self.claims(event)["sub_id"]?["session"]
        #expect(session == ["format": "opaque", "id": .string("sha256:\(revocation.tokenHash.hex)")])
    }

    @Test func ourOwnSourceOfSignalsAcceptsThem() throws {
        let bench = try SignalBench()
        let event = SignalBench.revocation(3)
        let signer = try bench.ring.signalSigner(at: Samples.noon)
        let signal = try SignedSignal(
            claims: JSONWriter.bytes(.object(try Self.claims(event))), by: signer, sink: "test")
        var configuration = SourceConfiguration(
            name: SourceName("signals"), kind: .sharedSignals, authenticity: .signed)
        configuration.vendor.transmitter = VendorRule.Transmitter(
            issuer: SignalBench.parties.issuer, audience: [SignalBench.parties.audience], keys: [bench.key])
        func read(_ text: String) -> SourceReading {
            AnySource.facts(
                from: SourceRecord(topic: "claw.signals.v1", headers: [], value: Array(text.utf8)),
                configuration: configuration, at: Samples.noon.adding(seconds: 200))
        }
        guard case .facts(let facts, let evidence) = read(signal.compact) else {
            Issue.record("\(read(signal.compact))")
            return
        }
        #expect(facts.map(\.content) == [.subjectInvalidated(reason: "session_revoked")])
        #expect(facts.first?.subject?.id.rawValue == event.receipt.subject.agentDID?.rawValue.lowercased())
        #expect(evidence == .vendorSigned(by: KeyID(bench.key.kid)))
        let parts = signal.compact.split(separator: ".").map(String.init)
        guard case .deadLetter = read("\(parts[0]).\(parts[1])x.\(parts[2])") else {
            Issue.record("a changed token was read")
            return
        }
    }

    private static let samples = SharedFolder.folder("samples/outputs/ssf-set-outbound.json")

    @Test(.enabled(if: samples != nil, "the shared samples are not there"))
    func tokensHaveTheShapeOfTheSharedSamples() throws {
        let file = try #require(Self.samples)
        let samples = try #require(try JSONReader.parse(Array(try Data(contentsOf: file))).array)
        func keys(_ value: JSONValue?) -> Set<String> { Set(value?.object?.members.map(\.key) ?? []) }
        for sample in samples {
            let isOfToken = sample["claims"]?["sub_id"]?["session"] != nil
            let stop = Self.stop(["kind": "job_class", "value": "prod_db_maintenance"])
            let ours = JSONValue.object(try Self.claims(isOfToken ? SignalBench.revocation(1) : stop))
            let claims = try #require(sample["claims"])
            #expect(sample["header"]?["typ"] == "secevent+jwt" && sample["header"]?["alg"] == "RS256")
            #expect(keys(ours) == keys(claims))
            #expect(keys(ours["events"]) == keys(claims["events"]))
            #expect(
                keys(ours["events"]?[SessionRevoked.eventType]) == keys(claims["events"]?[SessionRevoked.eventType]))
            #expect(keys(ours["sub_id"]) == keys(claims["sub_id"]))
            for member in keys(claims["sub_id"]) {
                #expect(keys(ours["sub_id"]?[member]) == keys(claims["sub_id"]?[member]))
            }
        }
    }

    @Test func theTransmitterDescribesItself() {
        let document = SharedSignalsMetadata.document(
            issuer: "https://issuer.harborline.example", keySet: "https://issuer.harborline.example/jwks")
        #expect(document["spec_version"] == "1_0")
        #expect(document["issuer"] == "https://issuer.harborline.example")
        #expect(document["jwks_uri"] == "https://issuer.harborline.example/jwks")
        #expect(document["delivery_methods_supported"] == ["urn:ietf:rfc:8935"])
    }
}
