public import ClawWire
import IssuanceRules

/// Jira Service Management approvals, as webhooks and automation rules tell of issues: an issue with its approvals in a
/// custom field.
///
/// An issue can be approved more than once; each of its approvals stands for itself.
public enum JSMSource: ApprovalSource {
    /// The vocabulary's name in facts.
    public static let vocabulary = "jsm"

    /// Reads one record.
    public static func facts(
        from record: SourceRecord, configuration: SourceConfiguration, at now: Timestamp,
        signatures: inout BatchSignatureCache
    ) -> SourceReading {
        WebhookRecord.read(record, configuration, as: vocabulary) { vendor throws(SourceFault) in
            guard let (event, issue) = eventAndIssue(vendor.value) else {
                return vendor.value["webhookEvent"]?.string?.hasPrefix("jira:issue_") ?? true
                    ? vendor.rejected(.malformed) : vendor.ignored(.notADecision)
            }
            let isDeleted: Bool
            switch event {
            case "jira:issue_created", "jira:issue_updated": isDeleted = false
            case "jira:issue_deleted": isDeleted = true
            default: return vendor.ignored(.notADecision)
            }
            return try JSMIssue(vendor, issue).facts(isDeleted: isDeleted)
        }
    }

    /// What a webhook tells of which issue. An automation rule sends the issue as the REST API has it, in `issue` or bare,
    /// and names no event: that tells how the issue stands now.
    private static func eventAndIssue(_ value: JSONValue) -> (event: String, issue: JSONValue)? {
        if let event = value["webhookEvent"] {
            guard let event = event.string, let issue = value["issue"], issue["fields"]?.object != nil else {
                return nil
            }
            return (event, issue)
        }
        let issue = value["issue"] ?? value
        guard issue["fields"]?.object != nil, issue["key"] != nil, issue["self"] != nil else { return nil }
        return ("jira:issue_updated", issue)
    }
}

/// One issue at one moment.
private struct JSMIssue {
    private static let standardFields: [VendorRule.Field: String] = [
        .requestType: "customfield_10010", .approvals: "customfield_10055", .jobClass: "customfield_10060",
        .start: "customfield_10061", .end: "customfield_10062",
    ]

    private let vendor: WebhookRecord
    private let issue: JSONValue
    private let fields: JSONValue

    init(_ vendor: WebhookRecord, _ issue: JSONValue) {
        self.vendor = vendor
        self.issue = issue
        fields = issue["fields"] ?? .null
    }

    private func field(_ field: VendorRule.Field) -> JSONValue? {
        let name = vendor.configuration.vendor.fields[field] ?? Self.standardFields[field]
        return name.flatMap { fields[$0] }
    }

    func facts(isDeleted: Bool) throws(SourceFault) -> [Fact] {
        guard let host = host(), let site = host.split(separator: ".").first.map(String.init) else {
            return vendor.rejected(.tenantMismatch)
        }
        let tenants = vendor.configuration.tenants
        guard tenants.contains(host) || tenants.contains(site) else { return vendor.rejected(.unknownTenant) }
        let approvals = try approvals()
        if approvals.isEmpty { return vendor.ignored(.notADecision) }
        guard let key = vendor.pathPart(issue["key"]) else { return vendor.rejected(.noRequestID) }
        var facts: [Fact] = []
        for (index, approval) in approvals.enumerated() {
            facts += try self.facts(of: approval, index, "\(site)/\(key)", isDeleted: isDeleted)
        }
        return facts
    }

    /// The site's host name, from the address of the issue.
    private func host() -> String? {
        guard let text = issue["self"]?.string, text.hasPrefix("https://"), text.utf8.count <= 1_024 else { return nil }
        let authority = text.dropFirst("https://".count).prefix { $0 != "/" }
        let host = TextRules.folded(String(authority.prefix { $0 != ":" }))
        let isHost = host.utf8.allSatisfy {
            ($0 >= 0x61 && $0 <= 0x7A) || ($0 >= 0x30 && $0 <= 0x39) || $0 == UInt8(ascii: "-")
                || $0 == UInt8(ascii: ".")
        }
        return isHost && !host.isEmpty && host.utf8.first != UInt8(ascii: ".") ? host : nil
    }

    /// The approvals of the issue: the field that is configured for them, else the one field that has their shape.
    private func approvals() throws(SourceFault) -> [JSONValue] {
        if vendor.configuration.vendor.fields[.approvals] == nil {
            let shaped = (fields.object?.members ?? []).filter { member in
                guard let first = Self.listed(member.value)?.array?.first else { return false }
                return first["approvers"]?.array != nil && first["finalDecision"] != nil
            }
            if shaped.count == 1 {
                return try vendor.list(Self.listed(shaped[0].value), "issue.fields.\(shaped[0].key)")
            }
        }
        return try vendor.list(Self.listed(field(.approvals)), "issue.fields")
    }

