import GrantWorker
import Keys
import NIOSSL

/// A file of certificates or keys that cannot be used.
struct KeyFault: Error, CustomStringConvertible {
    let description: String
}

/// TLS towards syslog receivers (RFC 5425), made anew from its files for each connection, so that a certificate that was
/// renewed is taken up.
enum SyslogSecurity {
    static func context(_ settings: SecurityEventSettings.SyslogReceiver.Security) throws -> NIOSSLContext {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        tls.certificateVerification = .fullVerification
        if let file = settings.authorityFile {
            tls.trustRoots = .certificates(try certificates(file))
        }
        if let file = settings.certificateFile, let keyFile = settings.keyFile {
            tls.certificateChain = try certificates(file).map { .certificate($0) }
            tls.privateKey = .privateKey(try key(keyFile))
        }
        do {
            return try NIOSSLContext(configuration: tls)
        } catch {
            throw KeyFault(
                description: "certificate_file and key_file do not go together; give the key of that certificate")
        }
    }

    /// What the receiver's certificate must be for; `nil` for the address that is connected to.
    static func serverName(_ receiver: SecurityEventSettings.SyslogReceiver) -> String? {
        guard let security = receiver.security else { return nil }
        let name = security.serverName ?? receiver.host
        return ServerIdentity.bytes(ofAddress: name) == nil ? name : nil
    }

    private static func certificates(_ file: String) throws -> [NIOSSLCertificate] {
        let found = (try? NIOSSLCertificate.fromPEMFile(file)) ?? []
        guard !found.isEmpty else { throw KeyFault(description: "\(file) holds no certificate in PEM") }
        return found
    }

    private static func key(_ file: String) throws -> NIOSSLPrivateKey {
        let secret: SecretBytes
        do {
            secret = try SecretFile.load(file, links: .anywhere)
        } catch {
            throw KeyFault(description: "\(error)")
        }
        guard let key = try? NIOSSLPrivateKey(bytes: secret.copyExposed(), format: .pem) else {
            throw KeyFault(description: "\(file) holds no private key in PEM")
        }
        return key
    }
}
