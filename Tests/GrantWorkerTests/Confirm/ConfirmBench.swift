import ApprovalSources
import ClawWire
import DevStack
import Foundation
import GraphConfirmation
import GraphDouble
import IssuanceRules
import Keys
import Logging
import Postgres
import Primitives
import ReceiptLog
import Testing

@testable import GrantLedger
@testable import GrantWorker

/// A real ledger, the worker's decider and its confirming service, and a double of Microsoft Graph. No broker:
/// records are
/// handed to the decider as a lane hands them.
struct ConfirmBench: Sendable {
    static let tenant = "5b0c3f8e-1111-4222-8333-444455556666"
    static let role = "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"
    static let avery = "a5a38504-8335-5c2a-8ad2-5e374d719355"
    static let mina = "2dd18507-3fb7-5dd2-b44b-8880d5503efa"
    static let rules = """
        rules_version: "1"
        sources:
          entra:
            kind: entra_audit
            topics: [audit]
            authenticity: confirmed
            tenants: ["\(tenant)"]
            may_approve: [admin]
          desk:
            kind: capability_request
            topics: [requests]
            authenticity: topic
            allow_topic_authenticity: true
        entitlements:
          - {kind: entra_role, id: "\(role)", scope: "/", job_class: admin}
        job_classes:
          admin:
            binding: entitlement
            audience: [clawproxy.com]
            max_ttl: 10m
            max_grants_per_window: 2
            scopes: {allow: [proxy:call]}
            delivery: [plain]
        """

    let double: GraphDouble
    let ledger: PostgresLedger
    let decider: Decider
    let worker = WorkerID("confirm-test")
    let service: ConfirmService
    let graph: GraphReader
    let connection: PostgresConnection

