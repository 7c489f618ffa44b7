import ClawWire
import ProofBundles

extension FuzzTarget {
    /// What strangers hand to an auditor.
    static let bundles = [
        FuzzTarget("bundle-compatible") { bytes in
            for verifier in [ReferenceVerifier.core, .service] {
                _ = try? verifier.verify(text: bytes, options: ReferenceOptions(), now: Fixed.now)
            }
        },
        FuzzTarget("export-compatible") { bytes in
            guard let value = try? JSONReader.parse(bytes, duplicates: .keepLastValue) else { return }
            _ = ExportVerifier(options: ReferenceOptions(), now: Fixed.now).verify(value)
        },
    ]
}
