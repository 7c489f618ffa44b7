public import ClawWire

extension ReferenceCommandLine {
    /// Answers about a signed reference to a commit: a message `commit:<hex>` whose signature covers the canonical
    /// document with an empty signature.
    public static func verify(commitSignature document: JSONValue) -> Verdict {
        func fails(_ code: String) -> Verdict { Verdict(passes: false, reasonCode: code) }
        guard var object = document.object else { return fails("MALFORMED_ENVELOPE") }
        guard object["version"] == "m1" else { return fails("UNKNOWN_VERSION") }
        guard object["type"] == "message_signature" else { return fails("UNKNOWN_TYPE") }
        guard object["algo"] == "ed25519" else { return fails("UNKNOWN_ALGO") }
        guard isCommitReference(object["message"]?.string ?? "") else { return fails("COMMIT_MESSAGE_INVALID") }
        let did = object["did"]?.string ?? ""
        if case .none = ReferenceSignature.key(of: did) { return fails("INVALID_DID_FORMAT") }
        guard let signature = object["signature"]?.string, !signature.isEmpty else {
            return fails("MALFORMED_ENVELOPE")
        }
        object["signature"] = ""
        let signed = JSONWriter.text(.object(object), order: .canonical)
        guard ReferenceSignature.holds(base64URL(of: signature), by: did, over: signed) else {
            return fails("SIGNATURE_INVALID")
        }
        return Verdict(passes: true, reasonCode: "OK")
    }

    /// `commit:` and 7 to 64 hexadecimal digits, letters of either case.
    private static func isCommitReference(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        let prefix = Array("commit:".utf8)
        guard bytes.count >= prefix.count + 7, bytes.count <= prefix.count + 64 else { return false }
        return zip(prefix, bytes).allSatisfy { $0 == $1 | 0x20 }
            && bytes.dropFirst(prefix.count).allSatisfy { byte in
                ReferenceText.isDigit(byte) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x66)
            }
    }

    /// These signatures alone are written in the other base64 alphabet, with padding.
    private static func base64URL(of text: String) -> String {
        let bytes = text.utf8.compactMap { byte -> UInt8? in
            switch byte {
            case UInt8(ascii: "+"): UInt8(ascii: "-")
            case UInt8(ascii: "/"): UInt8(ascii: "_")
            case UInt8(ascii: "="): nil
            default: byte
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
