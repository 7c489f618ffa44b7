import ApprovalSources
public import ClawWire
import GrantLedger
public import GrantWorker
import HTTPService
import IssuanceRules
import Logging
import Metrics
import Observability

/// Preflight of a `capability_request`: what would become of it, answered as a `capability_response` (WIRE section 11).
///
/// Two routes, because a decision speaks of approvals: a caller with the scope `preflight` is told what follows from its
/// request alone, one with `read` everything.
public struct PreflightRoutes: RouteGroup {
    private static let bodyBytes = 65_536

    private let preflight: Preflight
    private let rules: RuleSet
    private let clock: @Sendable () -> Timestamp
    private let logger: Logger

    /// Makes the routes of a worker.
    ///
    /// - Throws: what preparing preflights throws.
    public init(_ surroundings: WorkerSurroundings, clock: @escaping @Sendable () -> Timestamp) throws {
        preflight = try Preflight(surroundings, clock: clock)
        rules = surroundings.rules
        self.clock = clock
        logger = surroundings.logger
    }

    /// The routes.
    public var routes: [Route] {
        [
            Route("POST", "/v1/capabilities/preflight", access: .caller(.preflight), bodyBytes: Self.bodyBytes) {
                await respond($0, sight: .requestAlone)
            },
            Route("POST", "/v1/capabilities/explain", access: .caller(.read), bodyBytes: Self.bodyBytes) {
                await respond($0, sight: .everything)
            },
        ]
    }

    private func respond(_ request: RouteRequest, sight: Preflight.Sight) async -> HTTPServiceResponse {
        let asked: CapabilityRequest
        do {
            asked = try Self.read(request.http.body)
        } catch let fault as SourceFault {
            return APIFailure(.malformed, fault.description).response()
        } catch {
            return APIFailure(.malformed, "the body is no JSON object: \(error)").response()
        }
        let source = request.query("source").map { SourceName($0) }
        if let source, rules.sources[source] == nil {
            return APIFailure(.malformed, "the rules have no source of the name in the query").response()
        }
        do {
            let answer = try await preflight.judge(asked, from: source, sight: sight)
            let response = CapabilityAnswer(asked, answer, sight: sight, rules: rules.hash)
            Counter(label: "clawgrant_preflights_total", dimensions: [("decision", response.decision.rawValue)])
                .increment()
            return JSONReply.ok(response.json, fields: [.noStore])
        } catch let held as ReleaseGuard.Held {
            return APIFailure(.unavailable, held.description, retryAfter: 1).response()
        } catch {
            logger.log(.preflightFailed, metadata: ["error": "\(error)"])
            return APIFailure(.unavailable, "the request could not be judged; ask again", retryAfter: 1).response()
        }
    }

    /// The member `preflight` of the reference's requests says what the route says already.
    private static func read(_ body: [UInt8]) throws -> CapabilityRequest {
        let value = try JSONReader.parse(body, limits: JSONLimits(maximumBytes: bodyBytes, maximumDepth: 16))
        guard var object = value.object, object["preflight"] == true else {
            return try CapabilityRequestDocument.decode(value)
        }
        object["preflight"] = nil
        return try CapabilityRequestDocument.decode(.object(object))
    }
}
