public import ClawWire

extension RuleSet {
    /// Decides a request. Pure: the same input gives the same decision, whatever the order of the approvals.
    ///
    /// Order of judgement: what is stopped or revoked, then what the request may not ask for at all, then the WPC, then
    /// the approvals. A final refusal is given at once; what is missing is waited for until `receivedAt` +
    /// `wait_timeout`, then the request expires.
    public func decide(_ input: DecisionInput) -> Decision {
        if !input.control.isOpen, let stopped = input.stopped { return stopped }
        guard let rule = jobClasses[input.request.jobClass] else {
            return Decision(
                outcome: .deny,
                reasons: [
                    Reason(
                        .capabilityJobClassUnknown,
                        "the rules have no job class \(quoted(input.request.jobClass.rawValue))")
                ], rule: "job_classes", approvals: [], needed: ["a job class of the rules"])
        }
        var decider = Decider(rules: self, rule: rule, input: input)
        return decider.decide()
    }
}

/// A value of the request or of an event in a sentence: cut and without control characters.
func quoted(_ text: String) -> String {
    let kept = text.unicodeScalars.prefix(80).map { scalar in
        scalar.properties.generalCategory == .control ? Unicode.Scalar(0xFFFD) ?? scalar : scalar
    }
    return "\"" + String(String.UnicodeScalarView(kept)) + (text.unicodeScalars.count > 80 ? "…\"" : "\"")
}

/// Something that stands in the way of a grant.
struct Finding: Sendable, Hashable {
    let code: ReasonCode
    let detail: String
    /// Path of the setting within the job class, or of the whole rules when it begins with a dot.
    let setting: String
    let needed: String

    var reason: Reason { Reason(code, detail) }
}

/// One decision in progress. It cannot be copied: it holds the rules and all that the decision depends on.
struct Decider: ~Copyable {
    let rules: RuleSet
    let rule: JobClassRule
    let input: DecisionInput
    /// Final refusals.
    var refusals: [Finding] = []
    /// What is missing and may come.
    var waits: [Finding] = []
    /// Remarks on a grant.
    var notes: [Reason] = []
    var recheckAt: Timestamp?

    /// The WPC, once it is there.
    var policy: IssuancePolicy?
    var pinned: Digest?
    /// Humans that the WPC requires for what is asked.
    var policyHumans = 0
    var actions: [String] = []
    var scope: [String] = []
    var audience: [String] = []
    var ttlSeconds: Int64 = 0
    /// Up to when authority for the request is dead, whatever the approval.
    let barrier: Barrier?
    /// True once an approval was found that enough people gave after every barrier.
    var hasFreshAuthority = false

    let request: CapabilityRequest

    init(rules: RuleSet, rule: JobClassRule, input: DecisionInput) {
        self.rules = rules
        self.rule = rule
        self.input = input
        request = input.request
        barrier = input.control.isOpen ? nil : input.control.barrier(among: input.scopes)
    }

    mutating func refuse(_ code: ReasonCode, _ detail: String, _ setting: String, needed: String) {
        refusals.append(Finding(code: code, detail: detail, setting: setting, needed: needed))
    }

    mutating func wait(_ code: ReasonCode, _ detail: String, _ setting: String, needed: String) {
        waits.append(Finding(code: code, detail: detail, setting: setting, needed: needed))
    }

    mutating func decide() -> Decision {
        checkRequest()
        checkPolicy()
        checkActions()
        checkScope()
        checkAudience()
        checkTools()
        checkLifetime()
        checkPin()
        checkUpgrade()
        checkKey()
        checkBudget()
        guard refusals.isEmpty else { return decision(.deny, refusals, []) }
        let choice = chooseApproval()
        let approvals = choice.considered
        switch choice.result {
        case .refused(let findings): return decision(.deny, findings, approvals)
        case .expired(let findings): return decision(.expire, findings, approvals)
        case .waiting(let findings):
            if let stale = staleRequest { return decision(.deny, [stale] + findings, approvals) }
            return waiting(for: findings + waits, approvals)
        case .usable(let approval):
            guard waits.isEmpty else { return waiting(for: waits, approvals) }
            return issue(on: approval, approvals)
        }
    }

    private func waiting(for findings: [Finding], _ approvals: [ApprovalID]) -> Decision {
        let deadline = input.receivedAt.adding(seconds: rule.waitTimeoutSeconds)
        guard input.now < deadline else { return timedOut(findings, approvals) }
        return decision(.wait(until: deadline), findings, approvals)
    }

