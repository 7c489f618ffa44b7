/// Tells names of members, headers and parameters whose values are secrets.
enum SecretName {
    private static let anywhere: [[UInt8]] = [
        "password", "passwd", "passphrase", "passwort", "pwd", "secret", "authorization", "apikey", "accesskey",
        "privatekey", "signingkey", "encryptionkey", "sharedkey", "masterkey", "symmetrickey", "keymaterial",
        "credential", "cookie", "mnemonic", "clientassertion", "samlresponse", "sharedaccesssignature", "bearer",
        "sessionkey",
    ].map { Array($0.utf8) }

    private static let exactly: Set<[UInt8]> = Set(
        ["otp", "totp", "pin", "seed", "seedhex", "seedb64u", "cst", "xcst", "jwt", "jwe", "assertion", "auth"].map {
            Array($0.utf8)
        })

    /// What a name that speaks of tokens ends in when its value is none.
    private static let harmlessEndings: [[UInt8]] = [
        "hash", "hashb64u", "hashhex", "version", "lane", "type", "kind", "id", "ids", "ttl", "ttlseconds", "count",
        "limit", "input", "output", "scope", "scopes", "expiresat", "expiry", "url", "uri", "endpoint", "reference",
        "status", "name",
    ].map { Array($0.utf8) }

    /// True when the name, read without case and punctuation, tells of a secret.
    static func isSensitive(_ name: some Collection<UInt8>) -> Bool {
        guard name.count <= 256 else { return false }
        var letters: [UInt8] = []
        for byte in name {
            switch byte {
            case 0x41...0x5A: letters.append(byte | 0x20)
            case 0x61...0x7A, 0x30...0x39: letters.append(byte)
            default: break
            }
        }
        guard letters.count >= 3 else { return false }
        if exactly.contains(letters) { return true }
        if anywhere.contains(where: { contains(letters, $0) }) { return !letters.ends(with: Array("name".utf8)) }
        return contains(letters, Array("token".utf8)) && !harmlessEndings.contains { letters.ends(with: $0) }
    }

    private static func contains(_ text: [UInt8], _ part: [UInt8]) -> Bool {
        guard text.count >= part.count else { return false }
        for start in 0...(text.count - part.count) where text[start..<(start + part.count)].elementsEqual(part) {
            return true
        }
        return false
    }
}

extension [UInt8] {
    fileprivate func ends(with ending: [UInt8]) -> Bool {
        count >= ending.count && self[(count - ending.count)...].elementsEqual(ending)
    }
}
