public import ClawWire
public import GrantLedger
public import IssuanceRules
import ReceiptLog

/// A request's history in plain words, for the command line and for the console. Pure; texts that others wrote stand in it
/// as they came.
public struct RequestStory: Sendable {
    /// Lines under a title.
    public struct Section: Sendable, Hashable {
        /// What they are about: `asked`, `because`.
        public let title: String
        /// The lines; two spaces in front of one that belongs to the line before.
        public let items: [String]
    }

    private let history: RequestHistory
    private let rules: RuleSet?
    private let now: Timestamp
    private let waitsFor: Decision?
    private let receipt: Receipt?
    private let receiptDigest: Digest?
    private let asked: CapabilityRequest?

    /// Tells a history.
    ///
    /// - Parameters:
    ///   - history: what the ledger holds.
    ///   - rules: the rules in force; `nil` assesses no approvals.
    ///   - now: the time at which it is told.
    ///   - waitsFor: of a waiting request, what the rules say now.
    public init(_ history: RequestHistory, rules: RuleSet?, now: Timestamp, waitsFor: Decision? = nil) {
        self.history = history
        self.rules = rules
        self.now = now
        self.waitsFor = waitsFor
        receipt = history.effect.flatMap { try? Receipt(parsing: $0.receipt) }
        receiptDigest = history.effect.map { Digest(hashing: $0.receipt) }
        asked = history.request.body
            .flatMap { try? JSONReader.parse($0) }
            .flatMap { $0["request"] }
            .flatMap { try? CapabilityRequest(json: $0) }
    }

    // MARK: For people

    /// The story, line by line.
    public var lines: [String] {
        [headline] + sections.flatMap { ["\($0.title):"] + $0.items.map { "  \($0)" } }
    }

    /// The story under its headline.
    public var sections: [Section] {
        let request = history.request
        var sections: [Section] = []
        func add(_ title: String, _ items: [String]) {
            if !items.isEmpty { sections.append(Section(title: title, items: items)) }
        }
        add(
            "asked",
            [
                "job \(request.jobID) of the class \(request.jobClass), for the agent \(request.agentDID)",
                "received \(request.receivedAt)",
            ] + extent(askedExtent) + [asked?.reason.map { "reason given: \($0)" }].compactMap(\.self))
        add("approvals", approvals)
        add("granted", granted)
        add("decided", decided)
        add("because", reasons)
        add("needed", receipt?.content.refusalNeeded ?? waitsFor?.needed ?? [])
        add("inputs", inputs)
        add("evidence", evidence)
        return sections
    }

    /// What became of it, in one sentence.
    public var headline: String {
        let request = history.request
        let name = "the request \(request.requestID)"
        switch request.state {
        case .waiting:
            let until = request.waitUntil.map { ", at the latest until \($0)" } ?? ""
            return "\(name) waits\(until)"
        case .issued:
            guard let revocation = request.revocation else {
                let isOver = request.token.map { $0.expiresAt <= now } ?? false
                return "a token was issued for \(name)\(isOver ? "; it has expired" : "")"
            }
            return "a token was issued for \(name) and revoked at \(revocation.at): \(revocation.reason)"
        case .denied: return "\(name) was denied"
        case .expired: return "\(name) expired"
        }
    }

    private var askedExtent: AuthorityExtent? {
        if let asked {
            return AuthorityExtent(
                scope: asked.scope, actions: asked.actions, audience: asked.audience, ttlSeconds: asked.ttlSeconds)
        }
        switch receipt?.content {
        case .grantIssued(let grant): return grant.asked
        case .decisionDenied(let refusal), .decisionExpired(let refusal): return refusal.asked
        case .grantClaimed, .decisionQuarantined, .deadLetterRedriven, .deadLetterDiscarded, .revocation,
            .revocationsEnded, .keyChanged, .stopDeclared, .stopLifted, .stopDrilled, .controlApplied, .controlRepeated,
            .gatewayReceipt,
            .findingRaised, .budgetReached, .heartbeat, nil:
            return nil
        }
    }

