import ApprovalSources
import ClawWire
import IssuanceRules

extension FuzzTarget {
    /// What approval systems send.
    static let sources =
        SourceConfiguration.Kind.allCases.map { kind in
            FuzzTarget("source-" + kind.rawValue.replacing("_", with: "-")) { bytes throws(FuzzFinding) in
                var configuration = SourceConfiguration(
                    name: SourceName("fuzz"), kind: kind, authenticity: .topic)
                // Those of the seeds: behind a tenant that is not listed nothing is read.
                configuration.tenants = [
                    "11111111-2222-3333-4444-555555555555", "5b0c3f8e-1111-4222-8333-444455556666",
                ]
                let record = SourceRecord(topic: "fuzz", value: bytes)
                let first = AnySource.facts(from: record, configuration: configuration, at: Fixed.now)
                let second = AnySource.facts(from: record, configuration: configuration, at: Fixed.now)
                try require(first == second, "one record, two readings")
            }
        } + [
            FuzzTarget("source-map") { bytes throws(FuzzFinding) in
                _ = MappingReport(bytes, mapping: SourceMapping(), asOf: Fixed.now).json
            },
            FuzzTarget("mapping") { bytes throws(FuzzFinding) in
                guard let value = try? JSONReader.parse(bytes) else { return }
                _ = try? SourceMapping(value)
            },
        ]
}
