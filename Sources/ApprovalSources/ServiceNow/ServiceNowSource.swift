public import ClawWire
import IssuanceRules

/// ServiceNow changes with their approvals, as a flow writes them to Kafka: the change's roll-up decides, its approval
/// rows say who.
///
/// A record of an approval row alone decides nothing: group rules and rule sets make the roll-up.
public enum ServiceNowSource: ApprovalSource {
    /// The vocabulary's name in facts.
    public static let vocabulary = "servicenow"

    /// Reads one record.
    public static func facts(
        from record: SourceRecord, configuration: SourceConfiguration, at now: Timestamp,
        signatures: inout BatchSignatureCache
    ) -> SourceReading {
        WebhookRecord.read(record, configuration, as: vocabulary) { vendor throws(SourceFault) in
            guard let change = vendor.value["change_request"], change.object != nil else {
                return vendor.value["table"] == nil
                    ? vendor.rejected(.malformed) : vendor.ignored(.notADecision)
            }
            return try ServiceNowChange(vendor, change).facts()
        }
    }
}

/// One change at one moment.
private struct ServiceNowChange {
    /// Where a change stands, by the numbers of `change_request.state`, or by the label of an end where a flow wrote that.
    private enum Phase {
        case beforeApproval, ready, over(Fact.EndReason), unknown

        init(_ state: String?) {
            switch state.map({ TextRules.folded($0) }) {
            case "-5", "-4", "-3": self = .beforeApproval
            case "-2", "-1": self = .ready
            case "0", "3": self = .over(.changeClosed)
            case "4": self = .over(.changeCanceled)
            // Labels count in the one direction that takes away.
            case "canceled", "cancelled": self = .over(.changeCanceled)
            case "closed", "review": self = .over(.changeClosed)
            default: self = .unknown
            }
        }
    }

    private struct Row {
        let state: String
        let approver: Actor
        let comments: String?
        let changedAt: Timestamp?
    }

    private let vendor: WebhookRecord
    private let change: JSONValue
    private let rows: [Row]

    init(_ vendor: WebhookRecord, _ change: JSONValue) throws(SourceFault) {
        self.vendor = vendor
        self.change = change
        let id = Self.field(change["sys_id"])
        rows = try vendor.list(vendor.value["approvals"], "approvals").compactMap { row in
            // A row of another record is nobody's answer to this change.
            let table = Self.field(row["source_table"]) ?? "change_request"
            let parent = Self.field(row["sysapproval"]) ?? Self.field(row["document_id"])
            guard table == "change_request", parent == nil || TextRules.isSame(parent ?? "", id ?? ""),
                let approver = Self.person(row["approver"], vendor)
            else { return nil }
            return Row(
                state: TextRules.folded(Self.field(row["state"]) ?? ""), approver: approver,
                comments: Self.field(row["comments"]), changedAt: Self.time(row["sys_updated_on"]))
        }
    }

    func facts() throws(SourceFault) -> [Fact] {
        let eventID = eventID
        guard let instance = vendor.pathPart(vendor.value["instance"]) else {
            return vendor.rejected(.tenantMismatch, eventID: eventID)
        }
        guard vendor.configuration.tenants.contains(instance) else {
            return vendor.rejected(.unknownTenant, eventID: eventID)
        }
        guard let number = vendor.pathPart(.optional(Self.field(change["number"]))) else {
            return vendor.rejected(.noRequestID, eventID: eventID)
        }
        guard let changedAt = Self.time(change["sys_updated_on"]) ?? Self.time(vendor.value["sys_updated_on"]) else {
            return vendor.rejected(.unparseableTime, eventID: eventID)
        }
        var common = vendor.fact(.requestOpened, eventID: eventID, at: changedAt)
        common.approvalID = ApprovalID("servicenow/\(instance)/\(number)")
        common.requester = Self.person(change["requested_by"], vendor) ?? Self.person(change["opened_by"], vendor)
        // Whoever is to carry the change out may not approve it either.
        common.subject = Self.person(change["assigned_to"], vendor) ?? common.requester
        let classField = vendor.configuration.vendor.fields[.jobClass] ?? "u_claw_job_class"
        common.entitlement = Entitlement(kind: .changeRequest, id: classField, scope: instance)
        common.jobClass = Self.field(change[classField]).flatMap { text in
            TextRules.isWord(text) && text.utf8.count <= 128 ? JobClass(text) : nil
        }
        common.justification = TextRules.justification(Self.field(change["justification"]))
        let label = Self.field(change["state"]?["display_value"]).flatMap { Int64($0) == nil ? $0 : nil }
        let phase = Phase(Self.field(change["state"]) ?? label)
        switch phase {
        case .over(let reason): return [common.with(.grantEnded(reason))]
        case .beforeApproval, .ready, .unknown: break
        }
        switch TextRules.folded(Self.field(change["approval"]) ?? "") {
        case "approved": return approved(common, phase)
        case "rejected":
            let row = rows.first { $0.state == "rejected" }
            common.approverJustification = TextRules.justification(row?.comments)
            return [common.with(.decisionDenied(approver: row?.approver))]
        default: return [common]
        }
    }

