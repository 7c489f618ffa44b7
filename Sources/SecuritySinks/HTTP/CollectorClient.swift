import AsyncHTTPClient
import Foundation
import Glibc
import GrantWorker
import HTTPAnswers
import Keys
import Metrics
import NIOCore
import NIOHTTP1
import NIOSSL
import Primitives

/// What a collector answered.
struct CollectorAnswer: Sendable {
    let status: Int
    let body: [UInt8]
    /// `Retry-After`, at most an hour.
    let retryAfter: Duration?
}

/// One request to a collector.
struct CollectorRequest: Sendable {
    var method = HTTPMethod.POST
    var address: String
    /// Names and values; values may be credentials and are never shown.
    var fields: [(name: String, value: String)]
    var body: [UInt8]
    /// Whether the body is compressed where the connection says so.
    var mayCompress = true
}

/// Connections to a collector: made when they are needed, made anew when the files of certificates change.
///
/// Redirects are not followed, because a credential goes where it was meant to go.
final class CollectorClient: Sendable {
    private struct Open {
        let client: HTTPClient
        let marks: [FileMark?]
    }

    private let sink: String
    private let connection: CollectorConnection
    private let open = Lock<Open?>(nil)
    /// The hosts that were asked, whose certificates count.
    private let hosts = Lock<Set<String>>([])
    private let time: Metrics.Timer

    init(sink: String, connection: CollectorConnection) {
        self.sink = sink
        self.connection = connection
        time = Metrics.Timer(label: "clawgrant_siem_request_seconds", dimensions: [("sink", sink)])
    }

    deinit { open.withLock { $0 }?.client.shutdown { _ in } }

    /// Sends a request and reads its answer whole.
    ///
    /// - Parameter what: what is asked, for the sentence of a failure: `POST /services/collector/event`.
    /// - Throws: ``SinkFailure`` when there is no answer: to be tried again, or misconfigured when certificates do not fit.
    func send(_ request: CollectorRequest, what: String) async throws(SinkFailure) -> CollectorAnswer {
        if let host = URL(string: request.address)?.host() { hosts.withLock { _ = $0.insert(host) } }
        let client = try await client()
        var message = HTTPClientRequest(url: request.address)
        message.method = request.method
        for field in request.fields { message.headers.add(name: field.name, value: field.value) }
        message.headers.add(name: "user-agent", value: "clawgrant")
        if connection.compresses, request.mayCompress, let packed = Gzip.compress(request.body) {
            message.headers.add(name: "content-encoding", value: "gzip")
            message.body = .bytes(packed)
        } else {
            message.body = .bytes(request.body)
        }
        let start = ContinuousClock.now
        defer { time.record(duration: .now - start) }
        do {
            let response = try await client.execute(message, timeout: Self.amount(connection.answerTimeout))
            let body = try await response.bytes(
                upTo: connection.maximumAnswerBytes, by: start + connection.answerTimeout)
            requests("\(response.status.code / 100)xx")
            return CollectorAnswer(
                status: Int(response.status.code), body: body,
                retryAfter: Self.seconds(response.headers.first(name: "retry-after")))
        } catch {
            requests("none")
            throw failure(error, what)
        }
    }

    private func requests(_ answer: String) {
        Counter(label: "clawgrant_siem_requests_total", dimensions: [("sink", sink), ("answer", answer)]).increment()
    }

    /// Closes connections; the next request makes new ones.
    func close() async {
        let client = open.withLock { open in
            defer { open = nil }
            return open?.client
        }
        try? await client?.shutdown()
    }

    private func client() async throws(SinkFailure) -> HTTPClient {
        let files = [
            connection.authorityFile, connection.certificate?.certificateFile, connection.certificate?.keyFile,
        ]
        // The marks are taken first: a change in between is loaded again, not missed.
        let marks = files.map { $0.flatMap { FileMark($0) } }
        if let client = open.withLock({ $0?.marks == marks ? $0?.client : nil }) { return client }
        let (client, old) = try await offPool { () throws(SinkFailure) in try self.reopen(marks) }.get()
        try? await old?.shutdown()
        return client
    }

    /// Makes the one client of these files, whoever of many asks first, and returns the one whose place it takes.
    private func reopen(_ marks: [FileMark?]) throws(SinkFailure) -> (client: HTTPClient, old: HTTPClient?) {
        try open.withLock { (open: inout Open?) throws(SinkFailure) in
            if let open, open.marks == marks { return (open.client, nil) }
            let client = try Self.make(connection, for: sink, hosts)
            defer { open = Open(client: client, marks: marks) }
            return (client, open?.client)
        }
    }

