import ApprovalSources
import ClawWire
import CollectorDoubles
import Foundation
import GrantWorker
import Keys
import ReceiptLog
import SecurityEvents
import SecuritySinks
import TestSupport
import Testing

/// A ring with a key of purpose `set`, and revocations.
struct SignalBench {
    static let parties = SignalParties(
        issuer: "https://issuer.harborline.example", audience: "https://gateway.harborline.example/ssf")
    /// One key for all tests: making one takes a second.
    private static let made = Result { try KeyGenerator.generateSignalKey() }

    let room: SecretRoom
    let ring: KeyRing
    let key: PublicJWK

    init(state: KeyState = .active, notAfter: Timestamp? = nil) throws {
        room = try SecretRoom()
        let generated = try Self.made.get()
        let path = try room.write("set.pem", try #require(generated.privatePEM.textExposed()))
        ring = try KeyRing.load(
            [KeyConfiguration(purpose: .set, location: .file(path), notAfter: notAfter, state: state)], required: [],
            at: Samples.noon)
        key = generated.publicKey
    }

    static func revocation(
        _ number: Int, cause: RevocationCause = .approvalEnded, detail: String = "approval apr-1: deactivated",
        isOurs: Bool = true, at position: Int64? = nil
    ) -> SecurityEvent {
        SinkBench.event(
            Receipt(
                content: .revocation(
                    Receipt.Revocation(
                        tokenHash: Digest(hashing: Array("token \(number)".utf8)),
                        jti: isOurs ? TokenID("jti-\(number)") : nil, cause: cause, revokedBy: "worker-1")),
                subject: Samples.subject(number), provenance: Samples.provenance(),
                reasons: [Receipt.Reason(code: "TOKEN_REVOKED", detail: detail)],
                occurredAt: Samples.noon.adding(seconds: 60)), at: position ?? Int64(number))
    }

    /// Revocations among events of every other kind, at dense positions.
    static func mixed(_ count: Int) -> [SecurityEvent] {
        SinkBench.events(count).map { event in
            let position = event.sequence.value
            if position % 3 == 0 {
                return revocation(Int(position), cause: .stopped, detail: "stop stop-1", at: position)
            }
            return event.receipt.content.kind == .revocation
                ? SinkBench.event(Samples.heartbeat(), at: position) : event
        }
    }

    func push(
        _ receiver: SignalReceiver, answer: Duration = .seconds(60),
        _ change: (inout SignalPushSettings) -> Void = { _ in }
    ) -> SignalPushSink {
        receiver.change { $0.keys = [key] }
        var settings = SignalPushSettings(url: receiver.address, parties: Self.parties)
        settings.connection.answerTimeout = answer
        change(&settings)
        return SignalPushSink(name: "gateway", settings, keys: ring) { Samples.noon }
    }
}
