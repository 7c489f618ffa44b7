import ClawWire
import Kafka
import Playground
import ReceiptLog

/// What a job and an auditor do with what is on the topics: open a token, follow a receipt to a signed checkpoint.
struct Evidence {
    let playground: Playground

    /// The grant of a request, read from the grants topic.
    func grant(of request: RequestID) async throws -> PublishedGrant {
        var found: PublishedGrant?
        try await read(PlaygroundTopic.grants, partitions: playground.options.outputPartitions) { value in
            let grant = try PublishedGrant(parsing: value)
            if grant.grant.requestID == request { found = grant }
        }
        guard let found else { throw PlaygroundError("the grant of \(request) is not on the topic") }
        return found
    }

    /// Opens a token as its job does, and verifies it as a gateway does.
    func openToken(of published: PublishedGrant) throws -> (claims: CSTClaims, event: DemoEvent) {
        guard case .sealed(let jwe) = published.delivery else {
            throw PlaygroundError("the grant of \(published.grant.requestID) is not sealed")
        }
        let opened = try SealedToken.open(jwe, privateKey: playground.keys.job)
        let verified = try CST.verify(
            try CST.parse(opened.token.exposed), keys: AcceptedKeys(signing: [playground.keys.token]),
            now: .playgroundNow, rules: .strict(audiences: ["clawproxy.com"]))
        guard verified.hash == TokenHash(published.grant.token.tokenHash) else {
            throw PlaygroundError("the token of \(published.grant.requestID) is not the recorded one")
        }
        let claims = try JSONReader.parse(verified.claims.json)
        let lines = (claims.object?.members ?? []).map { "\($0.key): \(JSONWriter.text($0.value))" }
        return (
            verified.claims,
            DemoEvent(
                .finding, "the job's key opens it; signature, times, audience and scope hash are in order. Its claims:",
                details: lines, tone: .good,
                fields: ["claims": claims, "kid": .string(verified.kid.rawValue)])
        )
    }

    /// Follows the receipt of a grant through its batch to the newest signed checkpoint.
    func prove(_ published: PublishedGrant) async throws -> [DemoEvent] {
        var tail = try LogTail(logID: playground.logID)
        var headers: [[UInt8]] = []
        var batch: VerifiedBatch?
        var newest: SignedNote?
        try await read(PlaygroundTopic.receiptBatches, partitions: 1) { value in
            // A repeat of a batch that was read already is passed over.
            guard Int64(headers.count) == tail.nextNumber.value,
                let next = try? VerifiedBatch(parsing: value, previous: tail, logKeys: [playground.keys.log])
            else { return }
            headers.append(next.header.canonicalBytes)
            if next.header.number == published.proof.batchNumber { batch = next }
            if let after = next.tail { tail = after }
            newest = next.checkpoint?.note ?? newest
        }
        let index = published.proof.index
        guard let batch, let newest, index < batch.receipts.count,
            let headerPath = MerkleTree(leaves: headers).inclusionPath(of: Int(batch.header.number.value))
        else { throw PlaygroundError("batch \(published.proof.batchNumber) is not on the topic") }
        guard published.proof.leads(from: batch.receipts[index], to: batch.header) else {
            throw PlaygroundError("the grant's proof does not lead from its receipt to its batch")
        }
        let proof = InclusionProof(
            index: index, batchPath: published.proof.path, header: batch.header, headerPath: headerPath,
            checkpoint: newest)
        let verified = try proof.verify(
            receipt: batch.receipts[index], logKey: playground.keys.log, logID: playground.logID)
        return [
            DemoEvent(
                .finding,
                "batch \(batch.header.number): \(batch.receipts.count == 1 ? "1 receipt" : "\(batch.receipts.count) receipts"), Merkle root and signature are in order, "
                    + "and it follows the one before",
                tone: .good,
                fields: [
                    "batch": .integer(batch.header.number.value), "root_b64u": .string(batch.header.root.b64u),
                    "receipts": .integer(Int64(batch.receipts.count)),
                ]),
            DemoEvent(
                .finding,
                "the receipt stands at position \(verified.position) of the log: \(proof.batchPath.count) hashes lead to "
                    + "its batch, \(headerPath.count) more to the signed checkpoint over "
                    + "\(verified.checkpoint.checkpoint.size) batches",
                tone: .good,
                fields: [
                    "position": .integer(verified.position.value),
                    "checkpoint_size": .integer(Int64(verified.checkpoint.checkpoint.size)),
                    "receipt_id": .string(published.grant.receiptID.rawValue),
                ]),
        ]
    }

    private func read(_ topic: String, partitions: Int32, _ body: ([UInt8]) throws -> Void) async throws {
        var properties = playground.clientConfiguration
        properties["isolation.level"] = "read_uncommitted"
        let consumer = try KafkaConsumer(configuration: properties)
        do {
            var open: [TopicPartition: Int64] = [:]
            for partition in 0..<partitions {
                let key = TopicPartition(topic: topic, partition: partition)
                let high = try await consumer.watermarks(key, timeout: .seconds(10)).high
                if high > 0 { open[key] = high }
            }
            try await consumer.assign(open.mapValues { _ in KafkaOffset.beginning })
            let deadline = ContinuousClock.now + .seconds(20)
            while !open.isEmpty, ContinuousClock.now < deadline {
                let batch = try await consumer.nextBatch(
                    maximumRecords: 1_000, maximumBytes: 8 << 20, linger: .zero, timeout: .milliseconds(200))
                for record in batch.records {
                    if let value = record.value { try body(value) }
                    if let high = open[record.topicPartition], record.offset + 1 >= high {
                        open[record.topicPartition] = nil
                    }
                }
                for (partition, offset) in batch.endsReached {
                    if let high = open[partition], offset >= high { open[partition] = nil }
                }
            }
            _ = await consumer.close(deadline: .seconds(2))
        } catch {
            _ = await consumer.close(deadline: .seconds(2))
            throw error
        }
    }
}
