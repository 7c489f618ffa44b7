import ArgumentParser
import ClawWire
import Foundation
import GrantLedger
import GrantVerifier
import GrantWorker
import Kafka
import Keys
import ReceiptLog

/// `clawgrant token check`: would a gateway take it now?
struct TokenCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Check a token against the live state of revocations, as a gateway would.",
        discussion: """
            Reads the revocations topic from its beginning and judges the token once that view is complete and fresh. Ends \
            with 0 only when the token is valid now. The keys are those of the configuration, or those given.
            """)

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var input: TokenInput
    @OptionGroup var output: OutputOptions

    @Option(
        name: .customLong("key"),
        help: ArgumentHelp(
            "A key that may sign tokens: a did:key, a JWKS file or a PEM file; may be repeated. Default: the configured "
                + "ones.", valueName: "key"))
    var keys: [String] = []

    @Option(
        name: .customLong("log-key"),
        help: ArgumentHelp(
            "A key of the log, which signs the heads; may be repeated. Default: the configured ones.", valueName: "key")
    )
    var logKeys: [String] = []

    @Option(help: ArgumentHelp("An audience of which the token must name one; may be repeated.", valueName: "name"))
    var audience: [String] = []

    @Option(help: ArgumentHelp("The job that the token must be bound to.", valueName: "id"))
    var job: String?

    @Option(
        name: .customLong("max-lifetime"),
        help: ArgumentHelp("The longest lifetime that a token may have.", valueName: "seconds"))
    var maximumLifetime: Int64 = 3_600

    @Option(
        name: .customLong("max-age"), help: ArgumentHelp("The oldest view that is relied on.", valueName: "seconds"))
    var maximumAge: Int64 = 15

    @Option(help: ArgumentHelp("Wait no longer than this for the view.", valueName: "seconds"))
    var timeout: Int64 = 20

    mutating func validate() throws {
        guard (1...86_400).contains(timeout), (1...86_400).contains(maximumAge), (1...86_400).contains(maximumLifetime)
        else { throw ValidationError("--timeout, --max-age and --max-lifetime are 1 second to a day") }
    }

    mutating func run() async throws {
        let token = ClawWire.BearerToken(try input.text())
        let file = try source.load()
        let now = Clock.now
        let accepted = try tokenKeys(file, at: now)
        let verifier = TokenVerifier(policy: policy)
        let (state, verdict) = try await judged(token, file, accepted, verifier, logKeys: try logKeys(file, at: now))
        tell(verdict, state)
        if !verdict.isValid { throw CommandFailure.no }
    }

    private var policy: VerificationPolicy {
        VerificationPolicy(
            audiences: audience.isEmpty ? nil : audience, scope: .none, job: job.map { .exactly(JobID($0)) } ?? .none,
            maximumLifetimeSeconds: maximumLifetime, view: .strict(maximumAgeSeconds: maximumAge))
    }

    private func tokenKeys(_ file: ConfigurationFile, at now: Timestamp) throws -> AcceptedKeys {
        guard keys.isEmpty else { return AcceptedKeys(signing: try keys.flatMap(KeyArguments.publicKeys)) }
        let accepted = try KeyRing.load(file.worker.keys, required: [], at: now).acceptedKeys(for: .token, at: now)
        return AcceptedKeys(
            signing: accepted.filter(\.isActive).map(\.publicKey),
            verifyOnly: accepted.filter { !$0.isActive }.map { key in
                // The ring's bound is the first instant that does not count, a document's the last second that does.
                (key.publicKey, key.notAfter.map { $0.adding(seconds: -1).seconds })
            })
    }

    private func logKeys(_ file: ConfigurationFile, at now: Timestamp) throws -> [Ed25519PublicKey] {
        guard logKeys.isEmpty else { return try logKeys.flatMap(KeyArguments.publicKeys) }
        return try KeyRing.load(file.worker.keys, required: [], at: now).inventory()
            .filter { $0.configuration.purpose == .receipt }.map(\.publicKey)
    }

    /// Follows the topic until a view is fresh enough and says something definite of the token, or until time is up.
    private func judged(
        _ token: ClawWire.BearerToken, _ file: ConfigurationFile, _ keys: AcceptedKeys, _ verifier: TokenVerifier,
        logKeys: [Ed25519PublicKey]
    ) async throws -> (RevocationState, Verdict) {
        let events = KafkaEvents()
        var properties = file.worker.kafka
        properties["group.id"] = nil
        let follower = RevocationFollower(
            kafka: properties,
            settings: .init(
                topic: file.worker.outputs.name(.revocations), logID: file.worker.logID, logKeys: logKeys),
            log: events.take)
        @Sendable func verdict(_ state: RevocationState) -> Verdict {
            verifier.verify(token, now: Clock.now, keys: keys, state: state)
        }
        let seconds = timeout
        do {
            let state = try await withThrowingTaskGroup(of: RevocationState?.self) { group in
                group.addTask {
                    try await follower.run()
                    return nil
                }
                group.addTask {
                    try await Task.sleep(for: .seconds(seconds))
                    return follower.state
                }
                group.addTask {
                    try await follower.state { state in
                        switch verdict(state).code {
                        case .staleView, .undetermined: false
                        default: true
                        }
                    }
                }
                defer { group.cancelAll() }
                while let state = try await group.next() { if let state { return state } }
                return follower.state
            }
            return (state, verdict(state))
        } catch let error as KafkaError {
            throw KafkaAccess.failure(error, file, events)
        } catch let error as RevocationFollowerError {
            throw CommandFailure.negative("\(error)", remedy: "look at `clawgrant topics check`")
        }
    }

    private func tell(_ verdict: Verdict, _ state: RevocationState) {
        if output.isJSON {
            var object: JSONObject = [
                "valid": .bool(verdict.isValid), "code": .optional(verdict.code?.rawValue),
                "sentence": .string(verdict.sentence), "status": .integer(verdict.status),
            ]
            object["as_of"] = state.asOf.map { .string($0.iso8601) }
            object["token_hash"] = verdict.token.map { .string($0.hash.hex) }
            object["revoked_tokens"] = .integer(state.live.tokens)
            object["cutoffs"] = .integer(state.live.cutoffs)
            Console.out(.object(object))
            return
        }
        let code = verdict.code.map { Console.styled($0.rawValue, .red) } ?? Console.styled("VALID", .green)
        Console.out("\(code): \(Console.plain(verdict.sentence))")
        if let token = verdict.token {
            Console.out("token hash \(token.hash), valid until \(token.claims.expires)")
        }
        if let asOf = state.asOf {
            Console.out(
                "judged by \(state.live.tokens) revoked tokens and \(state.live.cutoffs) cut-offs as of \(asOf)")
        }
    }
}
