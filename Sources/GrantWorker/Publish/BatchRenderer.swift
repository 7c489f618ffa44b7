import ClawWire
import GrantLedger
import Kafka
import Keys
import ReceiptLog

/// One record of a sealed batch with its position in its stream.
struct PositionedRecord: Sendable {
    let stream: OutputStream
    let sequence: Int64
    /// Number of its batch.
    let batch: Int64
    let record: ProducerRecord
    /// What led to it, as far as it is known.
    let origin: EffectOrigin?
}

/// Renders a sealed batch as the records that are published.
///
/// The same batch renders to the same bytes, whenever and wherever: positions, times and proofs are the ledger's, and
/// tokens and their sealing are deterministic. That is what makes a repeat harmless (P8).
struct BatchRenderer: Sendable {
    let logID: LogID
    let topics: WorkerConfiguration.OutputTopics
    let logKeys: [Ed25519PublicKey]
    let minters: [KeyID: CSTMinter]
    let sealingSecret: SealingSecret
    /// Tokens that need not be signed again.
    var kept: KeptTokens?

    /// A token cannot be made again, or is not the recorded one.
    struct RenderError: Error, CustomStringConvertible {
        let description: String
    }

    /// Renders everything of a batch, the control lane first.
    func render(_ batch: SealedBatch) throws -> [PositionedRecord] {
        let (effects, receipts) = try open(batch)
        return try assemble(batch, effects, nil, grants: [], lane: .control)
            + assemble(
                batch, effects, receipts, grants: try grants(effects, effects.indices, receipts), lane: .main)
    }

    /// Renders what a lane publishes of a batch.
    func render(_ batch: SealedBatch, for lane: PublishLane) async throws -> [PositionedRecord] {
        switch lane {
        case .control: try assemble(batch, batch.groups.flatMap(\.effects), nil, grants: [], lane: .control)
        case .main: try await renderInParallel(batch)
        }
    }

    /// The main lane, with the grants made on all processors: signing and sealing them is most of the work, and batches
    /// are published one after the other.
    private func renderInParallel(_ batch: SealedBatch) async throws -> [PositionedRecord] {
        let (effects, receipts) = try open(batch)
        let starts = stride(from: 0, to: effects.count, by: Self.grantsPerTask)
        let parts = try await withThrowingTaskGroup(of: (Int, [[UInt8]]).self) { group in
            for start in starts {
                group.addTask {
                    let range = start..<min(start + Self.grantsPerTask, effects.count)
                    return (start, try grants(effects, range, receipts))
                }
            }
            return try await group.reduce(into: [Int: [[UInt8]]]()) { $0[$1.0] = $1.1 }
        }
        return try assemble(batch, effects, receipts, grants: starts.flatMap { parts[$0] ?? [] }, lane: .main)
    }

    /// Some ten milliseconds of work.
    private static let grantsPerTask = 128

    private func open(_ batch: SealedBatch) throws -> (effects: [Effect], receipts: ReceiptBatch) {
        let effects = batch.groups.flatMap(\.effects)
        let receipts = try ReceiptBatch(
            reopening: batch.header, signature: batch.signature, logKeys: logKeys, receipts: effects.map(\.receipt))
        return (effects, receipts)
    }

    /// The published grants of a range of effects, in order.
    private func grants(_ effects: [Effect], _ range: Range<Int>, _ receipts: ReceiptBatch) throws -> [[UInt8]] {
        var completed: [[UInt8]] = []
        completed.reserveCapacity(range.count)
        for index in range {
            for place in effects[index].outputs.indices {
                guard let material = effects[index].outputs[place].grant else { continue }
                completed.append(try grant(effects[index].outputs[place].value, material, index, receipts))
            }
        }
        return completed
    }

    private func assemble(
        _ batch: SealedBatch, _ effects: [Effect], _ receipts: ReceiptBatch?, grants: [[UInt8]], lane: PublishLane
    ) throws -> [PositionedRecord] {
        var grants = grants[...]
        var next = batch.nextSequence
        // Where the outputs of each stream are: by place, because copies of records cost more than looking.
        var places = [[(effect: Int, output: Int)]](repeating: [], count: OutputStream.allCases.count)
        for index in effects.indices {
            for output in effects[index].outputs.indices {
                let stream = Int(effects[index].outputs[output].stream.rawValue)
                places[stream].append((index, output))
                next[stream] -= 1
            }
        }
        next[Int(OutputStream.receiptBatches.rawValue)] -= 1
        var records: [PositionedRecord] = []
        records.reserveCapacity(effects.count * 2 + 1)
        var templates: [OutputStream: HeaderTemplate] = [:]
        func add(_ stream: OutputStream, key: [UInt8], value: [UInt8]?, origin: EffectOrigin? = nil) {
            let sequence = next[Int(stream.rawValue)]
            next[Int(stream.rawValue)] += 1
            let template: HeaderTemplate
            if let known = templates[stream] {
                template = known
            } else {
                template = HeaderTemplate(stream, batch, logID)
                templates[stream] = template
            }
            records.append(
                PositionedRecord(
                    stream: stream, sequence: sequence, batch: batch.number,
                    record: ProducerRecord(
                        topic: topics.name(stream), partition: nil, key: key, value: value,
                        headers: template.headers(sequence, in: origin?.trace), timestamp: batch.sealedAt.milliseconds),
                    origin: origin))
        }
        if let receipts {
            let checkpoint = try SignedNote(parsing: batch.checkpoint)
            let root = try batch.rootSignatures.map { try signedRoot($0, receipts) }
            add(
                .receiptBatches, key: Array(logID.rawValue.utf8),
                value: receipts.record(checkpoint: checkpoint, compatibleRoot: root))
        }
        for stream in lane.streams {
            for (index, output) in places[Int(stream.rawValue)] {
                let completed = effects[index].outputs[output].grant == nil ? nil : grants.popFirst()
                let value = completed ?? effects[index].outputs[output].value
                add(
                    stream, key: effects[index].outputs[output].key, value: value.isEmpty ? nil : value,
                    origin: effects[index].origin)
            }
        }
        return records
    }

