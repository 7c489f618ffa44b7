import ClawWire

/// Finds compact tokens in bytes: three segments of base64url, the first a JSON object, signed by a known key.
///
/// A sealed token has five segments and is not one of these; neither is a detached signature, whose middle is empty.
struct TokenScanner {
    let keys: [Ed25519PublicKey]

    /// The tokens, with all that authorises in them.
    func tokens(in bytes: [UInt8]) -> [String] {
        var found: [String] = []
        var i = 0
        while i + 3 < bytes.count {
            // "eyJ" is base64url of `{"`, with which every compact token begins.
            guard bytes[i] == 0x65, bytes[i + 1] == 0x79, bytes[i + 2] == 0x4A else {
                i += 1
                continue
            }
            var end = i
            while end < bytes.count, Base64URL.isInAlphabet(bytes[end]) || bytes[end] == UInt8(ascii: ".") { end += 1 }
            let run = bytes[i..<end]
            if isToken(run) { found.append(String(decoding: run, as: UTF8.self)) }
            i = end
        }
        return found
    }

    private func isToken(_ run: ArraySlice<UInt8>) -> Bool {
        // A full stop after a token in a sentence is no fourth segment.
        let text = run.last == UInt8(ascii: ".") ? run.dropLast() : run
        let segments = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard segments.count == 3, !segments[1].isEmpty,
            let signature = Base64URL.decode(segments[2]).flatMap({ Ed25519Signature(bytes: $0) })
        else { return false }
        let input = Array(text[..<(segments[2].startIndex - 1)])
        return keys.contains { $0.isValidSignature(signature, for: input) }
    }
}
