import DevStack
import Kafka
import Playground

/// Records a second into the broker and out of it, of the size of approvals, by one producer and one consumer.
struct KafkaLimit {
    static let topic = "bench.records"
    static let partitions: Int32 = 4
    let options: BenchOptions
    let playground: Playground

    func measure(into report: inout BenchReport) async throws {
        let made = try await playground.admin.createTopics([
            TopicSpecification(name: Self.topic, partitions: Self.partitions, replicationFactor: 1)
        ])
        guard made.values.allSatisfy(\.isDone) else { throw BenchError("the topic \(Self.topic) was not created") }
        let count = options.amount(200_000, quick: 20_000)
        let records = try sample()
        let server = ServerCPU(playground)
        var before = server.now()
        var own = CPUClock.process()
        var start = ContinuousClock.now
        try await produce(records, count)
        add("in", count, start, before, server.now(), CPUClock.process() - own, &report)
        before = server.now()
        own = CPUClock.process()
        start = .now
        try await consume(count)
        add("out", count, start, before, server.now(), CPUClock.process() - own, &report)
    }

    private func add(
        _ way: String, _ count: Int, _ start: ContinuousClock.Instant, _ before: ServerCPU.Reading,
        _ after: ServerCPU.Reading, _ own: Double, _ report: inout BenchReport
    ) {
        let wall = (ContinuousClock.now - start).inSeconds
        report.add("limit.kafka_records_\(way)_per_second", Double(count) / wall, .perSecond)
        report.add("kafka.client_and_relay_cpu_per_record_\(way)", own / Double(count) * 1e6, .microseconds)
        report.add(
            "kafka.broker_cpu_per_record_\(way)", (after.broker - before.broker) / Double(count) * 1e6, .microseconds)
    }

    private func sample() throws -> [ProducerRecord] {
        let workload = Workload(
            playground: playground, signing: .together(options.eventsPerSignature), prefix: "kafka")
        return try workload.records(0..<1_000).enumerated().map { index, record in
            var record = record
            record.topic = Self.topic
            record.partition = Int32(index) % Self.partitions
            return record
        }
    }

    private func produce(_ records: [ProducerRecord], _ count: Int) async throws {
        var configuration = playground.clientConfiguration
        configuration["linger.ms"] = "5"
        let producer = try KafkaProducer(configuration: configuration)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for round in 0..<(count / records.count) {
                // A few calls side by side keep the wire busy without holding everything in memory.
                if round >= 8 { try await group.next() }
                group.addTask { try await producer.send(records) }
            }
            try await group.waitForAll()
        }
        await producer.close(deadline: .seconds(5))
    }

    private func consume(_ count: Int) async throws {
        let consumer = try KafkaConsumer(configuration: playground.clientConfiguration)
        try await consumer.assign(
            Dictionary(
                uniqueKeysWithValues: (0..<Self.partitions).map {
                    (TopicPartition(topic: Self.topic, partition: $0), 0)
                }))
        var left = count
        let deadline = ContinuousClock.now + .seconds(120)
        while left > 0 {
            guard ContinuousClock.now < deadline else { throw BenchError("\(left) records did not come back") }
            left -= try await consumer.nextBatch(
                maximumRecords: 1_000, maximumBytes: 8 << 20, linger: .milliseconds(2), timeout: .seconds(1)
            ).records.count
        }
        await consumer.close(deadline: .seconds(5))
    }
}
