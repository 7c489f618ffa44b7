import ClawWire
import Foundation
public import Kafka
import Keys

/// Why no token for the broker could be had.
public struct BrokerTokenError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A sentence for people; never a token or a secret.
    public let description: String

    init(_ description: String) { self.description = description }
}

/// Obtains tokens for the SASL mechanism OAUTHBEARER.
public enum BrokerTokens {
    /// What `KafkaConfiguration.tokenProvider` takes for a source. Every call asks anew: librdkafka asks when a token has
    /// used up four fifths of its life, and ten seconds after a failure.
    ///
    /// - Parameter patience: how long an authorization server has for its answer, up to the last byte.
    public static func provider(
        _ source: BrokerTokenSource, patience: Duration = .seconds(20)
    ) -> @Sendable () async throws -> OAuthBearerToken {
        switch source {
        case .clientCredentials(let client): { try await ClientCredentialsGrant(client, patience: patience).token() }
        case .file(let path): { try await offPool { try fileToken(path) } }
        case .command(let words): { try await offPool { try commandToken(words) } }
        }
    }

    /// Longest token that is taken, in bytes.
    static let maximumBytes = 65_536

    static var now: Timestamp { Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1e6)) }

    private static func fileToken(_ path: String) throws(BrokerTokenError) -> OAuthBearerToken {
        guard let handle = FileHandle(forReadingAtPath: path), let data = try? handle.read(upToCount: maximumBytes + 1)
        else { throw BrokerTokenError("the token file \(path) cannot be read; check the path and its permissions") }
        return try token(printed: Array(data), from: "the token file \(path)")
    }

    private static func commandToken(_ words: [String]) throws(BrokerTokenError) -> OAuthBearerToken {
        guard let program = words.first else { throw BrokerTokenError("the token command is empty") }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = Array(words.dropFirst())
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        do {
            try process.run()
        } catch {
            throw BrokerTokenError("the token command \(program) cannot be run; give its absolute path")
        }
        // A command that hangs must not keep the connection from ever being made.
        let timeout = DispatchWorkItem { process.terminate() }
        DispatchQueue.global().asyncAfter(deadline: .now() + 30, execute: timeout)
        defer { timeout.cancel() }
        let data = (try? output.fileHandleForReading.read(upToCount: maximumBytes + 1)) ?? Data()
        try? output.fileHandleForReading.close()
        process.waitUntilExit()
        guard process.terminationReason == .exit, process.terminationStatus == 0 else {
            throw BrokerTokenError("the token command \(program) failed with status \(process.terminationStatus)")
        }
        return try token(printed: Array(data), from: "the token command \(program)")
    }

    /// Reads a JWT as it stands alone, or as `access_token` or `accessToken` of a JSON object.
    static func token(printed bytes: [UInt8], from origin: String) throws(BrokerTokenError) -> OAuthBearerToken {
        guard bytes.count <= maximumBytes, let text = String(validating: bytes, as: UTF8.self) else {
            throw BrokerTokenError("\(origin) gave more than \(maximumBytes) bytes, or no text")
        }
        var token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        if token.hasPrefix("{") {
            guard let object = try? JSONReader.parse(bytes, limits: .standard),
                let inner = (object["access_token"] ?? object["accessToken"])?.string
            else { throw BrokerTokenError("\(origin) gave JSON without access_token") }
            token = inner
        }
        guard let claims = claims(of: token) else {
            throw BrokerTokenError("\(origin) gave something else than a JSON Web Token")
        }
        guard let expiry = claims["exp"]?.integer else {
            throw BrokerTokenError("\(origin) gave a token without exp, so nobody knows when to ask again")
        }
        return try make(token, claims: claims, expiresAt: expiry, from: origin)
    }

    /// The claims of a JWT, unverified: the broker is the one to verify them.
    static func claims(of token: String) -> JSONValue? {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let payload = Base64URL.decode(parts[1]) else { return nil }
        return try? JSONReader.parse(payload, limits: .standard)
    }

    static func make(
        _ token: String, claims: JSONValue?, client: String? = nil, expiresAt: Int64, from origin: String
    ) throws(BrokerTokenError) -> OAuthBearerToken {
        guard expiresAt > now.seconds else { throw BrokerTokenError("\(origin) gave a token that has expired") }
        let principal =
            client ?? claims?["sub"]?.string ?? claims?["appid"]?.string ?? claims?["azp"]?.string ?? "clawgrant"
        return OAuthBearerToken(value: KafkaSecret(token), principal: principal, expiresAt: expiresAt * 1_000)
    }

    /// Runs what blocks away from the cooperative pool.
    static func offPool<Value: Sendable>(
        _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(with: Result { try body() }) }
        }
    }
}
