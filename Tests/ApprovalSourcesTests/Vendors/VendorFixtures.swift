import ApprovalSources
import ClawWire
import IssuanceRules

/// Records of vendors and the configurations under which they are read.
enum VendorFixtures {
    static let now = Timestamp(seconds: 1_795_167_000)
    static let vendors: [SourceConfiguration.Kind] = [
        .serviceNow, .jsm, .gitHub, .pagerDuty, .opsgenie, .slack, .sharedSignals,
    ]

    static func configuration(_ kind: SourceConfiguration.Kind) -> SourceConfiguration {
        var configuration = SourceConfiguration(name: SourceName("vendor"), kind: kind, authenticity: .topic)
        configuration.tenants = ["harborline", "harborline.atlassian.example"]
        configuration.mapping = SourceMapping(entitlements: entitlements)
        configuration.vendor.stops = [
            VendorRule.Stop(match: "PSTOP01", scope: StopScope(kind: .jobClass, value: "prod_db_maintenance")),
            VendorRule.Stop(match: "claw-stop", scope: nil),
        ]
        return configuration
    }

    static let entitlements = EntitlementMap(
        entries: [
            .init(kind: .changeRequest, id: "u_claw_job_class", jobClass: EntitlementMap.valueOfField),
            .init(
                kind: .jsmRequestType, id: "91", jobClass: EntitlementMap.valueOfField, minimumHumanApprovers: 2),
            .init(
                kind: .githubEnvironment, id: "harborline/ledger-api#production", jobClass: JobClass("prod_deploy")),
        ], maximumTTLSeconds: [JobClass("prod_deploy"): 900, JobClass("prod_db_maintenance"): 1_800])

    static func read(
        _ bytes: [UInt8], _ configuration: SourceConfiguration, headers: [(String, String)] = []
    ) -> SourceReading {
        AnySource.facts(
            from: SourceRecord(
                topic: "vendor", headers: headers.map { SourceRecord.Header($0.0, $0.1) }, value: bytes),
            configuration: configuration, at: now)
    }

    static func read(
        _ value: JSONValue, _ configuration: SourceConfiguration, headers: [(String, String)] = []
    ) -> SourceReading {
        read(JSONWriter.bytes(value), configuration, headers: headers)
    }

    /// Kinds of a reading's facts, with the code of those that are refused; a dead letter's reason.
    static func summary(_ reading: SourceReading) -> [String] {
        switch reading {
        case .deadLetter(let fault): ["dead letter \(fault.reason.rawValue)"]
        case .facts(let facts, _):
            facts.map { fact in
                switch fact.content {
                case .ignored(let why), .rejected(let why): "\(fact.kind) \(why)"
                default: fact.kind
                }
            }
        }
    }

    /// What all facts of some readings amount to for one approval.
    static func assess(
        _ readings: [SourceReading], at time: String = "2026-11-20T09:10:00Z"
    ) -> ApprovalAssessment? {
        let facts = readings.flatMap(\.facts)
        guard let id = facts.compactMap(\.approvalID).first, let at = Timestamp(rfc3339: time) else { return nil }
        var state = ApprovalState(approvalID: id)
        for fact in facts { state.apply(fact, from: SourceName("vendor"), authenticity: .topic) }
        return state.assess(at: at, entitlements: entitlements)
    }
}

extension JSONValue {
    /// The value with the member at a path of keys and indices replaced, or taken out for `nil`.
    func setting(_ path: String..., to value: JSONValue?) -> JSONValue { setting(path[...], value) }

    private func setting(_ path: ArraySlice<String>, _ value: JSONValue?) -> JSONValue {
        guard let key = path.first else { return value ?? .null }
        switch self {
        case .object(var object):
            object[key] = path.count == 1 ? value : (object[key] ?? .null).setting(path.dropFirst(), value)
            return .object(object)
        case .array(var array):
            guard let index = Int(key), array.indices.contains(index) else { return self }
            if path.count == 1, value == nil {
                array.remove(at: index)
            } else {
                array[index] = array[index].setting(path.dropFirst(), value)
            }
            return .array(array)
        case .null, .bool, .number, .string: return self
        }
    }
}
