import ClawWire
import GrantLedger
import GrantVerifier
import Kafka
import Keys
import Logging
import Observability
import Primitives
import ReceiptLog

/// Publishes the signed status lists of all tokens that may live, from the ledger.
///
/// It has a producer of its own and disturbs nobody: when a list cannot be made or written, readers see by its time that the
/// last one is over.
final class StatusListService: Sendable {
    /// Largest record: a list whose tokens are revoked by the hundred thousand does not fit and is left out.
    private static let maximumBytes = 1_000_000

    private let settings: WorkerConfiguration.StatusLists
    private let ledger: any Ledger
    private let keys: KeyRing
    private let clock: @Sendable () -> Timestamp
    private let configuration: KafkaConfiguration
    private let logger: Logger
    /// The list that was ended last.
    private let ended = Lock<Int64?>(nil)

    init(
        settings: WorkerConfiguration.StatusLists, ledger: any Ledger, keys: KeyRing,
        configuration: KafkaConfiguration, clock: @escaping @Sendable () -> Timestamp, logger: Logger
    ) {
        self.settings = settings
        self.ledger = ledger
        self.keys = keys
        self.clock = clock
        self.configuration = configuration
        self.logger = logger
    }

    /// Publishes lists until told to stop.
    ///
    /// - Throws: `CancellationError` alone.
    func run(until stop: @Sendable () -> Bool) async throws {
        while !stop() {
            do {
                try await publish(until: stop)
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                logger.log(.statusListFailed, metadata: ["error": "\(error)"])
            }
            try await rest(until: stop)
        }
    }

    /// Waits for the next version, in steps, so that whoever stops the worker does not wait.
    private func rest(until stop: @Sendable () -> Bool) async throws {
        let end = ContinuousClock.now + settings.interval
        while !stop(), ContinuousClock.now < end {
            try await Task.sleep(for: min(settings.interval, .milliseconds(200)))
        }
    }

    private func publish(until stop: @Sendable () -> Bool) async throws {
        let producer = try KafkaProducer(configuration: configuration, log: logger.kafka)
        do {
            while !stop() {
                do {
                    _ = try await producer.send(try await records())
                } catch let reason as StatusListMaker.Withheld {
                    logger.log(.statusListFailed, metadata: ["error": "\(reason)"])
                }
                try await rest(until: stop)
            }
        } catch {
            _ = await producer.close(deadline: .seconds(2))
            throw error
        }
        _ = await producer.close(deadline: .seconds(2))
    }

    /// The records of the lists as of now: one for each hour in which a living token may expire, and one without a value
    /// for the hour that is over.
    func records() async throws -> [ProducerRecord] {
        let now = clock()
        let first = StatusListMaker.first(at: now)
        var records: [ProducerRecord] = []
        let maker = StatusListMaker(
            ledger: ledger, keys: keys, uriBase: settings.uriBase, timeToLive: settings.timeToLive)
        for made in try await maker.lists(at: now) {
            let value = Array(made.signed.utf8)
            guard value.count <= Self.maximumBytes else {
                logger.log(
                    .statusListTooLarge, metadata: ["list": "\(made.list.uri)", "bytes": "\(value.count)"])
                continue
            }
            records.append(record(made.list.uri, value, now))
        }
        let over = first - 1
        if ended.withLock({ $0 != over }) {
            records.append(record(StatusPlace.uri(base: settings.uriBase, list: over), nil, now))
            ended.withLock { $0 = over }
        }
        return records
    }

    private func record(_ uri: String, _ value: [UInt8]?, _ now: Timestamp) -> ProducerRecord {
        ProducerRecord(
            topic: settings.topic, partition: 0, key: Array(uri.utf8), value: value,
            headers: [
                KafkaHeader(name: "content-type", value: Array(StatusListToken.mediaType.utf8)),
                KafkaHeader(name: "claw_stream", value: Array("status-lists".utf8)),
            ], timestamp: now.milliseconds)
    }
}
