import ClawWire
import DevStack
import Foundation
import GrantWorker
import HTTPService
import Testing

@testable import IssuerAPI

@Suite struct RouterTests {
    private static func route(_ method: String, _ template: String) -> Route {
        Route(method, template, access: .open) { _ in .text(200, "\(method) \(template)") }
    }

    @Test func whatIsSpeltOutGoesBeforeVariables() throws {
        let router = try Router([
            Self.route("GET", "/a/{x}/c"), Self.route("GET", "/a/b/{y}"), Self.route("POST", "/a/b/{y}"),
            Self.route("GET", "/a/b/d"),
        ])
        #expect(router.find("/a/b/d")?.methods["GET"]?.route.template == "/a/b/d")
        #expect(router.find("/a/b/e")?.parameters == ["y": "e"])
        #expect(router.find("/a/b/e")?.allowed == "GET, HEAD, OPTIONS, POST")
        // The literal leads nowhere, so the variable is asked.
        #expect(router.find("/a/b/c")?.methods["GET"]?.route.template == "/a/b/{y}")
        #expect(router.find("/a/z/c")?.parameters == ["x": "z"])
        for path in ["/a", "/a/b", "/a/b/d/", "/a/b/", "/a//c", "//a/b/d", "a/b/d", "", "/a/z/c/d"] {
            #expect(router.find(path) == nil, "\(path)")
        }
    }

    @Test func valuesAreDecodedOnceAndMustDecode() throws {
        let router = try Router([Self.route("GET", "/r/{id}")])
        #expect(router.find("/r/a%2Fb%20c%2541+")?.parameters == ["id": "a/b c%41+"])
        for path in ["/r/%", "/r/%2", "/r/%zz", "/r/%ff", "/r/a/b"] { #expect(router.find(path) == nil, "\(path)") }
    }

    @Test func routesThatCannotStandTogetherAreRefused() {
        for routes in [
            [Self.route("GET", "/a"), Self.route("GET", "/a")],
            [Self.route("GET", "/a/{x}"), Self.route("GET", "/a/{y}")],
            [Self.route("GET", "a")], [Self.route("GET", "/a/{}")], [Self.route("GET", "/a/x{y}")],
            [Self.route("GET", "/{a}/{a}")], [Self.route("GET", "/a?b")],
        ] {
            #expect(throws: RouterError.self) { try Router(routes) }
        }
    }
}

@Suite struct RateLimiterTests {
    private let start = ContinuousClock.now
    private let rate = RequestRate(perSecond: 10)

