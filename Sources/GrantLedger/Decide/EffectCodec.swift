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

    package static func encode(_ effects: some Collection<Effect>) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(
            effects.reduce(16) { sum, effect in
                effect.outputs.reduce(sum + effect.receipt.count + 64) { $0 + $1.key.count + $1.value.count + 512 }
            })
        output.append(version)
        append(UInt32(effects.count), to: &output)
        for effect in effects {
            append(effect.receipt, to: &output)
            append(Array(effect.receiptKind.utf8), to: &output)
            output.append(UInt8(effect.outputs.count))
            for record in effect.outputs {
                output.append(record.stream.rawValue)
                append(record.key, to: &output)
                append(record.value, to: &output)
                guard let grant = record.grant else {
                    output.append(0)
                    continue
                }
                output.append(grant.isPlain ? plain : grant.claim == nil ? sealedOrNamed : claimed)
                append(grant.claims, to: &output)
                append(Array(grant.kid.rawValue.utf8), to: &output)
                append(grant.tokenHash.bytes, to: &output)
                if let claim = grant.claim {
                    append(claim.key.bytes + Array((claim.address ?? "").utf8), to: &output)
                } else {
                    append(grant.recipientKey ?? [], to: &output)
                }
            }
        }
        return output
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
        for (index, effect) in effects.enumerated() {
            if index > start,
                bytes + effect.receipt.count > maximumReceiptBytes || index - start >= maximumEffects
            {
                ranges.append(start..<index)
                start = index
                bytes = 0
            }
            bytes += effect.receipt.count
        }
        if start < effects.count { ranges.append(start..<effects.count) }
        return ranges
    }

    private static func append(_ value: UInt32, to output: inout [UInt8]) {
        for shift in [24, 16, 8, 0] as [UInt32] { output.append(UInt8(truncatingIfNeeded: value >> shift)) }
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
