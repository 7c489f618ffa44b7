import ClawWire
import TestSupport
import Testing

@Suite("Signed envelopes")
struct EnvelopeTests {
    private static let payload = "{\"z\":1,\"a\":[true,12.14],\"2\":\"x\",\"1\":\"y\"}"

    private func envelope() throws -> SignedEnvelope {
        let payload = try #require(JSONReader.parse(Self.payload).object)
        return try SignedEnvelope.sign(
            type: "test", payload: payload, rule: .document, signer: try Own.signer("controls"), issuedAt: Own.now)
    }

    @Test func signatureIsOverTheTextOfTheDocumentHash() throws {
        let envelope = try envelope()
        #expect(envelope.payloadHash.text == "qJ2bDzy0KgV-esYyT5LejWNpjXXPMziqAwb4wOTZdRg")
        #expect(
            envelope.signature.b64u
                == "tzT5hbyIBCF8etF4NRD7vyuFy63KUfurtxsb9WNA9maiFDYnjjpHbOowDKBWF0k_WeCJ46wQWwMUUnQIirOjDQ")
        let parsed = try SignedEnvelope.parse(try JSONReader.parse(JSONWriter.bytes(envelope.json)), type: "test")
        #expect(parsed == envelope)
        let verified = try parsed.verify(rule: .document, signers: [envelope.signerDID])
        #expect(verified.signer == (try Own.signer("controls").publicKey))
    }

    @Test func theOrderOfThePayloadCountsAndThatOfTheEnvelopeDoesNot() throws {
        let envelope = try envelope()
        let object = try #require(envelope.json.object)
        let reversed = JSONValue.object(JSONObject(object.members.reversed().map { ($0.key, $0.value) }))
        #expect(throws: Never.self) {
            try SignedEnvelope.parse(reversed, type: "test").verify(rule: .document, signers: [envelope.signerDID])
        }
        var changed = object
        changed["payload"] = .object(JSONObject(envelope.payload.members.reversed().map { ($0.key, $0.value) }))
        let value = JSONValue.object(changed)
        let error = #expect(throws: EnvelopeError.self) {
            try SignedEnvelope.parse(value, type: "test").verify(rule: .document, signers: [envelope.signerDID])
        }
        #expect(error?.code == .hashMismatch)
    }

    @Test(arguments: [
        ("envelope_version", "\"2\"", EnvelopeError.Code.unknownVersion), ("envelope_type", "\"other\"", .unknownType),
        ("algorithm", "\"RS256\"", .unknownAlgorithm), ("hash_algorithm", "\"BLAKE3\"", .unknownHashAlgorithm),
        ("payload", "[]", .malformed), ("payload_hash_b64u", "\"AA\"", .malformed),
        ("signature_b64u", "\"AA\"", .malformed),
        ("signature_b64u", "1", .malformed), ("issued_at", "\"yesterday\"", .malformed),
        ("expires_at", "\"2026-01-01\"", .malformed), ("extra", "1", .schemaInvalid),
        ("signer_did", "\"key\"", .invalidDID),
        ("signer_did", "\"did:web:x.example\"", .signerNotAllowed), ("payload", "{}", .hashMismatch),
        ("expires_at", "\"2026-05-28T20:28:20Z\"", .expired),
    ])
    func refused(_ key: String, text: String, code: EnvelopeError.Code) throws {
        let envelope = try envelope()
        var object = try #require(envelope.json.object)
        object[key] = try JSONReader.parse(text)
        let value = JSONValue.object(object)
        let error = #expect(throws: EnvelopeError.self) {
            try SignedEnvelope.parse(value, type: "test")
                .verify(rule: .document, signers: [envelope.signerDID], now: Own.now)
        }
        #expect(error?.code == code)
    }

    @Test func nobodyIsTrustedByDefault() throws {
        let envelope = try envelope()
        #expect(throws: EnvelopeError.self) { try envelope.verify(rule: .document, signers: []) }
        let error = #expect(throws: EnvelopeError.self) {
            try envelope.verify(rule: .canonical, signers: [envelope.signerDID])
        }
        #expect(error?.code == .hashMismatch)
    }
}

@Suite("Human approval receipts")
struct HumanApprovalReceiptTests {
    private static let hash = HashText(Digest(hashing: "scope"))

    private func receipt() -> HumanApprovalReceipt {
        var receipt = HumanApprovalReceipt(
            receiptID: "har-1", kind: .explicitApprove, approverSubject: "user@example.com", agentDID: Own.agent,
            scopeHash: Self.hash, timestamp: Own.now)
        receipt.method = .uiClick
        receipt.policyHash = HashText(Digest(hashing: "policy"))
        receipt.ttlSeconds = 900
        receipt.binding = HumanApprovalReceipt.Binding(runID: "run-1", tokenScopeHash: Self.hash)
        return receipt
    }

    private func expectation() -> HumanApprovalReceipt.Expectation {
        HumanApprovalReceipt.Expectation(
            agentDID: Own.agent, scopeHash: Self.hash, policyHash: HashText(Digest(hashing: "policy")), runID: "run-1")
    }

