public import ClawWire
import Yams

/// Why a case cannot be read.
public struct RulesCaseError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Path of the member, for example `given[2].approver.id`.
    public let path: String
    /// What was wrong.
    public let detail: String
    /// Both.
    public var description: String { path.isEmpty ? detail : "\(path): \(detail)" }
}

extension RulesCase {
    /// Reads the cases of a file: one case, or `cases: [...]`. JSON is YAML too.
    ///
    /// - Throws: ``RulesCaseError`` naming the member that is missing or of the wrong form.
    public static func read(yaml text: String) throws(RulesCaseError) -> [RulesCase] {
        guard YAMLSize.isBounded(text) else {
            throw RulesCaseError(
                path: "", detail: "the file has more than \(YAMLSize.maximumNodes) values once aliases are followed")
        }
        let root: Node?
        do {
            root = try compose(yaml: text)
        } catch {
            throw RulesCaseError(path: "", detail: "the text is no YAML: \(error)")
        }
        guard let root else { throw RulesCaseError(path: "", detail: "the file is empty") }
        let document = try json(root, depth: 0)
        guard let list = document["cases"]?.array else { return [try RulesCase(json: document)] }
        var cases: [RulesCase] = []
        for (index, value) in list.enumerated() {
            do {
                cases.append(try RulesCase(json: value))
            } catch {
                throw RulesCaseError(path: "cases[\(index)].\(error.path)", detail: error.detail)
            }
        }
        return cases
    }

    private static func json(_ node: Node, depth: Int) throws(RulesCaseError) -> JSONValue {
        guard depth < 32 else { throw RulesCaseError(path: "", detail: "nested deeper than 32 levels") }
        switch node {
        case .scalar(let scalar):
            guard scalar.style == .plain else { return .string(scalar.string) }
            switch scalar.string {
            case "", "~", "null": return .null
            case "true": return true
            case "false": return false
            default:
                if let integer = Int64(scalar.string), integer.magnitude < 1 << 53 { return .integer(integer) }
                return .string(scalar.string)
            }
        case .sequence(let sequence):
            var elements: [JSONValue] = []
            for element in sequence { elements.append(try json(element, depth: depth + 1)) }
            return .array(elements)
        case .mapping(let mapping):
            var object = JSONObject()
            for (key, value) in mapping {
                guard case .scalar(let name) = key else {
                    throw RulesCaseError(path: "", detail: "a key is not a name")
                }
                object[name.string] = try json(value, depth: depth + 1)
            }
            return .object(object)
        case .alias: throw RulesCaseError(path: "", detail: "aliases are not read")
        }
    }

    /// Reads one case.
    ///
    /// - Throws: ``RulesCaseError`` naming the member that is missing or of the wrong form.
    public init(json value: JSONValue) throws(RulesCaseError) {
        let reader = CaseReader(value: value)
        name = value["name"]?.string ?? "case"
        let now = try reader.time("at")
        let request = try reader.request(now)
        given = try reader.given()
        var states: [ApprovalID: ApprovalState] = [:]
        for given in given {
            guard let id = given.fact.approvalID else { continue }
            states[id, default: ApprovalState(approvalID: id)].apply(
                given.fact, from: given.source, authenticity: given.authenticity)
        }
        let used = value["used"]?.object
        let candidates = states.values.sorted { $0.approvalID < $1.approvalID }.map { state in
            let use = used?[state.approvalID.rawValue]
            return ApprovalCandidate(
                state: state, usedBy: use?["by"]?.string.map { RequestID($0) },
                grantsInWindow: Int(use?["grants"]?.integer ?? 0))
        }
        var decided = DecisionInput(
            request: request, requestSource: SourceName(value["request_source"]?.string ?? "requests"),
            requestAuthenticity: try reader.authenticity("request_authenticity", of: value),
            receivedAt: value["received_at"] == nil ? request.requestedAt : try reader.time("received_at"),
            approvals: candidates, wpc: try reader.wpc(request),
            keyValidUntil: value["key_valid_until"] == nil ? nil : try reader.time("key_valid_until"),
            upgrade: reader.upgrade(request), control: try Self.controlState(value["control"], at: now),
            signingKey: value["signing_key"]?.string.map { KeyID($0) },
            usage: try JobUsage(ofCase: value["usage"]), now: now)
        decided.health = try reader.health(given.map(\.source), now)
        input = decided
        expectation = try reader.expectation()
    }
}

