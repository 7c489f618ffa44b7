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
            for scalar in line.unicodeScalars { #expect(scalar.value >= 0x20 && scalar.value != 0x7F) }
        }
    }

    @Test("No body for a collector shows a planted token")
    func bodies() {
        let events = Canaries.planted
        let bodies = [SplunkHEC.body(events), OTLPLogs.body(events)] + LogsIngestion.bodies(events).map(\.body)
        for body in bodies {
            #expect(!String(decoding: body, as: UTF8.self).contains("eyJ"))
            #expect(!body.contains { $0 < 0x20 })
        }
    }

    @Test("What is no token stays as it is")
    func untouched() throws {
        let plain = try #require(Canaries.events.first)
        let line = SecurityEventFormat.ocsf.line(plain)
        #expect(line.contains("İstanbul 本番 ✅ 12"))
    }
}
