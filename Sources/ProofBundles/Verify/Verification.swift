public import ClawWire

/// One thing that was looked at, and what came of it.
public struct Check: Sendable, Hashable {
    /// What came of it.
    public enum Outcome: String, Sendable, Hashable, CaseIterable {
        /// It is as it must be.
        case passed
        /// It is not.
        case failed
        /// It could not be looked at: a key or a document was not given. Never counts as passed.
        case notChecked = "not_checked"
    }

    /// What was looked at, for machines: for a failure what is wrong, SCREAMING_SNAKE_CASE.
    public let code: String
    /// Where, as a path of members of the document.
    public let path: String
    /// What came of it.
    public let outcome: Outcome
    /// A sentence for people.
    public let detail: String

    /// Makes a check.
    public init(_ code: String, _ path: String, _ outcome: Outcome, _ detail: String) {
        self.code = code
        self.path = path
        self.outcome = outcome
        self.detail = detail
    }

    /// The check as JSON.
    public var json: JSONValue {
        [
            "code": .string(code), "path": .string(path), "outcome": .string(outcome.rawValue),
            "detail": .string(detail),
        ]
    }
}

/// What a document turned out to be.
public enum DocumentKind: String, Sendable, Hashable, CaseIterable {
    /// A proof bundle in its envelope.
    case proofBundle = "proof_bundle"
    /// An export bundle.
    case exportBundle = "export_bundle"
    /// A record of the batch topic.
    case batch
    /// Bundles of several runs in one envelope.
    case aggregate = "aggregate_bundle"
    /// A signed reference to a commit.
    case commitSignature = "commit_signature"
    /// A tool receipt in its envelope.
    case toolReceipt = "tool_receipt"
    /// Two checkpoints with the proof between them.
    case checkpointPair = "checkpoint_pair"
    /// A checkpoint alone.
    case checkpoint
    /// A receipt's way to a checkpoint.
    case inclusionProof = "inclusion_proof"
    /// `log_inclusion_proof.v1`.
    case compatibleProof = "log_inclusion_proof"
    /// A receipt of the log, alone.
    case receipt
    /// A token.
    case token
    /// A WPC in its envelope.
    case policy = "work_policy_contract"
    /// A gateway receipt in its envelope.
    case gatewayReceipt = "gateway_receipt"
    /// A signed approval.
    case approval = "human_approval_receipt"
    /// A published grant.
    case grant
    /// The signed head of the revocations topic.
    case revocationHead = "revocation_head"
    /// None of these.
    case unknown
}

/// The answer about one document.
public struct Verification: Sendable, Hashable {
    /// The verdict.
    public enum Verdict: String, Sendable, Hashable, CaseIterable {
        /// Everything that makes the document what it is was checked and holds.
        case valid = "VALID"
        /// Something does not hold.
        case invalid = "INVALID"
        /// Nothing is wrong with what could be checked, and too little could be: something is not given, or not signed.
        case undetermined = "UNDETERMINED"
    }

    /// What it is.
    public let kind: DocumentKind
    /// The checks in the order in which they were made.
    public let checks: [Check]
    /// The verdict.
    public let verdict: Verdict

    /// Makes an answer of checks.
    ///
    /// - Parameters:
    ///   - kind: what the document is.
    ///   - checks: what was looked at.
    ///   - isProven: true when a signature by a trusted key covers the document. Without one nothing is ever valid.
    init(kind: DocumentKind, checks: [Check], isProven: Bool) {
        self.kind = kind
        self.checks = checks
        verdict =
            checks.contains { $0.outcome == .failed }
            ? .invalid : isProven && !checks.contains { $0.outcome == .notChecked } ? .valid : .undetermined
    }

    /// 0 for valid, 1 for invalid, 2 for undetermined.
    public var exitCode: Int32 {
        switch verdict {
        case .valid: 0
        case .invalid: 1
        case .undetermined: 2
        }
    }

    /// What failed.
    public var failures: [Check] { checks.filter { $0.outcome == .failed } }

    /// The answer as JSON.
    public var json: JSONValue {
        [
            "kind": .string(kind.rawValue), "verdict": .string(verdict.rawValue),
            "passed": .integer(checks.count { $0.outcome == .passed }), "failed": .integer(failures.count),
            "not_checked": .integer(checks.count { $0.outcome == .notChecked }),
            "checks": .array(checks.map(\.json)),
        ]
    }
}

/// Collects checks, up to a limit, so that a document of a thousand faults gives a readable answer.
struct CheckList {
    private(set) var checks: [Check] = []
    /// True once a trusted signature was found to cover the document.
    var isProven = false
    private var suppressed = 0
    /// Most checks that are told.
    static let maximum = 4_096

    mutating func add(_ check: Check) {
        // Failures are never dropped for want of room that passed checks took.
        if checks.count < Self.maximum || check.outcome == .failed && checks.count < 2 * Self.maximum {
            checks.append(check)
        } else {
            suppressed += 1
        }
    }

    mutating func pass(_ code: String, _ path: String, _ detail: String) { add(Check(code, path, .passed, detail)) }

    mutating func fail(_ code: String, _ path: String, _ detail: String) { add(Check(code, path, .failed, detail)) }

    mutating func skip(_ code: String, _ path: String, _ detail: String) {
        add(Check(code, path, .notChecked, detail))
    }

    mutating func fail(_ fault: DocumentFault) { fail(fault.code, fault.path, fault.detail) }

    /// Notes a failure when a condition does not hold, and returns whether it does.
    @discardableResult
    mutating func expect(
        _ holds: Bool, _ code: String, _ path: String, _ detail: @autoclosure () -> String
    ) -> Bool {
        if !holds { fail(code, path, detail()) }
        return holds
    }

    func verification(_ kind: DocumentKind) -> Verification {
        var all = checks
        if suppressed > 0 {
            all.append(Check("CHECKS_LEFT_OUT", "", .notChecked, "\(suppressed) more checks are not listed"))
        }
        return Verification(kind: kind, checks: all, isProven: isProven)
    }
}
