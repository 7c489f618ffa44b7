import ClawWire
import Keys

/// A key in a module that does not answer now and then.
final class FailingSigner: Ed25519Signer, @unchecked Sendable {
    // Safe to send: see `Scheduler`.

    private let signer: SeedSigner
    private let faults: Faults

    init(_ signer: SeedSigner, _ faults: Faults) {
        self.signer = signer
        self.faults = faults
    }

    var publicKey: Ed25519PublicKey { signer.publicKey }

    func sign(_ message: [UInt8]) throws -> Ed25519Signature {
        if faults.mayStrike(.keys, oncein: 150) {
            throw KeyError(
                .moduleUnavailable, "the module of the key \(publicKey.kid)", "it does not answer",
                remedy: "wait until it answers")
        }
        return try signer.sign(message)
    }
}
