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
                    "harborline", "11111111-2222-3333-4444-555555555555", "5b0c3f8e-1111-4222-8333-444455556666",
                ]
                configuration.vendor.stops = [
                    VendorRule.Stop(match: "PSTOP01", scope: .everything),
                    VendorRule.Stop(match: "claw-stop", scope: nil),
                ]
                var record = SourceRecord(topic: "fuzz", value: bytes)
                if kind == .gitHub {
                    record.headers = [
                        SourceRecord.Header(
                            "X-GitHub-Event",
                            bytes.count.isMultiple(of: 2) ? "deployment_review" : "deployment_protection_rule"),
                        SourceRecord.Header("X-GitHub-Delivery", "fuzz"),
                    ]
                }
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
