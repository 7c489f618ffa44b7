public import ClawWire
import IssuanceRules

/// Security Event Tokens of OpenID Shared Signals: events of CAEP and RISC after which nothing that rests on a person may
/// stand.
///
/// A token is the record's value, or the data of a structured CloudEvent.
public enum SharedSignalsSource: ApprovalSource {
    /// The vocabulary's name in facts.
    public static let vocabulary = "ssf"
    /// Seconds that a token may be dated ahead.
    private static let clockSkew: Int64 = 300

    /// Reads one record.
    public static func facts(
        from record: SourceRecord, configuration: SourceConfiguration, at now: Timestamp,
        signatures: inout BatchSignatureCache
    ) -> SourceReading {
        guard let value = record.value else { return NativeSource.tombstone(vocabulary) }
        do throws(SourceFault) {
            try WebhookRecord.checkHeaders(record, configuration.limits)
            let text = trimmed(try compact(value, record, configuration.limits))
            let token = try SecurityEventToken(compact: text, limits: configuration.limits.json)
            let evidence: AuthenticityEvidence
            switch configuration.authenticity {
            case .topic: evidence = .topic
            case .confirmed: evidence = .confirmationNeeded
            case .signed:
                evidence = .vendorSigned(by: try token.verify(by: configuration.vendor.transmitter?.keys ?? []))
            }
            return .facts(facts(of: token, Digest(hashing: text), configuration, at: now), evidence)
        } catch {
            return .deadLetter(error)
        }
    }

    private static func compact(
        _ value: [UInt8], _ record: SourceRecord, _ limits: SourceConfiguration.Limits
    ) throws(SourceFault) -> [UInt8] {
        guard CloudEvent.mode(of: record) == .structured else { return value }
        switch try CloudEvent(record: record, limits: limits).data {
        case .bytes(let bytes): return bytes
        case .json(.string(let text)): return Array(text.utf8)
        case .json, .none: throw SourceFault(.malformed, field: "data", "a Security Event Token was expected")
        }
    }

    private static func trimmed(_ bytes: [UInt8]) -> [UInt8] {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (byte >= 0x09 && byte <= 0x0D) }
        guard let last = bytes.lastIndex(where: { !isSpace($0) }) else { return [] }
        return Array(bytes[...last].drop(while: isSpace))
    }

    private static func facts(
        of token: SecurityEventToken, _ digest: Digest, _ configuration: SourceConfiguration, at now: Timestamp
    ) -> [Fact] {
        var eventID = token.tokenID ?? "sha256:\(digest.b64u)"
        switch configuration.eventIdentity {
        case .id: break
        case .sourceAndID: if let issuer = token.issuer { eventID = "\(issuer) \(eventID)" }
        }
        var base = Fact(
            recordIndex: 0, source: vocabulary, sourceEventID: SourceEventID(eventID), occurredAt: token.issuedAt,
            content: WhyCode.notAValidSET.rejected)
        base.recordDigest = digest
        guard token.isWellFormed, let issuedAt = token.issuedAt, issuedAt.seconds(since: now) <= clockSkew else {
            return [base]
        }
        if let transmitter = configuration.vendor.transmitter {
            guard token.issuer == transmitter.issuer else { return [base.with(WhyCode.untrustedSource.rejected)] }
            guard token.audience.contains(where: { transmitter.audience.contains($0) }) else {
                return [base.with(WhyCode.wrongAudience.rejected)]
            }
        }
        return facts(of: token, base, issuedAt)
    }

    private static func facts(of token: SecurityEventToken, _ base: Fact, _ issuedAt: Timestamp) -> [Fact] {
        let known = (token.claims["events"]?.object?.members ?? []).compactMap { event in
            reason(event.key).map { ($0, event.value) }
        }
        guard !known.isEmpty else { return [base.with(WhyCode.notADecision.ignored)] }
        let subjects = SignalSubject.identifiers(in: token.claims["sub_id"] ?? .null)
        guard !subjects.isEmpty else { return [base.with(WhyCode.noSubject.rejected)] }
        var facts: [Fact] = []
        for (reason, event) in known {
            for subject in subjects {
                var fact = base.with(.subjectInvalidated(reason: reason))
                if !facts.isEmpty {
                    fact.sourceEventID = base.sourceEventID.map { SourceEventID("\($0)#\(facts.count)") }
                }
                fact.subject = Actor(id: PersonID(subject))
                fact.occurredAt = occurrence(event, issuedAt)
                facts.append(fact)
            }
        }
        return facts
    }

    /// When it happened: what the event says, unless that lies after the token.
    private static func occurrence(_ event: JSONValue, _ issuedAt: Timestamp) -> Timestamp {
        guard let seconds = event["event_timestamp"]?.integer, seconds > 0 else { return issuedAt }
        return min(Timestamp(seconds: seconds), issuedAt)
    }

    /// The reason of an event after which nothing of the person may stand; `nil` for every other.
    private static func reason(_ uri: String) -> String? {
        let base = "https://schemas.openid.net/secevent/"
        guard uri.hasPrefix(base) else { return nil }
        switch uri.dropFirst(base.count) {
        case "caep/event-type/session-revoked", "risc/event-type/sessions-revoked": return "session_revoked"
        case "caep/event-type/credential-change": return "credential_change"
        case "risc/event-type/account-disabled": return "account_disabled"
        case "risc/event-type/account-purged": return "account_purged"
        case "risc/event-type/credential-compromise": return "credential_compromised"
        case "risc/event-type/account-credential-change-required": return "credential_change_required"
        default: return nil
        }
    }
}

/// Whom an event is about, by the formats of RFC 9493 and the complex subjects of Shared Signals.
enum SignalSubject {
    private static let maximumAliases = 8

    /// The identifiers of the person, in lower case; empty when the subject is no person.
    static func identifiers(in subject: JSONValue) -> [String] {
        switch subject["format"]?.string {
        case "complex": subject["user"].map { simple($0) } ?? []
        case "aliases":
            (subject["identifiers"]?.array ?? []).prefix(maximumAliases).flatMap { simple($0) }
                .reduce(into: []) { found, id in if !found.contains(id) { found.append(id) } }
        default: simple(subject)
        }
    }

    private static func simple(_ subject: JSONValue) -> [String] {
        let member: String
        switch subject["format"]?.string {
        case "iss_sub": member = "sub"
        case "opaque": member = "id"
        case "email": member = "email"
        case "account", "uri": member = "uri"
        default: return []
        }
        guard let text = VendorText.identifier(subject[member], maximumBytes: 512) else { return [] }
        let name = TextRules.folded(text)
        return [name.hasPrefix("acct:") ? String(name.dropFirst("acct:".count)) : name]
    }
}
