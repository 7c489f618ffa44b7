public import ClawWire
public import IssuanceRules

/// Which tenants count, which entitlement stands for which job class, and whose stops are trusted: a mapping file as
/// people write and test it (`clawgrant source map --mapping`).
public struct SourceMapping: Sendable, Hashable {
    /// Allow-listed tenants in lower case.
    public var tenants: Set<String>
    /// The entitlements and the longest lifetimes of their classes.
    public var entitlements: EntitlementMap
    /// CloudEvents sources that may declare and lift stops.
    public var trustedStopSources: Set<String>

    /// Makes a mapping.
    public init(
        tenants: Set<String> = [], entitlements: EntitlementMap = EntitlementMap(),
        trustedStopSources: Set<String> = []
    ) {
        self.tenants = Set(tenants.map { TextRules.folded($0) })
        self.entitlements = entitlements
        self.trustedStopSources = trustedStopSources
    }

    /// Reads a mapping file. Members that are not about this version's sources are left aside.
    ///
    /// - Throws: ``SourceFault`` with the member at fault.
    public init(_ document: JSONValue) throws(SourceFault) {
        let reader = try FieldReader(document, path: "")
        let tenants = try reader.object("tenants")?.object.keys ?? []
        var entries: [EntitlementMap.Entry] = []
        for (i, element) in (try reader.array("entitlements", maximumCount: 10_000) ?? []).enumerated() {
            let entry = try FieldReader(element, path: "entitlements[\(i)]")
            guard
                let kind = Entitlement.Kind(rawValue: try entry.required(try entry.string("kind"), "kind"))
            else { throw SourceFault(.invalidValue, field: entry.name("kind"), "an unknown kind of entitlement") }
            entries.append(
                EntitlementMap.Entry(
                    kind: kind, id: try entry.required(try entry.identifier("id", maximumBytes: 1_024), "id"),
                    scope: try entry.identifier("scope", maximumBytes: 1_024),
                    jobClass: JobClass(try entry.required(try entry.identifier("job_class"), "job_class")),
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
            tenants: Set(tenants), entitlements: EntitlementMap(entries: entries, maximumTTLSeconds: lifetimes),
            trustedStopSources: trusted)
    }

    /// The job class of an entitlement; `nil` when it is not mapped or when the record itself names the class.
    public func jobClass(of entitlement: Entitlement) -> JobClass? {
        guard let jobClass = entitlements.entry(for: entitlement)?.jobClass, jobClass != EntitlementMap.valueOfField
        else { return nil }
        return jobClass
    }
}
