import ApprovalSources
import ClawWire
import GraphConfirmation
import GraphDouble
import IssuanceRules
import Primitives

/// A tenant with one activation of a role that another person approved.
struct GraphFixture {
    static let tenant = "5b0c3f8e-1111-4222-8333-444455556666"
    static let request = "9c6d9111-b8d8-557e-a298-20035e47a580"
    static let role = "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"
    static let group = "fbcdbd69-3c2d-5deb-9b02-7cdcaef992ad"
    static let avery = "a5a38504-8335-5c2a-8ad2-5e374d719355"
    static let mina = "2dd18507-3fb7-5dd2-b44b-8880d5503efa"
    static let approval = ApprovalID("entra-pim/\(tenant)/\(request)")

    /// Made once: a key of RSA takes a while.
    static let certificate = Result { try TestCertificate() }

    var status = "Provisioned"
    var principal = Self.avery
    var requester = Self.avery
    var reviewer: String? = Self.mina
    var reviewerUPN: String? = "mina.castellanos@harborline.example"
    var result = "approve"
    var stepStatus = "Completed"
    var action = "selfActivate"
    var isGroup = false
    var hasApproval = true
    var hasInstance = true
    var isValidationOnly = false
    var end = "2026-11-20T10:10:45.843Z"

    var requestBody: JSONValue {
        var object: JSONObject = [
            "id": .string(Self.request), "status": .string(status), "action": .string(action),
            "principalId": .string(principal), "approvalId": hasApproval ? .string(Self.request) : .null,
            "targetScheduleId": .string(Self.request), "isValidationOnly": .bool(isValidationOnly),
            "createdDateTime": "2026-11-20T09:00:00.0427885Z", "completedDateTime": "2026-11-20T09:07:10Z",
            "createdBy": ["user": ["id": .string(requester)]],
        ]
        object[isGroup ? "groupId" : "roleDefinitionId"] = .string(isGroup ? Self.group : Self.role)
        object[isGroup ? "accessId" : "directoryScopeId"] = isGroup ? "member" : "/"
        return .object(object)
    }

    var step: JSONValue {
        [
            "id": .string(Self.request), "status": .string(stepStatus), "reviewResult": .string(result),
            "reviewedDateTime": "2026-11-20T09:07:04.546911Z", "justification": "ok",
            "reviewedBy": reviewer.map {
                ["id": .string($0), "displayName": "Mina Castellanos", "userPrincipalName": .optional(reviewerUPN)]
            } ?? .null,
        ]
    }

    func instance(schedule: String = Self.request) -> JSONValue {
        var object: JSONObject = [
            "id": .string("i-\(schedule)"), "principalId": .string(principal), "assignmentType": "Activated",
            "startDateTime": "2026-11-20T09:10:47.01Z", "endDateTime": .string(end),
        ]
        object[isGroup ? "assignmentScheduleId" : "roleAssignmentScheduleId"] = .string(schedule)
        object[isGroup ? "groupId" : "roleDefinitionId"] = .string(isGroup ? Self.group : Self.role)
        object[isGroup ? "accessId" : "directoryScopeId"] = isGroup ? "member" : "/"
        return .object(object)
    }

    /// The state of the tenant.
    func put(into double: GraphDouble) {
        double.change(Self.tenant) { tenant in
            tenant.requests[Self.request] = requestBody
            tenant.approvals[Self.request] = hasApproval ? [step] : nil
            tenant.instances = hasInstance ? [instance()] : []
        }
    }

    /// The answer that reading this would give.
    var document: JSONValue {
        [
            "kind": "graph.poll", "tenantId": .string(Self.tenant), "request": requestBody,
            "approval": hasApproval ? ["id": .string(Self.request), "steps": [step]] : .null,
            "instances": hasInstance ? [instance()] : [],
        ]
    }

    func with(_ change: (inout Self) -> Void) -> Self {
        var copy = self
        change(&copy)
        return copy
    }

    static var target: GraphTarget? { GraphTarget(approval, entitlement: .entraRole) }

    func answer(_ document: JSONValue?) throws -> GraphAnswer {
        guard let target = Self.target else { throw Missing() }
        let now = Timestamp(seconds: 1_795_166_700)
        return GraphAnswer(target, document: document, requestIDs: ["r1"], askedAt: now, answeredAt: now)
    }

    struct Missing: Error {}

    /// What the audit log says of the same activation.
    static func claim(
        subjects: Set<PersonID> = [PersonID(avery)], entitlement: Entitlement? = nil,
        approvers: Set<PersonID> = [PersonID(mina)], isApproved: Bool = true, hasStarted: Bool = true,
        isConfirmed: Bool = false
    ) -> UnconfirmedClaim {
        UnconfirmedClaim(
            approvalID: approval, source: SourceName("entra"), subjects: subjects,
            entitlements: [entitlement ?? Entitlement(kind: .entraRole, id: role, scope: "/")], approvers: approvers,
            isApproved: isApproved, hasStarted: hasStarted, isConfirmed: isConfirmed)
    }

    /// Settings that wait for nothing.
    static func settings(_ double: GraphDouble) -> GraphSettings {
        var settings = GraphSettings()
        settings.endpoint = double.address
        settings.authority = double.address
        settings.answerTimeout = .seconds(30)
        return settings
    }

    static func reader(
        _ double: GraphDouble, _ settings: GraphSettings? = nil, algorithm: ClientCertificate.Algorithm = .ps256,
        waits: Waits = Waits(), tenants: Set<String> = [tenant]
    ) throws -> GraphReader {
        let own = try certificate.get()
        let certificate = try ClientCertificate(
            certificate: own.certificate, key: own.privateKey, algorithm: algorithm)
        return GraphReader(
            GraphCredentials(clientID: GraphDouble.clientID, certificate: certificate, tenants: tenants),
            settings: settings ?? Self.settings(double), sleep: { waits.add($0) })
    }

    /// Waits that were asked for and not waited.
    final class Waits: Sendable {
        private let all = Lock<[Duration]>([])
        func add(_ wait: Duration) { all.withLock { $0.append(wait) } }
        var list: [Duration] { all.withLock { $0 } }
    }
}
