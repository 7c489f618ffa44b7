public import ClawWire

/// A key of another time or purpose whose signatures are accepted.
public struct AcceptedKey: Sendable, Hashable {
    /// The `kid`.
    public let kid: KeyID
    /// The public key.
    public let publicKey: Ed25519PublicKey
    /// The instant from which it is accepted no more; `nil` for no limit.
    public let notAfter: Timestamp?
    /// True for the purpose's active key.
    public let isActive: Bool
}

/// One key of a ring, for lists, checks and metrics.
public struct KeyStatus: Sendable, Hashable {
    /// The `kid`.
    public let kid: KeyID
    /// The public key.
    public let publicKey: Ed25519PublicKey
    /// The key as configured.
    public let configuration: KeyConfiguration
    /// Signatures made by this process.
    public let uses: UInt64
}

/// The keys of a worker, one active key for each purpose.
///
/// Immutable after loading; a rotation is a new configuration and a new ring. All members may be called from any thread.
public final class KeyRing: Sendable {
    private let keys: [LoadedKey]
    /// Keys of purpose `set`.
    let signalKeys: [LoadedSignalKey]

    /// Loads and checks every configured key. Blocks for the time of file reads and PKCS#11 calls: call it at start, not
    /// on the cooperative pool.
    ///
    /// - Parameters:
    ///   - configurations: the keys.
    ///   - required: the purposes that must have an active key within its period.
    ///   - now: the present.
    /// - Throws: ``KeyError`` when a key cannot be loaded, when one key is configured twice, for the same or another
    ///   purpose, when a purpose has two active keys, or when a required purpose has none that may sign now.
    public static func load(
        _ configurations: [KeyConfiguration], required: [KeyPurpose] = KeyPurpose.needed, at now: Timestamp
    ) throws(KeyError) -> KeyRing {
        // What the configuration alone shows is said before the first PIN is spent.
        try checkConfiguration(configurations, required: required)
        var keys: [LoadedKey] = []
        var signalKeys: [LoadedSignalKey] = []
        for configuration in configurations {
            switch configuration.purpose {
            case .token, .receipt, .envelope: keys.append(try LoadedKey(loading: configuration))
            case .set: signalKeys.append(try LoadedSignalKey(loading: configuration))
            }
        }
        return try KeyRing(keys, signalKeys: signalKeys, required: required, at: now)
    }

    /// Makes a ring of keys that are loaded already, with the same checks.
    package init(
        _ keys: [LoadedKey], signalKeys: [LoadedSignalKey] = [], required: [KeyPurpose] = KeyPurpose.needed,
        at now: Timestamp
    ) throws(KeyError) {
        try Self.checkConfiguration(keys.map(\.configuration) + signalKeys.map(\.configuration), required: required)
        var seen: [KeyID: LoadedKey] = [:]
        for key in keys {
            if let other = seen.updateValue(key, forKey: key.publicKey.kid) {
                let purposes =
                    other.configuration.purpose == key.configuration.purpose
                    ? "twice for \(key.configuration.purpose)"
                    : "for \(other.configuration.purpose) and for \(key.configuration.purpose)"
                throw KeyError(
                    .duplicateKey, "key \(key.publicKey.kid)",
                    "it is configured \(purposes), at \(other.configuration.location) and \(key.configuration.location)",
                    remedy: "make a key of its own for each purpose with `clawgrant keys generate`")
            }
        }
        try LoadedSignalKey.refuseRepeats(signalKeys)
        self.keys = keys
        self.signalKeys = signalKeys
        for purpose in required {
            switch purpose {
            case .token, .receipt, .envelope: _ = try signer(for: purpose, at: now)
            case .set: _ = try signalSigner(at: now)
            }
        }
    }

    private static func checkConfiguration(
        _ configurations: [KeyConfiguration], required: [KeyPurpose]
    ) throws(KeyError) {
        for configuration in configurations {
            if let start = configuration.notBefore, let end = configuration.acceptedUntil, start >= end {
                throw KeyError(
                    .contradictoryConfiguration, "\(configuration.purpose) key at \(configuration.location)",
                    "its period begins at \(start) and is over at \(end)", remedy: "correct one of the two times")
            }
        }
        for purpose in KeyPurpose.allCases {
            let active = configurations.filter { $0.purpose == purpose && $0.state == .active }
            if active.count > 1 {
                throw KeyError(
                    .contradictoryConfiguration, "purpose \(purpose)",
                    "it has \(active.count) active keys: \(active.map(\.location.description).joined(separator: ", "))",
                    remedy: "make all but one verify-only or retired")
            }
            if active.isEmpty, required.contains(purpose) { throw noActiveKey(purpose) }
        }
    }

    /// The signer of a purpose: its active key, when the instant is within the key's period.
    ///
    /// Ask for it once for each batch, not once for all: the period is checked here, not at each signature. A signer of
    /// a PKCS#11 key blocks its thread for the module's time.
    ///
    /// - Throws: ``KeyError`` with code `noActiveKey`, `notYetValid` or `expired`.
    public func signer(for purpose: KeyPurpose, at now: Timestamp) throws(KeyError) -> any Ed25519Signer {
        guard let key = active(purpose), let signer = key.signer else { throw Self.noActiveKey(purpose) }
        try Self.requirePeriod(of: key.configuration, key.publicKey.kid, at: now)
        return signer
    }

