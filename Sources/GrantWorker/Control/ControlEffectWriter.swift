import ClawWire
import GrantLedger
import IssuanceRules
import ReceiptLog

/// Makes the receipt of a control event and the records that follow from it: the result, and the cut-offs.
struct ControlEffectWriter {
    let worker: WorkerID
    let rulesHash: Digest
    let at: Timestamp
    private static let (keptDeclarers, keptReasonBytes) = (8, 512)

    func effect(
        of event: ControlEvent, _ outcome: ControlOutcome, _ acknowledgement: ControlAcknowledgement
    ) throws -> (Effect, receiptID: String, cutoffs: [CutoffRecord]) {
        var payload = outcome.effects.receipt
        payload["result"] = .string(ControlApplier.name(outcome.result))
        payload["voided_tokens"] = acknowledgement.voidedTokens.map { .integer($0) } ?? .null
        payload["effective_ms"] = .integer(Int64(acknowledgement.milliseconds.rounded(.up)))
        payload["lock_wait_ms"] = .integer(Int64(acknowledgement.waitedMilliseconds.rounded(.up)))
        let encoded = try encoded(event, &payload, position: outcome.state.position)
        var outputs = [result(event, payload, encoded)]
        let cutoffs = outcome.effects.cutoffs.compactMap { record(of: $0, event, outcome.state.position, encoded) }
        for record in cutoffs {
            outputs.append(OutputRecord(stream: .revocations, key: record.recordKey, value: record.canonicalBytes))
        }
        return (
            Effect(receipt: encoded.bytes, receiptKind: encoded.receipt.content.kind.rawValue, outputs: outputs),
            encoded.receipt.id.rawValue, cutoffs
        )
    }

    /// The event's receipt. A stop must hold whatever its words are: where they are too many for a receipt, the payload is
    /// left with the first of its declarers and the beginning of its reason.
    private func encoded(
        _ event: ControlEvent, _ payload: inout JSONObject, position: Int64
    ) throws -> EncodedReceipt {
        func receipt(_ payload: JSONObject, reason: String?) -> Receipt {
            Receipt(
                content: content(event, payload), subject: Receipt.Subject(),
                provenance: Receipt.Provenance(workerID: worker, rulesHash: rulesHash, controlPosition: position),
                reasons: reason.map { [Receipt.Reason(code: "CONTROL_EVENT", detail: $0)] } ?? [], occurredAt: at)
        }
        do {
            return try receipt(payload, reason: event.reason).encoded()
        } catch {
            guard error.code == .limitExceeded else { throw error }
        }
        let reason = event.reason?.cut(toBytes: Self.keptReasonBytes)
        payload["reason"] = reason.map { .string($0) }
        if let declarers = payload["declared_by"]?.array {
            payload["declared_by"] = .array(Array(declarers.prefix(Self.keptDeclarers)))
        }
        return try receipt(payload, reason: reason).encoded()
    }

    /// The effect of an event that changed nothing: what it repeats, and which record said it.
    func effect(
        unchangedBy event: ControlEvent, _ acknowledgement: ControlAcknowledgement, record: ReceiptLog.RecordOrigin
    ) throws -> Effect {
        var payload: JSONObject = [
            "stop_id": .string(event.handle), "event_id": .string(event.id.rawValue),
            "operation": .string(event.operation.kind.rawValue), "at": .string(at.iso8601),
            "result": .string(ControlApplier.name(acknowledgement.result)),
            "record": [
                "topic": .string(record.topic), "partition": .integer(Int64(record.partition)),
                "offset": .integer(record.offset),
            ],
        ]
        payload["control_position"] = acknowledgement.position.map { .integer($0) }
        let receipt = Receipt(
            content: .controlRepeated(payload), subject: Receipt.Subject(),
            provenance: Receipt.Provenance(workerID: worker, rulesHash: rulesHash), occurredAt: at)
        let encoded = try receipt.encoded()
        return Effect(
            receipt: encoded.bytes, receiptKind: receipt.content.kind.rawValue,
            outputs: [result(event, payload, encoded)])
    }

    private func content(_ event: ControlEvent, _ payload: JSONObject) -> Receipt.Content {
        switch event.operation {
        case .stop: .stopDeclared(payload)
        case .lift: .stopLifted(payload)
        case .drill: .stopDrilled(payload)
        case .revoke, .rotatePolicy, .disableElevated, .enableElevated, .requireProxy, .releaseProxy, .suspectKey:
            .controlApplied(payload)
        }
    }

    private func result(_ event: ControlEvent, _ payload: JSONObject, _ encoded: EncodedReceipt) -> OutputRecord {
        var record: JSONObject = ["control_result_version": "1"]
        for member in payload.members { record[member.key] = member.value }
        record["receipt_id"] = .string(encoded.receipt.id.rawValue)
        record["receipt_digest_b64u"] = .string(encoded.digest.b64u)
        return OutputRecord(
            stream: .controlResults, key: Array(event.handle.utf8),
            value: JSONWriter.bytes(.object(record), order: .canonical))
    }

    private func record(
        of cutoff: ControlCutoff, _ event: ControlEvent, _ position: Int64, _ encoded: EncodedReceipt
    ) -> CutoffRecord? {
        let scope = cutoff.scope.normalized
        guard let kind = CutoffScope.Kind(rawValue: scope.kind.rawValue),
            let published = CutoffScope(kind, scope.value),
            let cause = RevocationCause(rawValue: cutoff.cause.rawValue)
        else { return nil }
        let stopID: String? = if case .stop(let stop) = event.operation { stop.stopID } else { nil }
        return CutoffRecord(
            scope: published, notIssuedBefore: cutoff.notIssuedBefore, issuedSince: cutoff.issuedSince,
            eventID: event.id.rawValue, stopID: stopID, controlPosition: position, cause: cause, reason: event.reason,
            revokedBy: event.declaredBy.first?.id.rawValue ?? worker.rawValue, revokedAt: at,
            receiptID: encoded.receipt.id, receiptDigest: encoded.digest)
    }
}
