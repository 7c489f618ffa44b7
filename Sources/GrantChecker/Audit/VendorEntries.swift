import ClawWire

/// The identifiers of vendors' records, read from their documentation and not by the worker's readers.
struct VendorEntries {
    private typealias Entry = InputAudit.Entry

    private let record: PublishedRecord
    private let value: [UInt8]

    init(_ record: PublishedRecord, _ value: [UInt8]) {
        self.record = record
        self.value = value
    }

    /// The entries of a record; none when it is not of the vendor's shape.
    func entries(_ form: CheckPlan.VendorForm) -> [InputAudit.Entry] {
        switch form {
        case .slack: return [Entry(eventID: "", mayBeIgnored: true)]
        case .sharedSignals: return signal().map { [$0] } ?? []
        case .azureActivity, .graph, .entitlementManagement, .serviceNow, .jsm, .gitHub, .pagerDuty, .opsgenie: break
        }
        guard let body = try? JSONReader.parse(value) else { return [] }
        return switch form {
        case .slack, .sharedSignals: []
        case .azureActivity: MicrosoftEntries.activities(body)
        case .graph(let groups): MicrosoftEntries.polls(body, groups: groups)
        case .entitlementManagement: MicrosoftEntries.callouts(body)
        case .serviceNow: change(body)
        case .jsm: approvals(body)
        case .gitHub: deployment()
        case .pagerDuty(let services): incident(body, services)
        case .opsgenie(let tag): alert(body, tag)
        }
    }

    private func change(_ body: JSONValue) -> [InputAudit.Entry] {
        guard let change = body["change_request"] else { return [Entry(eventID: "", mayBeIgnored: true)] }
        guard let id = change["sys_id"]?.string, let count = change["sys_mod_count"]?.string else { return [] }
        let content: JSONValue = ["change_request": change, "approvals": body["approvals"] ?? .null]
        return [Entry(eventID: "\(id)/\(count)/\(content.canonicalDigest.b64u.prefix(22))")]
    }

    private func approvals(_ body: JSONValue) -> [InputAudit.Entry] {
        guard let issue = body["issue"], let event = body["webhookEvent"]?.string, let key = issue["key"]?.string,
            let host = issue["self"]?.string?.split(separator: "/").dropFirst().first,
            let site = host.split(separator: ".").first
        else { return [Entry(eventID: "", mayBeIgnored: true)] }
        let content: JSONValue = ["issue": issue, "deleted": .bool(event == "jira:issue_deleted")]
        let mark = content.canonicalDigest.b64u.prefix(22)
        let found = (issue["fields"]?.object?.members ?? []).compactMap { member in
            member.value.array?.first?["finalDecision"] == nil ? nil : member.value.array
        }
        guard let approvals = found.first else { return [Entry(eventID: "", mayBeIgnored: true)] }
        return approvals.map { approval in
            let id = approval["id"]?.string ?? ""
            return Entry(eventID: "\(site.lowercased())/\(key.lowercased())/approval/\(id)/\(mark)")
        }
    }

    private func deployment() -> [InputAudit.Entry] {
        func header(_ name: String) -> String? {
            record.headers.first { $0.name.lowercased() == name }?.value.map { String(decoding: $0, as: UTF8.self) }
        }
        guard let delivery = header("x-github-delivery") else { return [] }
        let event = header("x-github-event") ?? ""
        return [
            Entry(
                eventID: delivery,
                mayBeIgnored: event != "deployment_review" && event != "deployment_protection_rule")
        ]
    }

    private func incident(_ body: JSONValue, _ services: Set<String>) -> [InputAudit.Entry] {
        let event = body["event"]
        guard let id = event?["id"]?.string, let type = event?["event_type"]?.string else { return [] }
        guard type == "incident.triggered", let service = event?["data"]?["service"]?["id"]?.string,
            services.contains(service)
        else { return [Entry(eventID: id, mayBeIgnored: true)] }
        return [Entry(eventID: id, stop: "pagerduty/\(event?["data"]?["id"]?.string ?? "")")]
    }

    private func alert(_ body: JSONValue, _ tag: String) -> [InputAudit.Entry] {
        let alert = body["alert"]
        guard let id = alert?["alertId"]?.string, let action = body["action"]?.string?.lowercased(),
            let time = (alert?["updatedAt"] ?? alert?["createdAt"])?.integer
        else { return [] }
        let eventID = "\(id)/\(action)/\(time)"
        let isTagged = alert?["tags"]?.array?.contains { $0.string?.lowercased() == tag } ?? false
        guard isTagged, action == "create" || action == "addtags" else {
            return [Entry(eventID: eventID, mayBeIgnored: true)]
        }
        return [Entry(eventID: eventID, stop: "opsgenie/\(id)")]
    }

    private func signal() -> InputAudit.Entry? {
        let parts = value.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let bytes = Base64URL.decode(parts[1]), let claims = try? JSONReader.parse(bytes),
            let issuer = claims["iss"]?.string, let id = claims["jti"]?.string
        else { return nil }
        let invalidates = ["session-revoked", "credential-change", "account-disabled", "account-purged"]
        let event = claims["events"]?.object?.keys.first ?? ""
        return Entry(
            eventID: "\(issuer) \(id)", mayBeIgnored: !invalidates.contains { event.hasSuffix("/event-type/\($0)") })
    }
}