    @Test func aBucketEmptiesAndFills() {
        let limiter = RateLimiter(maximumNames: 10, at: start)
        for _ in 0..<20 { #expect(limiter.take("a", rate, at: start) == nil) }
        #expect(limiter.take("a", rate, at: start) == 1)
        #expect(limiter.take("b", rate, at: start) == nil)
        #expect(limiter.take("a", rate, at: start + .milliseconds(100)) == nil)
        #expect(limiter.take("a", rate, at: start + .milliseconds(150)) == 1)
        for _ in 0..<20 { #expect(limiter.take("a", rate, at: start + .seconds(60)) == nil) }
        #expect(limiter.take("a", rate, at: start + .seconds(60)) != nil)
    }

    @Test func aSlowBucketSaysHowLongToWait() {
        let limiter = RateLimiter(maximumNames: 10, at: start)
        let slow = RequestRate(perSecond: 1)
        for _ in 0..<2 { #expect(limiter.take("a", slow, at: start) == nil) }
        #expect(limiter.take("a", slow, at: start + .milliseconds(200)) == 1)
    }

    @Test func aBucketOutlivesATurnOfGenerations() {
        let limiter = RateLimiter(maximumNames: 10, generation: .seconds(4), at: start)
        let slow = RequestRate(perSecond: 1)
        for _ in 0..<2 { #expect(limiter.take("a", slow, at: start + .milliseconds(3_900)) == nil) }
        #expect(limiter.take("a", slow, at: start + .milliseconds(4_100)) != nil)
    }

    @Test func memoryIsBoundedAndStrangersShareOneBucket() {
        let limiter = RateLimiter(maximumNames: 100, at: start)
        for number in 0..<100 { #expect(limiter.take("\(number)", rate, at: start) == nil) }
        let allowed = (0..<1_000).count { limiter.take("stranger \($0)", rate, at: start) == nil }
        #expect(allowed == 20)
        #expect(limiter.take("5", rate, at: start) == nil)
    }

    @Test(arguments: [
        ("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "20:1:d:b8:0:1:0:2"), ("2001:db8:1:2:ffff::1", "20:1:d:b8:0:1:0:2"),
        ("not:an:address", "not:an:address"),
    ])
    func peersAreCountedByNetwork(_ address: String, _ name: String) {
        #expect(RateLimiter.name(ofPeer: address) == name)
        #expect(RateLimiter.name(ofPeer: nil) == "unknown")
    }
}

@Suite struct TextTests {
    @Test func formsAreReadAsTheStandardSays() {
        let pairs = FormText.pairs(Array("token=a%2Bb+c&x&=1&y=%E2%82%AC&&z=a=b".utf8))
        #expect(pairs?.map(\.name) == ["token", "x", "", "y", "z"])
        #expect(pairs?.map(\.value) == ["a+b c", "", "1", "€", "a=b"])
        for text in ["a=%", "a=%4", "a=%GG", "%ff=a", "a=%c3%28"] { #expect(FormText.pairs(Array(text.utf8)) == nil) }
        #expect(FormText.pairs(Array(String(repeating: "a=b&", count: 65).utf8)) == nil)
    }

    @Test func instantsAreWrittenAsHTTPWritesThem() {
        // RFC 9110 section 5.6.7.
        #expect(HTTPDate.text(Timestamp(seconds: 784_111_777)) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(HTTPDate.text(Timestamp(seconds: 0)) == "Thu, 01 Jan 1970 00:00:00 GMT")
        #expect(HTTPDate.text(Timestamp(seconds: 951_782_400)) == "Tue, 29 Feb 2000 00:00:00 GMT")
    }

    @Test func credentialsAreReadStrictly() {
        let token = TestCaller.token
        #expect(CallerCredential("Bearer \(token)")?.token == token)
        #expect(CallerCredential("bearer \(token)")?.token == token)
        func basic(_ text: String) -> String { "Basic " + Data(text.utf8).base64EncodedString() }
        #expect(CallerCredential(basic("gateway:\(token)"))?.name == "gateway")
        #expect(CallerCredential(basic("a%3Ab:\(token)%2B"))?.token == token + "+")
        for field in [
            "", "Bearer", "Bearer short", "Bearer \(token) more", "Bearer \(token)é", "Basic !!!", basic("no-colon"),
            basic("a:%"), "Digest \(token)", "Bearer \(String(repeating: "a", count: 1_025))",
        ] {
            #expect(CallerCredential(field) == nil, "\(field)")
        }
    }
}

@Suite struct CallerDirectoryTests {
    @Test func hashesAreReadAgainAndABadFileChangesNothing() throws {
        let home = try TemporaryDirectory(prefix: "claw-callers")
        defer { home.close() }
        let caller = try TestCaller.make("gateway", [.introspect], in: home)
        let directory = try CallerDirectory([caller], rate: 10)
        let path = try #require(caller.tokenHashesFile)
        func find(_ token: String, name: String? = nil) -> String? {
            let field =
                name.map { "Basic " + Data("\($0):\(token)".utf8).base64EncodedString() } ?? "Bearer \(token)"
            return CallerCredential(field).flatMap { directory.caller($0)?.name }
        }
        #expect(find(TestCaller.token) == "gateway")
        #expect(find(TestCaller.token, name: "gateway") == "gateway")
        #expect(find(TestCaller.token, name: "other") == nil)
        #expect(find(TestCaller.token + "x") == nil)
        let next = "the-next-token-of-the-same-caller"
        try write("\(Digest(hashing: TestCaller.token).hex)\n\(Digest(hashing: next).hex)\n", to: path)
        try directory.reload()
        #expect(find(TestCaller.token) == "gateway" && find(next) == "gateway")
        try write("\(Digest(hashing: next).hex)\n", to: path)
        try directory.reload()
        #expect(find(TestCaller.token) == nil && find(next) == "gateway")
        // A token where its hash belongs is refused, and never shown.
        try write("\(next)\n", to: path)
        let error = #expect(throws: CallerError.self) { try directory.reload() }
        #expect(error?.description.contains("line 1") == true && error?.description.contains(next) == false)
        #expect(find(next) == "gateway")
    }

    @Test func callersThatProveTheSameAreRefused() throws {
        let home = try TemporaryDirectory(prefix: "claw-callers")
        defer { home.close() }
        let one = try TestCaller.make("one", [.read], in: home)
        let two = try TestCaller.make("two", [.revoke], in: home)
        #expect(throws: CallerError.self) { try CallerDirectory([one, two], rate: 10) }
        var (three, four) = (
            HTTPSettings.Caller(name: "three", scopes: [.read]), HTTPSettings.Caller(name: "four", scopes: [.stop])
        )
        three.certificateNames = ["uri:spiffe://harborline.example/a", "dns:a.harborline.example"]
        four.certificateNames = ["dns:a.harborline.example"]
        #expect(throws: CallerError.self) { try CallerDirectory([three, four], rate: 10) }
        four.certificateNames = ["dns:b.harborline.example"]
        let directory = try CallerDirectory([three, four], rate: 10)
        let found = directory.caller(
            certificate: HTTPClientCertificate(thumbprint: "t", names: ["dns:b.harborline.example"]))
        #expect(found?.name == "four")
        #expect(directory.caller(certificate: HTTPClientCertificate(thumbprint: "t")) == nil)
    }

    @Test func aFileThatOthersReadIsRefused() throws {
        let home = try TemporaryDirectory(prefix: "claw-callers")
        defer { home.close() }
        let caller = try TestCaller.make("gateway", [.introspect], in: home)
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o644], ofItemAtPath: try #require(caller.tokenHashesFile))
        #expect(throws: CallerError.self) { try CallerDirectory([caller], rate: 10) }
    }

    private func write(_ text: String, to path: String) throws {
        try text.write(toFile: path, atomically: false, encoding: .utf8)
    }
}
