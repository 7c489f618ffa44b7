public import ClawWire

/// Something about a source or an approver that deserves an eye. Codes are listed with their remedies in
/// `docs/source-health.md`.
public struct HealthFinding: Sendable, Hashable {
    /// What, for machines. The text is the wire form.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// A source was not heard for longer than it may be silent.
        case sourceSilent = "SOURCE_SILENT"
        /// As many tokens rest on a source as may.
        case sourceLimitReached = "SOURCE_LIMIT_REACHED"
        /// As many tokens rest on one person's approvals as may.
        case approverLimitReached = "APPROVER_LIMIT_REACHED"
        /// One person gave many approvals in a short time.
        case approvalBurst = "APPROVAL_BURST"
        /// A person approved for a job class that they never approved for.
        case unusualClass = "APPROVER_UNUSUAL_CLASS"
        /// An approval came sooner after the question than a human can read it.
        case tooFast = "APPROVAL_TOO_FAST"
        /// Somebody was given a role past the approval system.
        case assignedOutside = "ROLE_ASSIGNED_OUTSIDE_PIM"
        /// Whether a role has to be approved, and by whom, was changed in the approval system.
        case settingsChanged = "ROLE_SETTINGS_CHANGED"
        /// A signal or a removal that was meant for approvals here ended none.
        case matchedNobody = "SIGNAL_MATCHED_NOBODY"

        /// How grave it is.
        public var severity: UsageFinding.Severity {
            switch self {
            case .sourceSilent, .tooFast, .assignedOutside, .settingsChanged: .critical
            case .sourceLimitReached, .approverLimitReached, .approvalBurst, .unusualClass, .matchedNobody: .warning
            }
        }
    }

    /// What.
    public let code: Code
    /// What it is about: `source:NAME`, or `approver:NAME/PERSON`.
    public let about: String
    /// For people.
    public let detail: String
    /// What names this occasion, then the digest of the record that led to it, where one did.
    public let evidence: [Digest]

    /// A record says that a person got an entitlement past the approval system.
    public static func assignedOutside(
        _ source: SourceName, to person: Actor?, _ entitlement: Entitlement?, evidence: Digest, at now: Timestamp
    ) -> HealthFinding {
        let what = entitlement.map { "the \($0.kind) \($0.id)" } ?? "a role"
        return HealthFinding(
            .assignedOutside, of: source, nil,
            "\(person.map { $0.id.rawValue } ?? "somebody") was given \(what) and nobody was asked", evidence: evidence,
            at: now)
    }

    /// A record says that the settings of what approvals entitle to were changed.
    public static func settingsChanged(
        _ source: SourceName, _ change: Fact, evidence: Digest, at now: Timestamp
    ) -> HealthFinding {
        let what =
            change.entitlement.map { "the \($0.kind.rawValue) \($0.id)" } ?? "a role that the record does not name"
        return HealthFinding(
            .settingsChanged, of: source, nil,
            "\(change.requester.map { $0.id.rawValue } ?? "somebody") changed the settings of \(what): whether it has to be "
                + "approved, and by whom, may not be what it was", evidence: evidence, at: now)
    }

    /// An end names whom or what no approval is about.
    public static func matchedNobody(
        _ source: SourceName, _ end: Fact, evidence: Digest, at now: Timestamp
    ) -> HealthFinding {
        let named =
            end.assignment.map { "the assignment \($0)" } ?? "\(end.subject.map { $0.id.rawValue } ?? "somebody")"
        return HealthFinding(
            .matchedNobody, of: source, nil, "\(end.kind) of \(named) matches no open approval and ended nothing",
            evidence: evidence, at: now)
    }

    init(
        _ code: Code, of source: SourceName, _ person: PersonID?, _ detail: String, evidence: Digest? = nil,
        at now: Timestamp
    ) {
        self.code = code
        about = person.map { "approver:\(source)/\($0)" } ?? "source:\(source)"
        self.detail = detail
        // The same thing may be found again another day; the occasion tells the two apart.
        let occasion = JSONValue.array([.string(code.rawValue), .string(about), .string(now.iso8601)]).canonicalDigest
        self.evidence = [occasion] + (evidence.map { [$0] } ?? [])
    }
}
