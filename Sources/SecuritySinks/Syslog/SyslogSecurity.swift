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
        let isAddress = name.contains(":") || name.split(separator: ".").allSatisfy { UInt8($0) != nil }
        return isAddress ? nil : name
    }

    /// Whether a certificate names a host among its DNS names, with a wildcard for its first label at most (RFC 9525
    /// section 6.3). swift-nio-ssl takes a certificate for the address that is connected to as well, which is not what
    /// was asked for.
    static func isCertificate(_ certificate: NIOSSLCertificate, for host: String) -> Bool {
        let names = certificate._subjectAlternativeNames().lazy
            .filter { $0.nameType == .dnsName }
            .map { String(decoding: $0.contents, as: UTF8.self).lowercased() }
        let host = host.lowercased()
        let parent = host.firstIndex(of: ".").map { host[$0...] }
        return names.contains { name in
            name == host || name.hasPrefix("*.") && parent.map { name.dropFirst() == $0 } ?? false
        }
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
