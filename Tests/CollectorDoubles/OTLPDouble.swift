public import ClawWire
public import HTTPService
import Primitives

/// A double of an OpenTelemetry collector's receiver of logs over HTTP, on loopback: it checks the JSON form of every record.
public final class OTLPDouble: Sendable {
    /// What goes wrong with a request.
    public enum Fault: Sendable, Hashable {
        /// An error status.
        case status(Int, retryAfter: Int? = nil)
        /// Taken, and the answer is lost: a proxy says 504.
        case answerLost
        /// Not taken, and no answer.
        case silence
        /// A proxy's page.
        case garbage
        /// The first so many records of the request are rejected; the answer gives their number and no more.
        case rejected(Int)
    }

    /// What an administrator sets.
    public struct Settings: Sendable {
        /// The bearer token; `nil` asks for none.
        public var token: String?
        /// Longest request before compression.
        public var maximumBytes = 20 << 20
        /// The standard settings.
        public init() {}
    }

    private struct State {
        var settings = Settings()
        var records: [Int64: JSONValue] = [:]
        var resources: Set<String> = []
        var requests = 0
    }

    /// What goes wrong.
    public let faults = FaultPlan<Fault>()
    /// What is there.
    public let received = ReceivedEvents()
    private let state = Lock(State())
    private let base = Lock("")

    private init() {}

    /// Serves as long as the body runs.
    public static func run<Result: Sendable>(
        tls: HTTPServiceConfiguration.TLS? = nil, _ body: @escaping @Sendable (OTLPDouble) async throws -> Result
    ) async throws -> Result {
        let double = OTLPDouble()
        return try await DoubleServer.run(tls: tls, respond: { await double.answer($0) }) { address in
            double.base.withLock { $0 = address }
            return try await body(double)
        }
    }

    /// Its address.
    public var address: String { "\(base.withLock { $0 })/v1/logs" }
    /// Changes what an administrator sets.
    public func change(_ body: (inout Settings) -> Void) { state.withLock { body(&$0.settings) } }
    /// A record by its number.
    public func record(_ sequence: Int64) -> JSONValue? { state.withLock { $0.records[sequence] } }
    /// The names of the services that records came from.
    public var services: Set<String> { state.withLock { $0.resources } }
    /// Requests so far.
    public var requests: Int { state.withLock { $0.requests } }

    private static func json(_ status: Int, _ value: JSONValue, retryAfter: Int? = nil) -> HTTPServiceResponse {
        var fields = [HTTPServiceField("content-type", "application/json")]
        if let retryAfter { fields.append(HTTPServiceField("retry-after", "\(retryAfter)")) }
        return HTTPServiceResponse(status: status, fields: fields, body: JSONWriter.bytes(value))
    }

    private func answer(_ request: HTTPServiceRequest) async -> HTTPServiceResponse {
        var rejected = 0
        let fault = faults.next(request.path)
        switch fault {
        case .status(let status, let seconds):
            return Self.json(status, ["code": 14, "message": "unavailable"], retryAfter: seconds)
        case .silence: return await DoubleServer.silence()
        case .garbage: return HTTPServiceResponse(status: 200, body: Array("<html>".utf8))
        case .rejected(let count): rejected = count
        case .answerLost, nil: break
        }
        let answer = take(request, rejecting: rejected)
        return fault == .answerLost ? HTTPServiceResponse(status: 504) : answer
    }

    private func take(_ request: HTTPServiceRequest, rejecting rejected: Int) -> HTTPServiceResponse {
        let settings = state.withLock { state in
            state.requests += 1
            return state.settings
        }
        guard request.method == "POST", request.path == "/v1/logs" else { return HTTPServiceResponse(status: 404) }
        if let token = settings.token, request.field("authorization") != "Bearer \(token)" {
            return HTTPServiceResponse(status: 401)
        }
        guard request.field("content-type") == "application/json" else { return HTTPServiceResponse(status: 415) }
        let (body, complaint) = DoubleServer.plainBody(request)
        if let complaint { received.complain(complaint) }
        guard body.count <= settings.maximumBytes else { return HTTPServiceResponse(status: 413) }
        guard let value = try? JSONReader.parse(body, limits: IngestionDouble.limits),
            let resources = value["resourceLogs"]?.array
        else { return Self.json(400, ["code": 3, "message": "request is malformed"]) }
        var sequences: [Int64] = []
        for resource in resources {
            for attribute in resource["resource"]?["attributes"]?.array ?? [] where attribute["key"] == "service.name" {
                if let name = attribute["value"]?["stringValue"]?.string {
                    state.withLock { state in _ = state.resources.insert(name) }
                }
            }
            for record in (resource["scopeLogs"]?.array ?? []).flatMap({ $0["logRecords"]?.array ?? [] }) {
                guard let sequence = sequence(of: record) else { continue }
                sequences.append(sequence)
                state.withLock { $0.records[sequence] = record }
            }
        }
        for sequence in sequences.prefix(rejected) { received.refuse(sequence) }
        received.store(Array(sequences.dropFirst(rejected)))
        guard rejected > 0 else { return Self.json(200, ["partialSuccess": [:]]) }
        return Self.json(
            200,
            [
                "partialSuccess": [
                    "rejectedLogRecords": .string("\(min(rejected, sequences.count))"),
                    "errorMessage": .string("planted-echo \(String(decoding: body.prefix(200), as: UTF8.self))"),
                ]
            ])
    }

    /// The number of a record whose form stands.
    private func sequence(of record: JSONValue) -> Int64? {
        func isNanoseconds(_ value: JSONValue?) -> Bool { value?.string.flatMap { UInt64($0) }.map { $0 > 0 } ?? false }
        guard isNanoseconds(record["timeUnixNano"]), isNanoseconds(record["observedTimeUnixNano"]),
            let severity = record["severityNumber"]?.integer, (1...24).contains(severity),
            record["body"]?["stringValue"]?.string != nil, let attributes = record["attributes"]?.array
        else {
            received.complain("a record without times, severity, body or attributes")
            return nil
        }
        for attribute in attributes where attribute["key"]?.string == nil || attribute["value"]?.object?.count != 1 {
            received.complain("an attribute of another form")
        }
        let found = attributes.first { $0["key"] == "claw.sequence" }?["value"]?["intValue"]?.string
        guard let sequence = found.flatMap({ Int64($0) }) else {
            received.complain("a record without its number")
            return nil
        }
        return sequence
    }
}
