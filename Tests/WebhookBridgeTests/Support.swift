import ApprovalSources
import ClawWire
import Crypto
import HTTPService
import IssuanceRules
import Kafka
import Primitives

@testable import WebhookBridge

/// Takes records instead of a broker.
final class FakeWriter: RecordWriting {
    let records = Lock<[ProducerRecord]>([])
    let failure = Lock<KafkaError?>(nil)
    /// Called before a write; for tests that hold one up.
    let gate: @Sendable () async -> Void

    init(gate: @escaping @Sendable () async -> Void = {}) { self.gate = gate }

    func write(_ batch: [ProducerRecord]) async throws(KafkaError) {
        await gate()
        if let error = failure.withLock({ $0 }) { throw error }
        records.withLock { $0 += batch }
    }
}

enum Webhook {
    static let now = Timestamp(seconds: 1_795_000_000)
    static let secretText = "planted-secret-of-the-vendor"
    static let signer: SeedSigner = {
        guard let signer = SeedSigner(seed: [UInt8](repeating: 7, count: 32)) else {
            preconditionFailure("32 bytes are a seed")
        }
        return signer
    }()
    static let headers = SourceRecord.Header("content-type", "application/cloudevents+json")

    static func verifier(_ scheme: HeaderSignatureScheme = .github) throws -> HeaderSignatureVerifier {
        guard case .hmac(let form) = scheme, let secret = HeaderSecret(name: "one", bytes: Array(secretText.utf8))
        else { throw Failure() }
        return HeaderSignatureVerifier(form, secrets: [secret])
    }

    struct Failure: Error {}

    static func code(_ body: [UInt8], _ secret: String = secretText) -> String {
        Hex.encode(
            Array(HMAC<SHA256>.authenticationCode(for: body, using: SymmetricKey(data: Array(secret.utf8)))))
    }

    /// A signed request as GitHub sends them.
    static func request(
        _ path: String, _ body: [UInt8], delivery: String? = "d-1", secret: String = secretText,
        contentType: String = "application/cloudevents+json", more: [HTTPServiceField] = []
    ) -> HTTPServiceRequest {
        var fields = [
            HTTPServiceField("Content-Type", contentType),
            HTTPServiceField("X-Hub-Signature-256", "sha256=\(code(body, secret))"),
        ]
        if let delivery { fields.append(HTTPServiceField("X-GitHub-Delivery", delivery)) }
        return HTTPServiceRequest(method: "POST", path: path, fields: fields + more, body: body)
    }

    /// A decision as a system without a key would post it.
    static func decision(_ id: String, _ verdict: NativeDecision.Verdict = .approved) throws -> [UInt8] {
        var decision = NativeDecision(
            approvalID: ApprovalID("chg-\(id)"), verdict: verdict, requester: Actor(id: PersonID("u-1")),
            answers: [.init(approver: Actor(id: PersonID("u-2")), justification: "fine")])
        decision.notBefore = now
        decision.notAfter = now.adding(seconds: 3_600)
        decision.jobClass = JobClass("run")
        decision.ticket = Ticket(system: "itsm", number: "CHG\(id)")
        decision.justification = "weekly"
        let message = decision.event(id: "evt-\(id)", source: "/itsm", at: now).message(.structured)
        guard let value = message.value else { throw Failure() }
        return value
    }

    static func native() -> SourceConfiguration {
        var configuration = SourceConfiguration(name: SourceName("itsm"), kind: .native, authenticity: .signed)
        configuration.trustedStopSources = ["/soc"]
        return configuration
    }

    static func configuration(_ outputs: [(path: String, output: WebhookSource.Output)]) throws -> BridgeConfiguration {
        BridgeConfiguration(
            http: HTTPServiceConfiguration(host: "127.0.0.1", port: 0, tls: nil),
            kafka: KafkaConfiguration(["bootstrap.servers": "127.0.0.1:1"]),
            sources: try outputs.map {
                WebhookSource(
                    name: "s\($0.path.replacing("/", with: "-"))", path: $0.path, topic: "topic",
                    verifier: try verifier(), deliveryHeader: "x-github-delivery", output: $0.output)
            }, signer: signer)
    }

    /// What a worker would understand of a record, which must be signed by the bridge.
    static func understood(_ record: ProducerRecord) -> SourceReading {
        var configuration = SourceConfiguration(name: SourceName("bridge"), kind: .native, authenticity: .signed)
        configuration.signers = [.init(publicKey: signer.publicKey, mayStop: true)]
        configuration.trustedStopSources = ["/bridge/itsm"]
        return AnySource.facts(
            from: SourceRecord(
                topic: record.topic, key: record.key,
                headers: record.headers.map { SourceRecord.Header($0.name, $0.value) }, value: record.value,
                timestamp: now),
            configuration: configuration, at: now)
    }
}
