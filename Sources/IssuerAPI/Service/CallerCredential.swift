import Foundation

/// What a caller names itself with in the field `authorization`.
struct CallerCredential: Sendable, Hashable {
    /// The caller's token.
    let token: String
    /// The caller's name, where the scheme has one.
    let name: String?

    /// Reads `Bearer TOKEN` (RFC 6750 section 2.1) and `Basic` with name and token (RFC 6749 section 2.3.1), which is what
    /// OAuth clients send to introspection and revocation; `nil` for anything else.
    init?(_ field: String) {
        let parts = field.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
        guard parts.count == 2 else { return nil }
        switch parts[0].lowercased() {
        case "bearer":
            token = String(parts[1])
            name = nil
        case "basic":
            guard parts[1].utf8.count <= 4_096, let decoded = Data(base64Encoded: String(parts[1])) else { return nil }
            let halves = decoded.split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
            guard halves.count == 2, let name = FormText.text(halves[0], plusIsSpace: true),
                let token = FormText.text(halves[1], plusIsSpace: true)
            else { return nil }
            (self.name, self.token) = (name, token)
        default: return nil
        }
        guard (16...1_024).contains(token.utf8.count), token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            return nil
        }
    }
}
