import ClawWire

/// Where a receipt stands.
struct ReceiptPlace {
    let batch: Int64
    let index: Int
    let position: Int64
    let count: Int64
    let headerHash: Digest

    var text: String { Place.receipt(batch: batch, index: Int64(index), position: position) }
}

/// What must be on the topics because of a receipt, by the table of docs/receipts.md.
enum ExpectedEffects {
    /// The images of all records that follow from a receipt.
    ///
    /// - Parameter path: the siblings from the receipt to the root of its batch; `nil` when the receipts do not have
    ///   it.
    static func of(
        _ receipt: Members, kind: String, digest: Digest, at place: ReceiptPlace, path: () -> [Digest]?
    ) -> [EffectImage] {
        let id = receipt.string("receipt_id") ?? ""
        let digestText = EffectImageWriter.quoted(digest.b64u)
        switch kind {
        case "grant.issued":
            return [
                grant(receipt, id, digestText, place, path()), decision(receipt, id, digestText, outcome: "issued"),
            ]
        case "decision.denied": return [decision(receipt, id, digestText, outcome: "denied")]
        case "decision.expired": return [decision(receipt, id, digestText, outcome: "expired")]
        case "decision.quarantined": return [deadLetter(receipt, id, digestText)]
        case "revocation": return [revocation(receipt, id, digestText)]
        case "stop.declared", "stop.lifted", "stop.drilled", "control.applied":
            return [controlResult(receipt, id, digestText)] + cutoffs(receipt, id, digestText)
        case "control.repeated": return [controlResult(receipt, id, digestText)]
        case "revocations.ended":
            return (receipt.object("payload")?.strings("ended") ?? []).map { end(of: $0, batch: place.batch) }
        case "finding.raised": return [finding(receipt, id, digestText)]
        case "budget.reached": return [budget(receipt, id, digestText)]
        default: return []
        }
    }

    /// The end of a revocation has no value and names no receipt: it is known by its key and its batch.
    static func end(of key: String, batch: Int64) -> EffectImage {
        var writer = EffectImageWriter(.end)
        writer.put(key.utf8)
        return writer.image(of: "\(batch) \(key)")
    }

    private static func finding(_ receipt: Members, _ id: String, _ digest: [UInt8]) -> EffectImage {
        let finding = receipt.object("finding")
        var writer = EffectImageWriter(.finding)
        writer.put((receipt.string("job_id") ?? finding?.string("about") ?? "").utf8)
        writer.put(digest)
        writer.put(optional: finding?.raw("about"))
        writer.put(optional: receipt.raw("agent_did"))
        writer.put(optional: finding?.raw("code"))
        writer.put(receipt.objects("reasons")?.first?.raw("detail") ?? Array("\"\"".utf8)[...])
        writer.put(optional: finding?.raw("evidence_b64u"))
        writer.put(optional: finding?.raw("excess"))
        writer.put(text: "1")
        writer.put(optional: receipt.raw("job_class"))
        writer.put(optional: receipt.raw("job_id"))
        writer.put(optional: receipt.raw("occurred_at"))
        writer.put(optional: receipt.raw("request_id"))
        writer.put(optional: finding?.raw("severity"))
        return writer.image(of: id)
    }

    private static func budget(_ receipt: Members, _ id: String, _ digest: [UInt8]) -> EffectImage {
        var writer = EffectImageWriter(.budget)
        writer.put((receipt.string("job_id") ?? "").utf8)
        writer.put(digest)
        writer.put(optional: receipt.raw("agent_did"))
        writer.put(optional: receipt.raw("budget"))
        writer.put(text: "1")
        writer.put(optional: receipt.raw("job_class"))
        writer.put(optional: receipt.raw("job_id"))
        writer.put(optional: receipt.raw("occurred_at"))
        writer.put(optional: receipt.raw("request_id"))
        return writer.image(of: id)
    }

    private static func grant(
        _ receipt: Members, _ id: String, _ digest: [UInt8], _ place: ReceiptPlace, _ path: [Digest]?
    ) -> EffectImage {
        var writer = EffectImageWriter(.grant)
        writer.put((receipt.string("job_id") ?? "").utf8)
        writer.put(digest)
        writer.put(proof: path.map { proof(place, $0) })
        writer.put(optional: receipt.raw("agent_did"))
        writer.put(optional: receipt.raw("approval_ids"))
        writer.put(optional: receipt.raw("delivery"))
        writer.put(text: "1")
        writer.put(optional: receipt.raw("granted"))
        writer.put(optional: receipt.raw("occurred_at"))
        writer.put(optional: receipt.raw("job_class"))
        writer.put(optional: receipt.raw("job_id"))
        writer.put(optional: receipt.raw("replaces_request_id"))
        writer.put(optional: receipt.raw("request_id"))
        writer.put(optional: receipt.raw("token"))
        writer.put(optional: receipt.raw("wpc_hash_b64u"))
        return writer.image(of: id)
    }

