import ClawWire

/// The identifiers of Microsoft's records beside the audit log's, read from their documentation and not by the worker's
/// readers.
enum MicrosoftEntries {
    private typealias Entry = InputAudit.Entry

    /// Activity log records, known by their event or by what they say.
    static func activities(_ message: JSONValue) -> [InputAudit.Entry] {
        entries(of: message).map { entry in
            let id = entry["properties"]?["EventID"]?.string ?? "sha256:\(entry.canonicalDigest.b64u)"
            let name = entry["operationName"]?.string?.lowercased() ?? ""
            let isDecisive =
                entry["category"]?.string == "Administrative" && entry["resultType"]?.string == "Succeeded"
                && name.hasSuffix("(pim activation)")
                && ["approved", "denied", "completed"].contains { name.contains(" \($0) ") }
            return Entry(eventID: id, mayBeIgnored: !isDecisive)
        }
    }

    /// What pollers wrote, known by what was answered; notifications about these groups take something away.
    static func polls(_ message: JSONValue, groups: Set<String>) -> [InputAudit.Entry] {
        entries(of: message).map { entry in
            let isDecisive =
                entry["kind"]?.string == "graph.notification"
                ? isRemoval(entry, of: groups) : isDecided(entry["request"])
            return Entry(
                eventID: digest(of: entry, without: ["polledAt", "receivedAt"]), mayBeIgnored: !isDecisive)
        }
    }

    private static func isDecided(_ request: JSONValue?) -> Bool {
        let status = request?["status"]?.string?.lowercased() ?? ""
        return switch request?["action"]?.string?.lowercased() ?? "" {
        case "selfactivate": ["provisioned", "denied", "canceled", "timedout", "revoked"].contains(status)
        case "selfdeactivate", "adminremove": ["provisioned", "revoked"].contains(status)
        default: false
        }
    }

    private static func isRemoval(_ entry: JSONValue, of groups: Set<String>) -> Bool {
        (entry["body"]?["value"]?.array ?? []).contains { notification in
            let data = notification["resourceData"]
            guard let group = data?["id"]?.string, groups.contains(group.lowercased()) else { return false }
            return (data?["members@delta"]?.array ?? []).contains { $0["@removed"] != nil }
        }
    }

    /// Callouts, known by the instance of the extension and the stage; keys come in any case.
    static func callouts(_ message: JSONValue) -> [InputAudit.Entry] {
        entries(of: message).map { entry in
            func word(_ name: String) -> String {
                entry["body"]?.object?.members.first { $0.key.lowercased() == name }?.value.string?.lowercased() ?? ""
            }
            let instance = word("customextensionstageinstanceid")
            let stage = word("stage")
            let id = instance.isEmpty ? digest(of: entry, without: ["receivedAt"]) : "\(instance)/\(stage)"
            let isDecisive =
                word("requesttype") == "useradd"
                && ["assignmentrequestapproved", "assignmentrequestgranted"].contains(stage)
                || stage == "assignmentrequestremoved"
            return Entry(eventID: id, mayBeIgnored: !isDecisive)
        }
    }

    private static func entries(of message: JSONValue) -> [JSONValue] {
        message.array ?? message["records"]?.array ?? [message]
    }

    private static func digest(of entry: JSONValue, without names: Set<String>) -> String {
        guard let object = entry.object else { return "" }
        let kept = object.members.filter { !names.contains($0.key) }.map { ($0.key, $0.value) }
        return "sha256:\(JSONValue.object(JSONObject(kept)).canonicalDigest.b64u)"
    }
}
