import ApprovalSources
import AsyncHTTPClient
import ClawWire
import Console
import DevStack
import Foundation
import GrantWorker
import HTTPService
import IssuanceRules
import IssuerAPI
import Kafka
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import Playground
import Postgres
import Primitives
import SecureFront

/// A worker in this process, with a console, that has decided something of everything.
final class PlayedConsole: Sendable {
    /// A token of a caller with the scope `read`, and one of a caller without it.
    static let reader = "reader-5c0f2a91d7"
    static let meter = "meter-77d1b2c380"
    /// Texts that a page must not take for anything but text.
    static let hostileReason = #"</script><img src=x onerror=alert(1)><b>approve me</b>"#
    static let hostilePerson = "\u{202E}\"><svg onload=alert(2)>"

    let playground: Playground
    let certificates: TestCertificates?
    let port: Int

    private init(_ playground: Playground, _ certificates: TestCertificates?, port: Int) {
        self.playground = playground
        self.certificates = certificates
        self.port = port
    }

    var address: String { certificates == nil ? "http://127.0.0.1:\(port)" : "https://localhost:\(port)" }

    /// Plays, and lends the console for the time of `body`.
    ///
    /// - Parameters:
    ///   - isSecure: whether TLS is spoken, with certificates of clients.
    ///   - change: changes the settings of the console.
    static func with(
        isSecure: Bool = false, _ change: (inout ConsoleSettings, TestCertificates?) throws -> Void = { _, _ in },
        _ body: (PlayedConsole) async throws -> Void
    ) async throws {
        let home = try TemporaryDirectory(prefix: "claw-console")
        defer { home.close() }
        var options = PlaygroundOptions()
        options.shortWaitSeconds = 3_600
        let playground = try await Playground.start(options)
        do {
            let certificates = isSecure ? try await TestCertificates.make(in: home) : nil
            var configuration = try playground.workerConfiguration(id: "console")
            configuration.control.topic = PlaygroundTopic.control
            // A machine with much to do must not make the worker look dead.
            configuration.limits.leaseLifetime = .seconds(120)
            var http = try settings(home, certificates)
            http.console.isEnabled = true
            try change(&http.console, certificates)
            configuration.http = http
            let (ports, listening) = AsyncStream<Int>.makeStream()
            let service = IssuerAPIService(
                parts: { try IssuerAPIParts(groups: [Self.routes($0)]) }, onListening: { listening.yield($0) })
            let worker = Worker(
                configuration: configuration, companions: [service],
                logger: Logger(label: "console") { _ in LogKeeper() })
            let running = Task {
                try await worker.run()
                listening.finish()
            }
            do {
                var port: Int?
                for await number in ports {
                    port = number
                    break
                }
                guard let port else { throw ConsoleTrouble("the worker ended before it served") }
                let console = PlayedConsole(playground, certificates, port: port)
                try await console.play()
                try await body(console)
            } catch {
                worker.stop()
                running.cancel()
                _ = await running.result
                throw error
            }
            worker.stop()
            try await running.value
        } catch {
            await playground.stop()
            throw error
        }
        await playground.stop()
    }

    @Sendable private static func routes(_ surroundings: WorkerSurroundings) throws -> ConsoleRoutes {
        let configuration = surroundings.configuration
        return try ConsoleRoutes(
            configuration.http?.console ?? ConsoleSettings(),
            ConsoleRoutes.Parts(
                ledger: surroundings.ledger, rules: surroundings.rules, control: configuration.control,
                worker: configuration.workerID, inputEnds: BrokerInputEnds(configuration.kafka),
                clock: { .playgroundNow }), logger: surroundings.logger)
    }

    private static func settings(
        _ home: TemporaryDirectory, _ certificates: TestCertificates?
    ) throws -> HTTPSettings {
        func hashes(_ name: String, _ token: String) throws -> String {
            let path = home.path(name)
            try Data("\(Digest(hashing: token).hex)\n".utf8).write(to: URL(fileURLWithPath: path))
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
            return path
        }
        var http = HTTPSettings(issuer: "https://issuer.northquay.example")
        http.port = 0
        // Tests ask faster than people look.
        http.limits.peerRate = 100_000
        var reader = HTTPSettings.Caller(name: "oncall", scopes: [.read])
        reader.tokenHashesFile = try hashes("oncall", Self.reader)
        var meter = HTTPSettings.Caller(name: "prometheus", scopes: [.metrics])
        meter.tokenHashesFile = try hashes("prometheus", Self.meter)
        http.callers = [reader, meter]
        if let certificates {
            var tls = HTTPSettings.TLS(
                certificateFile: certificates.server.certificate, keyFile: certificates.server.key)
            tls.clientAuthorityFile = certificates.authority
            http.tls = tls
            var responder = HTTPSettings.Caller(name: "soc", scopes: [.read, .stop])
            responder.certificateThumbprints = [try thumbprint(certificates.client.certificate)]
            http.callers.append(responder)
        }
        return http
    }

