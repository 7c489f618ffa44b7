import ClawWire
import Foundation
import IssuanceRules
import Testing

@testable import ApprovalSources

/// What is published about control events agrees with the code.
@Suite struct ControlDocumentTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    private static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    private static func schema() throws -> JSONValue {
        try JSONReader.parse(try text("topics/schemas/control.v1.json"))
    }

    /// The CloudEvent of an example.
    private static func event(_ example: JSONValue) throws -> CloudEvent {
        let record = SourceRecord(
            topic: "claw.control.v1", headers: [.init("content-type", "application/cloudevents+json")],
            value: JSONWriter.bytes(example))
        return try CloudEvent(record: record, limits: .init())
    }

    @Test func theExamplesAreReadAsWhatTheyAre() throws {
        let examples = try #require(try Self.schema()["examples"]?.array)
        var kinds: [ControlOperation.Kind] = []
        for example in examples {
            let event = try Self.event(example)
            let read = try #require(try ControlFixture.read(event).event, "\(event.type)")
            #expect(EventType.control(read.operation.kind) == event.type)
            #expect(!read.declaredBy.isEmpty)
            kinds.append(read.operation.kind)
        }
        #expect(kinds == ControlOperation.Kind.allCases)
    }

    @Test func theSchemaHasTheWordsOfTheCode() throws {
        let schema = try Self.schema()
        #expect(schema["$schema"]?.string == "https://json-schema.org/draft/2020-12/schema")
        let types = schema["properties"]?["type"]?["enum"]?.array?.compactMap(\.string)
        #expect(types == ControlOperation.Kind.allCases.map { EventType.control($0) })
        let kinds = schema["$defs"]?["scope"]?["properties"]?["kind"]?["enum"]?.array?.compactMap(\.string)
        #expect(Set(kinds ?? []) == Set(StopScope.Kind.allCases.map(\.rawValue)))
        let stoppable = schema["$defs"]?["stop_scope"]?["properties"]?["kind"]?["enum"]?.array?.compactMap(\.string)
        #expect(Set(kinds ?? []).subtracting(stoppable ?? []) == ["token_hash", "jti"])
    }

    @Test func whatIsWrittenHasNoMemberThatTheSchemaDoesNotName() throws {
        let schema = try Self.schema()
        for operation in ControlFixture.operations {
            let data = schema["$defs"]?[operation.kind.rawValue]
            let names = Set(data?["properties"]?.object?.keys ?? [])
            let required = Set(data?["required"]?.array?.compactMap(\.string) ?? [])
            let written = Set(ControlFixture.event(operation).json?.object?.keys ?? [])
            #expect(written.isSubset(of: names) && required.isSubset(of: written), "\(operation.kind)")
        }
    }

    @Test func theRulesKnowTheSameWords() throws {
        let schema = try JSONReader.parse(try Self.text("topics/schemas/issuance-rules.v1.json"))
        let signer = schema["$defs"]?["control_signer"]?["properties"]
        func words(_ key: String) -> Set<String> {
            Set(signer?[key]?["items"]?["enum"]?.array?.compactMap(\.string) ?? [])
        }
        #expect(words("operations") == Set(ControlOperation.Kind.allCases.map(\.rawValue)))
        #expect(words("scopes") == Set(StopScope.Kind.allCases.map(\.rawValue)))
    }

    @Test func everyCodeAndOperationIsDocumented() throws {
        let text = try Self.text("docs/control-events.md")
        for code in ControlFault.Code.allCases.map(\.rawValue) + ControlRefusal.allCases.map(\.rawValue) {
            #expect(text.contains("| `\(code)` |"), "docs/control-events.md does not explain \(code)")
        }
        for kind in ControlOperation.Kind.allCases {
            #expect(text.contains("### `\(kind.rawValue)`"), "docs/control-events.md does not explain \(kind.rawValue)")
        }
    }

    /// The examples of the page are those of the schema, which are read above.
    @Test func theExamplesOfThePageAreThoseOfTheSchema() throws {
        let text = try Self.text("docs/control-events.md")
        var shown: [JSONValue] = []
        for block in text.components(separatedBy: "```json\n").dropFirst() {
            shown.append(try JSONReader.parse(block.components(separatedBy: "\n```")[0]))
        }
        #expect(shown == (try Self.schema()["examples"]?.array ?? []))
    }

    /// The last column of the page's table of cases names tests; each of them exists.
    @Test func everyTestThatTheTableNamesExists() throws {
        let sources = try [
            "Tests/IssuanceRulesTests/Control/StopTableTests.swift",
            "Tests/IssuanceRulesTests/Control/RestrictionTableTests.swift",
            "Tests/IssuanceRulesTests/Control/ControlPropertyTests.swift",
            "Tests/ApprovalSourcesTests/Control/ControlSourceTests.swift",
            "Tests/GrantWorkerTests/Stops/EvidenceTests.swift",
        ].map(Self.text).joined()
        let text = try Self.text("docs/control-events.md")
        let table = text.components(separatedBy: "## What happens when\n").last ?? ""
        var named: Set<String> = []
        for row in table.split(separator: "\n") where row.hasPrefix("| ") && row.hasSuffix("` |") {
            let name = row.split(separator: "`").dropLast().last.map(String.init) ?? ""
            named.insert(name)
            #expect(sources.contains("func \(name)("), "there is no test \(name)")
        }
        #expect(named.count >= 30)
    }

    /// Each row of the rollback table names tests, and each of them exists.
    @Test func everyRowOfTheRollbackTableHasATest() throws {
        let sources = try [
            "Tests/IssuanceRulesTests/Control/RestrictionTableTests.swift",
            "Tests/GrantWorkerTests/Stops/RollbackTests.swift",
        ].map(Self.text).joined()
        let text = try Self.text("docs/emergency-stop.md")
        let section = text.components(separatedBy: "## Rollback, row by row\n").last?
            .components(separatedBy: "\n## ").first
        let rows = (section ?? "").split(separator: "\n").filter { $0.hasPrefix("| ") }.dropFirst(2)
        #expect(rows.count == 9)
        for row in rows {
            let cell = row.dropLast(2).components(separatedBy: " | ").last ?? ""
            let names = cell.split(separator: "`").filter { $0.allSatisfy(\.isLetter) }
            #expect(!names.isEmpty, "no test in \(row.prefix(60))")
            for name in names { #expect(sources.contains("func \(name)("), "there is no test \(name)") }
        }
    }
}
