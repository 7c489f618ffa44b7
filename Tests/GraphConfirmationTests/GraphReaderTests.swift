import ClawWire
import GraphConfirmation
import GraphDouble
import IssuanceRules
import Testing

@Suite("Reading from a double of Microsoft Graph", .timeLimit(.minutes(3)))
struct GraphReaderTests {
    private typealias Fixture = GraphFixture

    /// Runs with a double that holds the fixture's activation.
    private static func withDouble<Result: Sendable>(
        _ fixture: GraphFixture = GraphFixture(), _ body: @escaping @Sendable (GraphDouble) async throws -> Result
    ) async throws -> Result {
        try await GraphDouble.run(try GraphFixture.certificate.get()) { double in
            fixture.put(into: double)
            return try await body(double)
        }
    }

    private static func read(_ reader: GraphReader, _ kind: Entitlement.Kind = .entraRole) async throws -> GraphAnswer {
        let target = try #require(GraphTarget(GraphFixture.approval, entitlement: kind))
        do {
            let answer = try await reader.read(target)
            await reader.close()
            return answer
        } catch {
            await reader.close()
            throw error
        }
    }

    /// Reads once and expects an error.
    private static func expect(_ code: GraphError.Code, _ reader: GraphReader) async throws {
        do {
            let answer = try await read(reader)
            Issue.record("\(code) was expected, there is \(answer)")
        } catch let error as GraphError {
            #expect(error.code == code)
        }
    }

    private static func verdict(_ answer: GraphAnswer) -> ConfirmationVerdict {
        Confirmation.judge(answer, against: Fixture.claim(), tenants: [Fixture.tenant], isSettled: true)
    }

