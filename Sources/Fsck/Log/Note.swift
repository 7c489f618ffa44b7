import ClawWire
import Foundation

/// A checkpoint as it stands under a batch: text, empty line, signature lines (C2SP signed-note and tlog-checkpoint).
struct Note {
    let text: String
    let origin: String
    let size: UInt64
    let root: Digest
    private let lines: [(name: String, keyID: [UInt8], signature: [UInt8])]

    /// Reads a note; `nil` when it is none.
    init?(_ note: String) {
        guard note.utf8.count <= 65_536, note.hasSuffix("\n"), !note.utf8.contains(where: { $0 < 0x20 && $0 != 0x0A })
        else { return nil }
        guard let gap = Self.lastEmptyLine(note) else { return nil }
        let body = String(note[..<gap]) + "\n"
        let rest = note[note.index(gap, offsetBy: 2)...].dropLast()
        let head = body.split(separator: "\n", omittingEmptySubsequences: false)
        guard head.count >= 4, head.count <= 20, !head[0].isEmpty, let size = UInt64(head[1]),
            String(size) == head[1], let bytes = Self.base64(String(head[2])), let root = Digest(bytes: bytes)
        else { return nil }
        var lines: [(String, [UInt8], [UInt8])] = []
        for line in rest.split(separator: "\n", omittingEmptySubsequences: false) {
            let parts = line.split(separator: " ", omittingEmptySubsequences: false)
            guard lines.count < 64, parts.count == 3, parts[0] == "—", !parts[1].isEmpty,
                let bytes = Self.base64(String(parts[2])), bytes.count > 4
            else { return nil }
            lines.append((String(parts[1]), Array(bytes[..<4]), Array(bytes[4...])))
        }
        text = body
        origin = String(head[0])
        self.size = size
        self.root = root
        self.lines = lines
    }

    /// How a key of the log has signed.
    enum Verdict {
        case signed
        case invalid
        case unsigned
    }

    /// Looks for signatures by keys under a name; the first that is not valid decides.
    func verdict(name: String, keys: [Ed25519PublicKey]) -> Verdict {
        var verdict = Verdict.unsigned
        for line in lines where line.name == name {
            for key in keys where Self.keyID(name, key) == line.keyID {
                guard let signature = Ed25519Signature(bytes: line.signature),
                    key.isValidSignature(signature, for: Array(text.utf8))
                else { return .invalid }
                verdict = .signed
            }
        }
        return verdict
    }

    /// First four bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ key).
    private static func keyID(_ name: String, _ key: Ed25519PublicKey) -> [UInt8] {
        Array(Digest(hashing: Array(name.utf8) + [0x0A, 0x01] + key.bytes).bytes.prefix(4))
    }

    private static func base64(_ text: String) -> [UInt8]? {
        guard let data = Data(base64Encoded: text), data.base64EncodedString() == text else { return nil }
        return Array(data)
    }

    /// The newline before the last empty line.
    private static func lastEmptyLine(_ note: String) -> String.Index? {
        var found: String.Index?
        var previousIsNewline = false
        for index in note.indices {
            let isNewline = note[index] == "\n"
            if isNewline, previousIsNewline { found = note.index(before: index) }
            previousIsNewline = isNewline
        }
        return found
    }
}
