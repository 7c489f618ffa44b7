import ApprovalSources
import ClawWire
import GrantLedger
import IssuanceRules
import ReceiptLog

@testable import GrantWorker

/// Rules, keys, people and events of the tests that plan without a database.
struct PlanFixture {
    static let now = Timestamp(seconds: 1_795_165_260)
    static let approvalsTopic = "approvals"
    static let requestsTopic = "requests"
    static let eventSource = "/itsm/harborline"
    static let avery = Actor(id: PersonID("avery"), name: "Avery Okafor")
    static let mina = Actor(id: PersonID("mina"), name: "Mina Castellanos")
    static let jonas = Actor(id: PersonID("jonas"), name: "Jonas Brandt")
    static let group = Entitlement(kind: .group, id: "g-db", scope: "member", name: "db")
    static let policy = Digest(hashing: "policy")

    static let eventKey = signer(1)
    static let tokenKey = signer(2)
    static let logKey = signer(3)
    static let jobKey = SealingPrivateKey(bytes: [UInt8](repeating: 4, count: 32))
    static let tokenIDSecret = TokenIDSecret(bytes: [UInt8](repeating: 5, count: 32))
    static let sealingSecret = SealingSecret(bytes: [UInt8](repeating: 6, count: 32))
    static let logID = LogID("harborline.example/clawgrant")

    private static func signer(_ byte: UInt8) -> SeedSigner {
        guard let signer = SeedSigner(seed: [UInt8](repeating: byte, count: 32)) else {
            preconditionFailure("32 bytes are a seed")
        }
        return signer
    }

    static let rulesText = """
        rules_version: "1"
        hard_cap: {max_ttl: 1h}
        sources:
          itsm:
            kind: native
            topics: [\(approvalsTopic)]
            authenticity: signed
            signers: [{did: "\(eventKey.publicKey.did)"}]
            may_approve: [run, open, ref, ent, bound, capped]
          desk:
            kind: capability_request
            topics: [\(requestsTopic)]
            authenticity: signed
            signers: [{did: "\(eventKey.publicKey.did)"}]
        entitlements:
          - {kind: group, id: g-db, scope: member, job_class: ent}
          - {kind: group, id: g-ref, scope: member, job_class: ref}
        wpc: {signers: ["\(eventKey.publicKey.did)"], directory: policies}
        defaults:
          audience: [clawproxy.com]
          max_ttl: 30m
          default_ttl: 10m
          wait_timeout: 2h
          max_approval_age: 24h
          delivery: [sealed]
        job_classes:
          run: {binding: contained, scopes: {allow: [proxy:call, clawproxy:call]}}
          open: {binding: contained, scopes: {allow: [proxy:call]}, delivery: [plain, reference]}
          ref: {binding: reference, scopes: {allow: [proxy:call, clawproxy:call]}}
          ent: {binding: entitlement, max_grants_per_window: 2, scopes: {allow: [proxy:call]}}
          bound: {binding: contained, scopes: {allow: [proxy:call]}, wpc: {required: true}}
          capped: {binding: contained, scopes: {allow: [proxy:call]}, budget: {model_calls: 4}}
        """

    let rules: RuleSet
    var policies: [Digest: WPCAvailability] = [:]
    var isDryRun = false
    var tracing = TracePlan.passing

    init(rules text: String = PlanFixture.rulesText) throws { rules = try RuleSet(yaml: text) }

    var reader: BatchReader {
        BatchReader(
            sources: SourceConfiguration.byTopic(rules), limits: EventAgeLimits(), worker: WorkerID("planner"))
    }

    func planner() throws -> DecisionPlanner {
        guard let secret = Self.tokenIDSecret else { throw FixtureError() }
        return DecisionPlanner(
            rules: rules, policies: policies, minter: CSTMinter(signer: Self.tokenKey), tokenIDSecret: secret,
            keyValidUntil: nil, worker: WorkerID("planner"), isDryRun: isDryRun,
            stopViewMaximumAgeSeconds: nil,
            claimBase: "https://issuer.harborline.example", tracing: tracing)
    }

