import Crypto
import NIOCore
import NIOSSL
import Primitives

/// The certificates of the clients that are connected, by connection.
final class PeerCertificates: Sendable {
    private let known = Lock<[ObjectIdentifier: HTTPClientCertificate]>([:])

    /// Keeps the certificate that a client has shown in its handshake, until its connection ends. To be called on the
    /// connection's event loop.
    func keep(of channel: any Channel) {
        guard let certificate = try? channel.pipeline.syncOperations.nioSSL_peerCertificate(),
            let bytes = try? certificate.toDERBytes()
        else { return }
        let names: [String] = certificate._subjectAlternativeNames().compactMap { name in
            let text = unsafe name.contents.withUnsafeBufferPointer { bytes in
                unsafe String(validating: bytes, as: UTF8.self)
            }
            switch name.nameType {
            case .dnsName: return text.map { "dns:\($0)" }
            case .uri: return text.map { "uri:\($0)" }
            default: return nil
            }
        }
        let client = HTTPClientCertificate(thumbprint: Self.base64URL(SHA256.hash(data: bytes)), names: names)
        let connection = ObjectIdentifier(channel)
        known.withLock { $0[connection] = client }
        channel.closeFuture.whenComplete { [known] _ in known.withLock { $0[connection] = nil } }
    }

    /// The certificate of a connection, or of the connection of a stream.
    func certificate(of channel: any Channel) -> HTTPClientCertificate? {
        known.withLock { known in
            guard !known.isEmpty else { return nil }
            return known[ObjectIdentifier(channel)] ?? channel.parent.flatMap { known[ObjectIdentifier($0)] }
        }
    }

    private static func base64URL(_ digest: SHA256.Digest) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        var text: [UInt8] = []
        var (bits, count) = (0, 0)
        for byte in digest {
            (bits, count) = (bits << 8 | Int(byte), count + 8)
            while count >= 6 {
                count -= 6
                text.append(alphabet[bits >> count & 63])
            }
            bits &= (1 << count) - 1
        }
        if count > 0 { text.append(alphabet[bits << (6 - count) & 63]) }
        return String(decoding: text, as: UTF8.self)
    }
}
