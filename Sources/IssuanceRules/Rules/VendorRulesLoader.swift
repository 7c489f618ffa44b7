import ClawWire
import Yams

/// The settings of a source that are peculiar to vendors' records.
extension RulesLoader {
    mutating func loadVendor(
        _ kind: SourceRule.Kind, _ authenticity: SourceRule.AuthenticityDemand, _ fields: [String: YAMLValue],
        of source: YAMLValue
    ) -> VendorRule {
        for key in ["stops", "fields", "request_types", "issuer", "audience", "jwks"]
        where !Self.settings(kind).contains(key) {
            if let value = fields[key] {
                reader.report(value, found: key, expected: "no \(key) for a source of kind: \(kind.rawValue)")
            }
        }
        switch kind {
        case .native, .entraAudit, .azureActivity, .graph, .entitlementManagement, .capabilityRequest:
            return VendorRule()
        case .serviceNow, .jsm, .gitHub, .pagerDuty, .opsgenie, .slack, .sharedSignals: break
        }
        if authenticity == .confirmed {
            reader.report(
                fields["authenticity"] ?? source, found: "authenticity: confirmed",
                expected: "topic or signed: this vendor's interface is not asked")
        }
        if let signers = fields["signers"] {
            reader.report(
                signers, found: "signers",
                expected: "none: a vendor's records are not signed by keys that are listed here")
        }
        if !kind.canApprove, let approve = fields["may_approve"] {
            reader.report(
                approve, found: "may_approve", expected: "no approvals from a source of kind: \(kind.rawValue)")
        }
        var vendor = VendorRule()
        switch kind {
        case .native, .entraAudit, .azureActivity, .graph, .entitlementManagement, .capabilityRequest, .slack: break
        case .gitHub: needTenants(fields, of: source, "organizations or users that own repositories")
        case .serviceNow:
            needTenants(fields, of: source, "instances")
            vendor.fields = loadFields(fields["fields"])
        case .jsm:
            needTenants(fields, of: source, "sites")
            vendor.fields = loadFields(fields["fields"])
            vendor.requestTypes = reader.choice(fields["request_types"], VendorRule.RequestTypes.self) ?? .id
        case .pagerDuty: vendor.stops = loadStops(fields["stops"], of: source, by: "service", needsScope: true)
        case .opsgenie: vendor.stops = loadStops(fields["stops"], of: source, by: "tag", needsScope: false)
        case .sharedSignals: vendor.transmitter = loadTransmitter(fields, authenticity, of: source)
        }
        return vendor
    }

    private static func settings(_ kind: SourceRule.Kind) -> Set<String> {
        switch kind {
        case .native, .entraAudit, .azureActivity, .graph, .entitlementManagement, .capabilityRequest, .gitHub, .slack:
            []
        case .serviceNow: ["fields"]
        case .jsm: ["fields", "request_types"]
        case .pagerDuty, .opsgenie: ["stops"]
        case .sharedSignals: ["issuer", "audience", "jwks"]
        }
    }

    private mutating func needTenants(_ fields: [String: YAMLValue], of source: YAMLValue, _ what: String) {
        guard fields["tenants"] == nil else { return }
        reader.report(source, found: "no tenants", expected: "tenants: the \(what) whose records count")
    }

    private mutating func loadFields(_ value: YAMLValue?) -> [VendorRule.Field: String] {
        guard let value else { return [:] }
        var names: [VendorRule.Field: String] = [:]
        for (key, value) in reader.members(value, .vendorFields) {
            guard let field = VendorRule.Field(rawValue: key) else { continue }
            names[field] = reader.text(value, expected: "the name of a field")
        }
        return names
    }

    // MARK: Stops

