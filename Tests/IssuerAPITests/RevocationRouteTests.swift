import AsyncHTTPClient
import ClawWire
import DevStack
import GrantLedger
import GrantWorker
import HTTPService
import Primitives
import ReceiptLog
import SecureFront
import Testing

@testable import IssuerAPI

/// The revocations stream in both directions, over real HTTP.
@Suite struct RevocationRouteTests {
    private func serving(
        _ issuer: TestIssuer, maximumWaiting: Int = 4, _ body: (RunningSurface, HTTPClient) async throws -> Void
    ) async throws {
        let home = try TemporaryDirectory(prefix: "claw-stream")
        defer { home.close() }
        var settings = HTTPSettings.test
        settings.callers = [try TestCaller.make("siem", [.read], in: home)]
        try await issuer.view.look()
        let routes = RevocationRoutes(
            stream: RevocationStream(ledger: issuer.ledger), view: issuer.view, logID: LogID("test.example/log"),
            maximumWaiting: maximumWaiting)
        let surface = try await RunningSurface.start(settings, routes.routes, beside: { try await issuer.view.run() })
        try await TestClient.with(try TestClient.make(trusting: nil)) { try await body(surface, $0) }
        try await surface.stop()
    }

    private static func hash(_ number: Int) -> Digest { Digest(hashing: "token \(number)") }

    private static func record(_ number: Int, reason: String? = nil) throws -> (key: String, value: String?) {
        let receipt = Receipt(
            content: .revocation(
                Receipt.Revocation(
                    tokenHash: hash(number), jti: TokenID("jti-\(number)"), cause: .requested, revokedBy: "worker-1")),
            subject: Receipt.Subject(requestID: RequestID("req-\(number)"), jobID: JobID("job-\(number)")),
            provenance: Receipt.Provenance(workerID: WorkerID("worker-1"), controlPosition: 1),
            reasons: reason.map { [Receipt.Reason(code: "TOKEN_REVOKED", detail: $0)] } ?? [],
            occurredAt: Timestamp(seconds: 1_772_366_400 + Int64(number)))
        let record = try #require(RevocationRecord(try receipt.encoded()))
        return (hash(number).hex, String(decoding: record.canonicalBytes, as: UTF8.self))
    }

    /// Nine records in four batches, one of which is empty: seven tokens, a cut-off and an end.
    private func filled() throws -> TestIssuer {
        let issuer = try TestIssuer()
        issuer.ledger.seal([try Self.record(0), try Self.record(1, reason: "job cancelled"), ("cutoff:all", "{}")])
        issuer.ledger.seal([])
        issuer.ledger.seal([try Self.record(2), (Self.hash(0).hex, nil), try Self.record(3)])
        issuer.ledger.seal([try Self.record(4), try Self.record(5), try Self.record(6)])
        return issuer
    }

    @Test func oldestFirstIsDenseFromAnyPlace() async throws {
        let issuer = try filled()
        try await serving(issuer) { surface, client in
            func ask(_ query: String) async throws -> Exchange {
                try await Exchange.run(client, "GET", surface.url("/v1/revocations?\(query)"), bearer: TestCaller.token)
            }
            for limit in [1, 2, 4, 500] {
                var after: Int64 = -1
                var seen: [Int64] = []
                while true {
                    let page = try await ask("after=\(after)&limit=\(limit)")
                    #expect(page.status == 200 && page.header("cache-control") == "no-store")
                    let numbers = page.json["events"]?.array?.compactMap { $0["sequence"]?.integer } ?? []
                    #expect(numbers.count <= limit)
                    seen += numbers
                    after = try #require(page.json["next_after"]?.integer)
                    if page.json["is_complete"] == true { break }
                }
                #expect(seen == Array(0...8), "\(limit)")
                #expect(after == 8)
            }
            let first = try await ask("limit=5")
            #expect(first.json["log_id"]?.string == "test.example/log")
            let events = try #require(first.json["events"]?.array)
            #expect(events[0]["record"]?["token_hash"]?.string == Self.hash(0).hex)
            #expect(events[2]["key"]?.string == "cutoff:all")
            #expect(events[4]["record"] == .null)
            let end = try await ask("after=8")
            #expect(end.json["events"]?.array?.isEmpty == true && end.json["next_after"]?.integer == 8)
            for query in ["after=-2", "after=x", "limit=0", "limit=501", "wait=31", "after=1&after=2", "after="] {
                let answer = try await ask(query)
                #expect(answer.status == 400 && answer.json["error"]?.string == "INVALID_REQUEST", "\(query)")
            }
        }
    }

