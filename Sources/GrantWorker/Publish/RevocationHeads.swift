import ClawWire
import CrashPoints
import GrantLedger
import Kafka
import Keys
import ReceiptLog

/// Publishes, again and again, the signed statement that everything committed up to an instant is on the revocations
/// topic: by it a reader knows that it has the whole truth, and how fresh it is.
struct RevocationHeads: Sendable {
    /// Time between heads.
    static let interval: Duration = .milliseconds(500)
    let ledger: any Ledger
    let logID: LogID
    let topic: String
    let keys: KeyRing
    let clock: @Sendable () -> Timestamp
    /// By how much the ledger's clock may differ from the worker's.
    let maximumClockDifference: Duration

    /// Publishes a head, if everything committed is published: a head never says more than the topic shows.
    ///
    /// None is dated by a clock that cannot be right: readers take no older head after it, and would refuse every token
    /// until time has caught up with it. And none is dated before the one before it: where the ledger's clock was set
    /// back, heads pause until time has caught up, and readers refuse tokens as soon as their view is too old.
    func publish(through publisher: Publisher) async throws {
        let horizon = try await ledger.revocationHorizon()
        CrashPoint.pass(.headHorizonRead)
        let difference = Duration.microseconds(horizon.now.microseconds - clock().microseconds)
        guard difference <= maximumClockDifference, .zero - difference <= maximumClockDifference else { return }
        let asOf = Timestamp(milliseconds: horizon.now.milliseconds)
        guard horizon.isSealed, publisher.mayDateHead(asOf),
            publisher.hasPublished(.revocations, before: horizon.nextSequence, of: horizon.nextBatch)
        else { return }
        let head = try RevocationHead(
            logID: logID, asOf: asOf, nextSequence: SequenceNumber(horizon.nextSequence),
            controlPosition: horizon.controlPosition,
            sweptPosition: horizon.sweptPosition,
            live: RevocationHead.Live(tokens: horizon.revokedTokens, cutoffs: horizon.cutoffs)
        ).signed(by: keys.signer(for: .receipt, at: clock()))
        CrashPoint.pass(.headSigned)
        func header(_ name: String, _ value: String) -> KafkaHeader {
            KafkaHeader(name: name, value: Array(value.utf8))
        }
        try await publisher.send(
            head: ProducerRecord(
                topic: topic, partition: 0, key: SignedRevocationHead.recordKey, value: head.canonicalBytes,
                headers: [
                    header("content-type", "application/json"),
                    header("ce_specversion", "1.0"),
                    header("ce_id", "\(logID)/\(SignedRevocationHead.streamName)/\(horizon.now.microseconds)"),
                    header("ce_source", "/clawgrant/\(logID)"),
                    header("ce_type", "com.clawbureau.revocations.head.v1"),
                    header("ce_time", asOf.iso8601),
                    header("claw_stream", SignedRevocationHead.streamName),
                ], timestamp: asOf.milliseconds), of: asOf)
        CrashPoint.pass(.headSent)
    }
}
