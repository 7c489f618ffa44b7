import AsyncHTTPClient
import ClawWire
import DevStack
import Foundation
import GrantLedger
import GrantVerifier
import GrantWorker
import HTTPService
import Keys
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Primitives
import SecureFront
import Testing

@testable import IssuerAPI

/// Routes that are served for the time of a test, with access, limits and TLS as configured.
struct RunningSurface {
    let port: Int
    let isTLS: Bool
    private let stopping: Lock<Bool>
    private let task: Task<Void, any Error>

    static func start(
        _ settings: HTTPSettings, _ routes: [Route], logger: Logger = LogKeeper().logger,
        beside work: @escaping @Sendable () async throws -> Void = {}
    ) async throws -> RunningSurface {
        let (ports, listening) = AsyncStream<Int>.makeStream()
        let service = IssuerAPIService(onListening: { listening.yield($0) })
        let stopping = Lock(false)
        var settings = settings
        settings.port = 0
        let task = Task { [settings] in
            defer { listening.finish() }
            try await service.serve(
                settings, routes: routes, clock: { .testNow }, logger: logger, until: { stopping.withLock { $0 } },
                beside: work)
        }
        var iterator = ports.makeAsyncIterator()
        guard let port = await iterator.next() else {
            try await task.value
            throw DevStackError(.commandFailed, "the surface ended before it listened")
        }
        return RunningSurface(port: port, isTLS: settings.tls != nil, stopping: stopping, task: task)
    }

    func url(_ path: String) -> String { "\(isTLS ? "https" : "http")://127.0.0.1:\(port)\(path)" }

    func stop() async throws {
        stopping.withLock { $0 = true }
        try await task.value
    }
}

extension Timestamp {
    static var testNow: Timestamp { Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1e6)) }
}

extension HTTPSettings {
    static var test: HTTPSettings {
        var settings = HTTPSettings(issuer: "https://issuer.harborline.example")
        settings.limits.peerRate = 100_000
        return settings
    }
}

/// A caller with a token of its own and the file of its hash.
struct TestCaller {
    static let token = "gateway-token-of-enough-entropy-0123456789"

    static func make(
        _ name: String, _ scopes: Set<HTTPSettings.Scope>, in directory: TemporaryDirectory, token: String = token
    ) throws -> HTTPSettings.Caller {
        let path = directory.path("hashes-\(name)")
        try "\(Digest(hashing: token).hex)\n".write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        var caller = HTTPSettings.Caller(name: name, scopes: scopes)
        caller.tokenHashesFile = path
        return caller
    }
}

/// An answer as a client sees it.
struct Exchange {
    let status: Int
    let headers: HTTPHeaders
    let body: String
    let version: Int

    var json: JSONValue { (try? JSONReader.parse(body)) ?? .null }
    func header(_ name: String) -> String? { headers.first(name: name) }

    static func run(
        _ client: HTTPClient, _ method: String, _ url: String, _ body: String? = nil,
        headers: [(String, String)] = [], bearer: String? = nil
    ) async throws -> Exchange {
        var request = HTTPClientRequest(url: url)
        request.method = HTTPMethod(rawValue: method)
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let bearer { request.headers.add(name: "authorization", value: "Bearer \(bearer)") }
        if let body { request.body = .bytes(ByteBuffer(string: body)) }
        let response = try await client.execute(request, timeout: .seconds(60))
        let answer = try await response.body.collect(upTo: 8 << 20)
        return Exchange(
            status: Int(response.status.code), headers: response.headers, body: String(buffer: answer),
            version: response.version.major)
    }

    static func form(
        _ client: HTTPClient, _ url: String, _ text: String, bearer: String? = TestCaller.token
    ) async throws -> Exchange {
        try await run(
            client, "POST", url, text, headers: [("content-type", "application/x-www-form-urlencoded")], bearer: bearer)
    }

    static func json(
        _ client: HTTPClient, _ url: String, _ text: String, bearer: String? = TestCaller.token
    ) async throws -> Exchange {
        try await run(client, "POST", url, text, headers: [("content-type", "application/json")], bearer: bearer)
    }
}

