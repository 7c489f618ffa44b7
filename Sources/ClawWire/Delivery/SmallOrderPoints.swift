/// The X25519 public keys with which every private key agrees on the all-zero secret (RFC 7748 §6.1): whoever sends one
/// is sent nothing that is secret, and cannot be sealed to.
enum SmallOrderPoints {
    /// Whether a public key of 32 bytes is one of them, written canonically or not.
    static func contains(_ publicKey: [UInt8]) -> Bool {
        // Each decision comes by here, and almost no key begins as one of these.
        guard all.contains(where: { $0[0] == publicKey[0] }) else { return false }
        var key = publicKey
        // RFC 7748 §5 has the most significant bit of u ignored.
        key[31] &= 0x7F
        return all.contains(key)
    }

    /// The coordinates u of the points whose order divides 8, on the curve and on its twist, and those of 0 and 1 with
    /// the prime p added to them.
    static let all: [[UInt8]] =
        [
            bytes(first: 0, 0, last: 0), bytes(first: 1, 0, last: 0), bytes(first: 0xEC, 0xFF, last: 0x7F),
            bytes(first: 0xED, 0xFF, last: 0x7F), bytes(first: 0xEE, 0xFF, last: 0x7F),
            [
                0xE0, 0xEB, 0x7A, 0x7C, 0x3B, 0x41, 0xB8, 0xAE, 0x16, 0x56, 0xE3, 0xFA, 0xF1, 0x9F, 0xC4, 0x6A, 0xDA,
                0x09, 0x8D, 0xEB, 0x9C, 0x32, 0xB1, 0xFD, 0x86, 0x62, 0x05, 0x16, 0x5F, 0x49, 0xB8, 0x00,
            ],
            [
                0x5F, 0x9C, 0x95, 0xBC, 0xA3, 0x50, 0x8C, 0x24, 0xB1, 0xD0, 0xB1, 0x55, 0x9C, 0x83, 0xEF, 0x5B, 0x04,
                0x44, 0x5C, 0xC4, 0x58, 0x1C, 0x8E, 0x86, 0xD8, 0x22, 0x4E, 0xDD, 0xD0, 0x9F, 0x11, 0x57,
            ],
        ]

    private static func bytes(first: UInt8, _ middle: UInt8, last: UInt8) -> [UInt8] {
        [first] + Array(repeating: middle, count: 30) + [last]
    }
}
