import ClawWire
import GrantLedger
import GrantVerifier
import GrantWorker
import Kafka
import Keys
import Primitives
import ReceiptLog

/// A reader of the revocations topic as a gateway has one: by it a drill measures the whole way, up to those who refuse
/// tokens.
///
/// A drill leaves no cut-off. What is waited for is a signed head of the drill's control position: it says that everything
/// up to there is on the topic, so that the cut-off of a stop would have been read before it.
final class GatewayReader: Sendable {
    private let follower: RevocationFollower
    private let failure: Lock<String?>
    private let topic: String

    private init(_ file: ConfigurationFile) throws {
        let failure = Lock<String?>(nil)
        self.failure = failure
        topic = file.worker.outputs.name(.revocations)
        var properties = file.worker.kafka
        properties["group.id"] = nil
        properties["isolation.level"] = file.worker.usesTransactions ? "read_committed" : "read_uncommitted"
        properties["fetch.wait.max.ms"] = "10"
        let keys = try KeyRing.load(file.worker.keys, required: [], at: Clock.now).inventory()
        follower = RevocationFollower(
            kafka: properties,
            settings: .init(
                topic: topic, logID: file.worker.logID,
                logKeys: keys.filter { $0.configuration.purpose == .receipt }.map(\.publicKey)),
            report: { event in
                switch event {
                case .disconnected(let error): failure.withLock { $0 = "\(error)" }
                case .refused(let fault, _): failure.withLock { $0 = "\(fault)" }
                case .complete, .reloading: break
                }
            })
    }

    /// Runs `body` with a reader that has loaded the topic; with none, after a warning, where the log's keys cannot be read.
    ///
    /// - Parameters:
    ///   - isNeeded: false runs `body` without a reader.
    ///   - seconds: how long loading may take; a reader that has not loaded by then goes on loading.
    static func reading<Answer>(
        _ file: ConfigurationFile, isNeeded: Bool, atMost seconds: Int64,
        _ body: (GatewayReader?) async throws -> Answer
    ) async throws -> Answer {
        guard isNeeded else { return try await body(nil) }
        let reader: GatewayReader
        do {
            reader = try GatewayReader(file)
        } catch {
            // Who drills need not have the log's keys.
            Console.error("warning: the way to gateways is not measured, the log's keys cannot be read here: \(error)")
            return try await body(nil)
        }
        let running = Task {
            do {
                try await reader.follower.run()
            } catch {
                reader.failure.withLock { $0 = "\(error)" }
            }
        }
        defer { running.cancel() }
        if try await reader.state(within: .seconds(seconds), where: { $0.isComplete }) == nil {
            Console.error("warning: \(reader.notLoaded); the way to gateways may not be measured")
        }
        return try await body(reader)
    }

    private var notLoaded: String {
        "\(topic) could not be read up to a signed head" + (failure.withLock { $0 }.map { " (\($0))" } ?? "")
    }

    /// Waits for a signed head of a control position.
    ///
    /// - Returns: the time of the head, by the ledger's clock.
    /// - Throws: ``CommandFailure`` when none comes in time.
    func head(of position: Int64, within limit: Duration) async throws -> Timestamp {
        let found = try await state(within: limit) { state in
            state.isComplete && state.head.map { $0.controlPosition >= position } ?? false
        }
        guard let asOf = found?.asOf else {
            throw CommandFailure.negative(
                follower.state.isComplete
                    ? "no signed head of control position \(position) was read from \(topic) in time" : notLoaded,
                remedy: "gateways would refuse every token once their view is too old; look at the sealer's log and at "
                    + "`clawgrant topics check`")
        }
        return asOf
    }

    private func state(
        within limit: Duration, where condition: @escaping @Sendable (RevocationState) -> Bool
    ) async throws -> RevocationState? {
        try await withThrowingTaskGroup(of: RevocationState?.self) { group in
            group.addTask { [follower] in try await follower.state(where: condition) }
            group.addTask {
                try await Task.sleep(for: limit)
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }
}
