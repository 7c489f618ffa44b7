/// Syntax of decentralized identifiers as the services check it (WIRE section 1). Says nothing of whether one resolves.
public enum DIDSyntax {
    /// True for `did:` method `:` one segment of letters, digits and `._%-`: the rule of clawscope for DID claims.
    ///
    /// A second colon is refused, and with it `did:web:host:path`.
    public static func isClaimDID(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard bytes.count <= 256, bytes.starts(with: "did:".utf8) else { return false }
        let rest = bytes[4...]
        guard let colon = rest.firstIndex(of: UInt8(ascii: ":")), colon > rest.startIndex, colon + 1 < rest.endIndex
        else { return false }
        return rest[..<colon].allSatisfy(isLowerOrDigit) && rest[(colon + 1)...].allSatisfy(isIdentifierCharacter)
    }

    private static func isLowerOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: false
        }
    }

    private static func isIdentifierCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "%"),
            UInt8(ascii: "-"):
            true
        default: isLowerOrDigit(byte)
        }
    }
}
