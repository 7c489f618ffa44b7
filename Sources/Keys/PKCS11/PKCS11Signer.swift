import ClawWire
import Primitives

/// Signs with an Ed25519 key in a PKCS#11 token.
///
/// `sign` blocks its thread for the time of the module: microseconds for a software token, milliseconds or, when the
/// device is gone, seconds for hardware. Call it on a thread of your own, never on the cooperative pool. Threads sign
/// side by side in sessions of their own. A lost session or login is opened anew once for each signature; a refused PIN
/// is never tried again, since a token locks after a few attempts.
final class PKCS11Signer: Ed25519Signer, CustomStringConvertible {
    let publicKey: Ed25519PublicKey
    private let location: PKCS11Location
    private let links: SecretFile.Links
    private let link: Lock<Link>

    private enum Link {
        case open(PKCS11Connection)
        case lost
        case refused(KeyError)
    }

    /// Opens the token and finds the key.
    init(_ location: PKCS11Location, links: SecretFile.Links) throws(KeyError) {
        let connection = try PKCS11Connection(opening: location, links: links)
        self.location = location
        self.links = links
        publicKey = connection.publicKey
        link = Lock(.open(connection))
    }

    func sign(_ message: [UInt8]) throws(KeyError) -> Ed25519Signature {
        let connection = try current()
        let bytes: [UInt8]
        do {
            bytes = try connection.sign(message)
        } catch {
            guard error.losesConnection else { throw PKCS11Connection.error(error, location) }
            forget(connection)
            let next = try current()
            do {
                bytes = try next.sign(message)
            } catch {
                if error.losesConnection { forget(next) }
                throw PKCS11Connection.error(error, location)
            }
        }
        guard let signature = Ed25519Signature(bytes: bytes) else {
            throw KeyError(
                .moduleRefused, location.description, "the module's signature has \(bytes.count) bytes, not 64",
                remedy: "check that the key is Ed25519")
        }
        return signature
    }

    /// The connection in use, or a new one. Two threads may open one each; the later stays.
    private func current() throws(KeyError) -> PKCS11Connection {
        switch link.withLock({ $0 }) {
        case .open(let connection): return connection
        case .refused(let error): throw error
        case .lost: break
        }
        let connection: PKCS11Connection
        do {
            connection = try PKCS11Connection(opening: location, links: links)
        } catch {
            switch error.code {
            case .pinRefused, .pinLocked:
                link.withLock { $0 = .refused(error) }
                throw error
            case .tokenNotFound:
                // At start a wrong label is likely; a token that was there before has been unplugged or is restarting.
                throw KeyError(
                    .moduleFailed, location.description, "the token is gone",
                    remedy: "connect the device again; signing is tried again")
            default: throw error
            }
        }
        guard connection.publicKey == publicKey else {
            throw KeyError(
                .keyNotFound, location.description, "the token came back with another key under this name",
                remedy: "restore the key with kid \(publicKey.kid), or start again to use the new one")
        }
        link.withLock { $0 = .open(connection) }
        return connection
    }

    private func forget(_ lost: PKCS11Connection) {
        link.withLock { state in
            if case .open(let connection) = state, connection === lost { state = .lost }
        }
    }

    /// The `kid` and the place.
    var description: String { "Ed25519 signer \(publicKey.kid) in \(location)" }
}
