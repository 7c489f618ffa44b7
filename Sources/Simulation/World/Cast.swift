import ApprovalSources
import ClawWire
import Fsck
import GrantLedger
import GrantWorker
import IssuanceRules
import Kafka
import Keys
import Postgres
import ReceiptLog

/// Who takes part in a simulation, and by which rules: the same in every run.
struct Cast: Sendable {
    static let logID = LogID("lakeside.example/clawgrant")
    static let approvalsTopic = "approvals"
    static let requestsTopic = "requests"
    static let controlTopic = "control"
    static let source = "/tickets/lakeside"
    static let agents = (0..<3).map { AgentDID("did:web:agent-\($0).lakeside.example") }
    static let requester = person("noor")
    static let approvers = ["tomas", "ingrid"].map(person)
    static let guards = ["priya", "anselm", "ilse"].map(person)
    /// 2026-11-02T08:00:00Z.
    static let epoch = Timestamp(seconds: 1_793_606_400)
    /// Thumbprint of the key with which tokens are claimed that are delivered by reference.
    static let claimKey = Digest(hashing: "claim key")
    static let database = Entitlement(kind: .group, id: "g-db", scope: "member", name: "db")

    let rules: RuleSet
    let approvals: NativeEventSigner
    let control: ControlEmitter
    let tokenKey: SeedSigner
    let logKey: SeedSigner
    let jobKey: SealingPrivateKey
    let tokenIDBytes: [UInt8]
    let tokenID: TokenIDSecret
    let sealing: SealingSecret

    /// A job class of the cast.
    enum JobClass: String, CaseIterable, Sendable {
        /// An approval carries its request.
        case run
        /// The same, with tokens that end within seconds.
        case brief
        /// The request names its approval.
        case reference
        /// The same, for requests that do not wait long.
        case hasty
        /// A window of an entitlement covers two requests.
        case window

    }

    private static func person(_ name: String) -> Actor { Actor(id: PersonID(name), name: name) }

    private static func signer(_ byte: UInt8) throws -> SeedSigner {
        guard let signer = SeedSigner(seed: [UInt8](repeating: byte, count: 32)) else {
            throw SimulationError("32 bytes are a seed")
        }
        return signer
    }

    init() throws {
        let eventKey = try Self.signer(1)
        let controlKey = try Self.signer(4)
        tokenKey = try Self.signer(2)
        logKey = try Self.signer(3)
        tokenIDBytes = [UInt8](repeating: 5, count: 32)
        guard let jobKey = SealingPrivateKey(bytes: [UInt8](repeating: 6, count: 32)),
            let tokenID = TokenIDSecret(bytes: tokenIDBytes),
            let sealing = SealingSecret(bytes: [UInt8](repeating: 7, count: 32))
        else { throw SimulationError("32 bytes are a secret") }
        self.jobKey = jobKey
        self.tokenID = tokenID
        self.sealing = sealing
        approvals = NativeEventSigner(eventKey)
        control = ControlEmitter(signer: controlKey, source: "/control/lakeside")
        rules = try RuleSet(
            yaml: """
                rules_version: "1"
                hard_cap: {max_ttl: 1h}
                sources:
                  approvals:
                    kind: native
                    topics: [\(Self.approvalsTopic)]
                    authenticity: signed
                    signers: [{did: "\(eventKey.publicKey.did)", may_stop: true, may_lift: true}]
                    trusted_stop_sources: ["\(Self.source)"]
                    may_approve: [run, brief, reference, hasty, window]
                  requests:
                    kind: capability_request
                    topics: [\(Self.requestsTopic)]
                    authenticity: topic
                    allow_topic_authenticity: true
                control:
                  signers:
                    - did: "\(controlKey.publicKey.did)"
                      operations:
                        [stop, lift, revoke, rotate-policy, disable-elevated, enable-elevated, suspect-key, drill]
                  lift: {min_people: 2}
                entitlements:
                  - {kind: group, id: g-db, scope: member, job_class: window}
                  - {kind: group, id: g-ref, scope: member, job_class: reference}
                  - {kind: group, id: g-hasty, scope: member, job_class: hasty}
                defaults:
                  audience: [clawproxy.com]
                  max_ttl: 30m
                  default_ttl: 10m
                  wait_timeout: 2h
                  max_approval_age: 24h
                  delivery: [reference, sealed]
                job_classes:
                  run: {binding: contained, scopes: {allow: ["proxy:call"]}}
                  brief: {binding: contained, max_ttl: 5s, default_ttl: 5s, scopes: {allow: ["proxy:call"]}}
                  reference: {binding: reference, scopes: {allow: ["proxy:call"]}}
                  hasty: {binding: reference, wait_timeout: 2s, scopes: {allow: ["proxy:call"]}}
                  window: {binding: entitlement, max_grants_per_window: 2, scopes: {allow: ["proxy:call"]}}
                """)
    }

    /// The keys of a worker.
    func keyRing(_ faults: Faults) throws -> KeyRing {
        try KeyRing(
            [
                LoadedKey(
                    KeyConfiguration(purpose: .token, location: .file("token")), signer: FailingSigner(tokenKey, faults)
                ),
                LoadedKey(
                    KeyConfiguration(purpose: .receipt, location: .file("receipt")),
                    signer: FailingSigner(logKey, faults)),
            ], required: [.token, .receipt], at: Self.epoch)
    }

    /// What a worker is told.
    func configuration(_ worker: WorkerID, usesTransactions: Bool) throws -> WorkerConfiguration {
        var configuration = WorkerConfiguration(
            workerID: worker, logID: Self.logID, kafka: KafkaConfiguration(),
            database: try PostgresConfiguration(keywords: ["dbname": "simulated"]), keys: [], tokenIDSecretFile: "",
            sealingSecretFile: "", rulesFile: "")
        configuration.usesTransactions = usesTransactions
        configuration.control.topic = Self.controlTopic
        configuration.limits.batchRecords = 24
        configuration.limits.revocationGrace = .seconds(2)
        configuration.limits.logHeartbeatInterval = nil
        return configuration
    }

    /// What the checker is told.
    func fsckPlan() -> FsckPlan {
        var streams: [FsckPlan.Stream] = []
        let outputs = WorkerConfiguration.OutputTopics()
        for stream in OutputStream.allCases where stream != .findings {
            streams.append(FsckPlan.Stream(name: stream.name, topic: outputs.name(stream)))
        }
        var plan = FsckPlan(logID: Self.logID.rawValue, logKeys: [logKey.publicKey], streams: streams)
        plan.tokenKeys = [tokenKey.publicKey]
        plan.tokenSigners = [tokenKey]
        plan.tokenIDSecret = tokenIDBytes
        plan.rules = [
            rules.hash: FsckPlan.Rules(
                jobClasses: Dictionary(
                    uniqueKeysWithValues: JobClass.allCases.map { jobClass in
                        (
                            jobClass.rawValue,
                            FsckPlan.Rules.JobClass(
                                scopes: ["proxy:call"], audience: ["clawproxy.com"],
                                maximumTTLSeconds: jobClass == .brief ? 5 : 1_800,
                                isSingleUse: jobClass != .window)
                        )
                    }))
        ]
        plan.sortMemory = 1 << 20
        return plan
    }
}

/// A simulation cannot go on; nothing is said of what it simulates.
public struct SimulationError: Error, Sendable, CustomStringConvertible {
    /// What happened.
    public let description: String

    /// Makes an error.
    public init(_ description: String) { self.description = description }
}
