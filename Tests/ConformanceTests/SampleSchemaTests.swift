import ApprovalSources
import ClawWire
import DevStack
import Foundation
import IssuanceRules
import TestSupport
import Testing

/// The shared samples of vendors' records against the schemas that we publish of what is read of them.
@Suite(
    .enabled(if: Peers.areThere, "the Python packages are missing: ./dev test installs them"),
    .enabled(if: SharedFolder.folder("samples") != nil, "the shared samples are not here"))
struct SampleSchemaTests {
    /// The schema of a kind of source.
    private static func schema(_ kind: SourceConfiguration.Kind) -> String {
        switch kind {
        case .native: "native-event.v1.json"
        case .capabilityRequest: "capability_request.v1.json"
        case .entraAudit: "entra-audit.v1.json"
        case .azureActivity: "source.azure-activity.v1.json"
        case .graph: "source.graph.v1.json"
        case .entitlementManagement: "source.entitlement-management.v1.json"
        case .serviceNow: "source.servicenow.v1.json"
        case .jsm: "source.jsm.v1.json"
        case .gitHub: "source.github.v1.json"
        case .pagerDuty: "source.pagerduty.v1.json"
        case .opsgenie: "source.opsgenie.v1.json"
        case .slack: "source.slack.v1.json"
        case .sharedSignals: "source.ssf.v1.json"
        }
    }

    /// Samples that show what is no record of their kind.
    private static let exceptions: Set<String> = ["ssf-02-bad-set"]

    private struct Line {
        let sample: String
        let kind: SourceConfiguration.Kind
        let value: JSONValue

        var text: String {
            JSONWriter.text([
                "sample": .string(sample), "schema": .string(SampleSchemaTests.schema(kind)), "value": value,
            ])
        }
    }

    /// The value that a schema describes: of a token its claims, of a webhook in a form its payload.
    private static func value(_ record: SourceRecord, _ kind: SourceConfiguration.Kind) throws -> JSONValue {
        let bytes = record.value ?? []
        guard kind == .sharedSignals else { return try JSONReader.parse(bytes, duplicates: .keepLastValue) }
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        try #require(parts.count == 3)
        return try JSONReader.parse(try #require(Base64URL.decode(String(decoding: parts[1], as: UTF8.self))))
    }

    private static func lines() throws -> [Line] {
        let folder = try #require(SharedFolder.folder("samples"))
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        var lines: [Line] = []
        for file in files where !file.hasPrefix("_") && !file.hasSuffix(".expected.json") && file.contains(".") {
            let sample = String(file.prefix { $0 != "." })
            let input = MappingInput(Array(try Data(contentsOf: folder.appending(path: file))))
            for record in input.records {
                guard let kind = MappingInput.kind(of: record) else { continue }
                lines.append(Line(sample: sample, kind: kind, value: try value(record, kind)))
            }
        }
        return lines
    }

    private func check(_ lines: [Line]) async throws -> (code: Int32, told: [String]) {
        let home = try TemporaryDirectory(prefix: "claw-samples")
        defer { home.close() }
        let path = home.path("records.jsonl")
        try lines.map(\.text).joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
        let (code, told) = try await Peers.run("vendor_samples", [Peers.document, path])
        return (code, told)
    }

    @Test("Each shared sample is a record of the schema of its source")
    func samples() async throws {
        let lines = try Self.lines()
        let kinds = Set(lines.map(\.kind))
        #expect(
            kinds.isSuperset(of: [
                .native, .entraAudit, .azureActivity, .graph, .entitlementManagement, .serviceNow, .jsm, .gitHub,
                .pagerDuty, .slack, .sharedSignals,
            ]), "\(kinds)")
        let (code, told) = try await check(lines.filter { !Self.exceptions.contains($0.sample) })
        #expect(code == 0, "\(told.joined(separator: "\n"))")
        // What is set aside is set aside with reason.
        for sample in Self.exceptions.sorted() {
            let (code, _) = try await check(lines.filter { $0.sample == sample })
            #expect(code == 1, "\(sample) is no exception")
        }
    }

    @Test("A record of another kind is no record of the schema")
    func others() async throws {
        let lines = try Self.lines()
        let audit = try #require(lines.first { $0.kind == .entraAudit })
        let (code, told) = try await check([
            Line(sample: "audit as incident", kind: .pagerDuty, value: audit.value),
            Line(sample: "nothing", kind: .jsm, value: [:]),
        ])
        #expect(code == 1 && told.last == "2 records: 2 faults", "\(told)")
    }
}