    struct FixtureError: Error {}
}

/// A capability request as a test wants it.
struct Ask {
    var name: String
    var jobClass: String
    var scope = ["proxy:call"]
    var actions: [String] = []
    var subject: String?
    var approval: String?
    var ticket: String?
    var upgrades: String?
    var policy: Digest?
    var job: String?
    var delivery: CapabilityRequest.Delivery?

    init(_ name: String, _ jobClass: String) {
        self.name = name
        self.jobClass = jobClass
    }

    var request: CapabilityRequest {
        CapabilityRequest(
            requestID: RequestID("req-\(name)"), jobID: JobID(job ?? "job-\(name)"), jobClass: JobClass(jobClass),
            agentDID: AgentDID("did:web:agents.harborline.example"), subject: subject.map { PersonID($0) },
            scope: scope, actions: actions, ttlSeconds: 600, policyHash: policy,
            approvalID: approval.map { ApprovalID($0) },
            ticketNumber: ticket,
            delivery: delivery ?? .sealed(publicKey: PlanFixture.jobKey?.publicKey ?? []),
            upgradesRequest: upgrades.map { RequestID($0) }, reason: "reindex", requestedAt: PlanFixture.now)
    }

    /// The request as a signed record of its own topic.
    func record(at offset: Int64 = 0) throws -> SourceRecord {
        let json = CapabilityRequestDocument.encode(request)
        let signature = try NativeEventSigner(PlanFixture.eventKey).signature(of: json)
        return SourceRecord(
            topic: PlanFixture.requestsTopic, partition: 0, offset: offset, key: nil,
            headers: [SourceRecord.Header(CloudEvent.signatureExtension, signature)], value: JSONWriter.bytes(json),
            timestamp: nil)
    }
}

/// A native decision as a test wants it.
struct Answer {
    var name: String
    var verdict = NativeDecision.Verdict.approved
    var ask: Ask?
    var entitlement: Entitlement?
    var ticket: String?
    var approver = PlanFixture.mina
    var requester = PlanFixture.avery
    var time = PlanFixture.now
    var window: Int64?
    var event: String?
    var justification: String?
    var budget: Budget?

    init(_ name: String, ask: Ask? = nil) {
        self.name = name
        self.ask = ask
    }

    /// An approval `apr-NAME` that carries a request `req-NAME`.
    static func contained(_ name: String, _ jobClass: String = "run") -> Answer {
        Answer(name, ask: Ask(name, jobClass))
    }

    /// A later event of the same approval.
    func then(_ verdict: NativeDecision.Verdict, after seconds: Int64 = 1) -> Answer {
        var next = self
        next.verdict = verdict
        next.ask = nil
        next.time = time.adding(seconds: seconds)
        next.event = "evt-\(name)-\(verdict.rawValue)"
        return next
    }

    var cloudEvent: CloudEvent {
        var decision = NativeDecision(approvalID: ApprovalID("apr-\(name)"), verdict: verdict, requester: requester)
        if verdict == .approved || verdict == .denied {
            decision.answers = [NativeDecision.Answer(approver: approver, decidedAt: time)]
        }
        decision.entitlement = entitlement
        decision.ticket = ticket.map { Ticket(system: "itsm", number: $0) }
        decision.justification = justification
        decision.budget = budget
        if let window {
            decision.notBefore = time
            decision.notAfter = time.adding(seconds: window)
        }
        decision.request = ask.map { CapabilityRequestDocument.encode($0.request) }
        return decision.event(id: event ?? "evt-\(name)", source: PlanFixture.eventSource, at: time)
    }

    /// The decision as a signed record.
    func record(at offset: Int64 = 0, mode: CloudEvent.Mode = .binary) throws -> SourceRecord {
        let message = try NativeEventSigner(PlanFixture.eventKey).sign(cloudEvent).message(mode)
        return SourceRecord(
            topic: PlanFixture.approvalsTopic, partition: 0, offset: offset, key: nil, headers: message.headers,
            value: message.value, timestamp: nil)
    }
}
