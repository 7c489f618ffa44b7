public import ClawWire
import IssuanceRules

/// Opsgenie webhooks: an alert with a tag that the configuration lists is a stop. Nothing here lifts one.
public enum OpsgenieSource: ApprovalSource {
    /// The vocabulary's name in facts.
    public static let vocabulary = "opsgenie"
    /// The tag that marks a stop where nothing else is configured.
    static let standardTag = "claw-stop"
    private static let maximumTags = 64

    /// Reads one record.
    public static func facts(
        from record: SourceRecord, configuration: SourceConfiguration, at now: Timestamp,
        signatures: inout BatchSignatureCache
    ) -> SourceReading {
        WebhookRecord.read(record, configuration, as: vocabulary) { vendor throws(SourceFault) in
            guard let alert = vendor.value["alert"], alert.object != nil,
                let action = vendor.value["action"]?.string
            else { throw SourceFault(.malformed, field: "alert", "an alert with an action was expected") }
            return facts(alert, TextRules.folded(action), vendor)
        }
    }

    private static func facts(_ alert: JSONValue, _ action: String, _ vendor: WebhookRecord) -> [Fact] {
        let alertID = vendor.identifier(alert["alertId"])
        let createdAt = time(alert["createdAt"])
        let changedAt = time(alert["updatedAt"]) ?? createdAt
        let eventID = alertID.map { id in
            changedAt.map { "\(id)/\(action)/\($0.milliseconds)" } ?? "\(id)/\(action)"
        }
        switch action {
        case "create", "addtags": break
        case "close", "delete": return vendor.ignored(.resolveDoesNotLift, eventID: eventID, at: changedAt)
        default: return vendor.ignored(.notADecision, eventID: eventID, at: changedAt)
        }
        let tags = tags(of: alert)
        let stops = vendor.configuration.vendor.stops.filter { tags.contains(TextRules.folded($0.match)) }
        guard !stops.isEmpty else { return vendor.ignored(.tagNotMapped, eventID: eventID, at: changedAt) }
        let named = scopes(in: tagTexts(of: alert))
        var scopes: [(scope: StopScope, revokes: Bool, isWidened: Bool)] = []
        for stop in stops {
            if let scope = stop.scope {
                scopes.append((scope, stop.revokesLive, false))
            } else if named.isEmpty {
                // The alert says that it is a stop and not of what.
                scopes.append((.everything, stop.revokesLive, true))
            } else {
                scopes += named.map { ($0, stop.revokesLive, false) }
            }
        }
        let stopID = "opsgenie/\(alertID ?? "event/\(vendor.digest.b64u)")"
        return scopes.enumerated().map { index, stop in
            let declaration = StopDeclaration(
                stopID: index == 0 ? stopID : "\(stopID)#\(index)", scope: stop.scope, revokesLive: stop.revokes,
                reason: VendorText.text(alert["message"]), incident: alertID,
                declaredBy: vendor.person(alert["username"], name: nil), isWidened: stop.isWidened)
            return vendor.fact(
                .stopDeclared(declaration), eventID: eventID, at: action == "create" ? createdAt : changedAt)
        }
    }

    private static func tagTexts(of alert: JSONValue) -> [String] {
        let value = alert["tags"]
        let texts =
            value?.array?.compactMap(\.string)
            ?? value?.string?.split(separator: ",").map { String($0) } ?? []
        return texts.prefix(maximumTags).map { $0.trimmingSpaces() }
    }

    private static func tags(of alert: JSONValue) -> Set<String> {
        Set(tagTexts(of: alert).map { TextRules.folded($0) })
    }

    /// The scopes that tags like `job_class:prod_db_maintenance` name.
    private static func scopes(in tags: [String]) -> [StopScope] {
        var found: [StopScope] = []
        for tag in tags {
            let parts = tag.split(separator: ":", maxSplits: 1).map { String($0).trimmingSpaces() }
            guard let kind = parts.first.flatMap({ StopScope.Kind(rawValue: TextRules.folded($0)) }),
                kind != .token, kind != .jti, (kind == .all) == (parts.count == 1)
            else { continue }
            let scope = StopScope(kind: kind, value: parts.count == 2 ? parts[1] : nil)
            guard scope.fault == nil, scope.value.map(TextRules.isIdentifier) ?? true else { continue }
            if !found.contains(scope.normalized) { found.append(scope.normalized) }
        }
        return found
    }

    /// Milliseconds, or nanoseconds in the newer fields.
    private static func time(_ value: JSONValue?) -> Timestamp? {
        guard let number = value?.integer, number > 0 else { return nil }
        return number > 100_000_000_000_000
            ? Timestamp(microseconds: number / 1_000) : Timestamp(milliseconds: number)
    }
}