    /// Runs a body with everything open and the service at work.
    static func run(_ body: @escaping @Sendable (ConfirmBench) async throws -> Void) async throws {
        let directory = try TemporaryDirectory(prefix: "clawgrant-confirm")
        let server = try PrivatePostgres(directory: directory.path("pg"), options: .forTests)
        try await server.start(within: .seconds(60))
        try await server.createDatabase("ledger")
        let certificate = try TestCertificate()
        let configuration = try PostgresConfiguration(uri: server.conninfo(database: "ledger"))
        try await GraphDouble.run(certificate) { double in
            let bench = try await ConfirmBench(double, certificate, configuration)
            let isOver = Flag()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await bench.service.run { isOver.isSet } }
                group.addTask {
                    defer { isOver.set() }
                    try await body(bench)
                }
                try await group.waitForAll()
            }
            await bench.graph.close()
            await bench.connection.close()
            await bench.ledger.close()
            await bench.ledger.pool.shutdown()
        }
        try await server.stop()
    }

    private init(
        _ double: GraphDouble, _ certificate: TestCertificate, _ configuration: PostgresConfiguration
    ) async throws {
        self.double = double
        double.change(Self.tenant) { _ in }
        connection = try await PostgresConnection.connect(configuration)
        _ = try await Migrator.migrate(connection, pastDays: 8)
        var own = configuration
        PostgresLedger.configure(&own, worker: worker)
        ledger = PostgresLedger(pool: PostgresPool(own), configuration: own)
        try await ledger.openLog(LogID("harborline.example/clawgrant"))
        _ = try await ledger.heartbeat(worker: worker, lifetime: .seconds(600), topics: [:]) { _ in 0 }
        var logger = Logger(label: "confirm-test")
        logger.logLevel = .critical
        let rules = try RuleSet(yaml: Self.rules)
        let clock: @Sendable () -> Timestamp = { GraphReader.clock() }
        let keys = try KeyRing(
            try [KeyPurpose.token, .receipt].enumerated().map { index, purpose in
                LoadedKey(
                    KeyConfiguration(purpose: purpose, location: .file("unused")),
                    signer: try #require(SeedSigner(seed: [UInt8](repeating: UInt8(index + 1), count: 32))))
            }, required: [.token, .receipt], at: clock())
        decider = Decider(
            reader: BatchReader(
                sources: SourceConfiguration.byTopic(rules), limits: EventAgeLimits(), worker: worker,
                confirmable: [SourceName("entra")]),
            clock: clock, ledger: ledger, rules: rules,
            policies: PolicyCache(sources: [], signers: [], logger: logger), keys: keys,
            tokenIDSecret: try #require(TokenIDSecret(bytes: [UInt8](repeating: 5, count: 32))), worker: worker,
            isDryRun: false, claimBase: nil, control: ControlView(),
            applier: ControlApplier(ledger: ledger, rules: rules, worker: worker) { _ in false },
            stopViewMaximumAge: nil, maximumClockDifference: .seconds(300), metrics: WorkerMetrics(), logger: logger)
        var settings = WorkerConfiguration.Confirmation(
            clientID: GraphDouble.clientID, certificateFile: "", keyFile: "")
        settings.graph.endpoint = double.address
        settings.graph.authority = double.address
        settings.graph.attempts = 1
        settings.graph.breakerPause = .milliseconds(100)
        settings.shortestWait = .milliseconds(50)
        settings.longestWait = .milliseconds(200)
        settings.recheckInterval = .milliseconds(100)
        settings.unknownAfter = .seconds(600)
        let client = try ClientCertificate(certificate: certificate.certificate, key: certificate.privateKey)
        graph = GraphReader(
            GraphCredentials(clientID: GraphDouble.clientID, certificate: client, tenants: [Self.tenant]),
            settings: settings.graph)
        service = ConfirmService(
            ledger: ledger, worker: worker, decider: decider, graph: graph, settings: settings, rules: rules,
            interval: .milliseconds(20), logger: logger)
    }

    // MARK: What is said

    private static func time(_ seconds: Int64) -> JSONValue {
        .string(GraphReader.clock().adding(seconds: seconds).iso8601)
    }

    /// The audit log's records of an activation that somebody approved.
    func say(_ request: String, subject: String = Self.avery, approver: String = Self.mina) async throws {
        func record(_ activity: String, _ by: String, _ details: [(String, JSONValue)]) -> JSONValue {
            [
                "category": "AuditLogs", "tenantId": .string(Self.tenant),
                "resourceId": .string("/tenants/\(Self.tenant)/providers/Microsoft.aadiam"),
                "properties": [
                    "id": .string("PIM_\(request)_\(activity)_\(by)"), "category": "RoleManagement",
                    "result": "success",
                    "loggedByService": "PIM", "activityDisplayName": .string(activity),
                    "activityDateTime": Self.time(-10),
                    "initiatedBy": [
                        "user": ["id": .string(by), "userPrincipalName": .string("\(by)@harborline.example")]
                    ],
                    "targetResources": [
                        ["type": "Role", "id": .string(Self.role)], ["type": "User", "id": .string(subject)],
                    ],
                    "additionalDetails": .array(
                        ([("RoleAssignmentRequestId", .string(request))] + details).map {
                            ["key": .string($0.0), "value": $0.1]
                        }),
                ],
            ]
        }
        let batch: JSONValue = [
            "records": [
                record("Add member to role request approved (PIM activation)", approver, []),
                record(
                    "Add member to role completed (PIM activation)", subject,
                    [("StartTime", Self.time(-5)), ("ExpirationTime", Self.time(3_600))]),
            ]
        ]
        try await deliver("audit", JSONWriter.bytes(batch))
    }

    /// A job asks for a token on a person's entitlement.
    func ask(_ name: String, subject: String = Self.avery) async throws {
        let request = CapabilityRequest(
            requestID: RequestID(name), jobID: JobID("job-\(name)"), jobClass: JobClass("admin"),
            agentDID: AgentDID("did:web:agents.harborline.example"), subject: PersonID(subject), scope: ["proxy:call"],
            ttlSeconds: 300, policyHash: nil, approvalID: nil, ticketNumber: nil, delivery: .plain,
            upgradesRequest: nil, reason: "rotate", requestedAt: GraphReader.clock())
        try await deliver("requests", JSONWriter.bytes(CapabilityRequestDocument.encode(request)))
    }

    private func deliver(_ topic: String, _ value: [UInt8]) async throws {
        let lease = try #require(try await ledger.claim(role: .sweeper, for: worker))
        var signatures = BatchSignatureCache(capacity: 1)
        let batch = decider.reader.read(
            [SourceRecord(topic: topic, value: value)], fence: .role(lease), at: GraphReader.clock(),
            signatures: &signatures)
        #expect(batch.refused.isEmpty, "\(batch.refused.map(\.detail))")
        try await decider.decide(batch)
    }

    /// What the vendor holds of an activation.
    func hold(_ request: String, status: String = "Provisioned", principal: String = Self.avery, isLive: Bool = true) {
        let body: JSONValue = [
            "id": .string(request), "status": .string(status), "action": "selfActivate",
            "principalId": .string(principal), "approvalId": .string(request), "targetScheduleId": .string(request),
            "createdDateTime": Self.time(-60), "completedDateTime": Self.time(-10),
            "createdBy": ["user": ["id": .string(principal)]], "roleDefinitionId": .string(Self.role),
            "directoryScopeId": "/",
        ]
        let step: JSONValue = [
            "id": .string(request), "status": "Completed", "reviewResult": "approve",
            "reviewedDateTime": Self.time(-20),
            "reviewedBy": ["id": .string(Self.mina), "userPrincipalName": "mina@harborline.example"],
        ]
        let instance: JSONValue = [
            "principalId": .string(principal), "assignmentType": "Activated", "startDateTime": Self.time(-5),
            "endDateTime": Self.time(1_800), "roleAssignmentScheduleId": .string(request),
            "roleDefinitionId": .string(Self.role), "directoryScopeId": "/",
        ]
        double.change(Self.tenant) { tenant in
            tenant.requests[request] = body
            tenant.approvals[request] = [step]
            tenant.instances.removeAll { $0["roleAssignmentScheduleId"]?.string == request }
            if isLive { tenant.instances.append(instance) }
        }
    }

    // MARK: What comes of it

    func request(_ name: String) async throws -> StoredRequest? {
        try await ledger.history(of: RequestID(name))?.request
    }

    func waitUntil(_ what: String, _ condition: @Sendable () async throws -> Bool) async throws {
        try await DevStack.waitUntil(deadline: .seconds(60), description: what, condition: condition)
    }

    func text(_ sql: String) async throws -> String? {
        let rows = try await connection.simple(sql)[0]
        return rows.rowCount == 0 ? nil : try rows.optional(0, 0, as: String.self)
    }
}

/// A flag that is set once.
final class Flag: Sendable {
    private let state = Lock(false)
    var isSet: Bool { state.withLock { $0 } }
    func set() { state.withLock { $0 = true } }
}
