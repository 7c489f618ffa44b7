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

    @Test func chainsAreReadFromEveryFormOfFile() throws {
        var chain: [RunEvent] = []
        for number in 0..<3 {
            chain.append(
                RunEvent(
                    id: "e\(number)", runID: "r", type: "llm_call", timestamp: "2026-03-01T12:00:00.000Z",
                    payloadHash: Digest(hashing: "\(number)"), previousHash: chain.last?.hash))
        }
        func read(_ text: String) throws -> [RunEvent] {
            try RunEvent.agentChain(Array(text.utf8), continues: [])
        }
        let values = JSONValue.array(chain.map(\.json))
        #expect(try read(JSONWriter.text(values)) == chain)
        #expect(try read(JSONWriter.text(["event_chain": values])) == chain)
        #expect(try read(JSONWriter.text(["events": values])) == chain)
        #expect(try read(JSONWriter.text(["payload": ["event_chain": values]])) == chain)
        #expect(try read(chain.map { JSONWriter.text($0.json) + "\n" }.joined()) == chain)
        #expect(try read(JSONWriter.text(chain[0].json)) == [chain[0]])
        #expect(try RunEvent.agentChain(JSONWriter.bytes(chain[1].json), continues: [chain[0].hash]) == [chain[1]])
        for text in ["", "[]", "{}", "{\"x\":1}", JSONWriter.text(chain[1].json), "[1]"] {
            #expect(throws: DocumentFault.self) { try read(text) }
        }
    }
}
