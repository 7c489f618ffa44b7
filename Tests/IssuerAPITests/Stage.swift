import AsyncHTTPClient
import ClawWire
import DevStack
import Foundation
import GrantLedger
import GrantWorker
import IssuanceRules
import Logging
import NIOCore
import NIOHTTP1
import Playground
import Postgres
import Primitives
import ReceiptLog
import Testing

@testable import IssuerAPI

/// A playground with one worker in this process, its HTTP surface served on loopback.
final class SurfaceStage: Sendable {
    let playground: Playground
    let worker: WorkerID
    let base: String
    private let running: Worker
    private let task: Task<Void, any Error>
    private let lent: Lock<(WorkerSurroundings, IssuerAPIParts)?>

    /// Bearer tokens of the callers of the surface, by scope.
    static let readToken = "reader-0123456789abcdef"
    static let preflightToken = "runtime-0123456789abcdef"
    static let probeToken = "probe-0123456789abcdef"

    private init(
        _ playground: Playground, worker: WorkerID, base: String, running: Worker, task: Task<Void, any Error>,
        lent: Lock<(WorkerSurroundings, IssuerAPIParts)?>
    ) {
        self.lent = lent
        self.playground = playground
        self.worker = worker
        self.base = base
        self.running = running
        self.task = task
    }

    /// Runs a test on a stage of its own, which is gone afterwards.
    static func run(
        change: (inout WorkerConfiguration) -> Void = { _ in }, _ body: (SurfaceStage) async throws -> Void
    ) async throws {
        let playground = try await Playground.start()
        do {
            let stage = try await start(playground, change)
            do {
                try await body(stage)
            } catch {
                await stage.end()
                throw error
            }
            await stage.end()
        } catch {
            await playground.stop()
            throw error
        }
        await playground.stop()
    }

    private static func start(
        _ playground: Playground, _ change: (inout WorkerConfiguration) -> Void
    ) async throws -> SurfaceStage {
        let port = Int(try FreePort.next())
        let base = "http://127.0.0.1:\(port)"
        var configuration = try playground.workerConfiguration(id: "surface-1")
        configuration.limits.heartbeatInterval = .milliseconds(100)
        configuration.limits.sweepInterval = .milliseconds(200)
        configuration.limits.drainTimeout = .seconds(3)
        var http = HTTPSettings(issuer: base)
        http.port = port
        http.limits.peerRate = 10_000
        http.callers = [
            try caller("reader", [.read], readToken, in: playground.directory),
            try caller("runtime", [.preflight], preflightToken, in: playground.directory),
            try caller("probe", Set(HTTPSettings.Scope.allCases), probeToken, in: playground.directory),
        ]
        configuration.http = http
        configuration.control.topic = PlaygroundTopic.control
        configuration.claims = WorkerConfiguration.Claims(address: base)
        configuration.statusLists = WorkerConfiguration.StatusLists(uriBase: base + "/statuslists")
        change(&configuration)
        let listening = Lock(false)
        let lent = Lock<(WorkerSurroundings, IssuerAPIParts)?>(nil)
        let service = IssuerAPIService { surroundings in
            var parts = try IssuerSurface.parts(surroundings)
            parts.groups.append(MetricsRoutes { _ in Array("# none\n".utf8) })
            parts.signals = ["issuer": .string(base)]
            lent.withLock { [parts] in $0 = (surroundings, parts) }
            return parts
        } onListening: { _ in
            listening.withLock { $0 = true }
        }
        var logger = Logger(label: "surface")
        logger.logLevel =
            ProcessInfo.processInfo.environment["CLAWGRANT_TEST_LOG"].flatMap { Logger.Level(rawValue: $0) }
            ?? .critical
        let worker = Worker(configuration: configuration, companions: [service], logger: logger)
        let task = Task { try await worker.run() }
        let stage = SurfaceStage(
            playground, worker: configuration.workerID, base: base, running: worker, task: task, lent: lent)
        do {
            try await waitUntil(deadline: .seconds(60), description: "the surface to be served") {
                listening.withLock { $0 }
            }
            try await stage.untilHolds(
                "the worker to hold all partitions",
                """
                SELECT count(*) > 0 AND count(*) = count(*) FILTER (WHERE lease_owner IS NOT NULL)
                FROM clawgrant.input_partition
                """)
        } catch {
            await stage.end()
            throw error
        }
        return stage
    }

