import ClawWire
import IssuanceRules

/// Webhooks as people keep them in files, with their headers beside their body, and the kinds that records look like.
enum VendorSample {
    /// True for `{"kind":"github.webhook","headers":{…},"body":{…}}` and its like.
    static func isOne(_ value: JSONValue) -> Bool { kind(named: value["kind"]) != nil && payload(value) != nil }

    /// The record that a webhook is on its topic, `nil` when the value is none.
    static func record(_ value: JSONValue, offset: Int) -> SourceRecord? {
        guard kind(named: value["kind"]) != nil, let payload = payload(value) else { return nil }
        return SourceRecord(
            topic: value["topic"]?.string ?? "file", offset: Int64(offset),
            key: value["key"]?.string.map { Array($0.utf8) }, headers: MappingInput.headers(value["headers"] ?? .null),
            value: payload)
    }

    private static func kind(named name: JSONValue?) -> SourceConfiguration.Kind? {
        guard let prefix = name?.string?.split(separator: ".").first else { return nil }
        let kind = SourceConfiguration.Kind(name: String(prefix))
        switch kind {
        case .serviceNow, .jsm, .gitHub, .pagerDuty, .opsgenie, .slack, .sharedSignals: return kind
        case .native, .entraAudit, .azureActivity, .graph, .entitlementManagement, .capabilityRequest, nil: return nil
        }
    }

    private static func payload(_ value: JSONValue) -> [UInt8]? {
        if let header = value["header"], let claims = value["claims"] {
            // A token taken apart: put together again, without the signature, which is not asked for here.
            return Array(
                "\(Base64URL.encode(JSONWriter.bytes(header))).\(Base64URL.encode(JSONWriter.bytes(claims))).".utf8)
        }
        return (value["body"] ?? value["value"]).map { MappingInput.bytes($0) }
    }

    /// The kind whose shape a record has.
    static func kind(of record: SourceRecord, _ value: JSONValue?) -> SourceConfiguration.Kind? {
        func has(_ header: String) -> Bool { record.header(header, ignoringCase: true) != nil }
        if has("x-github-event") { return .gitHub }
        if has("x-slack-signature") { return .slack }
        guard let value, value.object != nil else {
            return SecurityEventToken.isCompact(record.value ?? []) ? .sharedSignals : nil
        }
        if value["change_request"] != nil || value["table"]?.string == "sysapproval_approver" { return .serviceNow }
        if value["webhookEvent"] != nil { return .jsm }
        // An automation rule names no event: it sends the issue as the REST API has it, in `issue` or bare.
        if case let issue = value["issue"] ?? value, issue["fields"]?.object != nil, issue["key"]?.string != nil,
            issue["self"]?.string != nil
        {
            return .jsm
        }
        if value["event"]?["event_type"] != nil { return .pagerDuty }
        if value["alert"] != nil, value["action"] != nil { return .opsgenie }
        return value["type"]?.string == "block_actions" ? .slack : nil
    }
}
