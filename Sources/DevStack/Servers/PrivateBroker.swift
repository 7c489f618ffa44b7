import Foundation
import Primitives

/// A Kafka broker process of one's own on loopback: a stand-in for development, not a Kafka.
///
/// What each kind can and cannot show is in docs/decisions/002-embedded-broker.md. Start, stop and restart are for one
/// task at a time.
public final class PrivateBroker: Sendable {
    /// Which program stands in.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// noida-db: quick to start, full topic administration, keeps its data over an orderly restart.
        case noida
        /// Tansu with its log in memory: fast, group membership as it should be, forgets everything when it stops.
        /// Always behind a relay of this target.
        case tansu
    }

    /// Which program it is.
    public let kind: Kind
    /// The directory for its data and log.
    public let directory: String
    /// The port of 127.0.0.1 that clients connect to; the same over restarts.
    public let port: UInt16
    /// The relay in front of it, for faults; nil for noida, which advertises its own address and would be reached past
    /// any relay but a ``KafkaRelay/init(readvertising:)``.
    public let relay: KafkaRelay?
    private let brokerPort: UInt16
    private let program: String
    private let process = Lock<ManagedProcess?>(nil)

    /// Prepares a broker; the relay listens already, the broker is not started yet.
    ///
    /// - Parameters:
    ///   - kind: Which program stands in.
    ///   - directory: Its own directory, made when it is not there. noida finds its earlier data there.
    ///   - tools: Where the programs are.
    /// - Throws: `DevStackError` with `toolMissing` or `portUnavailable`.
    public init(
        _ kind: Kind, directory: String, tools: BrokerTools = BrokerTools.find()
    ) throws(DevStackError) {
        program = try tools.program(kind)
        self.kind = kind
        self.directory = directory
        brokerPort = try FreePort.next()
        switch kind {
        case .noida:
            relay = nil
            port = brokerPort
        case .tansu:
            let relay = try KafkaRelay(to: brokerPort)
            self.relay = relay
            port = relay.port
        }
    }

    /// What clients take as `bootstrap.servers`.
    public var bootstrapServers: String { "127.0.0.1:\(port)" }

    /// The process id of the broker while it runs.
    public var pid: Int32? { process.withLock { $0?.pid } }

    /// The path of the broker's log.
    public var log: String { "\(directory)/broker.log" }

    /// Starts the broker and waits until it answers a Kafka client's first question.
    ///
    /// - Throws: `DevStackError` with `exitedEarly` and the end of the log, or `deadlineExceeded`.
    public func start(within limit: Duration = .seconds(30)) async throws {
        guard process.withLock({ $0 == nil }) else { return }
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        var configuration = ManagedProcess.Configuration(executable: program, arguments: arguments())
        configuration.output = .file(log)
        configuration.workingDirectory = directory
        let process = try ManagedProcess(configuration)
        do {
            try await waitUntil(
                deadline: limit, description: "the broker on port \(brokerPort)", interval: .milliseconds(5)
            ) {
                guard process.isRunning else {
                    throw DevStackError(
                        .exitedEarly, "The \(self.kind.rawValue) broker ended during its start; \(LogTail.of(self.log))"
                    )
                }
                let port = self.brokerPort
                return try await offPool { KafkaHandshake.succeeds(port: port) }
            }
        } catch {
            await process.terminate(grace: .seconds(5))
            throw error
        }
        self.process.withLock { $0 = process }
    }

    /// Asks the broker to stop and waits until it has; with much data it takes seconds to write it out.
    ///
    /// - Throws: `DevStackError` with `deadlineExceeded` when it had to be ended by force.
    public func stop(within limit: Duration = .seconds(60)) async throws {
        guard let process = process.withLock({ $0 }) else { return }
        defer { self.process.withLock { $0 = nil } }
        process.signal(.terminate)
        do {
            try await process.waitForExit(within: limit)
        } catch {
            await process.terminate(grace: .zero)
            throw error
        }
    }

    /// Ends the broker with SIGKILL and waits until it is gone.
    public func kill() async {
        guard let process = process.withLock({ $0 }) else { return }
        defer { self.process.withLock { $0 = nil } }
        process.signalGroup(.kill)
        await process.terminate(grace: .seconds(60))
    }

    /// Stops the broker in good order and starts it on the same port and directory.
    public func restart() async throws {
        try await stop()
        try await start()
    }

    /// Freezes the broker or lets it go on.
    @discardableResult
    public func signal(_ signal: ProcessSignal) -> Bool { process.withLock { $0?.signal(signal) ?? false } }

    private func arguments() -> [String] {
        switch kind {
        case .noida:
            [
                "start", "--only", "kafka", "--host", "127.0.0.1", "--kafka-port", "\(brokerPort)",
                "--data-dir", "\(directory)/data",
            ]
        case .tansu:
            [
                "broker", "--silent", "--storage-engine", "memory://tansu/",
                "--listener-url", "tcp://127.0.0.1:\(brokerPort)",
                "--advertised-listener-url", "tcp://127.0.0.1:\(port)",
            ]
        }
    }
}
