import ClawWire
import Foundation
import GrantLedger
import GrantWorker
import Kafka
import ProofBundles
import ReceiptLog

/// Reads what the topics hold of one run. Memory holds the run and nothing else of them.
struct RunReader {
    let file: ConfigurationFile
    let jobID: JobID
    let logKeys: [Ed25519PublicKey]
    /// Where the log is read from, and what this reading leaves for the next; `nil` reads it from its beginning.
    let index: StoredIndex?
    /// Whose gateway receipts count; all with a right signature do when it is empty.
    let gateways: Set<String>
    /// The number of batches after which reading the log ends; `nil` reads all.
    var batchLimit: Int?

    /// Longest wait for the next record or the end of a partition.
    private static let patience = Duration.seconds(30)
    /// Longest wait for a head that is younger than the run's last revocation: workers publish one within a second.
    private static let headPatience = Duration.seconds(3)
    /// Most WPCs that are asked for over HTTP.
    private static let maximumFetched = 64

    func material(gatewayTopic: String) async throws -> RunMaterial {
        let events = KafkaEvents()
        do {
            let topics = try await KafkaAccess.admin(file) { try await $0.metadata().topics }
            let collected = try await log(topics, events)
            var material = RunMaterial(jobID: jobID, log: collected)
            try await calls(gatewayTopic, topics, events, &material)
            try await approvals(topics, events, &material)
            try await revocationHead(topics, events, &material)
            try await policies(topics, events, &material)
            return material
        } catch let error as KafkaError {
            throw KafkaAccess.failure(error, file, events)
        }
    }

    // MARK: Single topics

    private func log(_ topics: [String: ClusterMetadata.Topic], _ events: KafkaEvents) async throws -> CollectedLog {
        let topic = file.worker.outputs.name(.receiptBatches)
        let known = try index?.load(logID: file.worker.logID, logKeys: logKeys)
        if let known {
            var collector = try RunCollector(
                jobID: jobID, logID: file.worker.logID, logKeys: logKeys, known: known)
            if try await holds(collector.startOffset, topic, topics, events) {
                do {
                    let first = collector.nextNumber
                    let log = try await collected(&collector, topic, topics, events)
                    Console.error("  the log was read from batch \(first) on; what lies before was verified before")
                    return log
                } catch let error as EvidenceError where error.code != .consistencyInvalid {
                    Console.error(
                        "\(index?.path ?? ""): the log does not go on from there (\(error)), and is read from its "
                            + "beginning")
                } catch let error as EvidenceError {
                    throw failure(error, collector, topic, isKnown: true)
                }
            }
        }
        var collector = try RunCollector(
            jobID: jobID, logID: file.worker.logID, logKeys: logKeys, known: known, isFromBeginning: true)
        do {
            return try await collected(&collector, topic, topics, events)
        } catch let error as EvidenceError {
            throw failure(error, collector, topic, isKnown: known != nil)
        }
    }

    /// True when there is a place to begin and the topic still has it.
    private func holds(
        _ offset: Int64?, _ topic: String, _ topics: [String: ClusterMetadata.Topic], _ events: KafkaEvents
    ) async throws -> Bool {
        guard let offset, topics[topic]?.partitions.map(\.id) == [0] else { return false }
        let consumer = try consumer(events)
        do {
            let marks = try await consumer.watermarks(
                TopicPartition(topic: topic, partition: 0), timeout: .seconds(15))
            await consumer.close(deadline: .seconds(2))
            return offset >= marks.low && offset <= marks.high
        } catch {
            await consumer.close(deadline: .seconds(2))
            throw error
        }
    }

    /// Reads the batches from where the collector begins, and keeps what the next reading may begin with.
    private func collected(
        _ collector: inout RunCollector, _ topic: String, _ topics: [String: ClusterMetadata.Topic],
        _ events: KafkaEvents
    ) async throws -> CollectedLog {
        var reading = collector
        defer { collector = reading }
        try await read(topic, topics, events, from: reading.startOffset ?? KafkaOffset.beginning) { record in
            guard reading.nextNumber < batchLimit.map(Int64.init) ?? .max else { return }
            if let value = record.value { try reading.add(value, at: record.offset) }
        }
        guard let collected = try reading.collected() else {
            throw CommandFailure.negative("the topic \(topic) holds no checkpoint of \(file.worker.logID)")
        }
        try index?.save(reading.index)
        return collected
    }

