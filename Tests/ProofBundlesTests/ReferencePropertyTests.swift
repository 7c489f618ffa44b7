import ClawWire
import TestSupport
import Testing

@testable import ProofBundles

/// Whatever is done to a bundle, it is answered about, and no other payload is taken for the signed one.
struct ReferencePropertyTests {
    let maker: BundleMaker

    init() throws { maker = try BundleMaker() }

    private func sample() throws -> JSONValue {
        let events = maker.events(3)
        return try maker.bundle(
            maker.payload(
                events, receipts: [maker.receipt("r1", boundTo: events[1]), maker.receipt("r2", boundTo: nil)],
                more: [
                    "metadata": ["harness": ["id": "h", "version": "1"], "free": [1, 2.5, nil, true]],
                    "delegation_receipts": [],
                ]))
    }

    private func expectSamePayload(_ changed: JSONValue, as original: Digest, _ what: String) {
        for verifier in ReferenceVerifier.allCases {
            let verdict = verifier.verify(changed, options: maker.options, now: maker.now)
            guard verdict.status == .valid else { continue }
            #expect(changed["payload"]?.documentDigest == original, "\(verifier) took another payload: \(what)")
        }
    }

    @Test func changedBytesAreNeverTakenForTheSignedOnes() throws {
        let bundle = try sample()
        let original = try #require(bundle["payload"]?.documentDigest)
        let text = JSONWriter.bytes(bundle)
        #expect(maker.core(bundle).status == .valid)
        var random = SeededGenerator(seed: 7)
        for round in 0..<1_500 {
            var changed = text
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let position = Int.random(in: 0..<changed.count, using: &random)
                switch Int.random(in: 0...3, using: &random) {
                case 0: changed[position] = UInt8.random(in: 0...255, using: &random)
                case 1: changed[position] ^= 1 << UInt8.random(in: 0...6, using: &random)
                case 2: changed.remove(at: position)
                default: changed.insert(UInt8.random(in: 0x20...0x7E, using: &random), at: position)
                }
            }
            guard let value = try? JSONReader.parse(changed, duplicates: .keepLastValue) else { continue }
            expectSamePayload(value, as: original, "round \(round)")
        }
    }

    @Test func changedMembersAreNeverTakenForTheSignedOnes() throws {
        let bundle = try sample()
        let original = try #require(bundle["payload"]?.documentDigest)
        var random = SeededGenerator(seed: 11)
        for round in 0..<1_500 {
            var changed = bundle
            for _ in 0..<Int.random(in: 1...3, using: &random) { changed = change(changed, &random) }
            expectSamePayload(changed, as: original, "round \(round)")
        }
    }

    /// Arbitrary documents, the payload of no one.
    @Test func nothingCrashesOnStrangeShapes() {
        var random = SeededGenerator(seed: 13)
        let verifier = ExportVerifier(options: maker.options, now: maker.now)
        for _ in 0..<400 {
            var value = strange(&random, depth: 3)
            if case .object(var object) = value {
                for key in SchemaRule.envelopeMembers where Bool.random(using: &random) {
                    object[key] = strange(&random, depth: 2)
                }
                for key in ["bundle_version", "bundle_id", "agent_did"] { object[key] = "did:key:zQ" }
                object["bundle_version"] = "1"
                value = .object(object)
            }
            for reference in ReferenceVerifier.allCases {
                _ = reference.verify(value, options: maker.options, now: maker.now)
            }
            _ = verifier.verify(value)
            _ = verifier.verify(aggregate: value)
            _ = GatewayReceiptVerdict(envelope: value, signers: ["did:key:zQ"])
        }
    }

    private func change(_ value: JSONValue, _ random: inout SeededGenerator) -> JSONValue {
        switch value {
        case .object(var object) where !object.isEmpty:
            let key = object.keys[Int.random(in: 0..<object.count, using: &random)]
            switch Int.random(in: 0...7, using: &random) {
            case 0: object[key] = nil
            case 1: object[key] = strange(&random, depth: 1)
            case 2: object["x"] = strange(&random, depth: 1)
            default: object[key] = object[key].map { change($0, &random) }
            }
            return .object(object)
        case .array(var elements) where !elements.isEmpty:
            let index = Int.random(in: 0..<elements.count, using: &random)
            switch Int.random(in: 0...4, using: &random) {
            case 0: elements.remove(at: index)
            case 1: elements.append(elements[index])
            default: elements[index] = change(elements[index], &random)
            }
            return .array(elements)
        case .null, .bool, .number, .string, .array, .object: return strange(&random, depth: 1)
        }
    }

    private static let keys = [
        "payload", "receipts", "event_chain", "attestations", "urm", "metadata", "tool_receipts", "binding",
        "event_id", "web_receipts", "vir_receipts", "coverage_attestations", "manifest", "artifacts", "1", "x",
        "human_approval_receipts", "side_effect_receipts", "rate_limit_claims", "sentinels", "data_handling",
        "policy_binding", "prompt_pack", "reviewer_signoff_receipts", "runner_measurement", "processor_policy",
    ]

    private func strange(_ random: inout SeededGenerator, depth: Int) -> JSONValue {
        switch Int.random(in: 0...(depth > 0 ? 7 : 4), using: &random) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &random))
        case 2: return .number([0, -1, 1.5, 1e300, -0.0, 9e15][Int.random(in: 0..<6, using: &random)])
        case 3:
            return .string(["", "1", "SHA-256", "did:key:z", "é", "AAAAAAAA"][Int.random(in: 0..<6, using: &random)])
        case 4: return .string(String(repeating: "z", count: Int.random(in: 0...600, using: &random)))
        case 5:
            return .array((0..<Int.random(in: 0...3, using: &random)).map { _ in strange(&random, depth: depth - 1) })
        default:
            var object = JSONObject()
            for _ in 0..<Int.random(in: 0...8, using: &random) {
                let key = Self.keys[Int.random(in: 0..<Self.keys.count, using: &random)]
                object[key] = strange(&random, depth: depth - 1)
            }
            return .object(object)
        }
    }
}
