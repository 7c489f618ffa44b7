import ClawWire
import Foundation
import GrantWorker
import HTTPService
import IssuerAPI
import Primitives

/// Begins, recognises and ends sessions.
final class ConsoleSessions: Sendable {
    /// The prefix makes browsers insist on a secure connection, the whole site and no other host.
    static let cookie = "__Host-clawgrant-console"
    /// Ended sessions that are remembered until they would have ended by themselves.
    private static let remembered = 10_000

    private let secret: ConsoleSecret
    private let lifetime: Duration
    private let clock: @Sendable () -> Timestamp
    private let ended = Lock<[String: Int64]>([:])

    init(secret: ConsoleSecret, lifetime: Duration, clock: @escaping @Sendable () -> Timestamp) {
        self.secret = secret
        self.lifetime = lifetime
        self.clock = clock
    }

    /// Begins a session for a caller whose bearer token or certificate the router has checked.
    func begin(_ caller: APICaller) -> (session: ConsoleSession, field: HTTPServiceField)? {
        guard let name = caller.name else { return nil }
        let session = ConsoleSession(
            name: name, certificateThumbprint: caller.certificateThumbprint, at: clock().seconds, lifetime: lifetime)
        return (session, Self.setCookie(session.sealed(with: secret), lifetime.components.seconds))
    }

    /// The session of a request; `nil` when nobody is signed in.
    ///
    /// A cookie that was taken along to a connection without the session's certificate opens nothing.
    func session(of request: RouteRequest) -> ConsoleSession? {
        let found = Self.cookies(request.http).compactMap { ConsoleSession.open($0, with: secret, at: clock().seconds) }
        guard found.count == 1, let session = found.first else { return nil }
        if let bound = session.certificateThumbprint, bound != request.caller.certificateThumbprint { return nil }
        return ended.withLock { $0[session.nonce] } == nil ? session : nil
    }

    /// Ends a session: its cookie opens nothing any more at this worker, and the browser forgets it.
    func end(_ session: ConsoleSession?) -> HTTPServiceField {
        if let session {
            let now = clock().seconds
            ended.withLock { ended in
                if ended.count >= Self.remembered { ended = ended.filter { $0.value > now } }
                if ended.count < Self.remembered { ended[session.nonce] = session.endsAt }
            }
        }
        return Self.setCookie("", 0)
    }

    private static func setCookie(_ value: String, _ seconds: Int64) -> HTTPServiceField {
        HTTPServiceField(
            "set-cookie", "\(cookie)=\(value); Path=/; Max-Age=\(seconds); Secure; HttpOnly; SameSite=Strict")
    }

    private static func cookies(_ request: HTTPServiceRequest) -> [String] {
        request.fields.filter { $0.name.lowercased() == "cookie" }
            .flatMap { $0.value.split(separator: ";") }
            .map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { $0.hasPrefix("\(cookie)=") }
            .map { String($0.dropFirst(cookie.count + 1)) }
    }

    // MARK: Requests that change something

    /// The token that a page of this session shows with every request that changes something.
    func requestToken(of session: ConsoleSession) -> String {
        Base64URL.encode(secret.mark(.request, Array(session.nonce.utf8)))
    }

    /// Whether a request was made by a page of the session: it has the session's token, and the browser says that it
    /// comes from this site.
    func isOwn(_ request: RouteRequest, of session: ConsoleSession) -> Bool {
        guard let token = request.http.field("x-console-token").flatMap({ Base64URL.decode($0) }),
            secret.isMark(token, .request, Array(session.nonce.utf8))
        else { return false }
        return Self.isSameOrigin(request.http)
    }

    /// Whether the browser says that a request comes from a page of this site. One that says nothing is no browser of
    /// these years.
    static func isSameOrigin(_ request: HTTPServiceRequest) -> Bool {
        request.field("sec-fetch-site") == "same-origin"
    }
}
