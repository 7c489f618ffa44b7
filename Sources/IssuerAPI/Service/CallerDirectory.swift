import ClawWire
public import GrantWorker
import HTTPService
import Keys
import Primitives

/// Why the callers of the configuration cannot be told apart.
public struct CallerError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A sentence for people.
    public let description: String

    init(_ description: String) { self.description = description }
}

/// The callers of the configuration, by what they prove.
final class CallerDirectory: Sendable {
    /// A caller.
    struct Entry: Sendable, Hashable {
        let name: String
        let scopes: Set<APIScope>
        let rate: RequestRate
        fileprivate let thumbprints: Set<String>
        fileprivate let names: Set<String>
    }

    /// Most tokens of a caller: the one in use, the next one, and some that are being replaced.
    private static let maximumTokens = 16
    private let settings: [HTTPSettings.Caller]
    private let entries: [Entry]
    /// Every hash with the index of its caller.
    private let hashes: Lock<[(digest: Digest, caller: Int)]>

    /// Reads the files. Blocks for small reads.
    ///
    /// - Throws: ``CallerError`` for a file that cannot be read or is no list of hashes, and for two callers that prove
    ///   the same.
    init(_ settings: [HTTPSettings.Caller], rate: Int) throws(CallerError) {
        self.settings = settings
        entries = settings.map { caller in
            Entry(
                name: caller.name, scopes: Set(caller.scopes.map(APIScope.init)),
                rate: RequestRate(perSecond: caller.rate ?? rate), thumbprints: caller.certificateThumbprints,
                names: caller.certificateNames)
        }
        hashes = Lock(try Self.load(settings))
        for (index, entry) in entries.enumerated() {
            for other in entries[..<index]
            where !other.thumbprints.isDisjoint(with: entry.thumbprints) || !other.names.isDisjoint(with: entry.names) {
                throw CallerError("the callers \(other.name) and \(entry.name) have a certificate in common")
            }
        }
    }

    /// Reads the files of hashes again; what was in force stays so when one cannot be used.
    func reload() throws(CallerError) {
        let loaded = try Self.load(settings)
        hashes.withLock { $0 = loaded }
    }

    private static func load(
        _ settings: [HTTPSettings.Caller]
    ) throws(CallerError) -> [(digest: Digest, caller: Int)] {
        var all: [(digest: Digest, caller: Int)] = []
        for (index, caller) in settings.enumerated() {
            guard let path = caller.tokenHashesFile else { continue }
            let text: String?
            do {
                text = try SecretFile.load(path, length: 1...8_192, links: .anywhere).textExposed()
            } catch {
                throw CallerError("caller \(caller.name): \(error)")
            }
            let lines = (text ?? "").split(whereSeparator: \.isNewline)
            guard !lines.isEmpty, lines.count <= maximumTokens else {
                throw CallerError(
                    "caller \(caller.name): \(path) has \(lines.count) lines; give one to \(maximumTokens) hashes")
            }
            for (number, line) in lines.enumerated() {
                // Shown by its number alone: whoever put a token there instead of its hash must not find it in a log.
                guard let digest = Digest(hex: line) else {
                    throw CallerError(
                        "caller \(caller.name): line \(number + 1) of \(path) is no SHA-256 in hexadecimal; make it "
                            + "with `printf %s TOKEN | sha256sum | cut -c1-64`")
                }
                guard !all.contains(where: { $0.digest == digest }) else {
                    throw CallerError("caller \(caller.name): line \(number + 1) of \(path) is another caller's too")
                }
                all.append((digest, index))
            }
        }
        return all
    }

    /// The caller that has a token. Every hash is looked at for as long, whichever fits.
    func caller(_ credential: CallerCredential) -> Entry? {
        let presented = Digest(hashing: credential.token).bytes
        let entry: Entry? = hashes.withLock { hashes in
            var found: Int?
            for (digest, caller) in hashes {
                let difference = zip(digest.bytes, presented).reduce(UInt8(0)) { $0 | $1.0 ^ $1.1 }
                found = difference == 0 ? caller : found
            }
            return found.map { entries[$0] }
        }
        guard let name = credential.name else { return entry }
        return entry.flatMap { ExactText.equal($0.name, name) ? $0 : nil }
    }

    /// The caller that the configuration maps a certificate to.
    func caller(certificate: HTTPClientCertificate) -> Entry? {
        entries.first { $0.thumbprints.contains(certificate.thumbprint) }
            ?? entries.first { !$0.names.isDisjoint(with: certificate.names) }
    }
}

extension HTTPSettings {
    /// Reads the files of callers as serving does. Blocks for small reads.
    ///
    /// - Throws: ``CallerError`` for a file that cannot be used, and for two callers that prove the same.
    public func inspectCallers() throws(CallerError) {
        _ = try CallerDirectory(callers, rate: limits.callerRate)
    }
}

extension APIScope {
    init(_ scope: HTTPSettings.Scope) {
        switch scope {
        case .preflight: self = .preflight
        case .introspect: self = .introspect
        case .revoke: self = .revoke
        case .read: self = .read
        case .stop: self = .stop
        case .metrics: self = .metrics
        }
    }
}
