import ClawWire
import DevStack
import Foundation
import Playground
import Testing

/// What a played run leaves on the topics, against the messages of the AsyncAPI document.
@Suite(
    .enabled(if: Peers.areThere, "the Python packages are missing: ./dev test installs them"),
    .enabled(if: AvailableServers.postgres && AvailableServers.broker(.noida), "PostgreSQL or noida-db is missing"),
    .serialized, .timeLimit(.minutes(5)))
struct RecordTests {
    private func check(_ lines: [PlayedRun.Line], in home: TemporaryDirectory) async throws -> (Int32, [String]) {
        let text = lines.map { JSONWriter.text($0.json) }.joined(separator: "\n")
        let path = home.path("records.jsonl")
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        let (code, told) = try await Peers.run("records", [Peers.document, path])
        return (code, told)
    }

    private func counts(_ told: [String]) -> [String: Int] {
        Dictionary(
            told.compactMap { line in
                let words = line.split(separator: " ")
                guard words.count == 3, words[0] == "message", let count = Int(words[2]) else { return nil }
                return (String(words[1]), count)
            }, uniquingKeysWith: +)
    }

    @Test("Every record that the worker writes is one message of its topic, and there is one of each kind")
    func written() async throws {
        let (sent, written) = try await PlayedRun.play()
        if let kept = ProcessInfo.processInfo.environment["CLAWGRANT_RECORDS"], !kept.isEmpty {
            try (sent + written).map { JSONWriter.text($0.json) }.joined(separator: "\n")
                .write(toFile: kept, atomically: true, encoding: .utf8)
        }
        let home = try TemporaryDirectory(prefix: "claw-records")
        defer { home.close() }

        let (outputCode, output) = try await check(written, in: home)
        #expect(outputCode == 0, "\(output.joined(separator: "\n"))")
        let met = counts(output)
        for message in [
            "grant", "decision", "revocation", "cutoff", "revocationHead", "revocationEnd", "receiptBatch",
            "deadLetter",
            "controlResult", "finding", "budgetMark", "statusList", "statusListEnd",
        ] {
            #expect(met[message] ?? 0 > 0, "no \(message) was written")
        }
        #expect(met.values.reduce(0, +) == written.count)

        let (inputCode, input) = try await check(sent, in: home)
        #expect(inputCode == 0, "\(input.joined(separator: "\n"))")
        #expect(
            Set(counts(input).keys) == [
                "decisionEvent", "nativeEvent", "capabilityRequest", "entraAudit", "gatewayReceipt", "controlEvent",
                "policy",
                "policyEnd",
            ])

        // The check can fail: what is changed, or on another topic, is none of the messages.
        let grant = try #require(written.first { $0.topic == PlaygroundTopic.grants })
        let decision = try #require(written.first { $0.topic == PlaygroundTopic.decisions })
        var value = try JSONReader.parse(try #require(grant.value)).object ?? [:]
        value["surplus"] = true
        let spoiled = [
            PlayedRun.Line(topic: grant.topic, key: grant.key, headers: decision.headers, value: grant.value),
            PlayedRun.Line(topic: decision.topic, key: grant.key, headers: grant.headers, value: grant.value),
            PlayedRun.Line(topic: grant.topic, key: grant.key, headers: grant.headers, value: nil),
            PlayedRun.Line(
                topic: grant.topic, key: grant.key, headers: grant.headers, value: JSONWriter.bytes(.object(value))),
            PlayedRun.Line(topic: "claw.other.v1", key: nil, headers: grant.headers, value: grant.value),
        ]
        let (code, told) = try await check(spoiled, in: home)
        #expect(code == 1)
        #expect(told.last == "5 records: 5 faults", "\(told.joined(separator: "\n"))")
    }
}
