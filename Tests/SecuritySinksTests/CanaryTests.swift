import ClawWire
import SecurityEvents
import Testing

/// Tokens and forgeries that strangers plant in texts, in everything that is sent.
@Suite("Planted secrets and forgeries")
struct CanaryTests {
    @Test(
        "No line of any format shows a planted token, and each stays one line", arguments: SecurityEventFormat.allCases)
    func lines(format: SecurityEventFormat) {
        for event in Canaries.planted {
            let line = format.line(event)
            #expect(!line.contains("eyJ"), "\(event.code)")
            #expect(!line.unicodeScalars.contains(where: Self.steers), "\(event.code)")
        }
    }

    @Test("No body for a collector shows a planted token")
    func bodies() {
        let events = Canaries.planted
        let bodies = [SplunkHEC.body(events), OTLPLogs.body(events)] + LogsIngestion.bodies(events).map(\.body)
        for body in bodies {
            #expect(!String(decoding: body, as: UTF8.self).contains("eyJ"))
            #expect(!String(decoding: body, as: UTF8.self).unicodeScalars.contains(where: Self.steers))
        }
    }

    /// What ends a line or steers a terminal for somebody.
    private static func steers(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    @Test("What is no token stays as it is")
    func untouched() throws {
        let plain = try #require(Canaries.events.first)
        let line = SecurityEventFormat.ocsf.line(plain)
        #expect(line.contains("İstanbul 本番 ✅ 12"))
    }
}
