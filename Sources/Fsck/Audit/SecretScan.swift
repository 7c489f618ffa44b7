import ClawWire

/// Finds what nobody may hold: compact tokens, sealed tokens outside of a delivery, private keys.
enum SecretScan {
    enum Secret: Hashable {
        /// A compact JWS with a payload, signed or not: its header decodes to an object that names an algorithm.
        case token
        /// A compact JWE.
        case sealed
        /// A PEM block of a private key.
        case privateKey
    }

    /// Every secret in the bytes.
    static func secrets(in bytes: [UInt8]) -> [Secret] {
        let text = bytes.span
        var found: [Secret] = []
        var i = 0
        while i < text.count {
            switch text[i] {
            case UInt8(ascii: "e") where i + 2 < text.count && text[i + 1] == 0x79 && text[i + 2] == 0x4A:
                // `eyJ` is what every header of a JSON object encodes to.
                let end = wordEnd(text, from: i)
                if let secret = compact(bytes[i..<end]) { found.append(secret) }
                i = end
            case UInt8(ascii: "-") where begins(text, i, "-----BEGIN "):
                if isPrivateKey(text, i) { found.append(.privateKey) }
                i += 11
            default: i += 1
            }
        }
        return found
    }

    private static func wordEnd(_ text: Span<UInt8>, from start: Int) -> Int {
        var end = start
        while end < text.count, Base64URL.isInAlphabet(text[end]) || text[end] == UInt8(ascii: ".") { end += 1 }
        return end
    }

    private static func compact(_ word: ArraySlice<UInt8>) -> Secret? {
        let parts = word.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count >= 3, let header = parts.first.flatMap({ Base64URL.decode($0) }),
            let object = try? JSONReader.parse(header, limits: .token, duplicates: .keepLastValue),
            object["alg"]?.string != nil
        else { return nil }
        if object["enc"]?.string != nil { return parts.count >= 5 ? .sealed : nil }
        // A signature over bytes that stand elsewhere has an empty middle and lets nobody act.
        return parts[1].isEmpty || parts[2].isEmpty ? nil : .token
    }

    private static func begins(_ text: Span<UInt8>, _ start: Int, _ word: StaticString) -> Bool {
        guard start + word.utf8CodeUnitCount <= text.count else { return false }
        var position = start
        for byte in word.description.utf8 {
            guard text[position] == byte else { return false }
            position += 1
        }
        return true
    }

    private static func isPrivateKey(_ text: Span<UInt8>, _ start: Int) -> Bool {
        var position = start + 11
        while position < text.count, position < start + 48, text[position] != UInt8(ascii: "-") {
            if begins(text, position, "PRIVATE KEY") { return true }
            position += 1
        }
        return false
    }
}
