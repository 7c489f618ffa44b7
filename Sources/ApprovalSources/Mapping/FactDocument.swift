public import ClawWire
public import IssuanceRules

/// Facts as `clawgrant source map --json` prints them: ``IssuanceRules/Fact/json`` and what makes a list readable.
public enum FactDocument {
    /// Characters (Unicode scalars) of a long text that stand in a list.
    static let prefixCharacters = 64

    /// A fact.
    ///
    /// - Parameters:
    ///   - fact: the fact.
    ///   - message: index of the message, where the input is a list of messages.
    public static func json(_ fact: Fact, message: Int? = nil) -> JSONValue {
        var object = JSONObject()
        object["message"] = message.map { .integer($0) }
        for member in fact.json.object?.members ?? [] { object[member.key] = member.value }
        for key in ["justification_prefix", "approver_justification_prefix"] {
            if let text = object[key]?.string {
                object[key] = .string(String(String.UnicodeScalarView(text.unicodeScalars.prefix(prefixCharacters))))
            }
        }
        switch fact.content {
        case .grantEnded, .grantDirect: if fact.approvalID == nil { object["approval_id"] = .null }
        case .subjectInvalidated: object["revoke"] = true
        case .stopDeclared(let stop):
            object["scope"] = scope(stop.scope)
            object["widened"] = .bool(stop.isWidened)
        case .stopLifted(let lift): object["scope"] = lift.scope.map(scope)
        case .requestOpened, .requestRouted, .decisionApproved, .decisionDenied, .decisionTimedOut, .decisionCanceled,
            .grantStarted, .grantChanged, .ignored, .rejected:
            break
        case .capabilityRequested(let request): object["request"] = CapabilityRequestDocument.encode(request)
        }
        return .object(object)
    }

    /// A ticket.
    static func ticket(_ ticket: Ticket) -> JSONValue {
        ["system": .optional(ticket.system), "number": .optional(ticket.number)]
    }

    /// The scope of a stop.
    static func scope(_ scope: StopScope) -> JSONValue {
        ["kind": .string(scope.kind.rawValue), "value": .optional(scope.value)]
    }

    /// An instant: milliseconds, or microseconds where they are not zero.
    static func time(_ time: Timestamp) -> JSONValue {
        let micros = ((time.microseconds % 1_000) + 1_000) % 1_000
        guard micros != 0 else { return .string(time.iso8601) }
        let digits = String(micros)
        return .string(
            time.iso8601.dropLast() + String(repeating: "0", count: 3 - digits.utf8.count) + digits + "Z")
    }
}
