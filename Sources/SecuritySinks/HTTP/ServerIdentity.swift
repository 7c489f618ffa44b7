import AsyncHTTPClient
import Glibc
import NIOCore
import NIOSSL

/// Whom a server's certificate is for (RFC 9525 section 6).
///
/// swift-nio-ssl takes a certificate for the address that was connected to whatever host was asked for, and one without
/// alternative names by its common name. Whoever can turn a name to an address of their own, with a certificate for that
/// address, would be believed; so certificates are looked at once more.
enum ServerIdentity {
    /// The certificate is for somebody else.
    struct Mismatch: Error, CustomStringConvertible {
        let hosts: Set<String>
        var description: String { "the certificate is not for \(hosts.sorted().joined(separator: " or "))" }
    }

    /// Whether a certificate names a host: an address among its addresses, any other among its DNS names, with a wildcard
    /// for its first label at most.
    static func isCertificate(_ certificate: NIOSSLCertificate, for host: String) -> Bool {
        let names = certificate._subjectAlternativeNames()
        if let address = bytes(ofAddress: host) {
            return names.contains { $0.nameType == .ipAddress && Array($0.contents) == address }
        }
        let host = host.lowercased()
        let parent = host.firstIndex(of: ".").map { host[$0...] }
        return names.lazy.filter { $0.nameType == .dnsName }
            .map { String(decoding: $0.contents, as: UTF8.self).lowercased() }
            .contains { name in
                name == host || name.hasPrefix("*.") && parent.map { name.dropFirst() == $0 } ?? false
            }
    }

    /// The bytes of an address, as a certificate holds them; `nil` for a name.
    static func bytes(ofAddress host: String) -> [UInt8]? {
        let host = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: count)
            let isAddress = unsafe bytes.withUnsafeMutableBytes { buffer in
                guard let base = buffer.baseAddress else { return false }
                return unsafe inet_pton(family, host, base) == 1
            }
            if isAddress { return bytes }
        }
        return nil
    }

    /// Ends a connection over TLS whose server shows no certificate for one of the hosts.
    static func check(_ channel: any Channel, _ hosts: @escaping @Sendable () -> Set<String>) -> EventLoopFuture<Void> {
        channel.eventLoop.submit {
            let pipeline = channel.pipeline.syncOperations
            // In the clear there is nobody to check; settings allow that on loopback alone.
            guard (try? pipeline.handler(type: NIOSSLClientHandler.self)) != nil else { return }
            let hosts = hosts()
            if let certificate = try pipeline.nioSSL_peerCertificate(),
                hosts.contains(where: { isCertificate(certificate, for: $0) })
            {
                return
            }
            channel.close(promise: nil)
            throw Mismatch(hosts: hosts)
        }
    }
}

extension HTTPClient.Configuration {
    /// Holds the certificate of every server against the hosts that are asked.
    mutating func checkServers(_ hosts: @escaping @Sendable () -> Set<String>) {
        http1_1ConnectionDebugInitializer = { ServerIdentity.check($0, hosts) }
        http2ConnectionDebugInitializer = { ServerIdentity.check($0, hosts) }
    }
}