/// A ledger in memory that says what it was told to.
final class LedgerDouble: LiveTokenLedger {
    struct Content {
        var controlPosition: Int64 = 0
        var runs: [RevocationRun] = []
        var tokens: [Digest: LiveToken] = [:]
        var revoked: [Digest: Timestamp] = [:]
        /// Records of the stream by batch.
        var batches: [[StreamedRevocation]] = []
        var unsealed: [EffectGroupKey: [RevokedTokenMark]] = [:]
        var archivedBatches: Set<Int64> = []
        var isDown = false
        var lookups = 0
        var groupReads = 0
        var incarnation: LedgerIncarnation?
    }

    let content = Lock(Content())

    private func open<Value>(_ body: (inout Content) throws(LedgerError) -> Value) throws(LedgerError) -> Value {
        try content.withLock { content throws(LedgerError) in
            guard !content.isDown else { throw LedgerError(.unavailable, "the database is down") }
            return try body(&content)
        }
    }

    /// Issues a token that somebody else made.
    func issue(_ text: String, _ claims: CSTClaims, revokedAt: Int64?) {
        let live = LiveToken(
            tokenHash: Digest(hashing: text), requestID: RequestID("req"), jobID: JobID(claims.missionID ?? ""),
            jobClass: JobClass("class"), agentDID: AgentDID(claims.subject), approvals: [], tokenID: TokenID("jti"),
            kid: KeyID("kid"), issuedAt: claims.issued, expiresAt: claims.expires, controlScopes: [], isElevated: false)
        content.withLock { content in
            content.tokens[live.tokenHash] = live
            if let revokedAt { content.revoked[live.tokenHash] = Timestamp(seconds: revokedAt) }
        }
    }

    /// Seals records of a batch.
    func seal(_ keys: [(key: String, value: String?)]) {
        content.withLock { content in
            var next = content.batches.joined().map(\.sequence).max().map { $0 + 1 } ?? 0
            content.batches.append(
                keys.map { key, value in
                    defer { next += 1 }
                    return StreamedRevocation(sequence: next, key: Array(key.utf8), value: value.map { Array($0.utf8) })
                })
        }
    }

    private func batch(_ content: Content, _ number: Int) -> RevocationBatch {
        let first = Int64(content.batches[..<number].joined().count)
        return RevocationBatch(
            number: Int64(number), firstSequence: first, nextSequence: first + Int64(content.batches[number].count),
            groups: [EffectGroupKey(day: 0, groupID: Int64(number))])
    }

    func revocationMarks() async throws(LedgerError) -> RevocationMarks {
        try open { content in
            RevocationMarks(
                controlPosition: content.controlPosition, lastBatch: Int64(content.batches.count) - 1,
                nextSequence: Int64(content.batches.joined().count), unsealed: Array(content.unsealed.keys),
                incarnation: content.incarnation)
        }
    }

    func revocationRuns(
        after position: Int64, startedSince since: Timestamp
    ) async throws(LedgerError) -> [RevocationRun] {
        try open { $0.runs.filter { $0.position > position && $0.startedAt >= since } }
    }

    func revokedTokenMarks(
        after expiry: Timestamp, _ request: RequestID, limit: Int
    ) async throws(LedgerError) -> (marks: [RevokedTokenMark], last: (expiry: Timestamp, request: RequestID)?) {
        try open { content in
            (content.revoked.map { RevokedTokenMark(tokenHash: $0.key, revokedAt: $0.value) }, nil)
        }
    }

    func revokedTokens(in groups: [EffectGroupKey]) async throws(LedgerError) -> [RevokedTokenMark] {
        try open { content in
            content.groupReads += groups.count
            return groups.flatMap { key -> [RevokedTokenMark] in
                if let found = content.unsealed[key] { return found }
                guard content.batches.indices.contains(Int(key.groupID)) else { return [] }
                return content.batches[Int(key.groupID)].compactMap { record in
                    Digest(hex: String(decoding: record.key, as: UTF8.self)).map {
                        RevokedTokenMark(tokenHash: $0, revokedAt: .testNow)
                    }
                }
            }
        }
    }

    func revocationBatches(
        after number: Int64, through last: Int64, limit: Int
    ) async throws(LedgerError) -> [RevocationBatch] {
        try open { content in
            content.batches.indices.filter { Int64($0) > number && Int64($0) <= last && !content.batches[$0].isEmpty }
                .prefix(limit).map { batch(content, $0) }
        }
    }

    func revocationBatch(holding sequence: Int64) async throws(LedgerError) -> RevocationBatch? {
        try open { content in
            content.batches.indices.map { batch(content, $0) }.first { $0.nextSequence > sequence }
        }
    }

