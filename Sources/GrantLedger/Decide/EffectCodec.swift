import ClawWire

/// The stored form of a group of effects: length-prefixed fields behind one version byte.
///
/// Integers are big-endian. A group is written once and read once by the sealer; JSON would cost more than the rest of
/// the transaction.
package enum EffectCodec {
    private static let version: UInt8 = 1
    /// A group is cut here, so that any group fits into a batch record of the receipts topic.
    static let maximumReceiptBytes = 350_000
    static let maximumEffects = 400

    /// The byte that says what stands behind a grant's token: its recipient's X25519 key or nothing; nothing; the
    /// thumbprint of the key that claims it, and the address.
    private static let (sealedOrNamed, plain, claimed): (UInt8, UInt8, UInt8) = (1, 2, 3)

    struct Malformed: Error {}

    package static func encode(_ effects: [Effect]) -> [UInt8] { encode(effects[...]) }

    package static func encode(_ effects: ArraySlice<Effect>) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(capacity(for: effects))
        output.append(version)
        append(UInt32(effects.count), to: &output)
        for index in effects.indices {
            append(effects[index].receipt, to: &output)
            append(effects[index].receiptKind, to: &output)
            output.append(UInt8(effects[index].outputs.count))
            for place in effects[index].outputs.indices { append(effects[index].outputs[place], to: &output) }
        }
        return output
    }

    private static func append(_ record: OutputRecord, to output: inout [UInt8]) {
        output.append(record.stream.rawValue)
        append(record.key, to: &output)
        append(record.value, to: &output)
        guard let grant = record.grant else {
            output.append(0)
            return
        }
        output.append(grant.isPlain ? plain : grant.claim == nil ? sealedOrNamed : claimed)
        append(grant.claims, to: &output)
        append(grant.kid.rawValue, to: &output)
        append(grant.tokenHash.bytes, to: &output)
        if let claim = grant.claim {
            append(claim.key.bytes + Array((claim.address ?? "").utf8), to: &output)
        } else {
            append(grant.recipientKey ?? [], to: &output)
        }
    }

    private static func capacity(for effects: ArraySlice<Effect>) -> Int {
        var bytes = 16
        for index in effects.indices {
            bytes += effects[index].receipt.count + 64
            for place in effects[index].outputs.indices {
                bytes += effects[index].outputs[place].key.count + effects[index].outputs[place].value.count
                bytes += 128 + (effects[index].outputs[place].grant?.claims.count ?? 0)
            }
        }
        return bytes
    }

    static func decode(_ bytes: [UInt8]) throws(Malformed) -> [Effect] {
        var cursor = Cursor(bytes: bytes)
        guard try cursor.byte() == version else { throw Malformed() }
        let count = Int(try cursor.uint32())
        guard count <= bytes.count else { throw Malformed() }
        var effects: [Effect] = []
        effects.reserveCapacity(count)
        for _ in 0..<count {
            let receipt = try cursor.field()
            let kind = String(decoding: try cursor.field(), as: UTF8.self)
            var outputs: [OutputRecord] = []
            for _ in 0..<Int(try cursor.byte()) {
                guard let stream = OutputStream(rawValue: try cursor.byte()) else { throw Malformed() }
                let key = try cursor.field()
                let value = try cursor.field()
                let delivery = try cursor.byte()
                var grant: GrantMaterial?
                if delivery != 0 {
                    let claims = try cursor.field()
                    let kid = KeyID(String(decoding: try cursor.field(), as: UTF8.self))
                    guard let hash = Digest(bytes: try cursor.field()) else { throw Malformed() }
                    let recipient = try cursor.field()
                    let claim = delivery == claimed ? try Self.claim(recipient) : nil
                    grant = GrantMaterial(
                        claims: claims, kid: kid, tokenHash: hash,
                        recipientKey: recipient.isEmpty || claim != nil ? nil : recipient, isPlain: delivery == plain,
                        claim: claim)
                }
                outputs.append(OutputRecord(stream: stream, key: key, value: value, grant: grant))
            }
            effects.append(Effect(receipt: receipt, receiptKind: kind, outputs: outputs))
        }
        guard cursor.isAtEnd else { throw Malformed() }
        return effects
    }

    private static func claim(_ field: [UInt8]) throws(Malformed) -> GrantMaterial.Claim {
        guard field.count >= 32, let key = Digest(bytes: Array(field[..<32])),
            let address = String(validating: field[32...], as: UTF8.self)
        else { throw Malformed() }
        return GrantMaterial.Claim(key: key, address: address.isEmpty ? nil : address)
    }

    /// Cuts effects into ranges that each fit a group.
    package static func groups(_ effects: [Effect]) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var start = 0
        var bytes = 0
        for index in effects.indices {
            let count = effects[index].receipt.count
            if index > start, bytes + count > maximumReceiptBytes || index - start >= maximumEffects {
                ranges.append(start..<index)
                start = index
                bytes = 0
            }
            bytes += count
        }
        if start < effects.count { ranges.append(start..<effects.count) }
        return ranges
    }

    private static func append(_ value: UInt32, to output: inout [UInt8]) {
        for shift in [24, 16, 8, 0] as [UInt32] { output.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    private static func append(_ field: String, to output: inout [UInt8]) {
        append(UInt32(field.utf8.count), to: &output)
        output.append(contentsOf: field.utf8)
    }

    private static func append(_ field: [UInt8], to output: inout [UInt8]) {
        append(UInt32(field.count), to: &output)
        output.append(contentsOf: field)
    }

    private struct Cursor {
        let bytes: [UInt8]
        var position = 0

        var isAtEnd: Bool { position == bytes.count }

        mutating func byte() throws(Malformed) -> UInt8 {
            guard position < bytes.count else { throw Malformed() }
            defer { position += 1 }
            return bytes[position]
        }

        mutating func uint32() throws(Malformed) -> UInt32 {
            guard bytes.count - position >= 4 else { throw Malformed() }
            defer { position += 4 }
            return UInt32(bytes[position]) << 24 | UInt32(bytes[position + 1]) << 16
                | UInt32(bytes[position + 2]) << 8 | UInt32(bytes[position + 3])
        }

        mutating func field() throws(Malformed) -> [UInt8] {
            let count = Int(try uint32())
            guard count <= bytes.count - position else { throw Malformed() }
            defer { position += count }
            return Array(bytes[position..<(position + count)])
        }
    }
}