    private func timedOut(_ findings: [Finding], _ approvals: [ApprovalID]) -> Decision {
        let finding = Finding(
            code: .capabilityWaitTimedOut,
            detail: "the request has waited since \(input.receivedAt), longer than \(rule.waitTimeoutSeconds) s",
            setting: "wait_timeout", needed: "what is named below, within \(rule.waitTimeoutSeconds) s")
        return decision(.expire, [finding] + findings, approvals)
    }

    private func decision(
        _ outcome: Decision.Outcome, _ findings: [Finding], _ approvals: [ApprovalID]
    ) -> Decision {
        Decision(
            outcome: outcome, reasons: findings.map(\.reason), rule: path(findings.first?.setting ?? ""),
            approvals: approvals, needed: findings.map(\.needed),
            recheckAt: outcome.isWait ? recheckAt : nil)
    }

    func path(_ setting: String) -> String {
        if setting.utf8.first == UInt8(ascii: ".") { return String(setting.dropFirst()) }
        return setting.isEmpty ? rule.path : "\(rule.path).\(setting)"
    }

    private mutating func issue(on approval: UsableApproval, _ approvals: [ApprovalID]) -> Decision {
        let deadline = input.receivedAt.adding(seconds: rule.waitTimeoutSeconds)
        guard input.now < deadline else { return timedOut([], approvals) }
        let issuedAt = input.now.seconds
        var end = issuedAt + ttlSeconds
        if let keyEnd = input.keyValidUntil?.seconds, keyEnd < end {
            guard keyEnd > issuedAt else {
                let finding = Finding(
                    code: .tokenKeyExpiring, detail: "the signing key is valid until \(Timestamp(seconds: keyEnd))",
                    setting: "max_ttl", needed: "a signing key that is valid for longer")
                return waiting(for: [finding], approvals)
            }
            end = keyEnd
        }
        end = min(end, approval.notAfter.seconds, wallTimeEnd(on: approval.state) ?? .max)
        guard end > issuedAt else {
            let finding = Finding(
                code: .humanApprovalWindowOver, detail: "the window ends at \(approval.notAfter)", setting: "binding",
                needed: "a new approved window")
            return decision(.expire, [finding], approvals)
        }
        if end - issuedAt < request.ttlSeconds ?? 0, end - issuedAt < ttlSeconds {
            notes.append(
                Reason(
                    .tokenTTLReduced,
                    "\(end - issuedAt) s instead of \(ttlSeconds) s: the window, the key or the job's wall time ends"))
        }
        let plan = GrantPlan(
            agentDID: request.agentDID, audience: audience, scope: scope, issuedAt: Timestamp(seconds: issuedAt),
            expiresAt: Timestamp(seconds: end), jobID: request.jobID, jobClass: request.jobClass,
            policyHash: pinned, approvalDigest: ApprovalDigest.of([approval.state]),
            approvals: [approval.state.approvalID], approvers: approval.approvers, elevatedActions: actions,
            delivery: request.delivery, replaces: request.upgradesRequest)
        return Decision(
            outcome: .issue(plan), reasons: notes, rule: rule.path, approvals: approvals, needed: [])
    }
}

extension Decision.Outcome {
    fileprivate var isWait: Bool {
        switch self {
        case .wait: true
        case .issue, .deny, .expire: false
        }
    }
}

/// What a token says of the approvals it rests on (claim `owner_ref`).
public enum ApprovalDigest {
    /// JCS digest of `[{"approval_id": …, "evidence": [base64url SHA-256 of each record, …]}, …]`, sorted.
    public static func of(_ approvals: [ApprovalState]) -> Digest {
        var bytes: [UInt8] = [UInt8(ascii: "[")]
        bytes.reserveCapacity(256)
        for (index, approval) in approvals.sorted(by: { $0.approvalID < $1.approvalID }).enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.append(contentsOf: "{\"approval_id\":".utf8)
            JSONWriter.append(string: approval.approvalID.rawValue, to: &bytes)
            bytes.append(contentsOf: ",\"evidence\":[".utf8)
            for (index, entry) in approval.evidenceDigests.entries.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                bytes.append(UInt8(ascii: "\""))
                entry.key.appendB64U(to: &bytes)
                bytes.append(UInt8(ascii: "\""))
            }
            bytes.append(contentsOf: "]}".utf8)
        }
        bytes.append(UInt8(ascii: "]"))
        return Digest(hashing: bytes)
    }
}