    @Test("Both algorithms get a token, and the answer agrees", arguments: ClientCertificate.Algorithm.allCases)
    func reads(algorithm: ClientCertificate.Algorithm) async throws {
        try await Self.withDouble { double in
            let answer = try await Self.read(try Fixture.reader(double, algorithm: algorithm))
            guard case .confirmed = Self.verdict(answer) else { return #expect(Bool(false), "\(answer)") }
            #expect(double.count("oauth2/v2.0/token") == 1)
            #expect(answer.requestIDs.count >= 4 && answer.requestIDs.allSatisfy { $0.hasPrefix("graph-") })
            #expect(answer.document?.canonicalDigest == answer.digest)
        }
    }

    @Test("Groups are read in the shape of their version")
    func groups() async throws {
        try await Self.withDouble(GraphFixture().with { $0.isGroup = true }) { double in
            let answer = try await Self.read(try Fixture.reader(double), .group)
            let claim = Fixture.claim(
                entitlement: Entitlement(kind: .group, id: Fixture.group, scope: "member"))
            guard
                case .confirmed = Confirmation.judge(
                    answer, against: claim, tenants: [Fixture.tenant], isSettled: true)
            else { return #expect(Bool(false), "\(answer)") }
            #expect(answer.document?["approval"]?["stages"] != nil)
        }
    }

    @Test("The same answer has the same digest, another has another, and one token serves both")
    func digests() async throws {
        try await Self.withDouble { double in
            let reader = try Fixture.reader(double)
            let target = try #require(Fixture.target)
            let first = try await reader.read(target)
            let second = try await reader.read(target)
            Fixture().with { $0.status = "Revoked" }.put(into: double)
            let third = try await reader.read(target)
            await reader.close()
            #expect(first.digest == second.digest && third.digest != first.digest)
            #expect(first.requestIDs != second.requestIDs)
            #expect(double.count("oauth2/v2.0/token") == 1 && double.count("organization") == 1)
            guard case .over = Self.verdict(third) else { return #expect(Bool(false)) }
        }
    }

    @Test("Long lists are read page by page, and only instances of the schedule are evidence")
    func pages() async throws {
        try await Self.withDouble { double in
            double.setPageSize(2)
            double.change(Fixture.tenant) { tenant in
                tenant.instances = (0..<5).map { Fixture().instance(schedule: "other-\($0)") } + tenant.instances
            }
            let answer = try await Self.read(try Fixture.reader(double))
            #expect(answer.document?["instances"]?.array?.count == 1)
            #expect(double.count("roleAssignmentScheduleInstances") == 3)
            double.setPageSize(1)
            var settings = Fixture.settings(double)
            settings.maximumPages = 3
            try await Self.expect(.malformed, Fixture.reader(double, settings))
        }
    }

    @Test("An approval that one version does not know is looked for in the other")
    func versions() async throws {
        try await Self.withDouble { double in
            double.fail("beta/roleManagement", .status(400))
            let answer = try await Self.read(try Fixture.reader(double))
            #expect(answer.document?["approval"]?.isNull == true)
            #expect(double.count("roleAssignmentApprovals") == 2)
        }
    }

    @Test("A request that is not there is an answer, not an error")
    func unknown() async throws {
        try await Self.withDouble { double in
            double.change(Fixture.tenant) { $0.requests = [:] }
            let answer = try await Self.read(try Fixture.reader(double))
            #expect(answer.document == nil)
        }
    }

    // MARK: Faults

    @Test("Throttling is obeyed: a short wait is waited, a long one is the caller's")
    func throttling() async throws {
        try await Self.withDouble { double in
            double.fail("ScheduleRequests", .status(429, retryAfter: 2), .status(503, retryAfter: 1))
            let waits = GraphFixture.Waits()
            _ = try await Self.read(try Fixture.reader(double, waits: waits))
            #expect(waits.list == [.seconds(2), .seconds(1)])

            double.fail("ScheduleRequests", .status(429, retryAfter: 120))
            let reader = try Fixture.reader(double)
            let target = try #require(Fixture.target)
            let before = double.seen.count
            var codes: [GraphError.Code] = []
            for _ in 0..<3 {
                do throws(GraphError) {
                    _ = try await reader.read(target)
                } catch {
                    codes.append(error.code)
                    #expect((error.retryAfter ?? .zero) > .seconds(100))
                }
            }
            await reader.close()
            #expect(codes == [.throttled, .throttled, .throttled])
            // A token, the tenant, the request: then the service was left alone.
            #expect(double.seen.count - before == 3)
        }
    }

    @Test("Passing faults are tried again", arguments: [GraphDouble.Fault.status(503), .status(500), .cut])
    func passingFaults(fault: GraphDouble.Fault) async throws {
        try await Self.withDouble { double in
            double.fail("ScheduleRequests", fault, fault)
            let answer = try await Self.read(try Fixture.reader(double))
            guard case .confirmed = Self.verdict(answer) else { return #expect(Bool(false)) }
            #expect(double.count("ScheduleRequests") == 3)
        }
    }

    @Test("No answer in time, no JSON and an answer elsewhere are errors that confirm nothing")
    func lastingFaults() async throws {
        try await Self.withDouble { double in
            var impatient = Fixture.settings(double)
            impatient.answerTimeout = .milliseconds(300)
            impatient.attempts = 1
            double.fail("ScheduleRequests", .silence)
            try await Self.expect(.timeout, Fixture.reader(double, impatient))
            double.fail("ScheduleRequests", .garbage)
            try await Self.expect(.malformed, Fixture.reader(double))
            double.fail("ScheduleRequests", .redirect)
            try await Self.expect(.malformed, Fixture.reader(double))
            double.fail("ScheduleRequests", .status(403))
            try await Self.expect(.forbidden, Fixture.reader(double))
            double.fail("oauth2", .status(400))
            try await Self.expect(.credentialsRefused, Fixture.reader(double))
        }
    }

    @Test("After too many failures nobody asks, and one question tells when it is well again")
    func breaker() async throws {
        try await Self.withDouble { double in
            var settings = Fixture.settings(double)
            settings.attempts = 1
            settings.breakerFailures = 3
            settings.breakerPause = .milliseconds(200)
            let reader = try Fixture.reader(double, settings)
            let target = try #require(Fixture.target)
            var codes: [GraphError.Code] = []
            while !reader.isCircuitOpen, codes.count < 20 {
                double.fail("organization", .status(500))
                do throws(GraphError) {
                    _ = try await reader.read(target)
                } catch {
                    codes.append(error.code)
                }
            }
            #expect(reader.isCircuitOpen)
            let asked = double.seen.count
            do throws(GraphError) {
                _ = try await reader.read(target)
                Issue.record("the service was asked")
            } catch {
                #expect(error.code == .circuitOpen && error.isRetriable)
            }
            #expect(double.seen.count == asked)
            await reader.close()
        }
    }

    @Test("A token that the service does not take any more is replaced once")
    func revokedToken() async throws {
        try await Self.withDouble { double in
            let reader = try Fixture.reader(double)
            let target = try #require(Fixture.target)
            _ = try await reader.read(target)
            double.revokeTokens()
            let answer = try await reader.read(target)
            guard case .confirmed = Self.verdict(answer) else { return #expect(Bool(false)) }
            #expect(double.count("oauth2/v2.0/token") == 2)
            double.fail("ScheduleRequests", .status(401), .status(401))
            await #expect(throws: GraphError.self) { try await reader.read(target) }
            await reader.close()
        }
    }

    @Test("Many questions at once ask for one token")
    func oneToken() async throws {
        try await Self.withDouble { double in
            let reader = try Fixture.reader(double)
            let target = try #require(Fixture.target)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 { group.addTask { _ = try await reader.read(target) } }
                try await group.waitForAll()
            }
            await reader.close()
            #expect(double.count("oauth2/v2.0/token") == 1)
        }
    }

    @Test("A token of another tenant, and a tenant without credentials, answer nothing")
    func tenants() async throws {
        try await Self.withDouble { double in
            double.change(Fixture.tenant) { $0.tokensAreOf = "8f1c6f2e-6b1a-4a57-9f0e-0d2b6a5c7e11" }
            try await Self.expect(.wrongTenant, Fixture.reader(double))
            #expect(double.count("ScheduleRequests") == 0)
            try await Self.expect(.tenantNotConfigured, Fixture.reader(double, tenants: []))
        }
    }

    @Test("No error, and nothing that can be printed, shows a token, an assertion or a key")
    func secrets() async throws {
        try await Self.withDouble { double in
            var texts: [String] = []
            let own = try Fixture.certificate.get()
            let certificate = try ClientCertificate(certificate: own.certificate, key: own.privateKey)
            texts.append("\(certificate) \(String(reflecting: certificate.description))")
            let reader = try Fixture.reader(double)
            let target = try #require(Fixture.target)
            _ = try await reader.read(target)
            let tokens = double.tokens
            #expect(!tokens.isEmpty)
            for fault in [GraphDouble.Fault.status(403), .status(500), .garbage, .cut, .redirect] {
                double.fail("ScheduleRequests", fault, fault, fault)
                do throws(GraphError) {
                    _ = try await reader.read(target)
                } catch {
                    texts.append("\(error) \(String(reflecting: error))")
                }
            }
            dump(certificate, to: &texts[0])
            await reader.close()
            #expect(texts.count > 2)
            let keyLine = try #require(own.privateKey.split(separator: "\n").dropFirst().first)
            for text in texts {
                #expect(!text.contains("planted-token") && !text.contains("eyJ") && !text.contains(keyLine))
                for token in tokens { #expect(!text.contains(token)) }
            }
        }
    }

    @Test("A key of another certificate, no key and no certificate are refused before anything is asked")
    func certificates() throws {
        let own = try Fixture.certificate.get()
        let other = try TestCertificate()
        for (certificate, key) in [
            (own.certificate, other.privateKey), (own.certificate, "none"), ("none", own.privateKey),
            (own.privateKey, own.privateKey),
        ] {
            #expect(throws: ClientCertificate.Fault.self) {
                try ClientCertificate(certificate: certificate, key: key)
            }
        }
    }

    @Test("Secrets go to HTTPS or to this host alone")
    func addresses() {
        for address in ["https://graph.microsoft.com", "http://127.0.0.1:8080", "http://localhost"] {
            #expect(GraphSettings.isAcceptable(address), "\(address)")
        }
        for address in [
            "http://graph.microsoft.com", "https://graph.microsoft.com/", "https://", "ftp://x",
            "http://127.0.0.1.example",
            "http://localhost@example.com", "",
        ] { #expect(!GraphSettings.isAcceptable(address), "\(address)") }
    }
}