    private static func make(
        _ connection: CollectorConnection, for sink: String, _ hosts: Lock<Set<String>>
    ) throws(SinkFailure) -> HTTPClient {
        let tls = try security(connection, for: sink)
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls, redirectConfiguration: .disallow)
        configuration.timeout.connect = amount(connection.connectTimeout)
        configuration.timeout.read = amount(connection.answerTimeout)
        // The driver of the sinks tries again, and says why; attempts in here would hide the reason.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.checkServers { hosts.withLock { $0 } }
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// Whom to trust and who we are, from the connection's files.
    ///
    /// - Throws: ``SinkFailure`` for files that do not read or do not go together.
    static func security(
        _ connection: CollectorConnection, for sink: String
    ) throws(SinkFailure) -> TLSConfiguration {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if let file = connection.authorityFile {
            tls.trustRoots = .certificates(
                try reading(file, "certificates in PEM", sink) { try NIOSSLCertificate.fromPEMFile(file) })
        }
        if let files = connection.certificate {
            tls.certificateChain = try reading(files.certificateFile, "certificates in PEM", sink) {
                try NIOSSLCertificate.fromPEMFile(files.certificateFile).map { .certificate($0) }
            }
            tls.privateKey = .privateKey(
                try reading(files.keyFile, "a private key in PEM that nobody else can read", sink) {
                    try NIOSSLPrivateKey(bytes: try SecretFile.load(files.keyFile).copyExposed(), format: .pem)
                })
        }
        do {
            _ = try NIOSSLContext(configuration: tls)
        } catch {
            throw SinkFailure(
                .misconfigured,
                "\(sink): certificate and key do not go together (\(error)); give the key of that certificate")
        }
        return tls
    }

    private static func reading<Value>(
        _ path: String, _ what: String, _ sink: String, _ body: () throws -> Value
    ) throws(SinkFailure) -> Value {
        do {
            return try body()
        } catch {
            throw SinkFailure(
                .misconfigured, "\(sink): \(path) cannot be read as \(what) (\(error)); check path, mode and form")
        }
    }

    private static func amount(_ duration: Duration) -> TimeAmount {
        .milliseconds(Int64(duration / .milliseconds(1)))
    }

    /// `Retry-After` in seconds; a date is taken for a minute.
    private static func seconds(_ text: String?) -> Duration? {
        guard let text, !text.isEmpty else { return nil }
        guard let seconds = Int64(text) else { return .seconds(60) }
        return .seconds(min(max(seconds, 0), 3_600))
    }

    private func failure(_ error: any Error, _ what: String) -> SinkFailure {
        switch error {
        case is CancellationError: return SinkFailure(.retry(after: nil), "\(sink): \(what) was cut short")
        case is NIOTooManyBytesError:
            return SinkFailure(
                .retry(after: nil), "\(sink): \(what): the answer is larger than \(connection.maximumAnswerBytes) bytes"
            )
        case let error as HTTPClientError:
            return SinkFailure(.retry(after: nil), "\(sink): \(what): \(error.shortDescription)")
        default: break
        }
        let text = "\(error)"
        // BoringSSL names its reasons in capitals: of a server that we do not trust, or that does not trust us.
        if error is NIOSSLExtraError || error is ServerIdentity.Mismatch || text.contains("CERTIFICATE")
            || text.contains("UNKNOWN_CA")
        {
            return SinkFailure(
                .misconfigured,
                "\(sink): \(what): the certificates do not fit (\(text)); check the server's name, the authorities that are "
                    + "trusted here, and the client certificate that it asks for")
        }
        return SinkFailure(.retry(after: nil), "\(sink): \(what): no connection (\(text.prefix(200)))")
    }
}

/// What tells that a file has changed without reading it; through links, since mounted secrets are changed by turning one.
private struct FileMark: Equatable {
    let seconds: Int
    let nanoseconds: Int
    let size: Int
    let number: UInt

    init?(_ path: String) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        seconds = status.st_mtim.tv_sec
        nanoseconds = status.st_mtim.tv_nsec
        size = Int(status.st_size)
        number = UInt(status.st_ino)
    }
}
