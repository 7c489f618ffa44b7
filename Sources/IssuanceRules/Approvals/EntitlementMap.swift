public import ClawWire

/// Which entitlement stands for which job class: `(kind, id, scope)` → class, compared without case, never by name.
public struct EntitlementMap: Sendable, Hashable {
    /// The job class of entries whose class the vendor's record names itself (a custom field of a change, for example).
    public static let valueOfField = JobClass("*value-of-field*")

    /// One line of the map.
    public struct Entry: Sendable, Hashable {
        /// Kind of entitlement.
        public let kind: Entitlement.Kind
        /// Identifier in the vendor's system.
        public let id: String
        /// Scope; `nil` covers every scope for which there is no line of its own.
        public let scope: String?
        /// The class it stands for, or ``EntitlementMap/valueOfField``.
        public let jobClass: JobClass
        /// Fewest humans, distinct from requester and subject, who must have approved; at least 1.
        public let minimumHumanApprovers: Int
        /// For vendors whose approvals have no window: how long one lasts from the decision, in seconds. `nil` means the
        /// class's longest lifetime for deployment environments and no window for the others.
        public let windowSeconds: Int64?

        /// Makes a line.
        public init(
            kind: Entitlement.Kind, id: String, scope: String? = nil, jobClass: JobClass,
            minimumHumanApprovers: Int = 1, windowSeconds: Int64? = nil
        ) {
            self.kind = kind
            self.id = id
            self.scope = scope
            self.jobClass = jobClass
            self.minimumHumanApprovers = max(1, minimumHumanApprovers)
            self.windowSeconds = windowSeconds
        }

        var key: EntitlementKey { EntitlementKey(Entitlement(kind: kind, id: id, scope: scope)) }
    }

    /// The lines, as given.
    public let entries: [Entry]
    private let index: [EntitlementKey: Entry]
    private let maximumTTL: [JobClass: Int64]

    /// Makes a map. Of two lines for the same entitlement the first holds.
    public init(entries: [Entry] = [], maximumTTLSeconds: [JobClass: Int64] = [:]) {
        self.entries = entries
        index = Dictionary(entries.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
        maximumTTL = maximumTTLSeconds
    }

    /// The line for an entitlement: that of its scope, else the one without a scope.
    public func entry(for entitlement: Entitlement) -> Entry? { entry(for: EntitlementKey(entitlement)) }

    func entry(for key: EntitlementKey) -> Entry? {
        index[key] ?? index[EntitlementKey(kind: key.kind, id: key.id, scope: nil)]
    }

    /// True when some line is about an entitlement of this kind that is held at this scope, or at any.
    public func covers(_ kind: Entitlement.Kind, scope: String) -> Bool {
        entries.contains { $0.kind == kind && ($0.scope.map { $0.lowercased() == scope.lowercased() } ?? true) }
    }

    /// True when some line is about this entitlement, at whatever scope.
    public func covers(_ kind: Entitlement.Kind, id: String) -> Bool {
        entries.contains { $0.kind == kind && $0.id.lowercased() == id.lowercased() }
    }

    /// The longest token lifetime of a class, in seconds, where the map was given one.
    public func maximumTTLSeconds(of jobClass: JobClass) -> Int64? { maximumTTL[jobClass] }
}

/// What an approval's entitlements stand for under a map.
enum EntitlementMapping: Sendable, Hashable {
    case mapped(JobClass, minimumHumanApprovers: Int, windowSeconds: Int64?)
    case unmapped
    /// Facts name entitlements or classes that contradict each other.
    case contradictory
}

extension EntitlementMap {
    func mapping(of claims: Claims) -> EntitlementMapping {
        let stated = claims.jobClasses.entries
        guard stated.count <= 1 else { return .contradictory }
        let keys = claims.entitlements.entries.map(\.key)
        // Streams of one vendor name the same entitlement with and without its scope; the specific one counts.
        let specific = keys.filter { key in
            key.scope != nil || !keys.contains { $0.scope != nil && $0.matches(key) }
        }
        guard !specific.isEmpty else {
            let named = stated.first?.key ?? claims.request?.request.jobClass
            return named.map { .mapped($0, minimumHumanApprovers: 1, windowSeconds: nil) } ?? .unmapped
        }
        var found: EntitlementMapping?
        for key in specific {
            let mapping = mapping(of: key, stated: stated.first?.key)
            if let found, found != mapping { return .contradictory }
            found = mapping
        }
        return found ?? .unmapped
    }

    private func mapping(of key: EntitlementKey, stated: JobClass?) -> EntitlementMapping {
        guard let entry = entry(for: key) else { return .unmapped }
        let jobClass: JobClass
        if entry.jobClass == Self.valueOfField {
            guard let stated else { return .unmapped }
            jobClass = stated
        } else {
            jobClass = entry.jobClass
        }
        let window =
            entry.windowSeconds ?? (entry.kind == .githubEnvironment ? maximumTTLSeconds(of: jobClass) : nil)
        return .mapped(jobClass, minimumHumanApprovers: entry.minimumHumanApprovers, windowSeconds: window)
    }
}
