import ApprovalSources
import ClawWire
import Testing

@Suite("Shared samples", .enabled(if: SharedSamples.isPresent))
struct SampleConformanceTests {
    private static func report(_ name: String) throws -> (report: JSONValue, expected: JSONValue) {
        let mapping = try SourceMapping(JSONReader.parse(SharedSamples.bytes("_mapping.json")))
        let expected = try JSONReader.parse(SharedSamples.bytes("\(name).expected.json"))
        let asOf = try #require(expected["as_of"]?.string.flatMap { Timestamp(rfc3339: $0) })
        let report = MappingReport(try SharedSamples.input(name), mapping: mapping, asOf: asOf)
        return (report.json, expected)
    }

    @Test("Facts are as expected", arguments: SharedSamples.names)
    func facts(name: String) throws {
        let (report, expected) = try Self.report(name)
        let differences = Expectation.differences(expected["facts"] ?? .null, report["facts"])
        #expect(differences.isEmpty, "\(differences.joined(separator: "\n"))")
    }

    @Test("Outcomes and stops are as expected", arguments: SharedSamples.names)
    func outcomes(name: String) throws {
        let (report, expected) = try Self.report(name)
        for part in ["outcomes", "stops"] where expected[part] != nil {
            let differences = Expectation.differences(expected[part] ?? .null, report[part], at: part)
            #expect(differences.isEmpty, "\(differences.joined(separator: "\n"))")
        }
    }
}
