import ApprovalSources
import ClawWire
import FuzzTargets
import IssuerAPI
import OpenClaw

/// Answers for each line of its input, `KIND BASE64URL`, what the reader of that kind says of the bytes: `ok` with what
/// was read, or `no` with a reason. `scripts/fuzz_differential.py` holds the answers against those of others.
@main
enum Verdicts {
    static func main() {
        while let line = readLine() {
            let parts = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let bytes = Base64URL.decode(String(parts[1])) else {
                print("no such line")
                continue
            }
            print(verdict(String(parts[0]), bytes))
        }
    }

    private static func verdict(_ kind: String, _ bytes: [UInt8]) -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        switch kind {
        case "json": return json(bytes, .refuse)
        case "json-last": return json(bytes, .keepLastValue)
        case "json5":
            guard let text = String(validating: bytes, as: UTF8.self) else { return "no utf-8" }
            do throws(JSON5Error) {
                return "ok \(try JSON5Document(text).value.canonicalDigest.hex)"
            } catch {
                return String("no \(error)".replacing("\n", with: " ").prefix(120))
            }
        case "base58": return Base58.decode(text).map { "ok \(Hex.encode($0))" } ?? "no"
        case "base64url": return Base64URL.decode(text).map { "ok \(Hex.encode($0))" } ?? "no"
        case "timestamp": return Timestamp(rfc3339: text).map { "ok \($0.microseconds)" } ?? "no"
        case "form":
            guard let pairs = IssuerReaders.pairs(bytes) else { return "no" }
            let value = JSONValue.array(pairs.map { [.string($0.name), .string($0.value)] })
            return "ok \(value.canonicalDigest.hex)"
        case "jws":
            let verifier = HeaderSignatureVerifier(jwsIn: nil, keys: Self.keys.map { [$0] } ?? [])
            do throws(SourceFault) {
                let proof = try verifier.verify(headers: [], body: bytes, at: Fixed.now)
                return "ok \(Digest(hashing: proof.payload ?? []).hex)"
            } catch {
                return "no \(error.reason.rawValue)"
            }
        case "cst":
            do throws(CSTError) {
                let token = try CST.verify(
                    try CST.parse(text), keys: AcceptedKeys(signing: Fixed.keys), now: Fixed.now,
                    rules: .compatible)
                return "ok \(Digest(hashing: token.claims.tokenID?.rawValue ?? "").hex)"
            } catch {
                return "no \(error.code.rawValue)"
            }
        case "dpop":
            let proof = IssuerReaders.proof(
                [text], method: "POST", target: "https://grants.harborline.example/claim", now: Fixed.now,
                tolerance: .seconds(60))
            return proof.map { "ok \($0.key.b64u) \(Digest(hashing: $0.identifier).hex)" } ?? "no"
        case "sealed":
            do throws(SealError) {
                let opened = try SealedToken.open(text, privateKey: Fixed.sealingKey)
                return "ok \(Digest(hashing: opened.token.exposed).hex)"
            } catch {
                return "no \(error.code.rawValue)"
            }
        default: return "no such kind"
        }
    }

    private static func json(_ bytes: [UInt8], _ duplicates: JSONReader.Duplicates) -> String {
        do throws(JSONError) {
            let value = try JSONReader.parse(bytes, duplicates: duplicates)
            return "ok \(value.canonicalDigest.hex)"
        } catch {
            return "no \(error.code.rawValue)"
        }
    }

    /// The fixed signer's public key, as vendors publish theirs.
    private static let keys: HeaderKeySet? = {
        let jwk: JSONValue = [
            "alg": "EdDSA", "crv": "Ed25519", "kid": "fuzz", "kty": "OKP",
            "x": .string(Base64URL.encode(Fixed.signer.publicKey.bytes)),
        ]
        return try? HeaderKeySet(name: "fuzz", jwks: JSONWriter.bytes(["keys": [jwk]]))
    }()
}