    /// The list itself, or the one inside a page of the REST API.
    private static func listed(_ value: JSONValue?) -> JSONValue? {
        value?.object == nil ? value : value?["values"] ?? value
    }

    private func facts(
        of approval: JSONValue, _ index: Int, _ issueName: String, isDeleted: Bool
    ) throws(SourceFault) -> [Fact] {
        guard let id = vendor.pathPart(approval["id"]) else {
            return [vendor.fact(WhyCode.noRequestID.rejected, index: index, eventID: nil)]
        }
        let name = "\(issueName)/approval/\(id)"
        let content: JSONValue = ["issue": issue, "deleted": .bool(isDeleted)]
        let eventID = "\(name)/\(content.canonicalDigest.b64u.prefix(22))"
        var common = vendor.fact(.requestOpened, index: index, eventID: eventID)
        common.approvalID = ApprovalID("jsm/\(name)")
        let people = try vendor.list(approval["approvers"], "approvers")
        common.requester = person(fields["reporter"])
        common.subject = common.requester
        common.entitlement = requestType.map { Entitlement(kind: .jsmRequestType, id: $0, scope: host()) }
        common.jobClass = jobClass
        common.justification = TextRules.justification(
            fields["description"]?.string.flatMap { $0.isEmpty ? nil : $0 } ?? fields["summary"]?.string)
        if isDeleted {
            guard let at = webhookTime else { return [common.with(WhyCode.unparseableTime.rejected)] }
            common.occurredAt = at
            return [common.with(.grantEnded(.removed))]
        }
        let decision = TextRules.folded(approval["finalDecision"]?.string ?? "")
        switch decision {
        case "approved", "declined":
            guard let at = Self.time(approval["completedDate"]) else {
                return [common.with(WhyCode.unparseableTime.rejected)]
            }
            common.occurredAt = at
            let answers = people.filter { TextRules.folded($0["approverDecision"]?.string ?? "") == decision }
                .compactMap { person($0["approver"]) }
            common.approvers = answers
            return decision == "approved"
                ? approved(common, answers) : [common.with(.decisionDenied(approver: answers.first))]
        default:
            guard let at = Self.time(approval["createdDate"]) ?? webhookTime else {
                return [common.with(WhyCode.unparseableTime.rejected)]
            }
            common.occurredAt = at
            return [common]
        }
    }

    private func approved(_ initial: Fact, _ answers: [Actor]) -> [Fact] {
        var common = initial
        common.ticket = Ticket(system: "Jira", number: issue["key"]?.string)
        let decision = common.with(.decisionApproved(approver: answers.first))
        var edges: [Timestamp?] = []
        for name in [VendorRule.Field.start, .end] {
            let value = field(name).flatMap { $0.isNull ? nil : $0 }
            let time = value?.string.flatMap { Timestamp(rfc3339: $0) }
            guard value == nil || time != nil else { return [initial.with(WhyCode.unparseableTime.rejected)] }
            edges.append(time)
        }
        // Without either there is no window, and the approval is never active.
        guard edges.contains(where: { $0 != nil }) else { return [decision] }
        common.approvers = []
        // As old as the approval: times that are moved after it cannot widen what was approved.
        return [decision, common.with(.grantStarted(notBefore: edges[0], notAfter: edges[1]))]
    }

    private func person(_ value: JSONValue?) -> Actor? {
        vendor.person(
            value?["accountId"], name: value?["displayName"],
            isSystem: value?["accountType"]?.string.map { $0 == "app" } ?? false)
    }

    private var requestType: String? {
        let type = field(.requestType)?["requestType"]
        switch vendor.configuration.vendor.requestTypes {
        case .id: return vendor.identifier(type?["id"])
        case .name:
            // A line for the number goes before one for the name.
            let id = vendor.identifier(type?["id"])
            if let id, let mapping = vendor.configuration.mapping,
                mapping.entitlements.entry(for: Entitlement(kind: .jsmRequestType, id: id, scope: host())) != nil
            {
                return id
            }
            return vendor.identifier(type?["name"])
        }
    }

    /// The value of a field of one choice, or of text.
    private var jobClass: JobClass? {
        let value = field(.jobClass)
        guard let text = (value?["value"] ?? value)?.string, TextRules.isWord(text), text.utf8.count <= 128 else {
            return nil
        }
        return JobClass(text)
    }

    private var webhookTime: Timestamp? {
        // Times before 1970 are written and not read back.
        guard let milliseconds = vendor.value["timestamp"]?.integer, milliseconds > 0 else { return nil }
        return Timestamp(milliseconds: milliseconds)
    }

    /// A time of the service desk: milliseconds, or a text with its offset.
    private static func time(_ value: JSONValue?) -> Timestamp? {
        if let milliseconds = value?["epochMillis"]?.integer, milliseconds > 0 {
            return Timestamp(milliseconds: milliseconds)
        }
        return (value?["iso8601"] ?? value)?.string.flatMap { Timestamp(rfc3339: $0) }
    }
}
