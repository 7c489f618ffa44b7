import ClawWire
import TestSupport
import Testing

@Suite("Hostile input")
struct HostileInputTests {
    private func mutate(_ bytes: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
            let position = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0...3, using: &random) {
            case 0: bytes[position] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes.remove(at: position)
            case 2: bytes.insert(contentsOf: "{}[]\",:0".utf8.shuffled(using: &random).prefix(2), at: position)
            default: bytes.removeLast(Int.random(in: 0...(bytes.count - 1), using: &random))
            }
        }
        return bytes
    }

    /// A mutated document is refused, or still holds what was signed.
    @Test func mutatedPoliciesNeverVerifyAsAnother() throws {
        let contract = try WorkPolicyContract.parse(Array(PolicyTests.runbook.utf8))
        let signer = try Own.signer("controls")
        let envelope = try WPCEnvelope.sign(contract, signer: signer, issuedAt: Own.now)
        let bytes = JSONWriter.bytes(envelope.json)
        var random = SeededGenerator(seed: 40)
        for _ in 0..<2_000 {
            let verified = try? WPCEnvelope.verify(
                mutate(bytes, &random), expectedHash: contract.policyHash, signerAllowlist: [signer.publicKey.did])
            if let verified { #expect(verified.contract.policyHash == contract.policyHash) }
        }
    }

    @Test func mutatedPayloadsNeverCrashTheClaims() throws {
        let header = Base64URL.encode(Array("{\"alg\":\"EdDSA\"}".utf8))
        let payload = try Own.claims().json
        var random = SeededGenerator(seed: 41)
        for _ in 0..<2_000 {
            let text = "\(header).\(Base64URL.encode(mutate(payload, &random))).AA"
            guard let token = try? CST.parse(text) else { continue }
            _ = ScopeHash.compute(token.unverifiedClaims)
            let keys = try Own.keys()
            #expect(throws: CSTError.self) {
                try CST.verify(token, keys: keys, now: Own.now, rules: .compatible)
            }
        }
    }

    @Test func anyTextIsAnsweredAsNoToken() throws {
        var random = SeededGenerator(seed: 42)
        for _ in 0..<2_000 {
            let text = String(decoding: random.bytes(upTo: 80), as: UTF8.self)
            let answer = Introspection.answer(
                text, keys: try Own.keys(), now: Own.now, rules: .compatible, revokedAt: { _ in nil })
            #expect(!answer.isActive)
        }
        let long = String(repeating: "a", count: 40_000)
        #expect(throws: CSTError.self) { try CST.parse(long) }
    }

    @Test func manyScopesCostNoMoreThanSortingThem() throws {
        var random = SeededGenerator(seed: 43)
        var claims = CSTClaims(subject: "s", audience: .one("a"), scope: ["x"], issuedAt: 0, expiresAt: 1)
        claims.scope = (0..<2_000).map { _ in String(Int.random(in: 0...500, using: &random)) }
        let first = ScopeHash.compute(claims)
        claims.scope.shuffle(using: &random)
        #expect(ScopeHash.compute(claims) == first)
    }
}