    @Test func aReaderWaitsForTheNextRecord() async throws {
        let issuer = try filled()
        try await serving(issuer) { surface, client in
            let url = surface.url("/v1/revocations?after=8&wait=30")
            let waiting = Task { try await Exchange.run(client, "GET", url, bearer: TestCaller.token) }
            issuer.ledger.seal([try Self.record(7)])
            let page = try await waiting.value
            #expect(page.json["events"]?.array?.compactMap { $0["sequence"]?.integer } == [9])
        }
        try await serving(issuer, maximumWaiting: 0) { surface, client in
            let page = try await Exchange.run(
                client, "GET", surface.url("/v1/revocations?after=9&wait=30"), bearer: TestCaller.token)
            #expect(page.json["events"]?.array?.isEmpty == true)
        }
    }

    @Test func whatIsInTheArchiveIsSaidToBeGone() async throws {
        let issuer = try filled()
        issuer.ledger.content.withLock { $0.archivedBatches = [0] }
        try await serving(issuer) { surface, client in
            let gone = try await Exchange.run(client, "GET", surface.url("/v1/revocations"), bearer: TestCaller.token)
            #expect(gone.status == 410 && gone.json["error"]?.string == "NO_LONGER_AVAILABLE")
            let later = try await Exchange.run(
                client, "GET", surface.url("/v1/revocations?after=2"), bearer: TestCaller.token)
            #expect(later.json["events"]?.array?.first?["sequence"]?.integer == 3)
            let page = try await Exchange.run(
                client, "GET", surface.url("/v1/revocations/stream"), bearer: TestCaller.token)
            #expect(page.json["events"]?.array?.count == 5 && page.json["list_complete"] == true)
        }
        issuer.ledger.content.withLock { $0.isDown = true }
        let stream = RevocationStream(ledger: issuer.ledger)
        await #expect(throws: LedgerError.self) { try await stream.page(from: 0, limit: 1) }
    }

    @Test func newestFirstIsTheReferences() async throws {
        let issuer = try filled()
        try await serving(issuer) { surface, client in
            var cursor: String?
            var hashes: [String] = []
            repeat {
                let query = cursor.map { "?limit=2&cursor=\($0)" } ?? "?limit=2"
                let page = try await Exchange.run(
                    client, "GET", surface.url("/v1/revocations/stream\(query)"), bearer: TestCaller.token)
                #expect(page.json["stream_version"]?.string == "1")
                let events = try #require(page.json["events"]?.array)
                #expect(
                    events.compactMap { $0["sequence"]?.integer }
                        == Array(1...Int64(max(1, events.count))).prefix(events.count).map { $0 })
                hashes += events.compactMap { $0["record"]?["token_hash"]?.string }
                cursor = page.json["cursor"]?.string
                #expect((cursor == nil) == (page.json["list_complete"] == true))
            } while cursor != nil
            #expect(hashes == [6, 5, 4, 3, 2, 1, 0].map { Self.hash($0).hex })
            let events = try await Exchange.run(
                client, "GET", surface.url("/v1/revocations/events"), bearer: TestCaller.token)
            #expect(events.json["stream_version"] == nil)
            let one = try #require(events.json["events"]?.array?.first { $0["record"]?["reason"] != nil })
            // WIRE section 5: five members, in this order, under the inverted time.
            #expect(
                JSONWriter.text(one) == #"{"key":"events:revocations:8227633598:\#(Self.hash(1).hex)","record":"#
                    + #"{"token_hash":"\#(Self.hash(1).hex)","revoked_at":1772366401,"#
                    + #""revoked_at_iso":"2026-03-01T12:00:01.000Z","reason":"job cancelled","revoked_by":"worker-1"}}"#
            )
            for query in ["limit=0", "limit=201", "cursor=-1", "cursor=abc"] {
                let answer = try await Exchange.run(
                    client, "GET", surface.url("/v1/revocations/stream?\(query)"), bearer: TestCaller.token)
                #expect(answer.status == 400, "\(query)")
            }
        }
    }
}
