package import ClawWire

/// A parser of strangers' bytes, with what must hold whatever they are.
///
/// libFuzzer drives these (`./dev fuzz`), and the tests drive them with mutations of their seeds.
public struct FuzzTarget: Sendable {
    /// Its name on the command line, and of its folder of seeds.
    public let name: String
    /// Takes one input. A trap is a finding, and so is what it throws.
    public let body: @Sendable ([UInt8]) throws(FuzzFinding) -> Void

    /// Names a target.
    package init(_ name: String, _ body: @escaping @Sendable ([UInt8]) throws(FuzzFinding) -> Void) {
        self.name = name
        self.body = body
    }

    /// Every target over what needs neither server nor ledger.
    public static let core =
        json + encodings + cryptography + tokens + envelopes + evidence + documents + events + sources + securityEvents
        + bundles + configurations + secondReader
}

/// Something that must hold did not.
public struct FuzzFinding: Error, CustomStringConvertible {
    /// A sentence for people.
    public let description: String
}

/// Throws a finding where a condition does not hold.
package func require(_ condition: Bool, _ sentence: @autoclosure () -> String) throws(FuzzFinding) {
    if !condition { throw FuzzFinding(description: sentence()) }
}

/// An instant and keys for what asks for them.
package enum Fixed {
    package static let now = Timestamp(seconds: 1_772_366_400)
    package static let signer = fixedSigner()
    package static let keys = [signer.publicKey]
    package static let logID = LogID("logs.harborline.example/clawgrant")

    /// 64 bytes in base64url that are in the form of a signature: a point, and 1. Zeros are a signature by weak keys.
    static let noSignature = Base64URL.encode(
        [UInt8](repeating: 0x11, count: 32) + [1] + [UInt8](repeating: 0, count: 31))

    package static let sealingKey = fixedSealingKey()

    // Both take exactly 32 bytes, so neither can fail here.
    private static func fixedSealingKey() -> SealingPrivateKey {
        guard let key = SealingPrivateKey(bytes: [UInt8](repeating: 7, count: 32)) else {
            preconditionFailure("32 bytes are a key")
        }
        return key
    }

    private static func fixedSigner() -> SeedSigner {
        guard let signer = SeedSigner(seed: [UInt8](repeating: 7, count: 32)) else {
            preconditionFailure("32 bytes are a seed")
        }
        return signer
    }
}
