import ClawWire
import GrantLedger
import GrantWorker
import HTTPService
import IssuanceRules
import IssuerAPI
import Logging
import Observability

/// Stops from the console: off unless the configuration names client certificates, and then only on a connection that
/// shows one of them, in a session that was begun with it, with the scope typed again.
///
/// The stop itself goes the way of every control event, see `ControlApplier`.
struct ConsoleStop: Sendable {
    /// Why somebody may not stop.
    struct Refusal: Sendable, Hashable {
        let status: Int
        let code: String
        let message: String

        var response: HTTPServiceResponse { ConsoleAnswer.refusal(status, code, message) }
    }

    private let stoppers: [String: PersonID]
    private let secret: ConsoleSecret
    private let sessions: ConsoleSessions
    private let ledger: any Ledger
    private let rules: RuleSet
    private let applier: ControlApplier
    private let clock: @Sendable () -> Timestamp
    private let logger: Logger

    init(
        _ settings: ConsoleSettings, _ parts: ConsoleRoutes.Parts, secret: ConsoleSecret, sessions: ConsoleSessions,
        logger: Logger
    ) {
        stoppers = settings.stoppers
        self.secret = secret
        self.sessions = sessions
        ledger = parts.ledger
        rules = parts.rules
        // A stop rests on no WPC.
        applier = ControlApplier(ledger: parts.ledger, rules: parts.rules, worker: parts.worker) { _ in false }
        clock = parts.clock
        self.logger = logger
    }

    var routes: [Route] {
        // Where it is off everybody is told so; where it is on the router asks for the scope `stop` first.
        let access: RouteAccess = stoppers.isEmpty ? .open : .caller(.stop)
        return [
            Route("POST", "/console/api/v1/stop/prepare", access: access, bodyBytes: 8_192) { await prepare($0) },
            Route("POST", "/console/api/v1/stop", access: access, bodyBytes: 16_384) { await declare($0) },
        ]
    }

    // MARK: Who may

    /// Why a request may not stop; `nil` when it may.
    func refusal(of request: RouteRequest, _ session: ConsoleSession?) -> Refusal? {
        guard !stoppers.isEmpty else {
            return Refusal(
                status: 403, code: "stop_off",
                message: "stopping from the console is off: the configuration names no certificates under "
                    + "http.console.stop; use `clawgrant stop`, see docs/emergency-stop.md")
        }
        guard let thumbprint = request.caller.certificateThumbprint else {
            return Refusal(
                status: 403, code: "certificate_required",
                message: "a stop takes a client certificate on this very connection, and none was shown; "
                    + "use `clawgrant stop`")
        }
        guard stoppers[thumbprint] != nil else {
            return Refusal(
                status: 403, code: "certificate_not_allowed",
                message: "the certificate \(thumbprint) is not among http.console.stop; use `clawgrant stop`")
        }
        guard let session else {
            return Refusal(
                status: 401, code: "not_signed_in",
                message: "nobody is signed in here, or the session is over; sign in again with the certificate")
        }
        guard session.certificateThumbprint == thumbprint else {
            return Refusal(
                status: 403, code: "session_without_certificate",
                message: "the session was not begun with this certificate; sign out, and sign in with the certificate")
        }
        return nil
    }

    /// The session and the person behind a request that may stop.
    private func permitted(
        _ request: RouteRequest
    ) throws(Stopped) -> (session: ConsoleSession, thumbprint: String, person: PersonID) {
        let session = sessions.session(of: request)
        if let refusal = refusal(of: request, session) { throw Stopped(refusal) }
        guard let session, let thumbprint = request.caller.certificateThumbprint,
            let person = stoppers[thumbprint], sessions.isOwn(request, of: session)
        else {
            throw Stopped(
                Refusal(
                    status: 403, code: "foreign_request",
                    message: "the request does not come from a page of this session; load /console again"))
        }
        return (session, thumbprint, person)
    }

    /// Ends an answer with a refusal.
    private struct Stopped: Error {
        let refusal: Refusal

        init(_ refusal: Refusal) { self.refusal = refusal }
    }

