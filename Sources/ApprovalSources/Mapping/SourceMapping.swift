public import ClawWire
public import IssuanceRules

/// Which tenants count, which entitlement stands for which job class, and whose stops are trusted: a mapping file as
/// people write and test it (`clawgrant source map --mapping`).
public struct SourceMapping: Sendable, Hashable {
    /// Allow-listed tenants in lower case.
    public var tenants: Set<String>
    /// The short names that the tenants are given: instances, sites and owners are listed by them.
    public var tenantNames: Set<String> = []
    /// Services and tags that stop.
    public var vendor = VendorRule()
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
        let tenants = try reader.object("tenants")?.object ?? JSONObject()
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
        var vendorStops: [VendorRule.Stop] = []
        if let stops = try reader.object("stops") {
            trusted = Set(try stops.words("trusted_sources", maximumCount: 1_024, maximumBytes: 512) ?? [])
            vendorStops = try Self.vendorStops(stops, trusted)
        }
        self.init(
            tenants: Set(tenants.keys), entitlements: EntitlementMap(entries: entries, maximumTTLSeconds: lifetimes),
            trustedStopSources: trusted)
        tenantNames = Set(tenants.members.compactMap(\.value.string).map { TextRules.folded($0) })
        vendor.stops = vendorStops
        // The entitlements of a mapping file say for themselves by what they are mapped.
        vendor.requestTypes = .name
    }

    /// PagerDuty's services with what they stop, and the tag under which a trusted Opsgenie says what to stop.
    private static func vendorStops(
        _ reader: FieldReader, _ trusted: Set<String>
    ) throws(SourceFault) -> [VendorRule.Stop] {
        var stops: [VendorRule.Stop] = []
        if let services = try reader.object("pagerduty_services") {
            for id in services.object.keys {
                guard let service = try services.object(id) else { continue }
                guard let kind = StopScope.Kind(rawValue: try service.required(try service.string("scope"), "scope"))
                else { throw SourceFault(.invalidValue, field: service.name("scope"), "an unknown kind of scope") }
                let scope = StopScope(kind: kind, value: try service.identifier("value"))
                if let fault = scope.fault { throw SourceFault(.invalidValue, field: service.name("value"), fault) }
                stops.append(VendorRule.Stop(match: id, scope: scope))
            }
        }
        if trusted.contains(where: { $0 == "opsgenie" || $0.hasPrefix("opsgenie:") }) {
            stops.append(VendorRule.Stop(match: OpsgenieSource.standardTag, scope: nil))
        }
        return stops
    }

    /// The job class of an entitlement; `nil` when it is not mapped or when the record itself names the class.
    public func jobClass(of entitlement: Entitlement) -> JobClass? {
        guard let jobClass = entitlements.entry(for: entitlement)?.jobClass, jobClass != EntitlementMap.valueOfField
        else { return nil }
        return jobClass
    }
}