    private mutating func loadStops(
        _ value: YAMLValue?, of source: YAMLValue, by key: String, needsScope: Bool
    ) -> [VendorRule.Stop] {
        let elements = reader.elements(value)
        if elements.isEmpty {
            reader.report(
                value ?? source, found: "no stops", expected: "stops: at least one \(key) with what it stops")
        }
        var stops: [VendorRule.Stop] = []
        for element in elements {
            let fields = reader.members(element, .vendorStop)
            let other = key == "tag" ? "service" : "tag"
            if let value = fields[other] {
                reader.report(value, found: other, expected: "\(key) for this kind of source")
            }
            if fields[key] == nil { reader.report(element, found: "no \(key)", expected: "\(key): what marks a stop") }
            if fields["scope"] == nil, needsScope {
                reader.report(element, found: "no scope", expected: "scope: what the stop covers")
            }
            let scope = fields["scope"].map { loadStopScope($0) }
            let action = loadAction(fields["action"])
            guard let match = reader.text(fields[key]) else { continue }
            if stops.contains(where: { $0.match.lowercased() == match.lowercased() }) {
                reader.report(element, found: "a second line for \(match)", expected: "one line for each \(key)")
            }
            stops.append(VendorRule.Stop(match: match, scope: scope ?? nil, revokesLive: action))
        }
        return stops
    }

    private mutating func loadAction(_ value: YAMLValue?) -> Bool {
        switch reader.text(value) {
        case nil, "revoke_and_deny": return true
        case "deny_new": return false
        case .some:
            if let value { reader.report(value, expected: "deny_new or revoke_and_deny") }
            return true
        }
    }

    private mutating func loadStopScope(_ value: YAMLValue) -> StopScope? {
        let fields = reader.members(value, .vendorStopScope)
        guard let kind = required(fields["kind"], of: value, "kind", StopScope.Kind.self) else { return nil }
        let text =
            kind == .jobClass
            ? reader.name(fields["value"], among: classNames, what: "a job class of these rules")
            : reader.text(fields["value"])
        let scope = StopScope(kind: kind, value: text)
        if kind == .token || kind == .jti {
            reader.report(value, found: kind.rawValue, expected: "something that can be stopped: a token is revoked")
        } else if text == nil, fields["value"] != nil {
            return nil
        } else if let fault = scope.fault {
            reader.report(value, expected: fault)
        }
        return scope.normalized
    }

    // MARK: Shared signals

    private mutating func loadTransmitter(
        _ fields: [String: YAMLValue], _ authenticity: SourceRule.AuthenticityDemand, of source: YAMLValue
    ) -> VendorRule.Transmitter? {
        if fields["issuer"] == nil {
            reader.report(source, found: "no issuer", expected: "issuer: the transmitter's iss")
        }
        let audience = reader.texts(fields["audience"], expected: "an aud that means this worker")
        if audience.isEmpty, fields["audience"] == nil {
            reader.report(source, found: "no audience", expected: "audience: the aud values that mean this worker")
        }
        var keys: [PublicJWK] = []
        for element in reader.elements(fields["jwks"]) {
            guard let key = loadKey(element) else { continue }
            if keys.contains(where: { $0.kid == key.kid }) {
                reader.report(element, found: "a second key \(key.kid)", expected: "one key for each kid")
            }
            keys.append(key)
        }
        if authenticity == .signed, fields["jwks"] == nil {
            reader.report(source, found: "no jwks", expected: "jwks: the transmitter's public keys")
        }
        guard let issuer = reader.text(fields["issuer"]) else { return nil }
        return VendorRule.Transmitter(issuer: issuer, audience: audience, keys: keys)
    }

    private mutating func loadKey(_ value: YAMLValue) -> PublicJWK? {
        var members = JSONObject()
        for (key, value) in reader.members(value, .jwk).sorted(by: { $0.key < $1.key }) {
            members[key] = reader.text(value).map { .string($0) }
        }
        do {
            return try PublicJWK(json: .object(members))
        } catch {
            reader.report(value, expected: "a public key of ES256, RS256 or EdDSA with a kid: \(error.detail)")
            return nil
        }
    }
}
