import ClawWire

/// A record of an output topic, as it was read.
package struct FsckRecord {
    package let partition: Int32
    package let offset: Int64
    package let timestamp: Int64?
    package let key: [UInt8]?
    package let value: [UInt8]?
    package let headers: [(name: String, value: [UInt8]?)]

    package init(
        partition: Int32, offset: Int64, timestamp: Int64?, key: [UInt8]?, value: [UInt8]?,
        headers: [(name: String, value: [UInt8]?)]
    ) {
        self.partition = partition
        self.offset = offset
        self.timestamp = timestamp
        self.key = key
        self.value = value
        self.headers = headers
    }

    func header(_ name: String) -> String? {
        for header in headers where header.name == name {
            return header.value.flatMap { String(validating: $0, as: UTF8.self) }
        }
        return nil
    }

    /// A header that is a count: digits without a leading zero.
    func count(_ name: String) -> Int64? {
        guard let text = header(name), text.utf8.count <= 16, let value = Int64(text), value >= 0,
            String(value) == text
        else { return nil }
        return value
    }

    /// What a repeat must be: key, value and headers.
    var fingerprint: Fingerprint {
        var bytes: [UInt8] = []
        bytes.reserveCapacity((value?.count ?? 0) + 512)
        func put(_ part: [UInt8]?) {
            let count = part.map { Int32(clamping: $0.count) } ?? -1
            for shift in [24, 16, 8, 0] as [Int32] { bytes.append(UInt8(truncatingIfNeeded: count >> shift)) }
            if let part { bytes += part }
        }
        put(key)
        put(value)
        for header in headers {
            put(Array(header.name.utf8))
            put(header.value)
        }
        return Fingerprint(bytes)
    }
}

/// What a record says, in the form in which it is compared with its receipt.
struct FoundEffect {
    let image: EffectImage
    /// Members that no record of the kind has.
    let unknown: [String]

    /// Reads a record's members; `nil` when it names no receipt.
    init?(_ kind: EffectKind, key: [UInt8], _ record: Members) {
        let ours = kind == .decision ? record.object("clawgrant") : record
        guard let ours, let receiptID = ours.string("receipt_id"), receiptID.utf8.count <= 256 else { return nil }
        var writer = EffectImageWriter(kind)
        writer.put(key)
        let slots = kind.slots
        var named = Set(slots.dropFirst())
        for slot in slots.dropFirst() {
            if slot == "(other members)" {
                writer.put(ExpectedEffects.others(of: record, than: named.union(kind.freeMembers)))
            } else if slot == "proof" {
                writer.put(proof: record.raw(slot).map { Array($0) } ?? [])
            } else if slot.hasPrefix("clawgrant.") {
                writer.put(optional: ours.raw(String(slot.dropFirst(10))))
            } else {
                writer.put(optional: record.raw(slot))
            }
        }
        var unknown: [String] = []
        switch kind {
        case .controlResult: break
        case .decision:
            unknown = record.names.filter { !named.contains($0) && !kind.freeMembers.contains($0) }
            named.insert("clawgrant.receipt_id")
            unknown += ours.names.filter { !named.contains("clawgrant.\($0)") }.map { "clawgrant.\($0)" }
        case .grant, .revocation, .cutoff, .deadLetter, .end, .finding, .budget:
            unknown = record.names.filter { !named.contains($0) && !kind.freeMembers.contains($0) }
        }
        self.unknown = unknown
        let sub =
            kind == .cutoff
            ? Fingerprint(String(decoding: key, as: UTF8.self)).high : 0
        image = writer.image(of: receiptID, sub: sub)
    }
}
