import ClawWire
import Yams

extension RuleSet {
    /// Largest rules file, in bytes.
    public static let maximumFileBytes = 1_048_576

    /// Reads the text of a rules file.
    ///
    /// - Throws: ``RulesError`` with every fault: line, column, what was found, what was expected.
    public init(yaml text: String) throws(RulesError) {
        guard text.utf8.count <= Self.maximumFileBytes else {
            throw Self.fault(
                1, 1, found: "\(text.utf8.count) bytes", expected: "at most \(Self.maximumFileBytes) bytes of rules")
        }
        guard YAMLSize.isBounded(text) else {
            throw Self.fault(
                1, 1, found: "more values than that once aliases are followed",
                expected: "at most \(YAMLSize.maximumNodes) values")
        }
        let root: Node?
        do {
            root = try compose(yaml: text)
        } catch {
            throw Self.fault(of: error)
        }
        guard let root else { throw Self.fault(1, 1, found: "nothing", expected: "issuance rules in YAML") }
        var loader = RulesLoader(root: YAMLValue(node: root, path: ""))
        guard let rules = loader.load() else {
            throw RulesError(
                problems: loader.reader.problems.sorted { ($0.line, $0.column) < ($1.line, $1.column) })
        }
        self = rules
    }

    private static func fault(_ line: Int, _ column: Int, found: String, expected: String) -> RulesError {
        RulesError(
            problems: [
                RulesProblem(line: line, column: column, path: "", found: found, expected: expected, suggestion: nil)
            ])
    }

    private static func fault(of error: any Error) -> RulesError {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            fault(mark.line, mark.column, found: problem, expected: "YAML")
        case .duplicatedKeysInMapping(let keys, let context):
            fault(
                context.mark.line, context.mark.column,
                found: "the key \(keys.map { "\"\($0.prefix(80))\"" }.joined(separator: ", ")) twice",
                expected: "every key once")
        case .reader(let problem, _, _, _): fault(1, 1, found: problem, expected: "UTF-8 text")
        case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded, nil:
            fault(1, 1, found: "text that is no YAML", expected: "issuance rules in YAML")
        }
    }
}

/// One pass over a rules file.
struct RulesLoader {
    var reader = YAMLReader()
    let root: YAMLValue
    var classNames: Set<String> = []
    var groups: [String: Set<PersonID>] = [:]
    var hardCapSeconds: Int64 = 3_600
    var approvable: Set<JobClass> = []
    var entitled: Set<JobClass> = []

    init(root: YAMLValue) { self.root = root }

    /// The rules, or `nil` when ``reader`` has faults.
    mutating func load() -> RuleSet? {
        let fields = reader.members(root, .rules)
        if let version = fields["rules_version"] {
            if let text = reader.text(version, expected: "\"\(RuleSet.version)\""), text != RuleSet.version {
                reader.report(version, expected: "\"\(RuleSet.version)\", the version that this program reads")
            }
        } else if case .mapping = root.node {
            reader.report(root, found: "no rules_version", expected: "rules_version: \"\(RuleSet.version)\"")
        }
        if let value = fields["hard_cap"] {
            hardCapSeconds = reader.duration(reader.members(value, .hardCap)["max_ttl"]) ?? hardCapSeconds
        }
        if let value = fields["job_classes"], case .mapping(let mapping) = value.node {
            classNames = Set(mapping.compactMap { $0.key.scalar?.string })
        }
        for (name, value) in reader.entries(fields["groups"]) {
            groups[name] = reader.people(value)
        }
        let sources = loadSources(fields["sources"])
        let entitlements = loadEntitlements(fields["entitlements"])
        let workPolicies = loadWorkPolicies(fields["wpc"])
        let defaults = fields["defaults"].map { reader.members($0, .defaults) } ?? [:]
        var jobClasses: [JobClass: JobClassRule] = [:]
        for (name, value) in reader.entries(fields["job_classes"]) {
            if let rule = loadJobClass(JobClass(name), value, defaults) { jobClasses[rule.name] = rule }
        }
        if fields["job_classes"] == nil, case .mapping = root.node {
            reader.report(root, found: "no job_classes", expected: "job_classes with at least one class")
        }
        let name = reader.text(fields["name"])
        let control = loadControl(fields["control"])
        let gateways = loadGateways(fields["gateways"])
        let prices = loadPrices(fields["prices"])
        guard reader.problems.isEmpty else { return nil }
        return RuleSet(
            name: name, sources: sources, entitlements: entitlements, jobClasses: jobClasses, groups: groups,
            workPolicies: workPolicies, hardCapSeconds: hardCapSeconds, control: control, gateways: gateways,
            prices: prices)
    }

