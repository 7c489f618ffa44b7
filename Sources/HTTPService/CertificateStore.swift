public import Foundation
import NIOSSL
import Primitives

/// The certificates in force, and their change.
final class CertificateStore: Sendable {
    /// What tells that a file has changed without reading it.
    private struct Mark: Equatable {
        let modified: Date?
        let size: UInt64?
        let number: UInt64?
    }

    private struct State {
        var context: NIOSSLContext
        var marks: [Mark]
    }

    private let files: HTTPServiceConfiguration.TLS
    private let state: Lock<State>

    /// Loads the files.
    init(_ files: HTTPServiceConfiguration.TLS) throws(HTTPServiceError) {
        self.files = files
        // The marks are taken first: a change in between is loaded again, not missed.
        let marks = Self.marks(files)
        state = Lock(State(context: try Self.context(files), marks: marks))
    }

    /// What serves a connection that comes now.
    var context: NIOSSLContext { state.withLock { $0.context } }

    /// Loads the files again when one of them has changed. What was in force stays so when they cannot be used.
    ///
    /// - Returns: whether others are in force now.
    func reload() throws(HTTPServiceError) -> Bool {
        let marks = Self.marks(files)
        guard state.withLock({ $0.marks != marks }) else { return false }
        let context = try Self.context(files)
        state.withLock { $0 = State(context: context, marks: marks) }
        return true
    }

    private static func marks(_ files: HTTPServiceConfiguration.TLS) -> [Mark] {
        [files.certificateFile, files.keyFile, files.clientAuthorityFile].compactMap { $0 }.map { path in
            // Through links: mounted secrets are changed by turning a link.
            let target = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
            let attributes = try? FileManager.default.attributesOfItem(atPath: target)
            return Mark(
                modified: attributes?[.modificationDate] as? Date,
                size: (attributes?[.size] as? NSNumber)?.uint64Value,
                number: (attributes?[.systemFileNumber] as? NSNumber)?.uint64Value)
        }
    }

    private static func context(_ files: HTTPServiceConfiguration.TLS) throws(HTTPServiceError) -> NIOSSLContext {
        let chain = try reading(files.certificateFile, "certificates") { try NIOSSLCertificate.fromPEMFile($0) }
        guard !chain.isEmpty else {
            throw HTTPServiceError(.certificate, "\(files.certificateFile) has no certificate; give it in PEM")
        }
        let key = try reading(files.keyFile, "a private key") { try NIOSSLPrivateKey(file: $0, format: .pem) }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["h2", "http/1.1"]
        if let authorities = files.clientAuthorityFile {
            let certificates = try reading(authorities, "certificates") { try NIOSSLCertificate.fromPEMFile($0) }
            guard !certificates.isEmpty else {
                throw HTTPServiceError(.certificate, "\(authorities) has no certificate; every client would be refused")
            }
            configuration.trustRoots = .certificates(certificates)
            // A client's certificate names no host.
            configuration.certificateVerification =
                switch files.clientCertificates {
                case .required: .noHostnameVerification
                case .optional: .optionalVerification
                }
        }
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw HTTPServiceError(
                .certificate,
                "\(files.certificateFile) and \(files.keyFile) do not serve together (\(error)); "
                    + "check that the key is the certificate's")
        }
    }

    private static func reading<Value>(
        _ path: String, _ what: String, _ body: (String) throws -> Value
    ) throws(HTTPServiceError) -> Value {
        do {
            return try body(path)
        } catch {
            throw HTTPServiceError(
                .certificate, "\(path) cannot be read as \(what) in PEM (\(error)); check path, permissions and form")
        }
    }
}

/// What the certificate that a service shows says of itself.
public struct HTTPServiceCertificate: Sendable, Hashable {
    /// Its DNS names, in small letters.
    public let names: [String]
    /// When it ends.
    public let expiresAt: Date

    /// Whether it is for a host: one of its names, with a wildcard for the first label at most.
    public func isFor(_ host: String) -> Bool {
        let host = host.lowercased()
        let parent = host.firstIndex(of: ".").map { host[$0...] }
        return names.contains { name in
            name == host || name.hasPrefix("*.") && parent.map { name.dropFirst() == $0 } ?? false
        }
    }
}

extension HTTPServiceConfiguration.TLS {
    /// Loads the files as a service does that begins to serve. Blocks for small reads.
    ///
    /// - Returns: the service's own certificate, without those of the authorities behind it.
    /// - Throws: ``HTTPServiceError`` when the files cannot be used.
    public func inspect() throws(HTTPServiceError) -> HTTPServiceCertificate {
        _ = try CertificateStore(self)
        guard let certificate = try? NIOSSLCertificate.fromPEMFile(certificateFile).first else {
            throw HTTPServiceError(.certificate, "\(certificateFile) has no certificate; give it in PEM")
        }
        let names = certificate._subjectAlternativeNames().filter { $0.nameType == .dnsName }
        return HTTPServiceCertificate(
            names: names.map { String(decoding: $0.contents, as: UTF8.self).lowercased() },
            expiresAt: Date(timeIntervalSince1970: TimeInterval(certificate.notValidAfter)))
    }
}