private struct CaseReader {
    let value: JSONValue

    func time(_ key: String) throws(RulesCaseError) -> Timestamp {
        guard let time = value[key]?.string.flatMap({ Timestamp(rfc3339: $0) }) else {
            throw RulesCaseError(path: key, detail: "expected an RFC 3339 time such as 2026-11-20T09:10:00Z")
        }
        return time
    }

    /// Every source that states something was heard just now, but for those that the case calls silent.
    func health(
        _ sources: [SourceName], _ now: Timestamp
    ) throws(RulesCaseError) -> [SourceName: SourceHealth] {
        var silent: Set<SourceName> = []
        if let member = value["silent_sources"] {
            guard let names = texts(member) else {
                throw RulesCaseError(path: "silent_sources", detail: "expected a list of sources of the rules")
            }
            silent = Set(names.map { SourceName($0) })
        }
        var health: [SourceName: SourceHealth] = [:]
        for source in sources {
            var state = SourceHealth()
            state.seenAt = silent.contains(source) ? nil : now
            health[source] = state
        }
        return health
    }

    func texts(_ value: JSONValue?) -> [String]? { value?.array.map { $0.compactMap(\.string) } }

    func authenticity(_ key: String, of value: JSONValue) throws(RulesCaseError) -> Authenticity {
        switch value[key] {
        case nil, .some(.null), .some(.string("topic")): return .topic
        case .some(.string("confirmed")): return .confirmed
        case .some(.string("unconfirmed")): return .unconfirmed
        case .some(let other):
            guard let dids = texts(other["signed_by"]) else {
                throw RulesCaseError(
                    path: key, detail: "expected topic, confirmed, unconfirmed or signed_by: [did:key…]")
            }
            var keys: [KeyID] = []
            for did in dids {
                guard let publicKey = Ed25519PublicKey(did: did) else {
                    throw RulesCaseError(path: "\(key).signed_by", detail: "\(quoted(did)) is no did:key")
                }
                keys.append(publicKey.kid)
            }
            return .signed(by: keys)
        }
    }

    func given() throws(RulesCaseError) -> [RulesCase.Given] {
        var given: [RulesCase.Given] = []
        for (index, element) in (value["given"]?.array ?? []).enumerated() {
            let fact: Fact
            do {
                fact = try Fact(json: element)
            } catch {
                throw RulesCaseError(path: "given[\(index)].\(error.path)", detail: "expected \(error.expected)")
            }
            guard let source = element["from"]?.string ?? value["from"]?.string else {
                throw RulesCaseError(path: "given[\(index)].from", detail: "expected the name of a source of the rules")
            }
            given.append(
                RulesCase.Given(
                    fact: fact, source: SourceName(source),
                    authenticity: try authenticity(
                        "authenticity", of: element["authenticity"] == nil ? value : element)))
        }
        return given
    }

    /// A request with what a case leaves out filled in: `requested_at` is the time of the decision, delivery is sealed.
    func request(_ now: Timestamp) throws(RulesCaseError) -> CapabilityRequest {
        guard var object = value["request"]?.object else {
            throw RulesCaseError(path: "request", detail: "expected the request to decide")
        }
        if object["requested_at"] == nil { object["requested_at"] = .string(now.iso8601) }
        if object["request_id"] == nil { object["request_id"] = "req-1" }
        if object["job_id"] == nil { object["job_id"] = "job-1" }
        if object["agent_did"] == nil { object["agent_did"] = "did:key:z6MkAgent" }
        if object["delivery"] == nil {
            object["delivery"] = "sealed"
            object["public_key_b64u"] = .string(Base64URL.encode([UInt8](repeating: 9, count: 32)))
        }
        do {
            return try CapabilityRequest(json: CapabilityRequest.foldingSubject(of: .object(object)))
        } catch {
            throw RulesCaseError(path: "request", detail: error.detail)
        }
    }

