package import ApprovalSources
import ClawWire
import IssuanceRules

extension FuzzTarget {
    /// What approval systems send.
    static let sources =
        SourceConfiguration.Kind.allCases.map { kind in
            FuzzTarget("source-" + kind.rawValue.replacing("_", with: "-")) { bytes throws(FuzzFinding) in
                let configuration = SourceConfiguration.fuzz(kind)
                var record = SourceRecord(topic: "fuzz", value: bytes)
                if kind == .gitHub {
                    record.headers = [
                        SourceRecord.Header(
                            "X-GitHub-Event",
                            bytes.count.isMultiple(of: 2) ? "deployment_review" : "deployment_protection_rule"),
                        SourceRecord.Header("X-GitHub-Delivery", "fuzz"),
                    ]
                }
                for record in kind == .native ? nativeRecords(bytes) : [record] {
                    let first = AnySource.facts(from: record, configuration: configuration, at: Fixed.now)
                    let second = AnySource.facts(from: record, configuration: configuration, at: Fixed.now)
                    try require(first == second, "one record, two readings")
                }
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

    /// The input as a whole event, and as the data of an event of each type.
    private static func nativeRecords(_ bytes: [UInt8]) -> [SourceRecord] {
        let types = [
            EventType.decision, EventType.receipt, EventType.stopDeclared, EventType.stopLifted,
            EventType.capabilityRequest,
        ]
        let structured = SourceRecord(
            topic: "fuzz", headers: [SourceRecord.Header("content-type", "application/cloudevents+json")], value: bytes)
        return [structured]
            + types.map { type in
                SourceRecord(
                    topic: "fuzz",
                    headers: [
                        SourceRecord.Header("ce_specversion", "1.0"), SourceRecord.Header("ce_id", "fuzz"),
                        SourceRecord.Header("ce_source", "/fuzz"), SourceRecord.Header("ce_type", type),
                        SourceRecord.Header("ce_time", "2026-03-01T12:00:00Z"),
                    ], value: bytes)
            }
    }
}

extension SourceConfiguration {
    /// A source that trusts its topic, and knows the tenants and stops of the seeds.
    package static func fuzz(_ kind: Kind) -> SourceConfiguration {
        var configuration = SourceConfiguration(name: SourceName("fuzz"), kind: kind, authenticity: .topic)
        configuration.trustedStopSources = ["/fuzz"]
        // Behind a tenant that is not listed nothing is read.
        configuration.tenants = [
            "harborline", "11111111-2222-3333-4444-555555555555", "5b0c3f8e-1111-4222-8333-444455556666",
        ]
        configuration.vendor.stops = [
            VendorRule.Stop(match: "PSTOP01", scope: .everything), VendorRule.Stop(match: "claw-stop", scope: nil),
        ]
        return configuration
    }
}
