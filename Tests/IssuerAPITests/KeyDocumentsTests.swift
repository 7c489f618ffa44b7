import ClawWire
import DevStack
import Foundation
import Keys
import Testing

@testable import IssuerAPI

/// What the issuer says of its keys before, during and after a rotation.
@Suite struct KeyDocumentsTests {
    @Test func theOverlapIsALengthAndNoCountdown() throws {
        let home = try TemporaryDirectory(prefix: "claw-key-documents")
        defer { home.close() }
        func key(_ name: String, _ state: KeyState) throws -> KeyConfiguration {
            try KeyGenerator.generate(purpose: .token).writePrivateKey(to: home.path(name))
            return KeyConfiguration(purpose: .token, location: .file(home.path(name)), state: state)
        }
        let now = Timestamp.testNow
        let end = now.adding(seconds: 100)
        let active = try key("active.pem", .active)
        let alone = IssuerKeyDocuments(try KeyRing.load([active], required: [.token], at: now))
        let both = IssuerKeyDocuments(
            try KeyRing.load([active, try key("old.pem", .verifyOnly(notAfter: end))], required: [.token], at: now))
        func contract(_ documents: IssuerKeyDocuments, _ at: Timestamp) throws -> JSONValue {
            RotationContract(roster: try #require(documents.roster(at: at))).json
        }
        for (document, isOpen) in [
            (try contract(alone, now), false), (try contract(both, now), true),
            (try contract(both, end.adding(seconds: 1)), false),
        ] {
            #expect(document["overlap_seconds"]?.integer == 3_600)
            #expect(document["overlap_window_open"]?.bool == isOpen)
            #expect(document["expiring_kids"]?.array?.isEmpty == !isOpen)
        }
        // Nothing of it changes from one second to the next, so it keeps its entity tag.
        #expect(try contract(both, now) == contract(both, now.adding(seconds: 1)))
    }
}