    func wpc(_ request: CapabilityRequest) throws(RulesCaseError) -> WPCAvailability {
        guard let wpc = value["wpc"] else { return .notRequested }
        if let reason = wpc["unavailable"]?.string { return .unavailable(reason: reason) }
        if let code = wpc["invalid"]?.string { return .invalid(code: code, detail: wpc["detail"]?.string ?? "") }
        guard let form = IssuancePolicy.Form(rawValue: wpc["form"]?.string ?? "runbook") else {
            throw RulesCaseError(path: "wpc.form", detail: "expected v1, statements, runbook or runbook_in_v1")
        }
        guard let hash = wpc["hash"]?.string.flatMap({ Digest(b64u: $0) }) ?? request.policyHash else {
            throw RulesCaseError(path: "request.policy_hash_b64u", detail: "expected the hash of the WPC")
        }
        var policy = IssuancePolicy(form: form)
        policy.policyID = wpc["policy_id"]?.string
        policy.jobClass = wpc["job_class"]?.string
        policy.toolsAllowed = texts(wpc["tools_allowed"])
        policy.toolsDenied = texts(wpc["tools_denied"]) ?? []
        policy.requiresSandbox = wpc["require_sandbox"]?.bool ?? false
        policy.requiresProxy = wpc["require_proxy"]?.bool ?? false
        policy.requiresReceipts = wpc["receipt_required"]?.bool ?? false
        policy.approvals = (wpc["approvals"]?.array ?? []).map {
            .init(action: $0["action"]?.string ?? "", require: $0["require"]?.string ?? "")
        }
        policy.maximumTTLSeconds = wpc["max_ttl_seconds"]?.integer
        policy.policyHashPinned = wpc["policy_hash_pinned"]?.bool ?? false
        policy.jobScopedBinding = wpc["job_scoped_binding"]?.bool ?? false
        policy.allowedProviders = texts(wpc["allowed_providers"])
        policy.allowedRoutes = texts(wpc["allowed_routes"])
        policy.statements = try statements(wpc)
        return .available(policy, hash: hash)
    }

    /// The statements of a WPC of that form, in the words of the document.
    private func statements(_ wpc: JSONValue) throws(RulesCaseError) -> StatementPolicy? {
        guard let statements = wpc["statements"] else { return nil }
        var document: JSONObject = [
            "policy_version": "2", "policy_id": .string(wpc["policy_id"]?.string ?? "case"),
            "issuer_did": "did:web:case.example", "statements": statements,
        ]
        document["inherits"] = wpc["inherits"]
        do {
            return try StatementPolicy(.object(document))
        } catch {
            throw RulesCaseError(path: "wpc.\(error.path)", detail: error.detail)
        }
    }

    func upgrade(_ request: CapabilityRequest) -> UpgradeTarget? {
        guard let upgrade = value["upgrade"], let earlier = request.upgradesRequest else { return nil }
        return UpgradeTarget(
            requestID: earlier, jobID: upgrade["job_id"]?.string.map { JobID($0) } ?? request.jobID,
            agentDID: upgrade["agent_did"]?.string.map { AgentDID($0) } ?? request.agentDID,
            scope: texts(upgrade["scope"]) ?? [], elevatedActions: texts(upgrade["elevated_actions"]) ?? [],
            approvals: (texts(upgrade["approvals"]) ?? []).map { ApprovalID($0) },
            isLive: upgrade["live"]?.bool ?? true)
    }

    func expectation() throws(RulesCaseError) -> RulesCase.Expectation {
        guard let expect = value["expect"], let outcome = expect["outcome"]?.string else {
            throw RulesCaseError(path: "expect.outcome", detail: "expected issue, deny, expire or wait")
        }
        guard ["issue", "deny", "expire", "wait"].contains(outcome) else {
            throw RulesCaseError(path: "expect.outcome", detail: "expected issue, deny, expire or wait")
        }
        for code in texts(expect["reasons"]) ?? [] where ReasonCode(rawValue: code) == nil {
            let meant = Spelling.nearest(to: code, among: ReasonCode.allCases.map(\.rawValue))
            throw RulesCaseError(
                path: "expect.reasons",
                detail: "\(quoted(code)) is no reason code" + (meant.map { "; did you mean \($0)?" } ?? ""))
        }
        return RulesCase.Expectation(
            outcome: outcome, reasons: texts(expect["reasons"]), rule: expect["rule"]?.string,
            scope: texts(expect["scope"]), ttlSeconds: expect["ttl_seconds"]?.integer,
            approvers: texts(expect["approvers"])?.sorted(), isPinned: expect["pinned"]?.bool)
    }
}