    private func signedRoot(
        _ signatures: RootSignatures, _ batch: ReceiptBatch
    ) throws -> LogInclusionProof.SignedRoot {
        guard
            let root = LogInclusionProof.SignedRoot(
                header: batch.header, signer: batch.signer, rootSignature: signatures.root,
                statementSignature: signatures.statement)
        else {
            throw RenderError(
                description:
                    "the signatures under the root of batch \(batch.header.number) are not its signer's; compare "
                    + "the ledger with a backup")
        }
        return root
    }

    private func grant(
        _ value: [UInt8], _ material: GrantMaterial, _ index: Int, _ batch: ReceiptBatch
    ) throws -> [UInt8] {
        guard let proof = batch.proof(of: index) else {
            throw RenderError(description: "receipt \(index) of batch \(batch.header.number) has no proof")
        }
        guard material.isPlain || material.recipientKey != nil else {
            let record = try GrantRecord(parsing: value)
            let reference = ClaimReference(
                record.token.jti.rawValue, address: material.claim?.address, key: material.claim?.key)
            return try record.complete(delivery: .reference(reference), proof: proof).canonicalBytes
        }
        let record = try StoredGrant(scanning: value)
        let remade = try token(material, of: record.requestID)
        guard let recipient = material.recipientKey else {
            return try record.complete(delivery: .plain(remade), proof: proof)
        }
        let jwe: String
        do throws(SealError) {
            jwe = try SealedToken.seal(
                remade, to: recipient, ephemeralSecret: sealingSecret, context: Array(record.requestID.rawValue.utf8))
        } catch {
            throw RenderError(
                description: "the token of request \(record.requestID) cannot be sealed to the key it asked for: "
                    + "\(error)")
        }
        return try record.complete(delivery: .sealed(jwe: jwe), proof: proof)
    }
}

extension BatchRenderer {
    fileprivate func token(_ material: GrantMaterial, of request: RequestID) throws -> BearerToken {
        let hash = TokenHash(material.tokenHash)
        if let token = kept?.take(hash) { return token }
        guard let minter = minters[material.kid] else {
            throw RenderError(
                description: "the token of request \(request) was signed with key \(material.kid), which this "
                    + "worker does not have; add it to `keys` as verify-only")
        }
        return try minter.remint(payload: material.claims, expecting: hash)
    }
}

/// The headers of the records that a batch has in a stream: all but two are the same for each of them.
private struct HeaderTemplate {
    private static let (identifierPlace, sequencePlace) = (2, 7)
    private let headers: [KafkaHeader]
    private let identifier: [UInt8]

    init(_ stream: OutputStream, _ batch: SealedBatch, _ logID: LogID) {
        func header(_ name: String, _ value: String) -> KafkaHeader {
            KafkaHeader(name: name, value: Array(value.utf8))
        }
        identifier = Array("\(logID)/\(stream.name)/".utf8)
        headers = [
            header("content-type", "application/json"),
            header("ce_specversion", "1.0"),
            header("ce_id", ""),
            header("ce_source", "/clawgrant/\(logID)"),
            header("ce_type", stream.eventType),
            header("ce_time", batch.sealedAt.iso8601),
            header("claw_stream", stream.name),
            header("claw_seq", ""),
            header("claw_batch", String(batch.number)),
        ]
    }

    /// - Parameter trace: what the ledger holds of it, so that every rendering says the same (CloudEvents, Distributed
    ///   Tracing extension 1.0.2).
    func headers(_ sequence: Int64, in trace: TraceContext?) -> [KafkaHeader] {
        let number = Array(String(sequence).utf8)
        var headers = headers
        headers[Self.identifierPlace] = KafkaHeader(
            name: headers[Self.identifierPlace].name, value: identifier + number)
        headers[Self.sequencePlace] = KafkaHeader(name: headers[Self.sequencePlace].name, value: number)
        if let trace {
            headers.append(KafkaHeader(name: "ce_traceparent", value: Array(trace.traceparent.utf8)))
            if !trace.state.isEmpty {
                headers.append(KafkaHeader(name: "ce_tracestate", value: Array(trace.state.utf8)))
            }
        }
        return headers
    }
}

extension OutputStream {
    /// CloudEvents `type` of the stream's records.
    var eventType: String {
        switch self {
        case .grants: "com.clawbureau.grant.issued.v1"
        case .decisions: "com.clawbureau.decision.recorded.v1"
        case .revocations: "com.clawbureau.token.revoked.v1"
        case .receiptBatches: "com.clawbureau.receipts.batch.v1"
        case .deadLetters: "com.clawbureau.deadletter.v1"
        case .controlResults: "com.clawbureau.control.result.v1"
        case .findings: "com.clawbureau.finding.raised.v1"
        }
    }
}
