import ClawWire
import GrantLedger
import GrantWorker
import HTTPService
import Primitives
import ReceiptLog

/// The revocations stream over HTTP: newest first as the reference has it (WIRE section 5), and oldest first with places
/// that never change, which is what a reader needs that must not miss any.
struct RevocationRoutes: RouteGroup {
    /// Longest wait for a record, in seconds.
    private static let longestWait = 30
    private static let standardPage = 50
    private static let largestPage = 200
    private static let largestLogPage = 500
    let stream: RevocationStream
    let view: RevocationView
    let logID: LogID
    /// Most requests that wait at a time; one more is answered at once.
    let maximumWaiting: Int
    private let waiting = Lock(0)

    init(stream: RevocationStream, view: RevocationView, logID: LogID, maximumWaiting: Int) {
        self.stream = stream
        self.view = view
        self.logID = logID
        self.maximumWaiting = maximumWaiting
    }

    var routes: [Route] {
        [
            Route("GET", "/v1/revocations", access: .caller(.read), bodyBytes: 0, errors: .reference) {
                await oldestFirst($0)
            },
            Route("GET", "/v1/revocations/stream", access: .caller(.read), bodyBytes: 0, errors: .reference) {
                await newestFirst($0, isNumbered: true)
            },
            Route("GET", "/v1/revocations/events", access: .caller(.read), bodyBytes: 0, errors: .reference) {
                await newestFirst($0, isNumbered: false)
            },
        ]
    }

    // MARK: Oldest first

    private func oldestFirst(_ request: RouteRequest) async -> HTTPServiceResponse {
        do throws(APIFailure) {
            let after = try Self.number(request, "after", in: -1...Int.max - 1, default: -1)
            let limit = try Self.number(request, "limit", in: 1...Self.largestLogPage, default: 100)
            let wait = try Self.number(request, "wait", in: 0...Self.longestWait, default: 0)
            let first = Int64(after) + 1
            var page = try await read { () async throws(LedgerError) in
                try await stream.page(from: first, limit: limit)
            }
            if page.records.isEmpty, wait > 0, begin() {
                defer { end() }
                await reach(first, for: .seconds(wait))
                page = try await read { () async throws(LedgerError) in
                    try await stream.page(from: first, limit: limit)
                }
            }
            return .json(
                200,
                [
                    "stream": "revocations", "log_id": .string(logID.rawValue),
                    "events": .array(page.records.map { Self.event($0) }),
                    "next_after": .integer(page.next - 1), "is_complete": .bool(page.isComplete),
                ], fields: [.noStore])
        } catch {
            return error.response(.reference)
        }
    }

    private static func event(_ record: StreamedRevocation) -> JSONValue {
        var value = JSONValue.null
        if let bytes = record.value, let parsed = try? JSONReader.parse(bytes) { value = parsed }
        return [
            "sequence": .integer(record.sequence), "key": .string(String(decoding: record.key, as: UTF8.self)),
            "record": value,
        ]
    }

    private func begin() -> Bool {
        waiting.withLock { count in
            guard count < maximumWaiting else { return false }
            count += 1
            return true
        }
    }

    private func end() { waiting.withLock { $0 -= 1 } }

    private func reach(_ sequence: Int64, for time: Duration) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await view.reach(sequence: sequence) }
            group.addTask { try? await Task.sleep(for: time) }
            await group.next()
            group.cancelAll()
        }
    }

    // MARK: Newest first

    private func newestFirst(_ request: RouteRequest, isNumbered: Bool) async -> HTTPServiceResponse {
        do throws(APIFailure) {
            let limit = try Self.number(request, "limit", in: 1...Self.largestPage, default: Self.standardPage)
            let cursor = try Self.number(request, "cursor", in: 0...Int.max, default: -1)
            let page = try await read { () async throws(LedgerError) in
                try await stream.tokens(before: cursor < 0 ? nil : Int64(cursor), limit: limit)
            }
            var events: [JSONValue] = []
            for record in page.records {
                guard let value = record.value, let parsed = try? RevocationRecord(parsing: value) else {
                    throw APIFailure(.failed, "revocation \(record.sequence) does not read; run `clawgrant fsck`")
                }
                events.append(Self.event(parsed, number: isNumbered ? events.count + 1 : nil))
            }
            var object = JSONObject()
            if isNumbered { object["stream_version"] = "1" }
            object["events"] = .array(events)
            object["cursor"] = page.isComplete ? .null : .string(String(page.next))
            object["list_complete"] = .bool(page.isComplete)
            return .json(200, .object(object), fields: [.noStore])
        } catch {
            return error.response(.reference)
        }
    }

    /// The five members of the reference's record.
    private static func event(_ record: RevocationRecord, number: Int?) -> JSONValue {
        var members: JSONObject = [
            "token_hash": .string(record.tokenHash.hex), "revoked_at": .integer(record.revokedAt.seconds),
            "revoked_at_iso": .string(record.revokedAt.iso8601),
        ]
        members["reason"] = record.reason.map { .string($0) }
        members["revoked_by"] = .string(record.revokedBy)
        var object = JSONObject()
        object["sequence"] = number.map { .integer(Int64($0)) }
        object["key"] = .string(eventKey(record.tokenHash.hex, at: record.revokedAt))
        object["record"] = .object(members)
        return .object(object)
    }

    /// The reference's key of a revocation: the newest sorts first.
    static func eventKey(_ tokenHash: String, at revokedAt: Timestamp) -> String {
        let inverted = String(9_999_999_999 - revokedAt.seconds)
        let zeros = String(repeating: "0", count: max(0, 10 - inverted.count))
        return "events:revocations:\(zeros)\(inverted):\(tokenHash)"
    }

    // MARK: Both

    private static func number(
        _ request: RouteRequest, _ name: String, in range: ClosedRange<Int>, default fallback: Int
    ) throws(APIFailure) -> Int {
        guard request.query.contains(where: { $0.name == name }) else { return fallback }
        guard let text = request.query(name), let number = Int(text), range.contains(number) else {
            throw APIFailure(
                .malformed, "\(name) must be one whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private func read(
        _ body: () async throws(LedgerError) -> RevocationStream.Page
    ) async throws(APIFailure) -> RevocationStream.Page {
        do {
            return try await body()
        } catch {
            guard error.code == .refused else {
                throw APIFailure(.unavailable, "the ledger cannot be read now; try again", retryAfter: 1)
            }
            throw APIFailure(
                .gone, "records from there on are in the archive; read the revocations topic, or begin at a later place"
            )
        }
    }
}
