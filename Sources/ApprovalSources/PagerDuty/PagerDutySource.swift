public import ClawWire
import IssuanceRules

/// PagerDuty V3 webhooks: an incident of a service that the configuration lists is a stop, also one that is moved to such
/// a service. Nothing here lifts one.
public enum PagerDutySource: ApprovalSource {
    /// The vocabulary's name in facts.
    public static let vocabulary = "pagerduty"

    /// Reads one record.
    public static func facts(
        from record: SourceRecord, configuration: SourceConfiguration, at now: Timestamp,
        signatures: inout BatchSignatureCache
    ) -> SourceReading {
        WebhookRecord.read(record, configuration, as: vocabulary) { vendor throws(SourceFault) in
            guard let event = vendor.value["event"], let type = event["event_type"]?.string else {
                throw SourceFault(.malformed, field: "event.event_type", "an event of a V3 webhook was expected")
            }
            return facts(event, type, vendor)
        }
    }

    private static func facts(_ event: JSONValue, _ type: String, _ vendor: WebhookRecord) -> [Fact] {
        let id = vendor.identifier(event["id"])
        let at = event["occurred_at"]?.string.flatMap { Timestamp(rfc3339: $0) }
        let type = TextRules.folded(type)
        switch type {
        case "incident.triggered", "incident.reopened", "incident.service_updated": break
        case "incident.resolved": return vendor.ignored(.resolveDoesNotLift, eventID: id, at: at)
        default: return vendor.ignored(.notADecision, eventID: id, at: at)
        }
        let incident = event["data"]
        let name = vendor.identifier(incident?["id"])
        let stops = vendor.configuration.vendor.stops
        let covering: [VendorRule.Stop]
        let isWidened: Bool
        if let service = vendor.identifier(incident?["service"]?["id"]) {
            covering = stops.filter { TextRules.isSame($0.match, service) }
            guard !covering.isEmpty else { return vendor.ignored(.serviceNotMapped, eventID: id, at: at) }
            isWidened = name == nil
        } else {
            // Of which service cannot be told, so it may be of any that stops something.
            covering = stops
            guard !covering.isEmpty else { return vendor.ignored(.serviceNotMapped, eventID: id, at: at) }
            isWidened = true
        }
        var stopID = "pagerduty/\(name ?? "event/\(id ?? vendor.digest.b64u)")"
        // A stop that was lifted stays lifted under its name, and one of another service has another scope: an incident that
        // comes back or is moved here is a new one.
        if type != "incident.triggered" { stopID += "/\(id ?? vendor.digest.b64u)" }
        return covering.enumerated().map { index, stop in
            let declaration = StopDeclaration(
                stopID: index == 0 ? stopID : "\(stopID)#\(index)", scope: stop.scope ?? .everything,
                revokesLive: stop.revokesLive, reason: VendorText.text(incident?["title"]), incident: name,
                declaredBy: person(event["agent"], vendor), isWidened: isWidened || stop.scope == nil)
            return vendor.fact(.stopDeclared(declaration), eventID: id, at: at)
        }
    }

    private static func person(_ agent: JSONValue?, _ vendor: WebhookRecord) -> Actor? {
        vendor.person(
            agent?["id"], name: agent?["summary"],
            isSystem: agent?["type"]?.string.map { !$0.hasPrefix("user") } ?? false)
    }
}
