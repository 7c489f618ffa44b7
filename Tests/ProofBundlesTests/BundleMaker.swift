import ClawWire
import Testing

@testable import ProofBundles

/// Makes small bundles with keys of its own.
struct BundleMaker {
    let agent: SeedSigner
    let gateway: SeedSigner
    let now = Timestamp(seconds: 1_767_225_600)

    init() throws {
        agent = try #require(SeedSigner(seed: Digest(hashing: "bundle tests: agent").bytes))
        gateway = try #require(SeedSigner(seed: Digest(hashing: "bundle tests: gateway").bytes))
    }

    var options: ReferenceOptions {
        ReferenceOptions(["allowlistedReceiptSignerDids": [.string(gateway.publicKey.did)]])
    }

    func events(_ count: Int = 2, run: String = "job-4711") -> [RunEvent] {
        var events: [RunEvent] = []
        for index in 0..<count {
            events.append(
                RunEvent(
                    id: "e\(index)", runID: run, type: index == 0 ? "run_started" : "llm_call",
                    timestamp: "2026-01-01T00:00:0\(index % 10).000Z", payloadHash: Digest(hashing: "payload \(index)"),
                    previousHash: events.last?.hash))
        }
        return events
    }

    func envelope(_ type: String, _ payload: JSONObject, by signer: SeedSigner) throws -> JSONValue {
        try SignedEnvelope.sign(type: type, payload: payload, rule: .document, signer: signer, issuedAt: now).json
    }

    func receipt(_ id: String = "r1", boundTo event: RunEvent?, tokens: JSONValue = 12) throws -> JSONValue {
        var payload: JSONObject = [
            "receipt_version": "1", "receipt_id": .string(id), "gateway_id": "did:web:gateway.harborline.example",
            "provider": "openai", "model": "gpt-5.1", "request_hash_b64u": .string(Digest(hashing: "q").b64u),
            "response_hash_b64u": .string(Digest(hashing: "a").b64u), "tokens_input": tokens, "tokens_output": 3,
            "latency_ms": 250, "timestamp": "2026-01-01T00:00:00.000Z",
        ]
        if let event {
            payload["binding"] = ["run_id": .string(event.runID), "event_hash_b64u": .string(event.hash.b64u)]
        }
        return try envelope("gateway_receipt", payload, by: gateway)
    }

    func payload(_ events: [RunEvent], receipts: [JSONValue] = [], more: JSONObject = [:]) -> JSONObject {
        var payload: JSONObject = [
            "bundle_version": "1", "bundle_id": "bundle-1", "agent_did": .string(agent.publicKey.did),
        ]
        if !events.isEmpty { payload["event_chain"] = .array(events.map(\.json)) }
        if !receipts.isEmpty { payload["receipts"] = .array(receipts) }
        for member in more.members { payload[member.key] = member.value }
        return payload
    }

    func bundle(_ payload: JSONObject) throws -> JSONValue { try envelope("proof_bundle", payload, by: agent) }

    func core(_ bundle: JSONValue, _ options: ReferenceOptions? = nil) -> ReferenceVerdict {
        ReferenceVerifier.core.verify(bundle, options: options ?? self.options, now: now)
    }
}
