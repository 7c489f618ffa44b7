import GrantWorker

/// The address of a request in the one spelling in which `htu` is compared: after syntax-based and scheme-based
/// normalization (RFC 9449 section 4.3, RFC 3986 sections 6.2.2 and 6.2.3), without query and fragment.
struct ProofTarget: Sendable, Hashable {
    private let scheme: String
    private let authority: String
    private let path: String

    /// The address in that spelling.
    var text: String { "\(scheme)://\(authority)\(path)" }

    /// Reads an absolute http or https address; `nil` for anything else, and for one with user information.
    init?(_ text: String) {
        guard text.utf8.count <= 2_048, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        scheme = text[..<colon].lowercased()
        guard scheme == "https" || scheme == "http", text[colon...].hasPrefix("://") else { return nil }
        let rest = text[colon...].dropFirst(3).prefix { $0 != "?" && $0 != "#" }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        guard let authority = Self.authority(rest[..<slash], scheme: scheme),
            let path = Self.normalized(rest[slash...])
        else { return nil }
        self.authority = authority
        self.path = path
    }

    /// Host in lower case; the scheme's own port is left out.
    private static func authority(_ text: Substring, scheme: String) -> String? {
        guard !text.isEmpty, !text.contains("@"), !text.contains("%") else { return nil }
        var host = text
        var port: Substring = ""
        if let colon = text.lastIndex(of: ":"), !text[colon...].contains("]") {
            host = text[..<colon]
            port = text[colon...].dropFirst()
        }
        // Another colon stands in an address in brackets alone.
        guard !host.contains(":") || host.hasPrefix("[") && host.hasSuffix("]") else { return nil }
        guard !host.isEmpty, port.utf8.count <= 5, port.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else {
            return nil
        }
        let isDefault = port.isEmpty || port == (scheme == "https" ? "443" : "80")
        return host.lowercased() + (isDefault ? "" : ":\(port)")
    }

    /// The path with unreserved characters as themselves, escapes in upper case, and without dot segments.
    private static func normalized(_ path: Substring) -> String? {
        guard let bytes = unescaped(Array(path.utf8)) else { return nil }
        var segments: [ArraySlice<UInt8>] = []
        let parts = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).dropFirst()
        for (index, part) in parts.enumerated() {
            let isLast = index == parts.count - 1
            if part.elementsEqual("..".utf8) {
                _ = segments.popLast()
                if isLast { segments.append([]) }
            } else if part.elementsEqual(".".utf8) {
                if isLast { segments.append([]) }
            } else {
                segments.append(part)
            }
        }
        return "/" + segments.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "/")
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }

    private static func unescaped(_ path: [UInt8]) -> [UInt8]? {
        var output: [UInt8] = []
        var index = 0
        while index < path.count {
            guard path[index] == UInt8(ascii: "%") else {
                output.append(path[index])
                index += 1
                continue
            }
            guard index + 2 < path.count, path[(index + 1)...(index + 2)].allSatisfy(isHexadecimal),
                let byte = UInt8(String(decoding: path[(index + 1)...(index + 2)], as: UTF8.self), radix: 16)
            else { return nil }
            if ClaimAddress.isUnreserved(byte) {
                output.append(byte)
            } else {
                output += Array(String(decoding: path[index...(index + 2)], as: UTF8.self).uppercased().utf8)
            }
            index += 3
        }
        return output
    }
}