    private func extent(_ extent: AuthorityExtent?) -> [String] {
        guard let extent else { return [] }
        var lines: [String] = []
        if !extent.scope.isEmpty { lines.append("scope \(extent.scope.joined(separator: ", "))") }
        if !extent.actions.isEmpty { lines.append("actions \(extent.actions.joined(separator: ", "))") }
        if !extent.audience.isEmpty { lines.append("audience \(extent.audience.joined(separator: ", "))") }
        if let ttl = extent.ttlSeconds { lines.append("a lifetime of \(ttl) s") }
        return lines
    }

    private var approvals: [String] {
        guard !history.approvals.isEmpty else {
            let keys = [
                history.request.approvalReference.map { "approval \($0)" },
                history.request.ticketReference.map { "ticket \($0)" },
                history.request.subjectReference.map { "an active window of \($0)" },
            ].compactMap { $0 }
            return keys.isEmpty ? [] : ["none yet; looked for by \(keys.joined(separator: ", "))"]
        }
        return history.approvals.flatMap { approval in
            guard let assessment = assess(approval) else { return [approval.approvalID.rawValue] }
            let window = [
                assessment.notBefore.map { "from \($0)" }, assessment.notAfter.map { "until \($0)" },
            ].compactMap { $0 }.joined(separator: " ")
            return [
                "\(approval.approvalID): now \(assessment.state.rawValue) (\(assessment.why))"
                    + (window.isEmpty ? "" : ", \(window)")
            ]
                + assessment.approvers.map { "  approved by \(Self.name($0.actor))" }
                + [assessment.requester.map { "  asked for by \(Self.name($0))" }].compactMap { $0 }
        }
    }

    private func assess(_ approval: StoredApproval) -> ApprovalAssessment? {
        guard let rules, let state = try? ApprovalState(decoding: approval.state) else { return nil }
        return state.assess(at: now, entitlements: rules.entitlements)
    }

    private static func name(_ actor: Actor) -> String {
        actor.name.map { "\($0) (\(actor.id))" } ?? actor.id.rawValue
    }

    private var granted: [String] {
        guard case .grantIssued(let grant) = receipt?.content else { return [] }
        var lines = extent(grant.granted)
        lines.append("from \(grant.token.issuedAt) to \(grant.token.expiresAt), delivery \(grant.delivery.rawValue)")
        lines.append("token \(grant.token.jti), hash \(grant.token.tokenHash.hex), signed with key \(grant.token.kid)")
        if !grant.approverIDs.isEmpty {
            lines.append("approved by \(grant.approverIDs.map(\.rawValue).joined(separator: ", "))")
        }
        if let replaced = grant.replaces { lines.append("replaces the token of \(replaced)") }
        return lines
    }

    private var decided: [String] {
        guard let receipt else { return [] }
        var lines = ["at \(receipt.occurredAt) by the worker \(receipt.provenance.workerID)"]
        if let rule = receipt.content.rule { lines.append("rule \(rule)") }
        if let hash = receipt.provenance.rulesHash {
            let isOther = rules.map { $0.hash != hash } ?? false
            lines.append("rules \(hash)\(isOther ? ", which are not the ones configured now" : "")")
        }
        if let hash = receipt.provenance.policyHash { lines.append("WPC \(hash)") }
        if let authenticity = receipt.provenance.authenticity { lines.append("authenticity \(authenticity.rawValue)") }
        return lines
    }

    private var reasons: [String] {
        guard let receipt else {
            guard history.request.state == .waiting else { return [] }
            guard let waitsFor else { return ["it has no outcome yet; what it waits for is in the approvals above"] }
            return waitsFor.reasons.flatMap { reason in
                ["\(reason.code.rawValue): \(reason.detail)", "  \(reason.code.meaning)", "  -> \(reason.code.remedy)"]
            }
        }
        return receipt.reasons.flatMap { reason in
            guard let code = ReasonCode(rawValue: reason.code) else { return ["\(reason.code): \(reason.detail)"] }
            return ["\(reason.code): \(reason.detail)", "  \(code.meaning)", "  -> \(code.remedy)"]
        }
    }