    private func failure(
        _ error: EvidenceError, _ collector: RunCollector, _ topic: String, isKnown: Bool
    ) -> CommandFailure {
        guard error.code == .consistencyInvalid, isKnown, let index else {
            return CommandFailure.negative(
                "batch \(collector.nextNumber) of \(topic) does not stand: \(error)",
                remedy:
                    "look at `clawgrant fsck`; a log whose first batches were deleted cannot be proven from the topic")
        }
        return CommandFailure.negative(
            "batch \(collector.nextNumber) of \(topic) is not what \(index.path) says was read before: \(error)",
            remedy:
                "keep both, they may prove two histories of one log; to read the log as it is now, give another --state"
        )
    }

    private func calls(
        _ topic: String, _ topics: [String: ClusterMetadata.Topic], _ events: KafkaEvents, _ material: inout RunMaterial
    ) async throws {
        guard topics[topic]?.partitions.isEmpty == false else { return }
        var collector = CallCollector(jobID: jobID, log: material.log, signers: gateways)
        try await read(topic, topics, events) { record in
            if let value = record.value { collector.take(value) }
        }
        material.calls = collector.calls
        material.unreadableCalls = collector.unreadable
        material.gatewaySigners = gateways
    }

    /// Reads the records on which the run's grants rest, each at its offset.
    private func approvals(
        _ topics: [String: ClusterMetadata.Topic], _ events: KafkaEvents, _ material: inout RunMaterial
    ) async throws {
        var wanted: [TopicPartition: [Int64: EvidenceInput]] = [:]
        for receipt in material.log.receipts.compactMap(\.receipt) {
            guard case .grantIssued = receipt.content else { continue }
            for input in receipt.provenance.inputs {
                let partition = TopicPartition(topic: input.origin.topic, partition: input.origin.partition)
                guard topics[input.origin.topic] != nil, wanted[partition, default: [:]].count < 256 else {
                    material.approvalsNotFound += 1
                    continue
                }
                wanted[partition, default: [:]][input.origin.offset] = input
            }
        }
        for (partition, inputs) in wanted.sorted(by: { $0.key < $1.key }) {
            let consumer = try consumer(events)
            do {
                for (offset, input) in inputs.sorted(by: { $0.key < $1.key }) {
                    guard let value = try await record(at: offset, of: partition, consumer) else {
                        material.approvalsNotFound += 1
                        continue
                    }
                    material.approvalEnvelopes[input.origin] = ApprovalRecords.envelope(in: value, digest: input.digest)
                }
                await consumer.close(deadline: .seconds(2))
            } catch {
                await consumer.close(deadline: .seconds(2))
                throw error
            }
        }
    }

    /// The record at an offset; `nil` when the topic does not hold it any more.
    private func record(
        at offset: Int64, of partition: TopicPartition, _ consumer: KafkaConsumer
    ) async throws -> [UInt8]? {
        let marks = try await consumer.watermarks(partition, timeout: .seconds(15))
        guard offset >= marks.low else { return nil }
        try await consumer.assign([partition: offset])
        let deadline = ContinuousClock.now + Self.patience
        while ContinuousClock.now < deadline {
            let batch = try await consumer.nextBatch(
                maximumRecords: 1, maximumBytes: 1 << 20, linger: .zero, timeout: .seconds(1))
            if let record = batch.records.first { return record.offset == offset ? record.value : nil }
            if !batch.endsReached.isEmpty { return nil }
        }
        return nil
    }

    private func revocationHead(
        _ topics: [String: ClusterMetadata.Topic], _ events: KafkaEvents, _ material: inout RunMaterial
    ) async throws {
        let topic = file.worker.outputs.name(.revocations)
        guard topics[topic]?.partitions.isEmpty == false else { return }
        let key = SignedRevocationHead.recordKey
        let deadline = ContinuousClock.now + Self.headPatience
        repeat {
            var head: [UInt8]?
            try await read(topic, topics, events) { record in
                if record.key == key, let value = record.value { head = value }
            }
            if let head, (try? SignedRevocationHead(verifying: head, logKeys: logKeys, logID: file.worker.logID)) != nil
            {
                material.revocationHead = head
            }
        } while material.lacksRevocationHead && ContinuousClock.now < deadline
    }