    private func outcome(
        _ change: (inout HumanApprovalReceipt) -> Void = { _ in },
        expecting: (inout HumanApprovalReceipt.Expectation) -> Void = { _ in }, now: Timestamp = Own.now
    ) throws -> ApprovalReceiptError.Code? {
        var receipt = receipt()
        change(&receipt)
        var expectation = expectation()
        expecting(&expectation)
        let signer = try Own.signer("approver")
        let text = JSONWriter.text(try receipt.sign(by: signer).json)
        do {
            let verified = try HumanApprovalReceipt.verify(
                text, expectation: expectation, approvers: [signer.publicKey.did], now: now)
            #expect(verified.receipt == receipt)
            return nil
        } catch { return error.code }
    }

    @Test func aPersonsYesCounts() throws { #expect(try outcome() == nil) }

    @Test func onlyAPersonsYesCounts() throws {
        #expect(try outcome { $0.kind = .explicitDeny } == .payloadInvalid)
        #expect(try outcome { $0.kind = .timeoutDeny } == .payloadInvalid)
        #expect(try outcome { $0.kind = .autoApprove } == .payloadInvalid)
        #expect(try outcome({ $0.kind = .autoApprove }, expecting: { $0.acceptsAutomatic = true }) == nil)
    }

    @Test func itMustBeAboutWhatIsAsked() throws {
        let other = HashText(Digest(hashing: "other"))
        #expect(try outcome { $0.agentDID = AgentDID("did:web:other.example") } == .payloadInvalid)
        #expect(try outcome { $0.policyHash = nil } == .payloadInvalid)
        #expect(try outcome { $0.policyHash = other } == .policyOrScopeMismatch)
        #expect(try outcome(expecting: { $0.scopeHash = other }) == .policyOrScopeMismatch)
        #expect(try outcome(expecting: { $0.runID = "run-2" }) == .runMismatch)
        #expect(try outcome(expecting: { $0.runID = nil }) == .runMismatch)
        #expect(try outcome({ $0.binding = nil }) == nil)
        #expect(try outcome({ $0.binding = nil }, expecting: { $0.requiresBinding = true }) == .runMismatch)
        #expect(try outcome { $0.binding?.eventHash = other } == .eventMismatch)
        #expect(try outcome { $0.binding?.policyHash = other } == .bindingContradiction)
        #expect(try outcome { $0.binding?.tokenScopeHash = other } == .bindingContradiction)
    }

    @Test func itHasItsTime() throws {
        #expect(try outcome(now: Own.now.adding(seconds: 900)) == nil)
        #expect(try outcome(now: Timestamp(microseconds: Own.now.microseconds + 900_000_001)) == .outsideWindow)
        #expect(try outcome(now: Own.now.adding(seconds: -1)) == .outsideWindow)
        #expect(try outcome { $0.ttlSeconds = nil } == .payloadInvalid)
        #expect(try outcome { $0.ttlSeconds = 0 } == .payloadInvalid)
        #expect(try outcome { $0.ttlSeconds = 9_007_199_254_740_991 } == nil)
    }

    @Test(.enabled(if: SharedVectors.arePresent))
    func referenceEnvelopeIsByteExact() throws {
        let vector = try SharedVectors.load("human-approval-envelope")
        let text = try #require(vector["envelope_text"]?.string)
        let envelope = try SignedEnvelope.parse(
            try JSONReader.parse(text), type: HumanApprovalReceipt.envelopeType)
        let receipt = try HumanApprovalReceipt.parse(envelope.payload)
        let signer = try SharedVectors.signer("approver")
        #expect(JSONWriter.text(try receipt.sign(by: signer).json) == text)
        let expectation = HumanApprovalReceipt.Expectation(
            agentDID: receipt.agentDID, scopeHash: receipt.scopeHash, policyHash: try #require(receipt.policyHash),
            runID: receipt.binding?.runID, eventHash: receipt.binding?.eventHash, requiresBinding: true)
        #expect(throws: Never.self) {
            try HumanApprovalReceipt.verify(
                text, expectation: expectation, approvers: [signer.publicKey.did], now: receipt.timestamp)
        }
    }

    @Test(.enabled(if: SharedVectors.arePresent), arguments: SharedVectors.cases("approval-receipts", "cases"))
    func referenceReceipts(_ vector: VectorCase) throws {
        let first = try #require(SharedVectors.cases("approval-receipts", "cases").first?["envelope_text"]?.string)
        let good = try HumanApprovalReceipt.parse(try #require(JSONReader.parse(first)["payload"]?.object))
        let expectation = HumanApprovalReceipt.Expectation(
            agentDID: good.agentDID, scopeHash: good.scopeHash, policyHash: try #require(good.policyHash),
            runID: good.binding?.runID, eventHash: good.binding?.eventHash, acceptsAutomatic: true)
        let header = try vector.text("header_value")
        let now = try #require(Timestamp(rfc3339: try vector.text("decision_time")))
        let approvers = Set(vector["approver_allowlist"]?.array?.compactMap(\.string) ?? [])
        var reason: String?
        do {
            _ = try HumanApprovalReceipt.verify(header, expectation: expectation, approvers: approvers, now: now)
        } catch { reason = error.code.rawValue }
        #expect(reason == vector["reason"]?.string)
    }
}
