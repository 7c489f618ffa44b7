import ApprovalSources
import ClawWire
import IssuanceRules

/// Events, keys and requests of the native sources' tests.
enum NativeFixtures {
    static let time = Timestamp(microseconds: 1_795_165_260_000_000)
    static let avery = Actor(id: PersonID("avery"), name: "Avery Okafor", upn: "avery.okafor@harborline.example")
    static let mina = Actor(id: PersonID("mina"), name: "Mina Castellanos", upn: "mina.castellanos@harborline.example")
    static let maintenance = JobClass("prod_db_maintenance")

    static func signer(_ byte: UInt8) -> SeedSigner {
        guard let signer = SeedSigner(seed: [UInt8](repeating: byte, count: 32)) else {
            preconditionFailure("32 bytes are a seed")
        }
        return signer
    }

    static func configuration(
        _ authenticity: SourceConfiguration.Authenticity, signers: [SourceConfiguration.Signer] = [],
        kind: SourceConfiguration.Kind = .native
    ) -> SourceConfiguration {
        var configuration = SourceConfiguration(
            name: SourceName("itsm"), kind: kind, authenticity: authenticity)
        configuration.signers = signers
        configuration.trustedStopSources = ["/soc/harborline"]
        return configuration
    }

    static func request(
        _ id: String = "req-1", delivery: CapabilityRequest.Delivery = .sealed(publicKey: Array(1...32))
    ) -> CapabilityRequest {
        CapabilityRequest(
            requestID: RequestID(id), jobID: JobID("job-1"), jobClass: maintenance,
            agentDID: AgentDID("did:key:z6Mkpm62EDcj2Q7sj8gqDVv4mUc4u9iFAmtd6mG18F5CvkBE"), subject: PersonID("avery"),
            scope: ["db:ledger:maintain"], actions: ["enable_elevated"], tools: ["exec"],
            audience: ["https://db.example"],
            ttlSeconds: 900, policyHash: Digest(hashing: "policy"), delivery: delivery, reason: "reindex",
            requestedAt: time)
    }

    static func decision(_ id: String = "dec-1", _ change: (inout NativeDecision) -> Void = { _ in }) -> CloudEvent {
        var decision = NativeDecision(
            approvalID: ApprovalID("itsm/\(id)"), verdict: .approved, requester: avery,
            answers: [NativeDecision.Answer(approver: mina, decidedAt: time)])
        decision.jobClass = maintenance
        decision.notBefore = time
        decision.notAfter = time.adding(seconds: 1_800)
        change(&decision)
        return decision.event(id: id, source: "/itsm/harborline", at: time)
    }

    static func read(
        _ event: CloudEvent, _ configuration: SourceConfiguration, mode: CloudEvent.Mode = .structured
    ) -> SourceReading {
        AnySource.facts(from: event.record(mode, topic: "approvals"), configuration: configuration, at: time)
    }

    /// The event with its JSON data changed.
    static func changing(_ event: CloudEvent, _ key: String, to value: JSONValue?) -> CloudEvent {
        var event = event
        var object = event.json?.object ?? JSONObject()
        object[key] = value
        event.data = .json(.object(object))
        return event
    }
}
