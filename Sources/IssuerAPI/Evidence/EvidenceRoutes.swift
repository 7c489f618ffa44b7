public import ClawWire
public import GrantLedger
import HTTPService
public import Keys
public import Logging
import Observability
import ReceiptLog

/// Checkpoints of the log and proofs of what it holds, for anybody: they prove themselves.
///
/// What is about a size of the log, or a receipt and a size, never changes and says so; what is newest is asked for again
/// each time.
public struct EvidenceRoutes: RouteGroup {
    private let ledger: any EvidenceLedger
    private let prover: LogProver
    private let logger: Logger

    /// Makes the routes.
    ///
    /// - Parameters:
    ///   - keys: whose keys for receipts sign the log, for proofs by the rule of the reference log.
    ///   - now: the present, by which keys are accepted.
    public init(ledger: any EvidenceLedger, keys: KeyRing, at now: Timestamp, logger: Logger) {
        self.ledger = ledger
        prover = LogProver(
            ledger: ledger, logKeys: keys.acceptedKeys(for: .receipt, at: now).map(\.publicKey))
        self.logger = logger
    }

    /// The routes.
    public var routes: [Route] {
        [
            route("/v1/checkpoint") { await checkpoint(.newest, $0) },
            route("/v1/checkpoint/cosigned") { await checkpoint(.newestCosigned, $0) },
            route("/v1/checkpoints/{size}") { await sized($0, isCosigned: false) },
            route("/v1/checkpoints/{size}/cosigned") { await sized($0, isCosigned: true) },
            route("/v1/proofs/consistency") { await consistency($0) },
            route("/v1/proofs/inclusion/{position}") { await inclusion($0) },
            route("/v1/batches/{number}/receipts/{receipt_id}/proof") { await byName($0) },
        ]
    }

    private func route(
        _ template: String, _ respond: @escaping @Sendable (RouteRequest) async -> HTTPServiceResponse
    ) -> Route {
        Route("GET", template, access: .open, bodyBytes: 0, sharing: .anyOrigin, respond: respond)
    }

    // MARK: Checkpoints

    private func checkpoint(_ choice: CheckpointChoice, _ request: RouteRequest) async -> HTTPServiceResponse {
        await answered(request) {
            guard let stored = try await ledger.checkpoint(choice) else {
                throw LogProver.Missing(
                    reason: .notFound,
                    detail: choice == .newest ? "nothing is sealed yet" : "no witness has cosigned a checkpoint yet")
            }
            return JSONReply.revalidated(Self.note(stored.note), for: request.http)
        }
    }

    private func sized(_ request: RouteRequest, isCosigned: Bool) async -> HTTPServiceResponse {
        await answered(request) {
            let size = try Self.number(request.parameters["size"], "size", from: 1)
            guard isCosigned else {
                let note = try await prover.checkpoint(UInt64(size))
                return JSONReply.immutable(Self.note(note), for: request.http)
            }
            guard let stored = try await ledger.checkpoint(.size(UInt64(size))) else {
                throw LogProver.Missing(reason: .notFound, detail: "the log has no checkpoint of size \(size)")
            }
            return JSONReply.revalidated(Self.note(stored.note), for: request.http)
        }
    }

    private static func note(_ note: SignedNote) -> HTTPServiceResponse {
        HTTPServiceResponse(
            status: 200, fields: [HTTPServiceField("content-type", "text/plain; charset=utf-8")],
            body: Array(note.encoded.utf8))
    }

    // MARK: Proofs

    private func consistency(_ request: RouteRequest) async -> HTTPServiceResponse {
        await answered(request) {
            let first = try Self.number(request.query("first"), "first", from: 1)
            let second = try Self.number(request.query("second"), "second", from: 1)
            guard first <= second else { throw APIFailure(.malformed, "first is not smaller than second") }
            let (older, newer, path) = try await prover.consistency(from: UInt64(first), to: UInt64(second))
            let answer: JSONValue = [
                "first": .string(older.encoded), "second": .string(newer.encoded),
                "path": .array(path.map { .string($0.b64u) }),
            ]
            return JSONReply.immutable(JSONReply.ok(answer), for: request.http)
        }
    }

    private func inclusion(_ request: RouteRequest) async -> HTTPServiceResponse {
        await answered(request) {
            let position = try Self.number(request.parameters["position"], "position")
            let (batch, index) = try await prover.batch(holding: position)
            return try await proof(index, batch, request)
        }
    }

    private func byName(_ request: RouteRequest) async -> HTTPServiceResponse {
        await answered(request) {
            let number = try Self.number(request.parameters["number"], "number")
            let id = request.parameters["receipt_id"] ?? ""
            guard Digest(b64u: id) != nil else {
                throw APIFailure(.malformed, "receipt_id is not 43 characters of base64url")
            }
            let batch = try await prover.batch(number)
            guard let index = prover.index(of: id, in: batch) else {
                throw LogProver.Missing(
                    reason: .notFound,
                    detail: "batch \(number) has no such receipt; records name their batch in the header claw_batch")
            }
            return try await proof(index, batch, request)
        }
    }

    private func proof(
        _ index: Int, _ batch: LogProver.Batch, _ request: RouteRequest
    ) async throws -> HTTPServiceResponse {
        var response = JSONReply.ok(.null)
        switch request.query("form") {
        case nil where request.query.contains { $0.name == "form" }:
            throw APIFailure(.malformed, "form is given twice")
        case nil:
            let isSized = request.query.contains { $0.name == "size" }
            let size = isSized ? UInt64(try Self.number(request.query("size"), "size", from: 1)) : nil
            response.body = try await prover.inclusion(of: index, in: batch, size: size).canonicalBytes
        case "clawlogs":
            guard let proof = prover.compatible(index, in: batch) else {
                throw LogProver.Missing(
                    reason: .notFound,
                    detail: "batch \(batch.header.number) has no root by that rule that a key of this worker signed")
            }
            response.body = JSONWriter.bytes(proof.json)
        default: throw APIFailure(.malformed, "the only other form is clawlogs")
        }
        return JSONReply.immutable(response, for: request.http)
    }

    // MARK: Values and failures

    private static func number(_ text: String?, _ name: String, from least: Int64 = 0) throws -> Int64 {
        guard let text, text.utf8.count <= 19, text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
            let number = Int64(text), number >= least, number < .max
        else { throw APIFailure(.malformed, "\(name) is not one whole number of at least \(least)") }
        return number
    }

    private func answered(
        _ request: RouteRequest, _ answer: () async throws -> HTTPServiceResponse
    ) async -> HTTPServiceResponse {
        do {
            return try await answer()
        } catch let error as APIFailure {
            return error.response()
        } catch let error as LogProver.Missing {
            return APIFailure(error.reason == .archived ? .gone : .notFound, error.detail).response()
        } catch {
            logger.log(.evidenceUnread, metadata: ["path": .outside(request.http.path), "error": "\(error)"])
            return APIFailure(.unavailable, "the ledger could not be read; ask again", retryAfter: 1).response()
        }
    }
}