    private static func unreadable(_ message: String) -> Stopped {
        Stopped(Refusal(status: 400, code: "argument", message: message))
    }

    // MARK: Preparing

    private func prepare(_ request: RouteRequest) async -> HTTPServiceResponse {
        do throws(Stopped) {
            let (session, thumbprint, _) = try permitted(request)
            let body = try Self.object(request)
            let order = try Self.order(body)
            let challenge = StopChallenge(at: clock())
            let live = try? await ledger.liveTokens(
                scopeKind: order.scope.kind.rawValue, value: order.scope.value, atMost: 100_000, within: .seconds(2))
            return ConsoleAnswer.document([
                "challenge": .string(challenge.sealed(order, session, thumbprint, with: secret)),
                "seconds": .integer(StopChallenge.lifetime), "stop_id": .string(challenge.stopID),
                "scope": .string(order.scope.text), "type": .string(order.word),
                "live_tokens": (live ?? nil).map { .integer($0) } ?? .null,
                "warning": .optional(unknown(order.scope)),
            ])
        } catch {
            return error.refusal.response
        }
    }

    /// A sentence when nothing bears the name.
    private func unknown(_ scope: StopScope) -> String? {
        guard let value = scope.value else { return nil }
        switch scope.kind {
        case .jobClass where rules.jobClasses[JobClass(value)] == nil:
            return "the rules know no job class of this name: the stop would hold, and hit nothing that is issued now"
        case .source where rules.sources[SourceName(value)] == nil:
            return "the rules know no source of this name: the stop would hold, and hit nothing that is issued now"
        case .all, .jobClass, .agent, .subject, .approval, .request, .entitlement, .policyHash, .policyID, .source,
            .issuerKey, .job, .token, .jti:
            return nil
        }
    }

    // MARK: Declaring

    private func declare(_ request: RouteRequest) async -> HTTPServiceResponse {
        let event: ControlEvent
        let order: StopOrder
        do throws(Stopped) {
            let (session, thumbprint, person) = try permitted(request)
            let body = try Self.object(request)
            order = try Self.order(body)
            let (reason, incident) = try Self.why(body)
            guard let typed = body["typed"]?.string, ExactText.equal(typed, order.word) else {
                throw Stopped(
                    Refusal(
                        status: 409, code: "typed_differs",
                        message: "what was typed is not \(order.word), letter for letter: nothing was declared"))
            }
            guard
                let challenge = body["challenge"]?.string.flatMap({
                    StopChallenge.open($0, order, session, thumbprint, with: secret, at: clock().seconds)
                })
            else {
                throw Stopped(
                    Refusal(
                        status: 409, code: "challenge_over",
                        message: "the preparation is older than \(StopChallenge.lifetime) s or was for something else: "
                            + "nothing was declared; prepare the stop again"))
            }
            event = Self.event(order, challenge, by: person, reason: reason, incident: incident)
        } catch {
            return error.refusal.response
        }
        return await apply(event, order)
    }

    /// A repeat has the same identifier and the same content, so that it changes nothing.
    private static func event(
        _ order: StopOrder, _ challenge: StopChallenge, by person: PersonID, reason: String, incident: String
    ) -> ControlEvent {
        ControlEvent(
            id: ControlEventID("/clawgrant/console \(challenge.stopID)"),
            declaredAt: Timestamp(seconds: challenge.madeAt), declaredBy: [Actor(id: person)],
            origin: .ledger(by: person),
            operation: .stop(
                ControlOperation.Stop(stopID: challenge.stopID, scope: order.scope, revokesLive: order.revokesLive)),
            reason: reason, incident: incident)
    }

