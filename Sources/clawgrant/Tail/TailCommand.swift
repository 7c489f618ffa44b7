import ArgumentParser
import ClawWire
import GrantLedger
import GrantWorker
import Kafka

/// `clawgrant tail`: what the worker publishes, as it happens.
struct TailCommand: AsyncParsableCommand {
    /// Streams by their names on the command line.
    enum Stream: String, CaseIterable, ExpressibleByArgument {
        case decisions
        case grants
        case revocations
        case receipts
        case deadLetters = "dead-letters"
        case control
        case findings

        var stream: OutputStream {
            switch self {
            case .decisions: .decisions
            case .grants: .grants
            case .revocations: .revocations
            case .receipts: .receiptBatches
            case .deadLetters: .deadLetters
            case .control: .controlResults
            case .findings: .findings
            }
        }
    }

    static let configuration = CommandConfiguration(
        commandName: "tail", abstract: "Watch decisions and grants, live and readable.",
        discussion: """
            Without --from-beginning it shows what comes from now on, until it is interrupted. With it, it shows what \
            there is and ends, unless --follow is given too. Tokens in the clear are never shown.
            """)

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    @Flag(help: "Go on when everything that is there has been shown.")
    var follow = false

    @Flag(name: .customLong("from-beginning"), help: "Begin with the oldest record there is.")
    var fromBeginning = false

    @Option(help: "A stream to show; may be repeated. Default: decisions and grants.")
    var stream: [Stream] = [.decisions, .grants]

    mutating func run() async throws {
        let file = try source.load()
        let streams = Dictionary(
            stream.map { (file.worker.outputs.name($0.stream), $0.stream) }, uniquingKeysWith: { first, _ in first })
        let isEndless = follow || !fromBeginning
        let start = fromBeginning ? KafkaOffset.beginning : KafkaOffset.end
        let events = KafkaEvents()
        do {
            let topics = try await KafkaAccess.admin(file) { try await $0.metadata().topics }
            var positions: [TopicPartition: Int64] = [:]
            for name in streams.keys {
                guard let topic = topics[name], !topic.partitions.isEmpty else {
                    throw CommandFailure.negative("the topic \(name) does not exist; run `clawgrant topics apply`")
                }
                for partition in topic.partitions {
                    positions[TopicPartition(topic: name, partition: partition.id)] = start
                }
            }
            var properties = file.worker.kafka
            properties["group.id"] = nil
            properties["isolation.level"] = file.worker.usesTransactions ? "read_committed" : "read_uncommitted"
            let consumer = try KafkaConsumer(configuration: properties, log: events.take)
            do {
                try await show(consumer, positions, streams, isEndless: isEndless)
                await consumer.close(deadline: .seconds(2))
            } catch {
                await consumer.close(deadline: .seconds(2))
                throw error
            }
        } catch let error as KafkaError {
            throw KafkaAccess.failure(error, file, events)
        }
    }

    private func show(
        _ consumer: KafkaConsumer, _ positions: [TopicPartition: Int64], _ streams: [String: OutputStream],
        isEndless: Bool
    ) async throws {
        try await consumer.assign(positions)
        var open = Set(positions.keys)
        while isEndless || !open.isEmpty {
            let batch = try await consumer.nextBatch(
                maximumRecords: 1_000, maximumBytes: 16 << 20, linger: .zero, timeout: .milliseconds(500))
            for record in batch.records {
                guard let stream = streams[record.topicPartition.topic] else { continue }
                let view = RecordView(record, stream)
                if output.isJSON { Console.out(view.json) } else { Console.out(view.line) }
            }
            open.subtract(batch.endsReached.keys)
        }
    }
}
