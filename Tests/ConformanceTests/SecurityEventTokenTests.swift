import ClawWire
import DevStack
import Foundation
import Keys
import ReceiptLog
import SecurityEvents
import TestSupport
import Testing

@testable import SecuritySinks

/// Our Security Event Tokens before a verifier by others.
@Suite(.enabled(if: Peers.areThere, "the Python packages are missing: ./dev test installs them"))
struct SecurityEventTokenTests {
    private static let issuer = "https://issuer.harborline.example"
    private static let audience = "https://gateway.harborline.example/ssf"

    @Test func anotherVerifierReadsWhatWeSign() async throws {
        let home = try TemporaryDirectory(prefix: "claw-set")
        defer { home.close() }
        let key = try KeyGenerator.generateSignalKey()
        try key.writePrivateKey(to: home.path("set.pem"))
        let ring = try KeyRing.load(
            [KeyConfiguration(purpose: .set, location: .file(home.path("set.pem")))], required: [.set], at: Samples.noon
        )
        let signer = try ring.signalSigner(at: Samples.noon)
        let keys = JWKS.document(
            AcceptedKeys(signing: [Samples.signer.publicKey], verifyOnly: []),
            signals: ring.acceptedSignalKeys(at: Samples.noon), now: Samples.noon)
        try Data(JSONWriter.bytes(keys)).write(to: URL(fileURLWithPath: home.path("jwks.json")))

        let producer = EventProducer(
            version: "1.0.0", logID: Samples.logID, workerID: WorkerID("worker-1"), tenant: "harborline")
        let claims = (0..<3).compactMap { number in
            SessionRevoked.claims(
                SecurityEvent(
                    receipt: Samples.revocation(number), sequence: SequenceNumber(Int64(number)),
                    batch: SequenceNumber(0), sealedAt: Samples.noon.adding(seconds: 90), producer: producer),
                issuer: Self.issuer, audience: Self.audience)
        }
        #expect(claims.count == 3)
        func compact(_ claims: JSONObject) throws -> String {
            try SignedSignal(claims: JSONWriter.bytes(.object(claims)), by: signer, sink: "test").compact
        }
        var tokens = try claims.map(compact)
        // What the verifier must refuse, so that its yes means something.
        var foreign = claims[0]
        foreign["iss"] = "https://elsewhere.example"
        var access = claims[0]
        access["exp"] = 1_900_000_000
        let broken = tokens[0].split(separator: ".").map(String.init)
        tokens += [
            try compact(foreign), try compact(access),
            "\(broken[0]).\(tokens[1].split(separator: ".")[1]).\(broken[2])",
        ]
        try tokens.joined(separator: "\n").write(toFile: home.path("tokens"), atomically: true, encoding: .utf8)

        let (code, lines) = try await Peers.run(
            "security_event_tokens", [home.path("jwks.json"), home.path("tokens"), Self.issuer, Self.audience])
        #expect(code == 0)
        #expect(lines.count == 6)
        for (line, claims) in zip(lines, claims) {
            #expect(try JSONReader.parse(line).canonicalDigest == JSONValue.object(claims).canonicalDigest)
        }
        #expect(lines.dropFirst(3).allSatisfy { $0.hasPrefix("refused") }, "\(lines)")
    }
}
