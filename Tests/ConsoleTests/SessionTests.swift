import ClawWire
import GrantWorker
import HTTPService
import IssuanceRules
import IssuerAPI
import Testing

@testable import Console

@Suite("Sessions of the console")
struct SessionTests {
    private static let start = Timestamp(seconds: 1_795_000_000)
    private let secret = ConsoleSecret(bytes: Array("a secret of the workers of one console".utf8))

    private func sessions(at now: Timestamp = start) -> ConsoleSessions {
        ConsoleSessions(secret: secret, lifetime: .seconds(600)) { now }
    }

    private func request(
        cookie: String? = nil, certificate: String? = nil, fields: [HTTPServiceField] = []
    ) -> RouteRequest {
        let cookies = cookie.map { [HTTPServiceField("Cookie", "theme=dark; \(ConsoleSessions.cookie)=\($0)")] } ?? []
        return RouteRequest(
            http: HTTPServiceRequest(method: "GET", path: "/console", fields: cookies + fields),
            caller: APICaller(name: nil, certificateThumbprint: certificate))
    }

    private func cookie(_ field: HTTPServiceField) -> String {
        String((field.value.split(separator: ";").first ?? "").drop { $0 != "=" }.dropFirst())
    }

    @Test func aSessionIsKnownUntilItIsOver() throws {
        let begun = try #require(sessions().begin(APICaller(name: "oncall")))
        #expect(begun.field.value.contains("; Secure; HttpOnly; SameSite=Strict"))
        #expect(begun.field.value.hasPrefix("__Host-") && begun.field.value.contains("; Path=/; Max-Age=600;"))
        let cookie = cookie(begun.field)
        #expect(sessions().session(of: request(cookie: cookie))?.name == "oncall")
        #expect(sessions(at: Self.start.adding(seconds: 599)).session(of: request(cookie: cookie)) != nil)
        #expect(sessions(at: Self.start.adding(seconds: 600)).session(of: request(cookie: cookie)) == nil)
        #expect(sessions(at: Self.start.adding(seconds: -120)).session(of: request(cookie: cookie)) == nil)
        #expect(sessions().begin(APICaller(name: nil)) == nil)
    }

    @Test func aChangedCookieOpensNothing() throws {
        let begun = try #require(sessions().begin(APICaller(name: "oncall")))
        let cookie = cookie(begun.field)
        for index in cookie.indices {
            var changed = Array(cookie)
            let place = cookie.distance(from: cookie.startIndex, to: index)
            changed[place] = changed[place] == "A" ? "B" : "A"
            #expect(sessions().session(of: request(cookie: String(changed))) == nil, "character \(place)")
        }
        let other = ConsoleSessions(secret: ConsoleSecret(), lifetime: .seconds(600)) { Self.start }
        #expect(other.session(of: request(cookie: cookie)) == nil)
        let twice = HTTPServiceField("cookie", "\(ConsoleSessions.cookie)=\(cookie)")
        #expect(sessions().session(of: request(cookie: cookie, fields: [twice])) == nil)
    }

    @Test func aSessionOfACertificateStaysWithIt() throws {
        let begun = try #require(sessions().begin(APICaller(name: "soc", certificateThumbprint: "one")))
        let cookie = cookie(begun.field)
        #expect(sessions().session(of: request(cookie: cookie, certificate: "one")) != nil)
        #expect(sessions().session(of: request(cookie: cookie, certificate: "two")) == nil)
        #expect(sessions().session(of: request(cookie: cookie)) == nil)
    }

    @Test func whoSignsOutIsOut() throws {
        let sessions = sessions()
        let begun = try #require(sessions.begin(APICaller(name: "oncall")))
        let cookie = cookie(begun.field)
        let field = sessions.end(sessions.session(of: request(cookie: cookie)))
        #expect(field.value.contains("Max-Age=0"))
        #expect(sessions.session(of: request(cookie: cookie)) == nil)
    }

    @Test func onlyItsOwnPagesChangeSomething() throws {
        let sessions = sessions()
        let (session, field) = try #require(sessions.begin(APICaller(name: "oncall")))
        let cookie = cookie(field)
        let token = HTTPServiceField("x-console-token", sessions.requestToken(of: session))
        let own = HTTPServiceField("sec-fetch-site", "same-origin")
        #expect(sessions.isOwn(request(cookie: cookie, fields: [token, own]), of: session))
        #expect(!sessions.isOwn(request(cookie: cookie, fields: [own]), of: session))
        #expect(!sessions.isOwn(request(cookie: cookie, fields: [token]), of: session))
        for site in ["cross-site", "same-site", "none"] {
            let field = HTTPServiceField("sec-fetch-site", site)
            #expect(!sessions.isOwn(request(cookie: cookie, fields: [token, field]), of: session), "\(site)")
        }
        let stranger = try #require(sessions.begin(APICaller(name: "oncall"))).session
        #expect(!sessions.isOwn(request(cookie: cookie, fields: [token, own]), of: stranger))
    }

    @Test func aChallengeIsForOneStopOneSessionAndOneCertificate() throws {
        let sessions = sessions()
        let session = try #require(sessions.begin(APICaller(name: "soc", certificateThumbprint: "one"))).session
        let other = try #require(sessions.begin(APICaller(name: "soc", certificateThumbprint: "one"))).session
        let order = StopOrder(
            scope: StopScope(kind: .jobClass, value: "prod_deploy"), word: "prod_deploy", revokesLive: true)
        let wider = StopOrder(scope: .everything, word: "all", revokesLive: true)
        let milder = StopOrder(scope: order.scope, word: order.word, revokesLive: false)
        let challenge = StopChallenge(at: Self.start)
        let text = challenge.sealed(order, session, "one", with: secret)
        func open(
            _ text: String, _ order: StopOrder, _ session: ConsoleSession, _ thumbprint: String,
            after seconds: Int64 = 0
        ) -> StopChallenge? {
            StopChallenge.open(
                text, order, session, thumbprint, with: secret, at: Self.start.seconds + seconds)
        }
        #expect(open(text, order, session, "one") == challenge)
        #expect(open(text, order, session, "one", after: StopChallenge.lifetime) == challenge)
        #expect(open(text, order, session, "one", after: StopChallenge.lifetime + 1) == nil)
        #expect(open(text, wider, session, "one") == nil)
        #expect(open(text, milder, session, "one") == nil)
        #expect(open(text, order, other, "one") == nil)
        #expect(open(text, order, session, "two") == nil)
        #expect(open(text.replacing("stop-", with: "stop_"), order, session, "one") == nil)
        #expect(StopChallenge(at: Self.start).stopID != challenge.stopID)
    }
}
