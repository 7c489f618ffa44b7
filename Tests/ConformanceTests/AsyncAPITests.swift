import DevStack
import Foundation
import Testing

/// The document against the specification's own schema, its references, schemas and examples.
@Suite(.enabled(if: Peers.areThere, "the Python packages are missing: ./dev test installs them"))
struct AsyncAPITests {
    @Test func theDocumentStands() async throws {
        let (code, lines) = try await Peers.run("asyncapi_document", [Peers.document])
        #expect(code == 0, "\(lines.joined(separator: "\n"))")
        #expect(lines.last?.hasSuffix(": 0 faults") == true)
    }

    /// A copy of the document with a change.
    private func changed(_ found: String, _ put: String, in file: String = "asyncapi.yaml") async throws -> [String] {
        let home = try TemporaryDirectory(prefix: "claw-asyncapi")
        defer { home.close() }
        let topics = home.path("topics")
        try FileManager.default.copyItem(atPath: Peers.root.appendingPathComponent("topics").path, toPath: topics)
        let path = "\(topics)/\(file)"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let parts = text.components(separatedBy: found)
        try #require(parts.count > 1, "\(found) is in \(file)")
        try (parts[0] + put + parts.dropFirst().joined(separator: found))
            .write(toFile: path, atomically: true, encoding: .utf8)
        let (code, lines) = try await Peers.run("asyncapi_document", ["\(topics)/asyncapi.yaml"])
        #expect(code == 1, "\(found) became \(put)")
        return lines
    }

    @Test func whatIsWrongWithADocumentIsFound() async throws {
        #expect(
            try await changed("address: claw.grants.v1", "adress: claw.grants.v1").contains {
                $0.hasPrefix("specification.channels.grants")
            })
        #expect(
            try await changed("partitions: 12", "partitions: twelve").contains {
                $0.hasPrefix("specification.channels.grants.bindings")
            })
        #expect(
            try await changed("#/components/messages/cutoff", "#/components/messages/cutof").contains {
                $0.hasSuffix("leads nowhere")
            })
        #expect(
            try await changed("./schemas/grant.v1.json", "./schemas/grant.v2.json").contains {
                $0.contains("grant.v2.json")
            })
        #expect(
            try await changed("grant_version: '1'", "grant_version: '2'").contains {
                $0.hasPrefix("message grant, example")
            })
        #expect(
            try await changed(
                "schemas.clawbureau.example/clawgrant/", "schemas.other.example/", in: "schemas/source.slack.v1.json"
            ).contains { $0.hasPrefix("source.slack.v1.json: its $id") })
        #expect(
            try await changed("\"type\": \"object\"", "\"type\": \"objekt\"", in: "schemas/grant.v1.json").contains {
                $0.hasPrefix("grant.v1.json: ")
            })
    }
}