    private func apply(_ event: ControlEvent, _ order: StopOrder) async -> HTTPServiceResponse {
        do {
            let answer = try await applier.apply(event)
            logger.log(
                .consoleStopDeclared,
                metadata: [
                    "stop": "\(event.handle)", "scope": "\(order.scope.text)",
                    "by": "\(event.declaredBy.map(\.id.rawValue).joined(separator: ", "))",
                    "control_position": "\(answer.position ?? -1)",
                ])
            return ConsoleAnswer.document(Self.acknowledgement(answer, event, order))
        } catch {
            logger.log(.consoleStopFailed, metadata: ["reason": "\(error)"])
            let isUnknown = (error as? LedgerError)?.code == .outcomeUnknown
            return ConsoleAnswer.refusal(
                503, isUnknown ? "outcome_unknown" : "ledger_unavailable",
                isUnknown
                    ? "whether the stop holds is not known; send it again, which changes nothing if it does"
                    : "the ledger did not take the stop: it does not hold. Workers that cannot reach the ledger issue "
                        + "nothing either; halt each by itself, see docs/emergency-stop.md")
        }
    }

    private static func acknowledgement(
        _ answer: ControlAcknowledgement, _ event: ControlEvent, _ order: StopOrder
    ) -> JSONValue {
        let result: String
        switch answer.result {
        case .applied: result = "STOPPED"
        case .repeated: result = "HOLDS ALREADY"
        case .appliedAndLifted(let lift): result = "stopped and at once lifted by \(lift), which was waiting"
        case .pendingLift, .withoutEffect, .refused: result = "nothing changed"
        }
        return [
            "result": .string(result), "stop_id": .string(event.handle), "scope": .string(order.scope.text),
            "control_position": answer.position.map { .integer($0) } ?? .null,
            "grants_before": .integer(answer.grantsBefore),
            "voided_tokens": answer.voidedTokens.map { .integer($0) } ?? .null,
            "acknowledged_at": .string(answer.at.iso8601), "ms": .number((answer.milliseconds * 10).rounded() / 10),
            "receipt_id": .optional(answer.receiptID),
        ]
    }

    // MARK: What was asked

    private static func object(_ request: RouteRequest) throws(Stopped) -> JSONObject {
        guard request.http.field("content-type")?.lowercased().hasPrefix("application/json") == true,
            let object = (try? JSONReader.parse(request.http.body))?.object
        else { throw unreadable("the body is no JSON object") }
        return object
    }

    private static func order(_ body: JSONObject) throws(Stopped) -> StopOrder {
        guard let kind = body["kind"]?.string.flatMap({ StopScope.Kind(rawValue: $0) }), kind != .token, kind != .jti
        else { throw unreadable("the kind of the scope is not one that can be stopped") }
        let value = body["value"]?.string
        guard (kind == .all) == (value == nil), value.map({ isText($0, upTo: 1_024) }) ?? true else {
            throw unreadable(
                "the scope \(kind.rawValue) \(kind == .all ? "takes no value" : "needs a value on one line")")
        }
        let scope = StopScope(kind: kind, value: value)
        if let fault = scope.fault { throw unreadable("\(fault); nothing would be stopped") }
        guard let action = body["action"]?.string, ["revoke_and_deny", "deny_new"].contains(action) else {
            throw unreadable("the action is revoke_and_deny or deny_new")
        }
        return StopOrder(
            scope: scope.normalized, word: value ?? kind.rawValue, revokesLive: action == "revoke_and_deny")
    }

    private static func why(_ body: JSONObject) throws(Stopped) -> (reason: String, incident: String) {
        guard let reason = body["reason"]?.string, reason.utf8.count <= 4_096,
            reason.contains(where: { !$0.isWhitespace })
        else { throw unreadable("a stop needs a reason of at most 4096 bytes: it is what people read later") }
        guard let incident = body["incident"]?.string, isText(incident, upTo: 128) else {
            throw unreadable("a stop needs the number of its incident, of at most 128 bytes on one line")
        }
        return (reason, incident)
    }

    private static func isText(_ text: String, upTo bytes: Int) -> Bool {
        text.utf8.count <= bytes && text.contains { !$0.isWhitespace }
            && !text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F }
    }
}

/// What is to be stopped.
struct StopOrder: Sendable, Hashable {
    /// The scope, normalized.
    let scope: StopScope
    /// What a person types to confirm.
    let word: String
    /// Whether live tokens are void too.
    let revokesLive: Bool
}