    mutating func classSet(_ value: YAMLValue?) -> Set<JobClass>? {
        guard let value else { return nil }
        var classes: Set<JobClass> = []
        for element in reader.elements(value) {
            if let name = reader.name(element, among: classNames, what: "a job class of these rules") {
                classes.insert(JobClass(name))
            }
        }
        return classes
    }

    private mutating func loadSources(_ value: YAMLValue?) -> [SourceName: SourceRule] {
        var sources: [SourceName: SourceRule] = [:]
        for (name, value) in reader.entries(value) {
            if let source = loadSource(SourceName(name), value) { sources[source.name] = source }
        }
        return sources
    }

    private mutating func loadSource(_ name: SourceName, _ value: YAMLValue) -> SourceRule? {
        let fields = reader.members(value, .source)
        guard let kind = required(fields["kind"], of: value, "kind", SourceRule.Kind.self),
            let authenticity = required(
                fields["authenticity"], of: value, "authenticity", SourceRule.AuthenticityDemand.self)
        else { return nil }
        let isTopicAllowed = reader.bool(fields["allow_topic_authenticity"], default: false)
        if authenticity == .topic, !isTopicAllowed {
            reader.report(
                fields["authenticity"] ?? value, found: "authenticity: topic",
                expected:
                    "allow_topic_authenticity: true beside it, since the broker's access control is the only guard")
        }
        if authenticity == .confirmed, kind == .azureActivity {
            reader.report(
                fields["authenticity"] ?? value, found: "authenticity: confirmed for kind: \(kind.rawValue)",
                expected: "topic: Microsoft Graph does not know the roles of Azure resources")
        }
        let signers = loadSigners(fields["signers"])
        let headerSignature = loadHeaderSignature(fields["header_signature"])
        if authenticity == .signed, signers.isEmpty, fields["header_signature"] == nil, kind != .sharedSignals {
            reader.report(value, found: "no signers", expected: "the keys that may sign for a signed source")
        }
        if let given = fields["header_signature"] {
            if kind == .sharedSignals {
                reader.report(
                    given, found: "header_signature", expected: "jwks alone: a token carries its own signature")
            }
            if authenticity != .signed {
                reader.report(given, found: "header_signature", expected: "authenticity: signed beside it")
            }
            for key in ["signers", "trusted_stop_sources"] {
                guard let other = fields[key] else { continue }
                reader.report(other, found: key, expected: "no \(key) beside header_signature: a header has no signer")
            }
        }
        let mayApprove = classSet(fields["may_approve"])
        if kind == .capabilityRequest, let approve = fields["may_approve"] {
            reader.report(approve, found: "may_approve", expected: "no approvals from a source of requests")
        }
        let stopSources = Set(reader.texts(fields["trusted_stop_sources"], expected: "a CloudEvents source"))
        if let value = fields["trusted_stop_sources"], kind != .native || authenticity != .signed {
            reader.report(
                value, found: "trusted_stop_sources",
                expected: "stops from a source of kind: native with authenticity: signed only")
        }
        approvable.formUnion(kind.canApprove ? mayApprove ?? [] : [])
        var rule = SourceRule(
            name: name, kind: kind, topics: reader.texts(fields["topics"], expected: "a topic's name"),
            authenticity: authenticity, signers: signers,
            tenants: Set(reader.texts(fields["tenants"], expected: "a tenant's id").map { $0.lowercased() }),
            trustedEventSources: Set(reader.texts(fields["trusted_event_sources"], expected: "a CloudEvents source")),
            trustedStopSources: stopSources, mayApprove: mayApprove ?? [], mayRequest: classSet(fields["may_request"]),
            maximumEventAgeSeconds: reader.duration(fields["max_event_age"]), health: loadHealth(fields, kind: kind),
            vendor: loadVendor(kind, authenticity, fields, of: value))
        rule.headerSignature = headerSignature
        return rule
    }

