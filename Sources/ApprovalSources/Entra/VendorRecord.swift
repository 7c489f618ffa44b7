import ClawWire
import IssuanceRules

/// What the readers of Microsoft's records share: a message taken apart, its proof, and its tenant.
enum VendorRecord {
    /// Reads a message into one or more facts for each of its entries.
    static func reading(
        _ record: SourceRecord, _ configuration: SourceConfiguration, vocabulary: String,
        _ facts: (JSONValue, Int) -> [Fact]
    ) -> SourceReading {
        guard let value = record.value else { return NativeSource.tombstone(vocabulary) }
        do throws(SourceFault) {
            let document = try EntraAuditSource.parse(value, configuration.limits.json)
            let entries = try EntraAuditSource.entries(document, configuration.limits)
            var all: [Fact] = []
            all.reserveCapacity(entries.count)
            for (index, entry) in entries.enumerated() { all += facts(entry, index) }
            if all.isEmpty {
                all.append(
                    Fact(
                        recordIndex: 0, source: vocabulary, sourceEventID: nil, occurredAt: nil,
                        content: WhyCode.emptyBatch.ignored))
            }
            return .facts(all, try evidence(configuration))
        } catch {
            return .deadLetter(error)
        }
    }

    /// How far records that carry no signature are trusted.
    static func evidence(_ configuration: SourceConfiguration) throws(SourceFault) -> AuthenticityEvidence {
        switch configuration.authenticity {
        case .topic: .topic
        case .confirmed: .confirmationNeeded
        case .signed: throw SourceFault(.unsigned, "the vendor's records carry no signature")
        }
    }

    /// The tenant that a wrapper or a record names, when it is allow-listed.
    static func tenant(_ named: JSONValue?, _ configuration: SourceConfiguration) -> Result<String, Refusal> {
        guard let tenant = EntraAuditRecord.identifier(named), !tenant.contains("/") else {
            return .failure(Refusal(code: .tenantMismatch))
        }
        return configuration.tenants.contains(tenant) ? .success(tenant) : .failure(Refusal(code: .unknownTenant))
    }

    /// Why a record is not taken.
    struct Refusal: Error {
        let code: WhyCode
    }

    /// An identifier in lower case that may stand within an approval's name.
    static func part(_ value: JSONValue?) -> String? {
        EntraAuditRecord.identifier(value).flatMap { $0.contains("/") ? nil : $0 }
    }

    /// The member at the end of a path, as it stands; `nil` for `null`.
    static func member(_ value: JSONValue, _ path: String...) -> JSONValue? {
        var current = value
        for name in path.dropLast() {
            guard let next = object(current, name) else { return nil }
            current = next
        }
        guard let name = path.last, let last = EntraAuditRecord.member(current, name), !last.isNull else { return nil }
        return last
    }

    /// An object or array, or the one that a router printed into a string.
    static func object(_ value: JSONValue, _ name: String) -> JSONValue? {
        guard let found = EntraAuditRecord.member(value, name).flatMap(EntraAuditRecord.structured), !found.isNull
        else { return nil }
        return found
    }

    /// A word of the vendor's, in lower case: casing differs between requests, answers and versions.
    static func word(_ value: JSONValue?) -> String? {
        guard let text = value?.string?.trimmingSpaces(), !text.isEmpty, text.utf8.count <= 128 else { return nil }
        return TextRules.folded(text)
    }

    /// A time that may be missing.
    ///
    /// - Returns: `nil` when it is there and does not parse.
    static func time(_ value: JSONValue?) -> Timestamp?? {
        guard let value, !value.isNull, value.string != "" else { return .some(nil) }
        guard let time = value.string.flatMap(VendorTime.parse) else { return nil }
        return .some(time)
    }

    /// The digest of a document without the members that differ each time it is asked for.
    static func digest(_ value: JSONValue, without names: Set<String>) -> Digest {
        guard let object = value.object else { return value.canonicalDigest }
        let kept = object.members.filter { !names.contains(TextRules.folded($0.key)) }
        return JSONValue.object(JSONObject(kept.map { ($0.key, $0.value) })).canonicalDigest
    }
}