    // MARK: Policies

    private func policies(
        _ topics: [String: ClusterMetadata.Topic], _ events: KafkaEvents, _ material: inout RunMaterial
    ) async throws {
        let wanted = Set(material.log.receipts.compactMap { $0.document["wpc_hash_b64u"]?.string })
        guard !wanted.isEmpty else { return }
        let sources = file.worker.policySources(try file.rules())
        func take(_ bytes: [UInt8], _ material: inout RunMaterial) {
            guard bytes.count <= 131_072,
                let envelope = try? JSONReader.parse(
                    bytes, limits: JSONLimits(maximumBytes: 131_072, maximumDepth: 40)),
                let text = envelope["payload_hash_b64u"]?.string, wanted.contains(text),
                let hash = Digest(b64u: text), material.policies[hash] == nil,
                envelope["payload"]?.canonicalDigest == hash
            else { return }
            material.policies[hash] = envelope
        }
        if let directory = sources.directory {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
            for name in names.filter({ $0.hasSuffix(".json") }).sorted().prefix(10_000) {
                if let bytes = try? InputFile.bytes("\(directory)/\(name)", atMost: 131_072) { take(bytes, &material) }
            }
        }
        if let topic = sources.topic, topics[topic]?.partitions.isEmpty == false {
            var found: [[UInt8]] = []
            try await read(topic, topics, events) { record in
                guard let key = record.key, let text = String(validating: key, as: UTF8.self), wanted.contains(text),
                    let value = record.value, found.count < 1_024
                else { return }
                found.append(value)
            }
            for bytes in found { take(bytes, &material) }
        }
        guard let url = sources.url else { return }
        let missing = wanted.compactMap { Digest(b64u: $0) }.filter { material.policies[$0] == nil }.sorted()
        for hash in missing.prefix(Self.maximumFetched) {
            do {
                if let bytes = try await PolicyLookup.registered(hash, at: url) { take(bytes, &material) }
            } catch {
                Console.error("the registry \(Console.plain(url)) did not give the WPC \(hash): \(error)")
            }
        }
    }

    // MARK: Reading

    private func consumer(_ events: KafkaEvents) throws -> KafkaConsumer {
        var properties = file.worker.kafka
        properties["group.id"] = nil
        properties["isolation.level"] = file.worker.usesTransactions ? "read_committed" : "read_uncommitted"
        return try KafkaConsumer(configuration: properties, log: events.take)
    }

    /// Hands every record of a topic to `body`, each partition in its order, until the end of each was reached.
    private func read(
        _ topic: String, _ topics: [String: ClusterMetadata.Topic], _ events: KafkaEvents,
        from offset: Int64 = KafkaOffset.beginning, _ body: (ConsumedRecord) throws -> Void
    ) async throws {
        guard let description = topics[topic], !description.partitions.isEmpty else {
            throw CommandFailure.negative("the topic \(topic) does not exist; run `clawgrant topics apply`")
        }
        let consumer = try consumer(events)
        do {
            var open: Set<TopicPartition> = []
            for partition in description.partitions {
                open.insert(TopicPartition(topic: topic, partition: partition.id))
            }
            try await consumer.assign(
                Dictionary(uniqueKeysWithValues: open.map { ($0, offset) }))
            var last = ContinuousClock.now
            while !open.isEmpty {
                let batch = try await consumer.nextBatch(
                    maximumRecords: 1_000, maximumBytes: 16 << 20, linger: .zero, timeout: .milliseconds(500))
                for record in batch.records { try body(record) }
                open.subtract(batch.endsReached.keys)
                if !batch.records.isEmpty || !batch.endsReached.isEmpty { last = .now }
                guard ContinuousClock.now - last < Self.patience else {
                    throw CommandFailure.negative("the topic \(topic) did not come to an end; try again")
                }
            }
            await consumer.close(deadline: .seconds(2))
        } catch {
            await consumer.close(deadline: .seconds(2))
            throw error
        }
    }
}
