import ClawWire
import TestSupport
import Testing

@Suite("Gateway receipts")
struct GatewayReceiptTests {
    private func receipt() -> GatewayReceipt {
        GatewayReceipt(
            receiptID: "rcpt-1", gatewayID: "did:web:gateway.harborline.example", provider: "openai", model: "gpt-5.1",
            requestHash: Digest(hashing: "request").b64u, responseHash: Digest(hashing: "response").b64u,
            tokensInput: 1_200, tokensOutput: 340, latencyMilliseconds: 900, timestamp: Own.now,
            binding: GatewayReceipt.Binding(
                runID: "job-1", eventHash: Digest(hashing: "event").b64u, nonce: "n-1",
                policyHash: Digest(hashing: "policy").b64u, tokenScopeHash: Digest(hashing: "scope").b64u,
                causal: ["span_id": "s-1", "attribution_confidence": 0.5]),
            metadata: ["tier": "closed", "ttft_ms": 7.03])
    }

    private func error(_ value: JSONValue, signers: Set<String>? = nil) throws -> EnvelopeError? {
        let signers = try signers ?? [Own.signer("gateway").publicKey.did]
        do {
            _ = try GatewayReceipt.verify(value, signers: signers)
            return nil
        } catch { return error }
    }

    private func signed(_ change: (inout JSONObject) -> Void) throws -> JSONValue {
        var payload = receipt().payload
        change(&payload)
        return try SignedEnvelope.sign(
            type: GatewayReceipt.envelopeType, payload: payload, rule: .document, signer: try Own.signer("gateway"),
            issuedAt: Own.now
        ).json
    }

    @Test func whatAGatewaySignedIsReadBack() throws {
        let signer = try Own.signer("gateway")
        let envelope = try receipt().sign(by: signer)
        let verified = try GatewayReceipt.verify(JSONWriter.bytes(envelope.json), signers: [signer.publicKey.did])
        #expect(verified.receipt == receipt())
        #expect(verified.payload == receipt().payload)
        #expect(verified.payloadHash.b64u == envelope.payloadHash.text)
        #expect(verified.inclusionProof == nil)
    }

    @Test func aProofThatWasAttachedLaterIsTakenOut() throws {
        for metadata in [receipt().metadata, nil] {
            var receipt = receipt()
            receipt.metadata = metadata
            let signer = try Own.signer("gateway")
            let envelope = try receipt.sign(by: signer)
            func attached(leaf: String) throws -> JSONValue {
                var object = try #require(envelope.json.object)
                var payload = envelope.payload
                var metadata = payload["metadata"]?.object ?? JSONObject()
                metadata["log_inclusion_proof"] = ["proof_version": "1", "leaf_hash_b64u": .string(leaf)]
                payload["metadata"] = .object(metadata)
                object["payload"] = .object(payload)
                return .object(object)
            }
            let verified = try GatewayReceipt.verify(
                try attached(leaf: envelope.payloadHash.text), signers: [signer.publicKey.did])
            #expect(verified.receipt == receipt)
            #expect(verified.payload == receipt.payload)
            #expect(verified.inclusionProof?["proof_version"] == "1")
            let other = try error(try attached(leaf: Digest(hashing: "other").b64u))
            #expect(other?.code == .hashMismatch)
            #expect(other?.field == "payload.metadata.log_inclusion_proof.leaf_hash_b64u")
        }
    }

    @Test(
        arguments: [
            ("receipt_version", JSONValue.string("2"), EnvelopeError.Code.schemaInvalid),
            ("receipt_id", "", .schemaInvalid), ("model", 1, .schemaInvalid), ("extra", 1, .schemaInvalid),
            ("tokens_input", -1, .schemaInvalid), ("tokens_input", 1.5, .malformed),
            ("tokens_output", 10_000_001, .malformed), ("latency_ms", 3_600_001, .malformed),
            ("latency_ms", "1", .schemaInvalid), ("timestamp", "2026-03-01T12:00:00", .schemaInvalid),
            ("request_hash_b64u", "AAAAAAAA=", .schemaInvalid), ("binding", [], .schemaInvalid),
            ("binding", ["job_id": "j"], .schemaInvalid), ("binding", ["attribution_confidence": 2], .schemaInvalid),
            ("binding", ["policy_hash": "short"], .schemaInvalid), ("metadata", "x", .schemaInvalid),
        ] as [(String, JSONValue, EnvelopeError.Code)])
    func refusedPayload(_ key: String, value: JSONValue, code: EnvelopeError.Code) throws {
        #expect(try error(try signed { $0[key] = value })?.code == code)
    }

    @Test func foreignSignersAndContentAreRefused() throws {
        let value = try signed { _ in }
        #expect(try error(value) == nil)
        #expect(try error(value, signers: [])?.code == .noAllowlist)
        #expect(try error(value, signers: [try Own.signer("other").publicKey.did])?.code == .signerNotAllowed)
        var object = try #require(value.object)
        var payload = try #require(object["payload"]?.object)
        payload["tokens_input"] = 1
        object["payload"] = .object(payload)
        #expect(try error(.object(object))?.code == .hashMismatch)
    }

    @Test func whatIsNoDocumentIsRefused() throws {
        let texts = [
            "", "null", "[]", "{\"a\":1,\"a\":2}", String(repeating: "[", count: 100),
            String(repeating: " ", count: 70_000),
        ]
        for text in texts {
            let error = #expect(throws: EnvelopeError.self) {
                try GatewayReceipt.verify(Array(text.utf8), signers: [try Own.signer("gateway").publicKey.did])
            }
            #expect(error?.code == .malformed)
        }
    }

    @Test(.enabled(if: SharedVectors.arePresent), arguments: SharedVectors.cases("gateway-receipts", "cases"))
    func referenceReceipts(_ vector: VectorCase) throws {
        let text = try vector.text("envelope_text")
        let signers = Set(vector["allowlisted_signer_dids"]?.array?.compactMap(\.string) ?? [])
        var refusal: EnvelopeError?
        var verified: VerifiedGatewayReceipt?
        do { verified = try GatewayReceipt.verify(Array(text.utf8), signers: signers) } catch { refusal = error }
        if try vector.text("name").contains("RT_ENABLED") {
            // The reference refuses what its own gateway attached; the proof can be taken out again.
            let proof = try #require(verified?.inclusionProof)
            #expect(proof["leaf_hash_b64u"]?.string == verified?.payloadHash.b64u)
            return
        }
        #expect(refusal?.code.rawValue == vector["error"]?.string)
        if refusal?.code == .schemaInvalid { #expect(refusal?.field == vector["field"]?.string) }
    }
}