    private static func proof(_ place: ReceiptPlace, _ path: [Digest]) -> [UInt8] {
        let siblings = path.map { "\"\($0.b64u)\"" }.joined(separator: ",")
        let text =
            "{\"batch_number\":\(place.batch),\"count\":\(place.count),"
            + "\"header_hash_b64u\":\"\(place.headerHash.b64u)\","
            + "\"index\":\(place.index),\"path\":[\(siblings)],\"position\":\(place.position)}"
        return Array(text.utf8)
    }

    private static func decision(
        _ receipt: Members, _ id: String, _ digest: [UInt8], outcome: String
    ) -> EffectImage {
        let isIssued = outcome == "issued"
        let request = receipt.string("request_id")
        let reasons = receipt.objects("reasons") ?? []
        var writer = EffectImageWriter(.decision)
        writer.put((request ?? receipt.strings("approval_ids")?.first ?? id).utf8)
        writer.put(digest)
        writer.put(optional: receipt.raw("agent_did"))
        writer.put(optional: receipt.raw("approval_ids"))
        writer.put(optional: receipt.raw("asked"))
        writer.put(optional: receipt.raw("authenticity"))
        writer.put(optional: isIssued ? receipt.raw("granted") : nil)
        writer.put(optional: receipt.raw("job_class"))
        writer.put(optional: receipt.raw("job_id"))
        writer.put(isIssued ? Array("[]".utf8)[...] : receipt.raw("needed") ?? [])
        writer.put(text: outcome)
        writer.put(optional: receipt.raw("reasons"))
        writer.put(optional: receipt.raw("rule"))
        writer.put(optional: receipt.raw("rules_hash_b64u"))
        writer.put(optional: isIssued ? receipt.raw("token") : nil)
        writer.put(optional: receipt.raw("wpc_hash_b64u"))
        writer.put(text: isIssued ? "granted" : "denied")
        writer.put(optional: isIssued ? capability(receipt) : nil)
        writer.put(optional: reasons.first?.raw("detail"))
        writer.put(optional: reasons.first?.raw("code"))
        writer.put(optional: receipt.raw("request_id"))
        writer.put(optional: receipt.raw("receipt_id"))
        writer.put(text: "1")
        writer.put(optional: receipt.raw("occurred_at"))
        return writer.image(of: id)
    }

    /// `granted_capability`, as a reader of the closed schema knows it.
    private static func capability(_ receipt: Members) -> ArraySlice<UInt8>? {
        guard let token = receipt.object("token"), let jti = token.raw("jti"),
            let scope = token.raw(
                "token_scope_hash_b64u"), let iat = token.integer("iat"), let exp = token.integer("exp")
        else { return nil }
        var text: [UInt8] = Array("{\"capability_id\":".utf8)
        text += jti
        text += Array(",\"expires_at\":\"\(Timestamp(seconds: exp).iso8601)\"".utf8)
        if let policy = receipt.raw("wpc_hash_b64u") {
            text += Array(",\"policy_hash_b64u\":".utf8)
            text += policy
        }
        text += Array(",\"scope_hash_b64u\":".utf8)
        text += scope
        text += Array(",\"ttl_seconds\":\(exp &- iat)}".utf8)
        return text[...]
    }

    private static func revocation(_ receipt: Members, _ id: String, _ digest: [UInt8]) -> EffectImage {
        let revocation = receipt.object("revocation")
        let at = receipt.time("occurred_at")?.seconds ?? 0
        var writer = EffectImageWriter(.revocation)
        writer.put((revocation?.string("token_hash") ?? "").utf8)
        writer.put(digest)
        writer.put(optional: revocation?.raw("cause"))
        writer.put(optional: receipt.raw("job_id"))
        writer.put(optional: revocation?.raw("jti"))
        writer.put(text: short(receipt.objects("reasons")?.first?.string("detail")))
        writer.put(optional: receipt.raw("request_id"))
        writer.put(text: "1")
        writer.put(number: at)
        writer.put(text: Timestamp(seconds: at).iso8601)
        writer.put(optional: revocation?.raw("revoked_by"))
        writer.put(optional: revocation?.raw("token_hash"))
        return writer.image(of: id)
    }

    private static func deadLetter(_ receipt: Members, _ id: String, _ digest: [UInt8]) -> EffectImage {
        let quarantine = receipt.object("quarantine")
        let origin = quarantine?.object("origin")
        let reason = receipt.objects("reasons")?.first
        var writer = EffectImageWriter(.deadLetter)
        writer.put(Array(originText(origin).utf8))
        writer.put(digest)
        writer.put(text: "1")
        writer.put(reason?.raw("detail") ?? Array("\"\"".utf8)[...])
        writer.put(optional: receipt.raw("occurred_at"))
        writer.put(optional: quarantine?.raw("origin"))
        writer.put(reason?.raw("code") ?? Array("\"UNKNOWN\"".utf8)[...])
        writer.put(optional: quarantine?.raw("value_bytes"))
        writer.put(optional: quarantine?.raw("value_sha256"))
        return writer.image(of: id)
    }

