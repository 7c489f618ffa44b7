/// Readers of this module over single inputs, for those who feed them what strangers might write.
package enum ConsoleReaders {
    private static let secret = ConsoleSecret(bytes: Array("a secret of the tests".utf8))

    /// The name in a session's cookie; `nil` when it is not one of ours, or is over.
    package static func name(inCookie text: String, at now: Int64) -> String? {
        ConsoleSession.open(text, with: secret, at: now)?.name
    }

    /// A cookie of a session that begins now.
    package static func cookie(name: String, at now: Int64) -> String {
        ConsoleSession(name: name, certificateThumbprint: nil, at: now, lifetime: .seconds(600)).sealed(with: secret)
    }
}