    private func approved(_ initial: Fact, _ phase: Phase) -> [Fact] {
        var common = initial
        let yes = rows.filter { $0.state == "approved" }
        common.ticket = Ticket(system: "ServiceNow", number: Self.field(change["number"]))
        var decision = common.with(.decisionApproved(approver: yes.first?.approver))
        decision.approvers = yes.count > 1 ? yes.map(\.approver) : []
        decision.approverJustification = TextRules.justification(yes.lazy.compactMap(\.comments).first)
        switch phase {
        case .beforeApproval: return [decision]
        // A state that this version does not know holds: nothing is said of the approval.
        case .unknown, .over: return [initial]
        case .ready: break
        }
        var edges: [Timestamp?] = []
        for (field, name) in [(VendorRule.Field.start, "start_date"), (.end, "end_date")] {
            let text = Self.field(change[vendor.configuration.vendor.fields[field] ?? name])
            let time = text.flatMap(Self.time)
            guard text == nil || time != nil else { return [common.with(WhyCode.unparseableTime.rejected)] }
            edges.append(time)
        }
        var window = common.with(.grantStarted(notBefore: edges[0], notAfter: edges[1]))
        // As old as the approval: dates that are moved after it cannot widen what was approved.
        window.occurredAt = yes.compactMap(\.changedAt).max() ?? common.occurredAt
        return [decision, window]
    }

    /// The change at this count of modifications. Two clusters deliver the same content, so that it counts once; what is
    /// said of the same count with other content is not taken for a repeat.
    private var eventID: String? {
        guard let id = vendor.pathPart(.optional(Self.field(change["sys_id"]))),
            let count = vendor.pathPart(.optional(Self.field(change["sys_mod_count"])))
        else { return nil }
        let content: JSONValue = ["change_request": change, "approvals": vendor.value["approvals"] ?? .null]
        return "\(id)/\(count)/\(content.canonicalDigest.b64u.prefix(22))"
    }

    /// A field's value: fields come bare, or with a value and what people see of it.
    private static func field(_ value: JSONValue?) -> String? {
        let bare = value?.object == nil ? value : value?["value"]
        if let number = bare?.integer { return String(number) }
        guard let text = bare?.string?.trimmingSpaces(), !text.isEmpty else { return nil }
        return text
    }

    private static func person(_ value: JSONValue?, _ vendor: WebhookRecord) -> Actor? {
        vendor.person(.optional(field(value)), name: value?["display_value"])
    }

    private static func time(_ value: JSONValue?) -> Timestamp? { field(value).flatMap(time) }

    /// `YYYY-MM-DD HH:MM:SS` without a zone, which is UTC, or RFC 3339. Formats of people's own settings have no zone that
    /// could be known, and are not read.
    private static func time(_ text: String) -> Timestamp? {
        let bytes = Array(text.utf8)
        guard bytes.count >= 19, bytes[4] == UInt8(ascii: "-") else { return nil }
        return VendorTime.parse(text)
    }
}