    func revocations(in batch: RevocationBatch) async throws(LedgerError) -> [StreamedRevocation] {
        try open { content throws(LedgerError) in
            guard !content.archivedBatches.contains(batch.number) else {
                throw LedgerError(.refused, "its effects are in the archive")
            }
            return content.batches[Int(batch.number)]
        }
    }

    func liveTokens(_ asked: [(tokenHash: Digest, scopeHash: Digest)]) async throws(LedgerError) -> [LiveToken] {
        try open { content in
            content.lookups += asked.count
            return asked.compactMap { content.tokens[$0.tokenHash] }
        }
    }
}

/// An issuer with one key, whose ledger is a double.
struct TestIssuer {
    let signer: any Ed25519Signer
    let ledger = LedgerDouble()
    let view: RevocationView
    let judge: TokenJudge

    /// Views count for as long as a slow machine needs.
    static var settings: HTTPSettings.Introspection {
        var settings = HTTPSettings.Introspection()
        settings.maximumAge = .seconds(3_600)
        return settings
    }

    init(
        settings: HTTPSettings.Introspection = TestIssuer.settings, keys: AcceptedKeys? = nil,
        inspection: TokenInspection = TokenJudge.inspection(),
        isCompared: @escaping @Sendable (LedgerIncarnation?) -> Bool = { _ in true },
        clock: @escaping @Sendable () -> Timestamp = { .testNow }
    ) throws {
        signer = try #require(SeedSigner(seed: Digest(hashing: "issuer").bytes))
        view = RevocationView(
            ledger: ledger, interval: .milliseconds(5), longestLife: 3_600, clock: clock, isCompared: isCompared)
        let accepted = keys ?? AcceptedKeys(signing: [signer.publicKey])
        judge = TokenJudge(
            keys: { _ in accepted }, inspection: inspection, lookup: TokenLookup(ledger: ledger), view: view,
            settings: settings, clock: clock)
    }

    /// A token that the ledger has issued, unless it is to be one that it has not.
    func mint(
        _ name: String, scopes: [String] = [], isElevated: Bool = false, isIssued: Bool = true, lifetime: Int64 = 600,
        issuedAt: Timestamp = .testNow
    ) throws -> MintedToken {
        let claims = CSTClaims.jobToken(
            sub: AgentDID("did:key:z6MkAgent\(name)"), aud: ["clawproxy.com"], scope: ["proxy:call", "clawproxy:call"],
            iat: issuedAt, exp: issuedAt.adding(seconds: lifetime), ownerRef: Digest(hashing: "approval \(name)"),
            policyHash: nil, missionID: JobID("job-\(name)"), jti: TokenID("jti-\(name)"), nonce: "n-\(name)")
        let minted = try CST.mint(claims, signer: signer)
        if isIssued { add(minted, name, claims, scopes: scopes, isElevated: isElevated) }
        return minted
    }

    func add(
        _ token: MintedToken, _ name: String, _ claims: CSTClaims, scopes: [String] = [], isElevated: Bool = false
    ) {
        let live = LiveToken(
            tokenHash: token.hash.digest, requestID: RequestID("req-\(name)"), jobID: JobID("job-\(name)"),
            jobClass: JobClass("ledger_reconcile"), agentDID: AgentDID(claims.subject),
            approvals: [ApprovalID("apr-\(name)")], tokenID: TokenID("jti-\(name)"), kid: signer.publicKey.kid,
            issuedAt: claims.issued, expiresAt: claims.expires, controlScopes: scopes, isElevated: isElevated)
        ledger.content.withLock { $0.tokens[live.tokenHash] = live }
    }

    /// A control event that voids tokens of a scope.
    func void(_ kind: String, _ value: String?, part: RevocationRun.Part = .all, before: Timestamp? = nil) {
        ledger.content.withLock { content in
            content.controlPosition += 1
            content.runs.append(
                RevocationRun(
                    position: content.controlPosition, ordinal: 0, handle: "stop-\(content.controlPosition)",
                    scopeKind: kind, scopeValue: value, part: part, cause: "stopped", detail: "stop",
                    issuedBefore: before ?? Timestamp.testNow.adding(seconds: 1), startedAt: .testNow))
        }
    }

    func name(of token: MintedToken) async -> String { await judge.standing(of: token.token.exposed).name }
}
