import ClawWire
import GrantWorker
import Testing

@testable import clawgrant

/// What the program puts together for the HTTP surface.
struct HTTPSurfaceTests {
    private static let parties = SignalParties(
        issuer: "https://issuer.harborline.example", audience: "https://gateway.harborline.example/ssf")
    private static let address = "https://tokens.harborline.example"

    @Test func theTransmitterIsDescribedWhereSignalsAreSent() throws {
        for kind in [
            SecurityEventSettings.Kind.signals(
                SignalPushSettings(url: "https://gateway.harborline.example/events", parties: Self.parties)),
            .signalsTopic(SignalTopicSettings(parties: Self.parties)),
        ] {
            let settings = SecurityEventSettings(sinks: [
                SecurityEventSettings.Sink(name: "topic", kind: .kafka(SecurityEventSettings.KafkaTopic())),
                SecurityEventSettings.Sink(name: "signals", kind: kind),
            ])
            let document = try #require(HTTPSurface.transmitter(settings, at: Self.address))
            #expect(document["issuer"]?.string == Self.parties.issuer)
            #expect(document["jwks_uri"]?.string == "https://tokens.harborline.example/v1/jwks")
        }
    }

    @Test func whoSendsNoSignalsIsNoTransmitter() {
        let settings = SecurityEventSettings(sinks: [
            SecurityEventSettings.Sink(name: "topic", kind: .kafka(SecurityEventSettings.KafkaTopic()))
        ])
        #expect(HTTPSurface.transmitter(settings, at: Self.address) == nil)
        #expect(HTTPSurface.transmitter(nil, at: Self.address) == nil)
    }
}
