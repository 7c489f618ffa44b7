import ClawWire
import Kafka
import Playground
import ReceiptLog

/// Reads everything that was published and checks each record: positions without gap or repeat, batches and their chain,
/// each grant's proof, each token's signature.
struct ReadBack {
    let playground: Playground

    /// Checks that exactly so many requests were granted.
    ///
    /// - Returns: How many records were read.
    func check(decisions: Int) async throws -> Int {
        let batches = try await records(PlaygroundTopic.receiptBatches, count: batchCount())
        var tail = try LogTail(logID: playground.logID)
        var receipts: [Int64: [UInt8]] = [:]
        var headers: [Int64: BatchHeader] = [:]
        for record in batches.sorted(by: { sequence($0) < sequence($1) }) {
            let batch = try VerifiedBatch(
                parsing: record.value ?? [], previous: tail, logKeys: [playground.keys.log], depth: .hashes)
            guard let next = batch.tail else { throw BenchError("batch \(batch.header.number) does not follow") }
            tail = next
            headers[batch.header.number.value] = batch.header
            for (index, receipt) in batch.receipts.enumerated() {
                receipts[batch.header.firstPosition.value + Int64(index)] = receipt
            }
        }
        let decided = try await records(PlaygroundTopic.decisions, count: decisions)
        let grants = try await records(PlaygroundTopic.grants, count: decisions)
        try checkDense(batches)
        try checkDense(decided)
        try checkDense(grants)
        let proven = receipts
        let known = headers
        let halves = [grants[..<(grants.count / 2)], grants[(grants.count / 2)...]]
        let playground = playground
        let requests = try await withThrowingTaskGroup(of: Set<RequestID>.self) { group in
            for half in halves {
                group.addTask { try await Self.requests(of: half, proven, known, playground) }
            }
            var all: Set<RequestID> = []
            for try await part in group { all.formUnion(part) }
            return all
        }
        guard requests.count == decisions else {
            throw BenchError("\(grants.count) grants are of \(requests.count) requests, not of \(decisions)")
        }
        return batches.count + decided.count + grants.count
    }

    private func batchCount() async throws -> Int { try await playground.status().batches }

    @concurrent
    private static func requests(
        of grants: ArraySlice<ConsumedRecord>, _ receipts: [Int64: [UInt8]], _ headers: [Int64: BatchHeader],
        _ playground: Playground
    ) async throws -> Set<RequestID> {
        let keys = AcceptedKeys(signing: [playground.keys.token])
        var requests: Set<RequestID> = []
        for record in grants {
            let published = try PublishedGrant(parsing: record.value ?? [])
            let grant = published.grant
            guard let receipt = receipts[published.proof.position.value],
                let header = headers[published.proof.batchNumber.value],
                published.proof.leads(from: receipt, to: header), Digest(hashing: receipt) == grant.receiptDigest
            else { throw BenchError("the grant of request \(grant.requestID) is not proven by the log") }
            guard case .sealed(let jwe) = published.delivery else {
                throw BenchError("the token of request \(grant.requestID) is not sealed")
            }
            let token = try SealedToken.open(jwe, privateKey: playground.keys.job).token
            let verified = try CST.verify(
                try CST.parse(token.exposed), keys: keys, now: grant.issuedAt,
                rules: .strict(audiences: nil, maximumLifetimeSeconds: 3_600, maximumSkewSeconds: 60))
            guard verified.hash.digest == grant.token.tokenHash, verified.claims.missionID == grant.jobID.rawValue
            else {
                throw BenchError("the token of request \(grant.requestID) is another one")
            }
            guard requests.insert(grant.requestID).inserted else {
                throw BenchError("request \(grant.requestID) has two grants")
            }
        }
        return requests
    }

    private func sequence(_ record: ConsumedRecord) -> Int64 {
        record.headers.first { $0.name == "claw_seq" }?.value.flatMap { Int64(String(decoding: $0, as: UTF8.self)) }
            ?? -1
    }

    private func checkDense(_ records: [ConsumedRecord]) throws {
        for (index, number) in records.map(sequence).sorted().enumerated() where number != Int64(index) {
            throw BenchError("\(records[0].topicPartition.topic): position \(index) was expected, \(number) came")
        }
    }

    /// The records of a topic from its beginning; all of them, when there are as many as there should be.
    private func records(_ topic: String, count: Int) async throws -> [ConsumedRecord] {
        let consumer = try KafkaConsumer(configuration: playground.clientConfiguration)
        let partitions = topic == PlaygroundTopic.receiptBatches ? 1 : playground.options.outputPartitions
        try await consumer.assign(
            Dictionary(uniqueKeysWithValues: (0..<partitions).map { (TopicPartition(topic: topic, partition: $0), 0) }))
        var records: [ConsumedRecord] = []
        var ended: Set<TopicPartition> = []
        let deadline = ContinuousClock.now + .seconds(120)
        while records.count < count || ended.count < Int(partitions) {
            guard ContinuousClock.now < deadline else {
                throw BenchError("\(topic): \(records.count) of \(count) records could be read")
            }
            let batch = try await consumer.nextBatch(
                maximumRecords: 5_000, maximumBytes: 16 << 20, linger: .milliseconds(2), timeout: .seconds(1))
            for record in batch.records { ended.remove(record.topicPartition) }
            ended.formUnion(batch.endsReached.keys)
            records += batch.records
        }
        await consumer.close(deadline: .seconds(5))
        guard records.count == count else { throw BenchError("\(topic): \(records.count) records instead of \(count)") }
        return records
    }
}
