public import ClawWire
public import GrantLedger
public import GrantWorker
import HTTPService
public import IssuanceRules
public import IssuerAPI
import Keys
public import Logging
import Observability
public import ReceiptLog

/// The web console: pages, their data, and, where it is allowed, a stop.
///
/// The page and its program hold no data and are open; everything else asks for a session, which a caller with the scope
/// `read` begins.
public struct ConsoleRoutes: RouteGroup {
    /// What the console stands on.
    public struct Parts: Sendable {
        /// What is read and, for a stop, written.
        public let ledger: any ConsoleLedger & Ledger
        /// The rules in force.
        public let rules: RuleSet
        /// The control topic, and how old the view of it may be.
        public let control: WorkerConfiguration.Control
        /// Who serves it.
        public let worker: WorkerID
        /// Where the input topics end; `nil` shows no lag.
        public var inputEnds: (any ConsoleInputEnds)?
        /// The time.
        public var clock: @Sendable () -> Timestamp

        /// Names the parts.
        public init(
            ledger: any ConsoleLedger & Ledger, rules: RuleSet, control: WorkerConfiguration.Control, worker: WorkerID,
            inputEnds: (any ConsoleInputEnds)? = nil,
            clock: @escaping @Sendable () -> Timestamp
        ) {
            self.ledger = ledger
            self.rules = rules
            self.control = control
            self.worker = worker
            self.inputEnds = inputEnds
            self.clock = clock
        }
    }

    private let sessions: ConsoleSessions
    private let data: ConsoleData
    private let stop: ConsoleStop
    private let logger: Logger

    /// Makes the console.
    ///
    /// - Throws: `KeyError` when the file of the session secret cannot be used.
    public init(_ settings: ConsoleSettings, _ parts: Parts, logger: Logger) throws {
        let secret =
            try settings.sessionSecretFile.map { path in
                ConsoleSecret(bytes: try SecretFile.load(path, length: 32...4_096).copyExposed())
            } ?? ConsoleSecret()
        sessions = ConsoleSessions(secret: secret, lifetime: settings.sessionLifetime, clock: parts.clock)
        let reader = ConsoleReader(ledger: parts.ledger, rules: parts.rules, inputEnds: parts.inputEnds)
        data = ConsoleData(
            reader: reader,
            settings: ConsoleView.Settings(
                controlTopic: parts.control.topic, viewMaximumAge: parts.control.viewMaximumAge,
                stopIsAllowed: !settings.stoppers.isEmpty), logger: logger)
        stop = ConsoleStop(settings, parts, secret: secret, sessions: sessions, logger: logger)
        self.logger = logger
    }

    /// See ``RouteGroup/routes``.
    public var routes: [Route] {
        [
            Route("GET", "/console", access: .open) { _ in ConsolePage.response },
            Route("GET", "/console/assets/{name}", access: .open) { request in
                ConsolePage.asset(request.parameters["name"] ?? "")
            },
            Route("POST", "/console/session", access: .caller(.read), bodyBytes: 0) { signIn($0) },
            Route("POST", "/console/logout", access: .open, bodyBytes: 0) { signOut($0) },
            Route("GET", "/console/api/v1/session", access: .open, bodyBytes: 0) { whoIsSignedIn($0) },
            signedIn("/console/api/v1/overview") { await data.overview($0) },
            signedIn("/console/api/v1/decisions") { await data.decisions($0) },
            signedIn("/console/api/v1/waiting") { await data.waiting($0) },
            signedIn("/console/api/v1/live") { await data.liveTokens($0) },
            signedIn("/console/api/v1/find") { await data.find($0) },
            signedIn("/console/api/v1/request") { await data.request($0) },
        ] + stop.routes
    }

    /// A route that reads and asks for a session.
    private func signedIn(
        _ path: String, _ respond: @escaping @Sendable (RouteRequest) async -> HTTPServiceResponse
    ) -> Route {
        Route("GET", path, access: .open, bodyBytes: 0) { [sessions] request in
            sessions.session(of: request) == nil ? ConsoleAnswer.notSignedIn : await respond(request)
        }
    }

    // MARK: Sessions

    /// Nobody is no error: it is how the page learns that it has to ask.
    private func whoIsSignedIn(_ request: RouteRequest) -> HTTPServiceResponse {
        guard let session = sessions.session(of: request) else { return ConsoleAnswer.document(["name": .null]) }
        return ownSession(request, session)
    }

    /// The router has checked the caller's bearer token or certificate.
    private func signIn(_ request: RouteRequest) -> HTTPServiceResponse {
        guard ConsoleSessions.isSameOrigin(request.http) else { return ConsoleAnswer.foreign }
        guard let (session, cookie) = sessions.begin(request.caller) else { return ConsoleAnswer.notSignedIn }
        logger.log(.consoleSignedIn, metadata: ["caller": "\(session.name)"])
        return ownSession(request, session, fields: [cookie])
    }

    private func signOut(_ request: RouteRequest) -> HTTPServiceResponse {
        guard ConsoleSessions.isSameOrigin(request.http) else { return ConsoleAnswer.foreign }
        return ConsoleAnswer.document(["signed_out": true], fields: [sessions.end(sessions.session(of: request))])
    }

    private func ownSession(
        _ request: RouteRequest, _ session: ConsoleSession, fields: [HTTPServiceField] = []
    ) -> HTTPServiceResponse {
        let refusal = stop.refusal(of: request, session)
        return ConsoleAnswer.document(
            [
                "name": .string(session.name),
                "ends_at": .string(Timestamp(seconds: session.endsAt).iso8601),
                "has_certificate": .bool(session.certificateThumbprint != nil),
                "token": .string(sessions.requestToken(of: session)), "may_stop": .bool(refusal == nil),
                "why_no_stop": .optional(refusal?.message),
            ], fields: fields)
    }
}
