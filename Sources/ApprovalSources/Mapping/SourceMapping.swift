public import ClawWire
public import IssuanceRules

/// Which tenants count, which entitlement stands for which job class, and whose stops are trusted: a mapping file as
/// people write and test it (`clawgrant source map --mapping`).
public struct SourceMapping: Sendable, Hashable {
    /// One entitlement and its job class.
    public struct Entry: Sendable, Hashable {
        /// Kind of the entitlement.
        public let kind: Entitlement.Kind
        /// Identifier, in lower case.
        public let id: String
        /// Scope, in lower case; `nil` where the kind has none.
        public let scope: String?
        /// The job class; `nil` when the record itself names it (`*value-of-field*`).
        public let jobClass: JobClass?
        /// Humans who must approve.
        public let minimumHumanApprovers: Int

        /// Makes an entry; identifier and scope are folded to lower case.
        public init(
            kind: Entitlement.Kind, id: String, scope: String?, jobClass: JobClass?, minimumHumanApprovers: Int = 1
        ) {
            self.kind = kind
            self.id = TextRules.folded(id)
            self.scope = scope.map { TextRules.folded($0) }
            self.jobClass = jobClass
            self.minimumHumanApprovers = minimumHumanApprovers
        }
    }

    /// Allow-listed tenants in lower case.
    public var tenants: Set<String>
    /// The entitlements.
    public var entitlements: [Entry]
    /// Longest lifetime by job class, in seconds.
    public var maximumTTLSeconds: [JobClass: Int64]
    /// CloudEvents sources that may declare and lift stops.
    public var trustedStopSources: Set<String>

    /// Makes a mapping.
    public init(
        tenants: Set<String> = [], entitlements: [Entry] = [], maximumTTLSeconds: [JobClass: Int64] = [:],
        trustedStopSources: Set<String> = []
    ) {
        self.tenants = Set(tenants.map { TextRules.folded($0) })
        self.entitlements = entitlements
        self.maximumTTLSeconds = maximumTTLSeconds
        self.trustedStopSources = trustedStopSources
    }

    /// Reads a mapping file. Members that are not about this version's sources are left aside.
    ///
    /// - Throws: ``SourceFault`` with the member at fault.
    public init(_ document: JSONValue) throws(SourceFault) {
        let reader = try FieldReader(document, path: "")
        let tenants = try reader.object("tenants")?.object.keys ?? []
        var entries: [Entry] = []
        for (i, element) in (try reader.array("entitlements", maximumCount: 10_000) ?? []).enumerated() {
            let entry = try FieldReader(element, path: "entitlements[\(i)]")
            guard
                let kind = Entitlement.Kind(rawValue: try entry.required(try entry.string("kind"), "kind"))
            else { throw SourceFault(.invalidValue, field: entry.name("kind"), "an unknown kind of entitlement") }
            let jobClass = try entry.required(try entry.identifier("job_class"), "job_class")
            entries.append(
                Entry(
                    kind: kind, id: try entry.required(try entry.identifier("id", maximumBytes: 1_024), "id"),
                    scope: try entry.identifier("scope", maximumBytes: 1_024),
                    jobClass: jobClass.hasPrefix("*") ? nil : JobClass(jobClass),
                    minimumHumanApprovers: Int(try entry.integer("min_human_approvers", in: 1...64) ?? 1)))
        }
        var lifetimes: [JobClass: Int64] = [:]
        if let classes = try reader.object("job_classes") {
            for name in classes.object.keys {
                guard let jobClass = try classes.object(name) else { continue }
                lifetimes[JobClass(name)] = try jobClass.integer("max_ttl_seconds", in: 1...31_536_000)
            }
        }
        var trusted: Set<String> = []
        if let stops = try reader.object("stops") {
            trusted = Set(try stops.words("trusted_sources", maximumCount: 1_024, maximumBytes: 512) ?? [])
        }
        self.init(
            tenants: Set(tenants), entitlements: entries, maximumTTLSeconds: lifetimes, trustedStopSources: trusted)
    }

    /// The entry of an entitlement: kind, identifier and scope are compared, without case.
    public func entry(for entitlement: Entitlement) -> Entry? {
        let id = TextRules.folded(entitlement.id)
        let scope = entitlement.scope.map { TextRules.folded($0) }
        return entitlements.first { $0.kind == entitlement.kind && $0.id == id && $0.scope == scope }
    }

    /// The job class of an entitlement, `nil` when it is not mapped.
    public func jobClass(of entitlement: Entitlement) -> JobClass? { entry(for: entitlement)?.jobClass }
}