    static func noActiveKey(_ purpose: KeyPurpose) -> KeyError {
        KeyError(
            .noActiveKey, "purpose \(purpose)", "it has no active key",
            remedy: "make one with `clawgrant keys generate` and configure it as active")
    }

    /// Refuses to sign outside of a key's period.
    static func requirePeriod(of key: KeyConfiguration, _ kid: KeyID, at now: Timestamp) throws(KeyError) {
        if let start = key.notBefore, now < start {
            throw KeyError(
                .notYetValid, "\(key.purpose) key \(kid)", "it may sign from \(start), and it is \(now)",
                remedy: "check the clock, or keep the previous key active until then")
        }
        if let end = key.notAfter, now >= end {
            throw KeyError(
                .expired, "\(key.purpose) key \(kid)", "its period was over at \(end), and it is \(now)",
                remedy: "make the next key active; docs/keys.md tells the steps")
        }
    }

    /// The signers with which recorded signatures of a purpose can be made again, by `kid`: the active key's, and those of
    /// verify-only keys whose private half is there. Nothing new is signed with the latter.
    public func remakers(for purpose: KeyPurpose) -> [KeyID: any Ed25519Signer] {
        var signers: [KeyID: any Ed25519Signer] = [:]
        for key in keys where key.configuration.purpose == purpose {
            if let signer = key.signer { signers[key.publicKey.kid] = signer }
        }
        return signers
    }

    /// The instant until which a purpose's active key may sign and is accepted; `nil` for no limit or no key. A token's
    /// life ends no later.
    public func validUntil(for purpose: KeyPurpose) -> Timestamp? { active(purpose)?.configuration.notAfter }

    /// The keys whose signatures are accepted for a purpose at an instant: the active one first, then the verify-only
    /// ones in the order of the configuration.
    public func acceptedKeys(for purpose: KeyPurpose, at now: Timestamp) -> [AcceptedKey] {
        let accepted = keys.filter { $0.configuration.purpose == purpose && $0.configuration.isAccepted(at: now) }
            .map { key in
                AcceptedKey(
                    kid: key.publicKey.kid, publicKey: key.publicKey, notAfter: key.configuration.acceptedUntil,
                    isActive: key.configuration.state == .active)
            }
        return accepted.filter(\.isActive) + accepted.filter { !$0.isActive }
    }

    /// Signs a fixed message twice with each active key and verifies it: a module that signs with another key, or not
    /// the same way twice, is found before it signs anything that counts. Blocks as ``load(_:required:at:)`` does.
    ///
    /// Determinism matters beyond taste: a token is re-created from the ledger's claims when it is published.
    ///
    /// - Throws: ``KeyError`` with code `selfTestFailed`, or what the module reported.
    public func selfTest() throws(KeyError) {
        for key in keys {
            guard let signer = key.signer else { continue }
            let purpose = key.configuration.purpose
            let message = Array("clawgrant key self-test, \(purpose), \(key.publicKey.kid)".utf8)
            let first = try sign(message, with: signer, key)
            let second = try sign(message, with: signer, key)
            guard key.publicKey.isValidSignature(first, for: message) else {
                throw failure(key, "its signature does not verify with the public key stored beside it")
            }
            guard first == second else {
                throw failure(key, "it signed the same message in two ways; Ed25519 is deterministic (RFC 8032)")
            }
        }
        for key in signalKeys { try key.selfTest() }
    }

    private func sign(
        _ message: [UInt8], with signer: CountingSigner, _ key: LoadedKey
    ) throws(KeyError) -> Ed25519Signature {
        do {
            return try signer.sign(message)
        } catch let error as KeyError {
            throw error
        } catch {
            throw failure(key, "signing failed: \(error)")
        }
    }

    private func failure(_ key: LoadedKey, _ finding: String) -> KeyError {
        KeyError(
            .selfTestFailed, "\(key.configuration.purpose) key \(key.publicKey.kid) at \(key.configuration.location)",
            finding, remedy: "do not use it; check that public and private key belong together, then the module")
    }

    /// Signatures made by this process, for each key that may sign, self-tests included.
    public func usage() -> [KeyID: UInt64] {
        Dictionary(keys.compactMap { key in key.signer.map { (key.publicKey.kid, $0.uses) } }, uniquingKeysWith: max)
    }

    /// Every key of the ring in the order of the configuration.
    public func inventory() -> [KeyStatus] {
        keys.map {
            KeyStatus(
                kid: $0.publicKey.kid, publicKey: $0.publicKey, configuration: $0.configuration,
                uses: $0.signer?.uses ?? 0)
        }
    }

    private func active(_ purpose: KeyPurpose) -> LoadedKey? {
        keys.first { $0.configuration.purpose == purpose && $0.configuration.state == .active }
    }
}
