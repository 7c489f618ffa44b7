public import ClawWire
import ReceiptLog

/// Finds gateway receipts of a run among those of all runs.
public struct CallFilter: Sendable {
    /// Limits under which a gateway's receipt is read.
    public static let limits = JSONLimits(maximumBytes: 262_144, maximumDepth: 24, maximumMembers: 8_192)
    /// Most calls of a run that are taken.
    public static let maximumCalls = 20_000

    private let needles: [[UInt8]]

    /// Looks for calls that name the job as their run, or the scope hash of one of its tokens.
    public init(jobID: JobID, log: CollectedLog) {
        var needles = [JSONWriter.bytes(.string(jobID.rawValue))]
        for receipt in log.receipts {
            guard let hash = receipt.document["token"]?["token_scope_hash_b64u"]?.string else { continue }
            let needle = Array(hash.utf8)
            if !needles.contains(needle) { needles.append(needle) }
        }
        self.needles = needles
    }

    /// False for records that surely do not concern the run, without reading them.
    public func mayConcern(_ record: [UInt8]) -> Bool {
        record.count <= Self.limits.maximumBytes && needles.contains { ByteSearch.contains($0, in: record) }
    }

    /// Reads a record.
    ///
    /// - Throws: ``DocumentFault`` when it is no gateway receipt.
    public static func call(_ record: [UInt8]) throws(DocumentFault) -> GatewayCall {
        do {
            return try GatewayCall(try JSONReader.parse(record, limits: limits))
        } catch let fault as DocumentFault {
            throw fault
        } catch {
            throw DocumentFault("MALFORMED_JSON", "", "\(error)")
        }
    }
}

/// Finds what an approver signed in the record that a receipt rests on.
public enum ApprovalRecords {
    /// The `human_approval_receipt` envelope in a record, when its payload has the digest that the receipt names;
    /// `nil` for every other record. Nothing else of it goes into a bundle: it may say more than the auditor may see.
    public static func envelope(in record: [UInt8], digest: Digest) -> JSONValue? {
        guard let document = try? JSONReader.parse(record) else { return nil }
        let candidates = [document, document["receipt"], document["data"], document["data"]?["receipt"]]
        return candidates.compactMap { $0 }.first { candidate in
            candidate["envelope_type"]?.string == HumanApprovalReceipt.envelopeType
                && candidate["payload"]?.documentDigest == digest
        }
    }
}

extension RunEvent {
    /// Reads the file of an agent's chain: a list of entries, an object with `event_chain` or `events`, a proof bundle, or
    /// one entry a line.
    ///
    /// - Parameters:
    ///   - bytes: the file.
    ///   - log: what the log holds of the run, whose entries the chain may continue.
    ///   - jobID: the run.
    /// - Throws: ``DocumentFault`` for the first entry at fault.
    public static func agentChain(
        _ bytes: [UInt8], log: CollectedLog, jobID: JobID
    ) throws(DocumentFault) -> [RunEvent] {
        let ours = RunRecord(RunMaterial(jobID: jobID, log: log))
        return try agentChain(bytes, continues: Set(ours.chain.map(\.hash)))
    }

    /// Reads the file of an agent's chain that may continue an entry with one of some hashes.
    ///
    /// - Throws: ``DocumentFault`` for the first entry at fault.
    public static func agentChain(
        _ bytes: [UInt8], continues hashes: Set<Digest>
    ) throws(DocumentFault) -> [RunEvent] {
        let entries: [JSONValue]
        do {
            if let document = try? JSONReader.parse(bytes, limits: ProofVerifier.limits) {
                entries =
                    document.array ?? document["event_chain"]?.array ?? document["events"]?.array
                    ?? document["payload"]?["event_chain"]?.array ?? (document["event_id"] == nil ? [] : [document])
            } else {
                entries = try bytes.split(separator: 0x0A).filter { !$0.isEmpty }.map {
                    try JSONReader.parse(Array($0))
                }
            }
        } catch {
            throw DocumentFault("MALFORMED_JSON", "", "\(error)")
        }
        guard !entries.isEmpty else { throw DocumentFault("EVENT_MALFORMED", "", "the file holds no entry") }
        do {
            return try RunEvent.chain(entries, continues: hashes)
        } catch {
            throw DocumentFault(error.code.rawValue, "[\(error.index)]", error.detail)
        }
    }
}
