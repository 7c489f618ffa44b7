import ClawWire
import IssuanceRules
import Kafka
import ReceiptLog

/// A batch of gateway receipts after verification, before the ledger: pure values.
struct GatewayBatch: Sendable {
    /// A record with a verified receipt.
    struct Accepted: Sendable {
        let call: ObservedCall
        let found: FoundRecord
        /// The record's value, for a dead letter should the call be too old to be counted.
        let value: [UInt8]
    }

    /// A record that is set aside.
    struct Refused: Sendable {
        let found: FoundRecord
        let code: String
        let detail: String
        let valueBytes: Int
        let excerpt: Redaction.Excerpt
        /// What is found about it beside the dead letter.
        let finding: UsageFinding?
    }

    var accepted: [Accepted] = []
    var refused: [Refused] = []
    /// First offset behind the batch, by partition.
    var ends: [Int32: Int64] = [:]
    /// Jobs whose wall time is over, whatever was received.
    var elapsed: [JobID] = []

    var calls: [ObservedCall] { accepted.map(\.call) }

    /// Keys of the findings that may have been raised for these records before: those that do not follow from a receipt
    /// that is counted once.
    var repeatableFindings: [Digest] {
        refused.compactMap { $0.finding?.key } + accepted.map { UsageFinding.replay($0.call, known: nil).key }
    }
}

/// Verifies gateway receipts. Pure.
struct GatewayReceiptReader: Sendable {
    /// Longest text of a receipt that is kept, in UTF-8 bytes.
    static let maximumText = 1_024

    let signers: Set<String>

    init(_ rules: GatewayRules) { signers = rules.signerDIDs }

    func read(_ records: [ConsumedRecord]) -> GatewayBatch {
        var batch = GatewayBatch()
        for record in records {
            let partition = record.topicPartition.partition
            batch.ends[partition] = max(batch.ends[partition] ?? 0, record.offset + 1)
            read(record, &batch)
        }
        return batch
    }

    /// Verifies one record that was read again, without moving any offset.
    func readAgain(_ record: ConsumedRecord) -> GatewayBatch {
        var batch = GatewayBatch()
        read(record, &batch)
        return batch
    }

    private func read(_ record: ConsumedRecord, _ batch: inout GatewayBatch) {
        guard let value = record.value else { return }
        let found = FoundRecord(
            origin: ReceiptLog.RecordOrigin(
                topic: record.topicPartition.topic, partition: record.topicPartition.partition, offset: record.offset),
            digest: Digest(hashing: value))
        func refuse(_ code: String, _ detail: String, _ finding: UsageFinding? = nil) {
            batch.refused.append(
                GatewayBatch.Refused(
                    found: found, code: code, detail: detail, valueBytes: value.count,
                    excerpt: Redaction.excerpt(value), finding: finding))
        }
        do {
            let call = ObservedCall(try GatewayReceipt.verify(value, signers: signers))
            guard Self.texts(call).allSatisfy(Self.isUsable) else {
                refuse(
                    "GATEWAY_TEXT_UNUSABLE",
                    "a text of the receipt is longer than \(Self.maximumText) bytes or has control characters")
                return
            }
            batch.accepted.append(GatewayBatch.Accepted(call: call, found: found, value: value))
        } catch let error where error.code == .signerNotAllowed {
            refuse(error.code.rawValue, error.description, Self.wrongSigner(value, found))
        } catch {
            refuse(error.code.rawValue, error.description)
        }
    }

    /// Nothing of such a record is verified: what it says of itself only names it.
    private static func wrongSigner(_ value: [UInt8], _ found: FoundRecord) -> UsageFinding {
        let document = try? JSONReader.parse(value, limits: GatewayReceipt.limits)
        let signer = document?["signer_did"]?.string ?? "unknown"
        let id = document?["payload"]?["receipt_id"]?.string ?? "unknown"
        let name = [signer, id].allSatisfy(isUsable) ? "\(signer)/\(id)" : found.origin.description
        return UsageFinding(
            .wrongSigner, "the record claims a signer that the rules do not list under gateways", about: name,
            evidence: [found.digest])
    }

    private static func texts(_ call: ObservedCall) -> [String] {
        [call.name.receiptID, call.provider, call.model]
            + [call.scopeHash, call.policyHash, call.runID].compactMap(\.self)
    }

    private static func isUsable(_ text: String) -> Bool {
        text.utf8.count <= maximumText && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }
}