    static func thumbprint(_ certificate: String) throws -> String {
        guard let first = try NIOSSLCertificate.fromPEMFile(certificate).first else {
            throw ConsoleTrouble("\(certificate) holds no certificate")
        }
        return Digest(hashing: try first.toDERBytes()).b64u
    }

    // MARK: What is played

    private func play() async throws {
        let keys = playground.keys
        var records: [ProducerRecord] = []
        for name in ["one", "two", "three"] {
            records.append(try ApprovalDraft(name, .reconcile, in: playground).record(signedBy: keys.eventSigner))
        }
        let nobody = Actor(id: PersonID(Self.hostilePerson), name: Self.hostileReason)
        var hostile = ApprovalDraft("hostile", .sandbox, approvers: [nobody], in: playground)
        hostile.decision.answers[0].justification = Self.hostileReason
        records.append(try hostile.record(signedBy: keys.eventSigner))
        records.append(try ApprovalDraft("run", .agentRun, in: playground).record(signedBy: keys.eventSigner))
        for name in ["no", "never"] {
            records.append(
                try ApprovalDraft(name, .reconcile, in: playground).denied().record(signedBy: keys.eventSigner))
        }
        records.append(try BrokenRecord.notJSON.record("broken", in: playground))
        records.append(try BrokenRecord.unsigned.record("unsigned", in: playground))
        var waiting = RequestDraft("waits", .userAdmin, in: playground, at: .playgroundNow)
        waiting.approvalID = EntraActivation("later", at: .playgroundNow).approvalID
        waiting.reason = Self.hostileReason
        records.append(try waiting.record(signedBy: keys.requestSigner))
        try await playground.produce(records)
        try await playground.waitForStatus("something of everything", within: .seconds(90)) {
            $0.issued + $0.denied == 7 && $0.waiting == 1 && $0.unsealedGroups == 0
        }
        try await playground.declare(
            .stop(
                .init(stopID: "stop-played", scope: StopScope(kind: .jobClass, value: "prod_deploy"), revokesLive: true)
            ),
            id: "played-stop", by: [PlaygroundCast.milan], reason: "Unexpected writes")
        let position = "SELECT control_position FROM clawgrant.control_state"
        try await waitUntil(deadline: .seconds(60), description: "the stop to be applied") {
            try await playground.query(position).int64(0, 0) > 0
        }
        try await playground.waitForStatus("the stop to be sealed", within: .seconds(60)) { $0.unsealedGroups == 0 }
    }

    // MARK: Asking

    /// An answer.
    struct Answer: Sendable {
        let status: Int
        let fields: [String: String]
        let body: [UInt8]

        var json: JSONValue { (try? JSONReader.parse(body)) ?? .null }
    }

    /// Makes one request.
    func ask(
        _ client: HTTPClient, _ path: String, _ method: String = "GET", fields: [(String, String)] = [],
        body: JSONValue? = nil
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: address + path)
        request.method = .init(rawValue: method)
        for (name, value) in fields { request.headers.add(name: name, value: value) }
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: JSONWriter.bytes(body)))
        }
        let response = try await client.execute(request, timeout: .seconds(60))
        let bytes = try await response.body.collect(upTo: 4 << 20)
        return Answer(
            status: Int(response.status.code),
            fields: Dictionary(response.headers.map { ($0.name.lowercased(), $0.value) }) { first, _ in first },
            body: Array(bytes.readableBytesView))
    }

    /// Signs in, as the page does, and returns the fields of later requests and the session's document.
    func signIn(
        _ client: HTTPClient, token: String?
    ) async throws -> (fields: [(String, String)], session: JSONValue) {
        let answer = try await ask(
            client, "/console/session", "POST",
            fields: [("sec-fetch-site", "same-origin")] + (token.map { [("authorization", "Bearer \($0)")] } ?? []))
        guard answer.status == 200, let cookie = answer.fields["set-cookie"]?.split(separator: ";").first else {
            throw ConsoleTrouble("nobody was signed in: \(answer.status)")
        }
        return ([("cookie", String(cookie)), ("sec-fetch-site", "same-origin")], answer.json)
    }
}

struct ConsoleTrouble: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
