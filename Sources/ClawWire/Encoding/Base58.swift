/// Base58 with the Bitcoin alphabet, as multibase prefix `z` uses it.
public enum Base58 {
    private static let alphabet: [UInt8] = Array("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".utf8)
    private static let values: [UInt8] = {
        var table = [UInt8](repeating: 0xFF, count: 256)
        for (value, character) in alphabet.enumerated() { table[Int(character)] = UInt8(value) }
        return table
    }()

    /// Encodes bytes.
    public static func encode(_ bytes: [UInt8]) -> String {
        let leadingZeros = bytes.prefix { $0 == 0 }.count
        var digits: [UInt8] = []
        for byte in bytes {
            var carry = Int(byte)
            for i in digits.indices {
                carry += Int(digits[i]) << 8
                digits[i] = UInt8(carry % 58)
                carry /= 58
            }
            while carry > 0 {
                digits.append(UInt8(carry % 58))
                carry /= 58
            }
        }
        let characters =
            [UInt8](repeating: alphabet[0], count: leadingZeros) + digits.reversed().map { alphabet[Int($0)] }
        return String(decoding: characters, as: UTF8.self)
    }

    /// Decodes text of at most 512 characters, or returns `nil` when a character is foreign.
    public static func decode(_ text: String) -> [UInt8]? {
        guard text.utf8.count <= 512 else { return nil }
        var digits: [UInt8] = []
        for character in text.utf8 {
            let value = values[Int(character)]
            guard value != 0xFF else { return nil }
            digits.append(value)
        }
        let leadingZeros = digits.prefix { $0 == 0 }.count
        var output: [UInt8] = []
        for digit in digits {
            var carry = Int(digit)
            for i in output.indices {
                carry += Int(output[i]) * 58
                output[i] = UInt8(carry & 0xFF)
                carry >>= 8
            }
            while carry > 0 {
                output.append(UInt8(carry & 0xFF))
                carry >>= 8
            }
        }
        return [UInt8](repeating: 0, count: leadingZeros) + output.reversed()
    }
}
