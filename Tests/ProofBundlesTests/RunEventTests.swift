import ClawWire
import Testing

@testable import ProofBundles

struct RunEventTests {
    @Test func hashIsOverSixMembersInOrder() throws {
        let first = RunEvent(
            id: "e1", runID: "r", type: "started", timestamp: "2026-03-01T12:00:00.000Z",
            payloadHash: Digest(hashing: ""), previousHash: nil)
        let text =
            #"{"event_id":"e1","run_id":"r","event_type":"started","timestamp":"2026-03-01T12:00:00.000Z","#
            + #""payload_hash_b64u":"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU","prev_hash_b64u":null}"#
        #expect(first.hash == Digest(hashing: Array(text.utf8)))
        let second = RunEvent(
            id: "e2", runID: "r", type: "ended", timestamp: "2026-03-01T12:00:01.000Z",
            payloadHash: Digest(hashing: ""), previousHash: first.hash)
        #expect(second.json["prev_hash_b64u"]?.string == first.json["event_hash_b64u"]?.string)
    }
}
