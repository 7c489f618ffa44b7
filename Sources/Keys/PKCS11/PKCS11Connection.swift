import CCryptoki
import ClawWire
import Primitives

/// One login to a token: the slot, the key's handle, and sessions to sign in. When any of it is lost, all of it is
/// replaced.
final class PKCS11Connection: Sendable {
    let publicKey: Ed25519PublicKey
    private let module: CryptokiModule
    private let location: PKCS11Location
    private let slot: CK_SLOT_ID
    private let privateKey: CK_OBJECT_HANDLE
    /// Sessions nobody is signing in. One at least lives as long as the connection, so the login does.
    private let idle: Lock<[CK_SESSION_HANDLE]>

    /// Finds the token, logs in with the PIN file's content, and finds both halves of the key.
    init(opening location: PKCS11Location, links: SecretFile.Links) throws(KeyError) {
        let module = try CryptokiModule.shared(path: location.modulePath)
        self.module = module
        self.location = location
        let (slot, flags) = try Self.findToken(location, module)
        self.slot = slot
        let session: CK_SESSION_HANDLE
        do { session = try module.openSession(slot) } catch { throw Self.error(error, location) }
        do {
            if flags & CKF_LOGIN_REQUIRED != 0 { try Self.login(session, flags, location, module, links) }
            (privateKey, publicKey) = try Self.findKey(session, location, module)
        } catch {
            module.closeSession(session)
            throw error
        }
        idle = Lock([session])
    }

    deinit {
        for session in idle.withLock({ $0 }) { module.closeSession(session) }
    }

    /// Signs in a session of its own, so that threads do not wait for each other.
    func sign(_ message: [UInt8]) throws(CryptokiFailure) -> [UInt8] {
        let session: CK_SESSION_HANDLE
        if let waiting = idle.withLock({ $0.popLast() }) {
            session = waiting
        } else {
            session = try module.openSession(slot)
        }
        do {
            let signature = try module.sign(session, key: privateKey, message)
            idle.withLock { $0.append(session) }
            return signature
        } catch {
            module.closeSession(session)
            throw error
        }
    }

    private static func findToken(
        _ location: PKCS11Location, _ module: CryptokiModule
    ) throws(KeyError) -> (CK_SLOT_ID, CK_FLAGS) {
        let found: [(slot: CK_SLOT_ID, flags: CK_FLAGS)]
        do { found = try module.slots(tokenLabel: location.tokenLabel) } catch { throw Self.error(error, location) }
        guard let first = found.first, found.count == 1 else {
            throw KeyError(
                .tokenNotFound, location.description,
                found.isEmpty ? "no token has this label" : "\(found.count) tokens have this label",
                remedy: "list them with `pkcs11-tool --module \(location.modulePath) --list-token-slots`")
        }
        return (first.slot, first.flags)
    }

    private static func login(
        _ session: CK_SESSION_HANDLE, _ flags: CK_FLAGS, _ location: PKCS11Location, _ module: CryptokiModule,
        _ links: SecretFile.Links
    ) throws(KeyError) {
        guard flags & (CKF_USER_PIN_LOCKED | CKF_USER_PIN_FINAL_TRY) == 0 else {
            let isLocked = flags & CKF_USER_PIN_LOCKED != 0
            throw KeyError(
                .pinLocked, location.description,
                isLocked ? "the token is locked" : "the token has one attempt left, which is not spent here",
                remedy: isLocked
                    ? "unlock it with the security officer's PIN"
                    : "log in by hand with the right PIN, then start again")
        }
        let pin = try SecretFile.load(location.pinFile, form: .line, length: 1...255, links: links)
        do {
            try module.login(session, pin: pin)
        } catch {
            switch error.code {
            case CKR_PIN_INCORRECT, CKR_PIN_INVALID, CKR_PIN_LEN_RANGE, CKR_PIN_EXPIRED, CKR_USER_PIN_NOT_INITIALIZED:
                throw KeyError(
                    .pinRefused, location.description, "the token refused the PIN (\(error.text))",
                    remedy: "correct \(location.pinFile) before the next start: tokens lock after a few wrong attempts")
            case CKR_PIN_LOCKED:
                throw KeyError(
                    .pinLocked, location.description, "the token is locked",
                    remedy: "unlock it with the security officer's PIN")
            default: throw Self.error(error, location)
            }
        }
    }

    private static func findKey(
        _ session: CK_SESSION_HANDLE, _ location: PKCS11Location, _ module: CryptokiModule
    ) throws(KeyError) -> (CK_OBJECT_HANDLE, Ed25519PublicKey) {
        let list =
            "list them with `pkcs11-tool --module \(location.modulePath) --token-label \(location.tokenLabel)"
            + " --login --list-objects`"
        do {
            let found = try module.objects(session, .privateKey, named: location.key)
            guard let privateKey = found.first, found.count == 1 else {
                throw KeyError(
                    .keyNotFound, location.description,
                    found.isEmpty ? "the token has no such private key" : "several private keys match", remedy: list)
            }
            guard try module.number(session, privateKey, CKA_KEY_TYPE) == CKK_EC_EDWARDS else {
                throw KeyError(
                    .unsupportedKey, location.description, "the key is not an Edwards-curve key",
                    remedy: "make an Ed25519 key: `pkcs11-tool --keypairgen --key-type EC:edwards25519`")
            }
            // The two halves belong together by CKA_ID; a key without one is found by the name it was configured with.
            var publicName = location.key
            if let id = try module.attribute(session, privateKey, CKA_ID), !id.isEmpty { publicName = .id(id) }
            let publicKeys = try module.objects(session, .publicKey, named: publicName)
            guard let handle = publicKeys.first, publicKeys.count == 1 else {
                throw KeyError(
                    .keyNotFound, location.description,
                    publicKeys.isEmpty
                        ? "the token has the private key and not its public half"
                        : "several public keys have the private key's id",
                    remedy: list)
            }
            guard let point = try module.attribute(session, handle, CKA_EC_POINT),
                let publicKey = Ed25519PublicKey(point: point)
            else {
                throw KeyError(
                    .unsupportedKey, location.description, "the key's point is not 32 bytes long, so it is not Ed25519",
                    remedy: "make an Ed25519 key: `pkcs11-tool --keypairgen --key-type EC:edwards25519`")
            }
            return (privateKey, publicKey)
        } catch let error as KeyError {
            throw error
        } catch let failure as CryptokiFailure {
            throw Self.error(failure, location)
        } catch {
            throw KeyError(.moduleFailed, location.description, "\(error)", remedy: "check the module's log")
        }
    }

    /// An error of the module in the words of the location.
    static func error(_ failure: CryptokiFailure, _ location: PKCS11Location) -> KeyError {
        failure.mayPass
            ? KeyError(
                .moduleFailed, location.description, failure.text,
                remedy: "check that the device is connected and its log; signing is tried again")
            : KeyError(
                .moduleRefused, location.description, failure.text,
                remedy: "check the key's usage attributes and the module's log")
    }
}

extension Ed25519PublicKey {
    /// Reads `CKA_EC_POINT`: the 32 bytes as they are, or in a DER octet string or bit string. Modules differ.
    init?(point: [UInt8]) {
        switch point.count {
        case 34 where point.starts(with: [0x04, 0x20]): self.init(bytes: Array(point.dropFirst(2)))
        case 35 where point.starts(with: [0x03, 0x21, 0x00]): self.init(bytes: Array(point.dropFirst(3)))
        default: self.init(bytes: point)
        }
    }
}