    private mutating func loadSigners(_ value: YAMLValue?) -> [KeyID: SourceRule.Signer] {
        var signers: [KeyID: SourceRule.Signer] = [:]
        for element in reader.elements(value) {
            let fields = reader.members(element, .signer)
            guard let did = fields["did"] else {
                reader.report(element, found: "no did", expected: "did: the signer's did:key")
                continue
            }
            guard let key = reader.key(did) else { continue }
            signers[key.kid] = SourceRule.Signer(
                key: key, jobClasses: classSet(fields["job_classes"]),
                mayStop: reader.bool(fields["may_stop"], default: false),
                mayLift: reader.bool(fields["may_lift"], default: false))
        }
        return signers
    }

    private mutating func loadEntitlements(_ value: YAMLValue?) -> [EntitlementMap.Entry] {
        var entries: [EntitlementMap.Entry] = []
        var seen: Set<EntitlementKey> = []
        for element in reader.elements(value) {
            let fields = reader.members(element, .entitlement)
            let known = classNames.union([EntitlementMap.valueOfField.rawValue])
            let jobClass = reader.name(fields["job_class"], among: known, what: "a job class of these rules")
            guard let kind = required(fields["kind"], of: element, "kind", Entitlement.Kind.self) else { continue }
            guard let id = reader.text(fields["id"], expected: "the entitlement's id"), let jobClass else {
                if fields["id"] == nil { reader.report(element, found: "no id", expected: "id: the entitlement's id") }
                if fields["job_class"] == nil {
                    reader.report(element, found: "no job_class", expected: "job_class: the class it stands for")
                }
                continue
            }
            let entry = EntitlementMap.Entry(
                kind: kind, id: id, scope: reader.text(fields["scope"]), jobClass: JobClass(jobClass),
                minimumHumanApprovers: reader.count(fields["min_human_approvers"], in: 1...32, default: 1),
                windowSeconds: reader.duration(fields["window"]))
            if !seen.insert(entry.key).inserted {
                reader.report(element, found: "a second line for this entitlement", expected: "one line for each")
            }
            entitled.insert(entry.jobClass)
            entries.append(entry)
        }
        return entries
    }

    private mutating func loadWorkPolicies(_ value: YAMLValue?) -> WorkPolicyRule {
        let fields = value.map { reader.members($0, .workPolicies) } ?? [:]
        var signers: [Ed25519PublicKey] = []
        for element in reader.elements(fields["signers"]) {
            if let key = reader.key(element), !signers.contains(key) { signers.append(key) }
        }
        return WorkPolicyRule(
            signers: signers, directory: reader.text(fields["directory"]), topic: reader.text(fields["topic"]),
            registry: reader.text(fields["registry"]))
    }

    mutating func required<Choice: CaseIterable & RawRepresentable<String>>(
        _ value: YAMLValue?, of parent: YAMLValue, _ key: String, _ type: Choice.Type
    ) -> Choice? {
        guard let value else {
            reader.report(
                parent, found: "no \(key)",
                expected: "\(key): " + Choice.allCases.map(\.rawValue).joined(separator: " or "))
            return nil
        }
        return reader.choice(value, type)
    }
}
