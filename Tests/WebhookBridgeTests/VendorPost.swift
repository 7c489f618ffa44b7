import ApprovalSources
import ClawWire
import Crypto
import HTTPService
import IssuanceRules
import Kafka
import Playground

/// Vendors as they post: their signatures, their headers and a body of each that says something.
enum VendorPost: String, CaseIterable {
    case gitHub = "github"
    case jsm
    case serviceNow = "servicenow"
    case pagerDuty = "pagerduty"
    case opsgenie
    case slack

    static let past = Webhook.now.adding(seconds: -60)
    static let entitlements = EntitlementMap(
        entries: [
            .init(kind: .changeRequest, id: "u_claw_job_class", jobClass: EntitlementMap.valueOfField),
            .init(
                kind: .jsmRequestType, id: PlaygroundVendor.requestType, jobClass: EntitlementMap.valueOfField,
                minimumHumanApprovers: 2),
            .init(
                kind: .githubEnvironment, id: "northquay/ledger-api#production",
                jobClass: PlaygroundClass.ticketed.name),
        ], maximumTTLSeconds: [PlaygroundClass.ticketed.name: 1_800])

    /// A body that decides or stops, where the vendor's can.
    var sample: ProducerRecord {
        switch self {
        case .gitHub: DeploymentDraft(101, at: Self.past).review("approved", by: PlaygroundCast.ruth)
        case .jsm:
            IssueDraft("OPS-1", at: Self.past).answered("approved", by: PlaygroundCast.ruth, PlaygroundCast.milan)
                .record()
        case .serviceNow:
            ChangeDraft("CHG1", at: Self.past).answered("approved", by: PlaygroundCast.ruth, PlaygroundCast.milan)
                .record
        case .pagerDuty: VendorDraft.pagerDuty("Q1", at: Self.past)
        case .opsgenie: VendorDraft.opsgenie("a-1", tags: ["claw-stop", "job_class:a"], at: Self.past)
        case .slack: VendorDraft.slack(ApprovalID("a-1"), at: Self.past)
        }
    }

    /// How its bodies are understood.
    var configuration: SourceConfiguration {
        let kind: SourceConfiguration.Kind =
            switch self {
            case .gitHub: .gitHub
            case .jsm: .jsm
            case .serviceNow: .serviceNow
            case .pagerDuty: .pagerDuty
            case .opsgenie: .opsgenie
            case .slack: .slack
            }
        var configuration = SourceConfiguration(name: SourceName(rawValue), kind: kind, authenticity: .topic)
        configuration.tenants = ["northquay", "northquay.atlassian.example"]
        configuration.mapping = SourceMapping(entitlements: Self.entitlements)
        switch self {
        case .pagerDuty:
            configuration.vendor.stops = [
                VendorRule.Stop(
                    match: PlaygroundVendor.stoppingService,
                    scope: StopScope(kind: .jobClass, value: PlaygroundClass.reconcile.rawValue))
            ]
        case .opsgenie: configuration.vendor.stops = [VendorRule.Stop(match: "claw-stop", scope: nil)]
        case .gitHub, .jsm, .serviceNow, .slack: break
        }
        return configuration
    }

    /// Its scheme; vendors that do not sign by themselves use a header of the customer's.
    private var scheme: HeaderSignatureScheme {
        switch self {
        case .gitHub: .github
        case .jsm: .atlassian
        case .pagerDuty: .pagerDuty
        case .slack: .slack
        case .serviceNow, .opsgenie:
            .hmac(.init(header: "x-desk-signature", prefix: "", encoding: .base64url))
        }
    }

    /// Four secrets: one that counts, one that counts too while secrets are changed, one that is over, one that is not
    /// in force yet.
    func verifier() throws -> HeaderSignatureVerifier {
        let periods = [
            ("", HeaderKeyPeriod.always), ("-next", HeaderKeyPeriod(notBefore: Self.past)),
            ("-gone", HeaderKeyPeriod(notAfter: Self.past)),
            ("-later", HeaderKeyPeriod(notBefore: Webhook.now.adding(seconds: 60))),
        ]
        guard case .hmac(let form) = scheme else { throw Webhook.Failure() }
        return HeaderSignatureVerifier(
            form,
            secrets: try periods.map { suffix, period in
                let bytes = Array((Webhook.secretText + suffix).utf8)
                guard let secret = HeaderSecret(name: "s\(suffix)", bytes: bytes, period: period) else {
                    throw Webhook.Failure()
                }
                return secret
            })
    }

    /// The headers that prove a body.
    func proof(_ body: [UInt8], _ secret: String, at time: Timestamp = Webhook.now) -> [HTTPServiceField] {
        switch self {
        case .gitHub: [HTTPServiceField("X-Hub-Signature-256", "sha256=\(Webhook.code(body, secret))")]
        case .jsm: [HTTPServiceField("X-Hub-Signature", "sha256=\(Webhook.code(body, secret))")]
        case .pagerDuty:
            [
                HTTPServiceField(
                    "X-PagerDuty-Signature",
                    "v1=\(Webhook.code(body, "a secret that was replaced")),v1=\(Webhook.code(body, secret))")
            ]
        case .slack:
            [
                HTTPServiceField("X-Slack-Request-Timestamp", "\(time.seconds)"),
                HTTPServiceField(
                    "X-Slack-Signature",
                    "v0=\(Webhook.code(Array("v0:\(time.seconds):".utf8) + body, secret))"),
            ]
        case .serviceNow, .opsgenie:
            [HTTPServiceField("X-Desk-Signature", Base64URL.encode(Hex.decode(Webhook.code(body, secret)) ?? []))]
        }
    }

    /// The headers that say what a body is.
    func headers(of record: ProducerRecord) -> [HTTPServiceField] {
        record.headers.map { HTTPServiceField($0.name, String(decoding: $0.value ?? [], as: UTF8.self)) }
    }
}
