public import ClawWire
import Crypto

/// The time in which a secret or a key counts.
public struct HeaderKeyPeriod: Sendable, Hashable {
    /// Always.
    public static let always = HeaderKeyPeriod()

    /// First instant; `nil` is the beginning of time.
    public let notBefore: Timestamp?
    /// First instant no more; `nil` is the end of time.
    public let notAfter: Timestamp?

    /// Makes a period.
    public init(notBefore: Timestamp? = nil, notAfter: Timestamp? = nil) {
        self.notBefore = notBefore
        self.notAfter = notAfter
    }

    /// True when the instant lies in the period.
    public func contains(_ instant: Timestamp) -> Bool {
        if let notBefore, instant < notBefore { return false }
        if let notAfter, instant >= notAfter { return false }
        return true
    }
}

/// A secret that a vendor and we share, for HMAC-SHA-256. It prints a placeholder.
public struct HeaderSecret: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Shortest secret that is taken, in bytes: a shorter one can be found by trying.
    public static let minimumBytes = 16
    /// Longest secret that is taken, in bytes.
    public static let maximumBytes = 1_024

    /// The name under which it is recorded as the signer.
    public let name: String
    /// When it counts.
    public let period: HeaderKeyPeriod
    private let key: SymmetricKey

    /// Takes a secret.
    ///
    /// - Returns: `nil` when it is shorter than ``minimumBytes`` or longer than ``maximumBytes``.
    public init?(name: String, bytes: [UInt8], period: HeaderKeyPeriod = .always) {
        guard (Self.minimumBytes...Self.maximumBytes).contains(bytes.count) else { return nil }
        self.name = name
        self.period = period
        key = SymmetricKey(data: bytes)
    }

    /// The code of a message given in parts.
    func code(_ parts: [[UInt8]]) -> [UInt8] {
        var hmac = HMAC<SHA256>(key: key)
        for part in parts { hmac.update(data: part) }
        return Array(hmac.finalize())
    }

    /// A placeholder.
    public var description: String { "(secret \(name))" }
    /// A placeholder.
    public var debugDescription: String { description }
    /// Shows the name alone, so that `dump` prints no secret either.
    public var customMirror: Mirror { Mirror(self, children: ["name": name]) }
}

extension HeaderSecret: Hashable {
    /// Compares name, period and secret, the secret in constant time.
    public static func == (left: HeaderSecret, right: HeaderSecret) -> Bool {
        left.name == right.name && left.period == right.period && left.key == right.key
    }

    /// Hashes what is not secret.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(name)
        hasher.combine(period)
    }
}

/// Compares codes in a time that depends on their lengths alone.
func isSameCode(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    var difference: UInt8 = 0
    for i in left.indices { difference |= left[i] ^ right[i] }
    return difference == 0
}