    private var inputs: [String] {
        receipt?.provenance.inputs.map { input in
            "\(input.origin)\(input.source.map { ", source \($0)" } ?? ""), digest \(input.digest)"
        } ?? []
    }

    private var evidence: [String] {
        guard let receipt, let receiptDigest else {
            return history.request.state == .waiting ? [] : ["the receipt's day is archived"]
        }
        return [
            "receipt \(receipt.id), digest \(receiptDigest)",
            history.batchNumber.map { "sealed in batch \($0)" } ?? "not sealed yet",
        ]
    }

    // MARK: For programs

    /// The story as an object.
    public var json: JSONValue {
        let request = history.request
        return [
            "request_id": .string(request.requestID.rawValue), "state": .string("\(request.state)"),
            "job_id": .string(request.jobID.rawValue), "job_class": .string(request.jobClass.rawValue),
            "agent_did": .string(request.agentDID.rawValue), "received_at": .string(request.receivedAt.iso8601),
            "wait_until": .optional(request.waitUntil?.iso8601), "decided_at": .optional(request.decidedAt?.iso8601),
            "revoked_at": .optional(request.revocation?.at.iso8601),
            "revoked_reason": .optional(request.revocation?.reason),
            "approvals": .array(history.approvals.map(json)), "reasons": .array((receipt?.reasons ?? []).map(json)),
            "receipt": history.effect.flatMap { try? JSONReader.parse($0.receipt) } ?? .null,
            "receipt_id": .optional(receipt?.id.rawValue),
            "batch": history.batchNumber.map { .integer($0) } ?? .null,
        ]
    }

    private func json(_ approval: StoredApproval) -> JSONValue {
        let assessment = assess(approval)
        return [
            "approval_id": .string(approval.approvalID.rawValue), "state": .optional(assessment?.state.rawValue),
            "why": .optional(assessment?.why), "not_after": .optional(assessment?.notAfter?.iso8601),
            "approvers": .array((assessment?.approvers ?? []).map { .string($0.actor.id.rawValue) }),
            "used_by": .array(approval.usedBy.map { .string($0.rawValue) }),
        ]
    }

    private func json(_ reason: Receipt.Reason) -> JSONValue {
        let code = ReasonCode(rawValue: reason.code)
        return [
            "code": .string(reason.code), "detail": .string(reason.detail), "meaning": .optional(code?.meaning),
            "remedy": .optional(code?.remedy),
        ]
    }
}

extension Receipt.Content {
    /// What would have been needed.
    fileprivate var refusalNeeded: [String] {
        switch self {
        case .decisionDenied(let refusal), .decisionExpired(let refusal): refusal.needed
        case .grantIssued, .grantClaimed, .decisionQuarantined, .deadLetterRedriven, .deadLetterDiscarded, .revocation,
            .revocationsEnded, .keyChanged, .stopDeclared, .stopLifted, .stopDrilled, .controlApplied, .controlRepeated,
            .gatewayReceipt, .findingRaised, .budgetReached, .heartbeat:
            []
        }
    }

    /// Path of the rule that decided.
    fileprivate var rule: String? {
        switch self {
        case .grantIssued(let grant): grant.rule
        case .decisionDenied(let refusal), .decisionExpired(let refusal): refusal.rule
        case .grantClaimed, .decisionQuarantined, .deadLetterRedriven, .deadLetterDiscarded, .revocation,
            .revocationsEnded, .keyChanged, .stopDeclared, .stopLifted, .stopDrilled, .controlApplied, .controlRepeated,
            .gatewayReceipt,
            .findingRaised, .budgetReached, .heartbeat:
            nil
        }
    }
}