    /// `topic/partition/offset`.
    static func originText(_ origin: Members?) -> String {
        guard let origin, let topic = origin.string("topic"), let partition = origin.integer("partition"),
            let offset = origin.integer("offset")
        else { return "" }
        return "\(topic)/\(partition)/\(offset)"
    }

    private static func controlResult(_ receipt: Members, _ id: String, _ digest: [UInt8]) -> EffectImage {
        let payload = receipt.object("payload")
        var writer = EffectImageWriter(.controlResult)
        writer.put((payload?.string("stop_id") ?? "").utf8)
        writer.put(digest)
        writer.put(text: "1")
        let named = EffectKind.controlResult.slots.dropFirst(3).dropLast()
        for name in named { writer.put(optional: payload?.raw(name)) }
        writer.put(others(of: payload, than: Set(named)))
        return writer.image(of: id)
    }

    /// The members that have no slot of their own, names and values, one after the other.
    static func others(of object: Members?, than named: Set<String>) -> [UInt8] {
        var bytes: [UInt8] = []
        guard let object else { return bytes }
        for member in object.all where !named.contains(member.name) {
            bytes += Array(member.name.utf8) + [0]
            bytes += object.text[member.value]
            bytes.append(0)
        }
        return bytes
    }

    private static func cutoffs(_ receipt: Members, _ id: String, _ digest: [UInt8]) -> [EffectImage] {
        guard let payload = receipt.object("payload") else { return [] }
        let isStop = payload.string("operation") == "stop"
        let at = receipt.time("occurred_at")?.seconds ?? 0
        var images: [EffectImage] = []
        for cutoff in payload.objects("cutoffs") ?? [] {
            guard let scope = cutoff.object("scope"), let kind = scope.string("kind") else { continue }
            let value = ControlScope(kind, scope.string("value")).value
            var writer = EffectImageWriter(.cutoff)
            writer.put(cutoffKey(kind, value).utf8)
            writer.put(digest)
            writer.put(optional: cutoff.raw("cause"))
            writer.put(optional: payload.raw("control_position"))
            writer.put(text: "1")
            writer.put(optional: payload.raw("event_id"))
            writer.put(optional: cutoff.raw("issued_since"))
            writer.put(optional: cutoff.raw("not_issued_before"))
            writer.put(text: short(payload.string("reason")))
            writer.put(number: at)
            writer.put(text: Timestamp(seconds: at).iso8601)
            writer.put(scopeText(kind, value))
            writer.put(optional: isStop ? payload.object("data")?.raw("stop_id") : nil)
            images.append(writer.image(of: id, sub: Fingerprint(cutoffKey(kind, value)).high))
        }
        return images
    }

    /// Key of a cut-off on the revocations topic.
    static func cutoffKey(_ kind: String, _ value: String?) -> String {
        value.map { "cutoff:\(kind):\($0)" } ?? "cutoff:\(kind)"
    }

    private static func scopeText(_ kind: String, _ value: String?) -> [UInt8] {
        var text = Array("{\"kind\":".utf8) + EffectImageWriter.quoted(kind)
        if let value { text += Array(",\"value\":".utf8) + EffectImageWriter.quoted(value) }
        return text + Array("}".utf8)
    }

    /// Text for people in a record: without white space at its ends, at most 256 UTF-16 units, `nil` when empty.
    static func short(_ text: String?) -> String? {
        guard let text else { return nil }
        var scalars = text.unicodeScalars[...]
        while let first = scalars.first, first.properties.isWhitespace { scalars.removeFirst() }
        while let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
        var kept = String.UnicodeScalarView()
        var units = 0
        for scalar in scalars {
            units += scalar.value > 0xFFFF ? 2 : 1
            if units > 256 { break }
            kept.append(scalar)
        }
        return kept.isEmpty ? nil : String(kept)
    }
}

/// The scope of a control event in the form in which scopes are compared.
struct ControlScope: Hashable {
    let kind: String
    let value: String?

    /// Subjects, entitlements and token hashes are compared without case; everything has no value.
    init(_ kind: String, _ value: String?) {
        self.kind = kind
        switch kind {
        case "all": self.value = nil
        case "subject", "entitlement", "token_hash": self.value = value?.lowercased()
        default: self.value = value
        }
    }

    /// What the scope is known by in sorted runs.
    var fingerprint: UInt64 { Fingerprint("\(kind):\(value ?? "")").high }

    var text: String { value.map { "\(kind):\($0)" } ?? kind }
}
