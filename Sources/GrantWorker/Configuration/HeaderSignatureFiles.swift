public import ApprovalSources
import ClawWire
import Foundation
public import IssuanceRules
import Keys

/// Loads what the signatures in headers are verified with: secrets and key sets in files of their own.
public enum HeaderSignatureFiles {
    /// Loads the files of a rule. Blocks for the time of small reads.
    ///
    /// - Parameters:
    ///   - rule: what the source's rule says.
    ///   - directory: where relative paths begin.
    ///   - source: the source, for messages.
    /// - Throws: ``ConfigurationError`` that names source, key and file; never a byte of a secret.
    public static func load(
        _ rule: HeaderSignatureRule, directory: String, source: String
    ) throws(ConfigurationError) -> HeaderSignatureVerifier {
        switch HeaderSignatureScheme(rule) {
        case .hmac(let form):
            var secrets: [HeaderSecret] = []
            for key in rule.keys {
                let path = path(key.file, directory)
                let bytes: [UInt8]
                do {
                    bytes = try SecretFile.load(
                        path, form: .line, length: HeaderSecret.minimumBytes...HeaderSecret.maximumBytes
                    ).copyExposed()
                } catch {
                    throw ConfigurationError("source \(source), header key \(key.name): \(error)")
                }
                guard let secret = HeaderSecret(name: key.name, bytes: bytes, period: period(key)) else {
                    throw ConfigurationError("source \(source), header key \(key.name): the secret is too short")
                }
                secrets.append(secret)
            }
            return HeaderSignatureVerifier(form, secrets: secrets)
        case .jws(let header):
            var sets: [HeaderKeySet] = []
            for key in rule.keys {
                let path = path(key.file, directory)
                do {
                    let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
                    sets.append(try HeaderKeySet(name: key.name, jwks: Array(bytes), period: period(key)))
                } catch let error as HeaderKeySet.KeySetError {
                    throw ConfigurationError("source \(source), header key \(key.name): \(path): \(error)")
                } catch {
                    throw ConfigurationError("source \(source), header key \(key.name): \(path) cannot be read")
                }
            }
            return HeaderSignatureVerifier(jwsIn: header, keys: sets)
        }
    }

    private static func period(_ key: HeaderSignatureRule.Key) -> HeaderKeyPeriod {
        HeaderKeyPeriod(notBefore: key.notBefore, notAfter: key.notAfter)
    }

    private static func path(_ file: String, _ directory: String) -> String {
        file.hasPrefix("/") ? file : URL(fileURLWithPath: directory).appendingPathComponent(file).path
    }
}