    private static func caller(
        _ name: String, _ scopes: Set<HTTPSettings.Scope>, _ token: String, in directory: String
    ) throws -> HTTPSettings.Caller {
        let path = "\(directory)/\(name).hashes"
        try Data("\(Digest(hashing: token).hex)\n".utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        var caller = HTTPSettings.Caller(name: name, scopes: scopes)
        caller.tokenHashesFile = path
        return caller
    }

    /// Stops the worker and waits for its end.
    func end() async {
        running.stop()
        _ = await task.result
    }

    /// Every route that is served.
    func routes() throws -> [Route] {
        let (surroundings, parts) = try #require(lent.withLock { $0 })
        let settings = try #require(surroundings.configuration.http)
        let issuer = Issuer(
            surroundings, settings, parts, looks: surroundings.ledger, clock: { Timestamp.playgroundNow })
        return (issuer.groups + parts.groups).flatMap(\.routes)
    }

    /// Halts the worker, as a signal would.
    func halt() { running.halt() }

    // MARK: The ledger

    /// Waits for a condition in SQL.
    func untilHolds(_ description: String, _ sql: String) async throws {
        try await waitUntil(deadline: .seconds(60), description: description, interval: .milliseconds(20)) {
            guard let row = try? await playground.query(sql), row.rowCount == 1 else { return false }
            return try row.string(0, 0) == "t"
        }
    }

    /// The number that a query gives.
    func number(_ sql: String) async throws -> Int64? { Int64(try await playground.query(sql).string(0, 0)) }

    /// Waits until everything committed is sealed, and so many requests have their outcome.
    func untilDecided(_ requests: Int) async throws {
        try await untilHolds(
            "\(requests) requests to be decided and sealed",
            """
            SELECT (SELECT count(*) FROM clawgrant.request WHERE state <> 0) >= \(requests)
                AND NOT EXISTS (SELECT 1 FROM clawgrant.unsealed)
            """)
    }

    /// Sends an approval with its request, to be delivered by reference to a key.
    @discardableResult
    func grant(_ name: String, to key: ProofMaker.Key) async throws -> RequestID {
        var draft = ApprovalDraft(name, .reconcile, in: playground)
        draft.request?.delivery = .reference(claimKey: ProofMaker.thumbprint(key))
        try await playground.produce([try draft.record(signedBy: playground.keys.eventSigner)])
        return RequestID("req-\(name)")
    }

    // MARK: HTTP

    struct Answer: Sendable {
        let status: Int
        let fields: [(name: String, value: String)]
        let body: [UInt8]

        var json: JSONValue { (try? JSONReader.parse(body)) ?? .null }
        var text: String { String(decoding: body, as: UTF8.self) }

        func field(_ name: String) -> String? { fields.first { $0.name.lowercased() == name }?.value }
    }

    func send(
        _ method: String, _ path: String, fields: [(String, String)] = [], body: [UInt8]? = nil
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: base + path)
        request.method = .RAW(value: method)
        for (name, value) in fields { request.headers.add(name: name, value: value) }
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: body))
        }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(20))
        let bytes = try await response.body.collect(upTo: 4 << 20)
        return Answer(
            status: Int(response.status.code), fields: response.headers.map { ($0.name, $0.value) },
            body: Array(buffer: bytes))
    }

    func get(_ path: String, as token: String? = nil, fields: [(String, String)] = []) async throws -> Answer {
        try await send("GET", path, fields: fields + (token.map { [("authorization", "Bearer \($0)")] } ?? []))
    }

    /// Claims as a job does: asks for a nonce first, unless it has one.
    func claim(
        _ request: RequestID, _ key: ProofMaker.Key, nonce: String? = nil, sealedTo: [UInt8]? = nil,
        change: (inout ProofMaker) -> Void = { _ in }
    ) async throws -> Answer {
        let path = ClaimAddress.path(of: request)
        var nonce = nonce
        if nonce == nil {
            let first = try await send("POST", path, fields: [("DPoP", proof(path, key, nil).text)])
            nonce = first.field("dpop-nonce")
        }
        var maker = proof(path, key, nonce)
        if let sealedTo {
            maker.claims["seal_to"] = ["kty": "OKP", "crv": "X25519", "x": .string(Base64URL.encode(sealedTo))]
        }
        change(&maker)
        return try await send("POST", path, fields: [("DPoP", maker.text)])
    }

    func proof(_ path: String, _ key: ProofMaker.Key, _ nonce: String?) -> ProofMaker {
        var maker = ProofMaker(key, nonce: nonce, at: .playgroundNow)
        maker.claims["htu"] = .string(base + path)
        return maker
    }
}

extension SurfaceStage {
    /// Waits for a condition.
    func waitUntilTrue(_ description: String, _ condition: @escaping () async throws -> Bool) async throws {
        try await waitUntil(deadline: .seconds(60), description: description, interval: .milliseconds(50)) {
            try await condition()
        }
    }
}
