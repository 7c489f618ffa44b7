import ClawWire
import ProofBundles

extension FuzzTarget {
    /// What strangers hand to an auditor.
    static let bundles = [
        FuzzTarget("evidence-verify") { bytes throws(FuzzFinding) in
            let verification = ProofVerifier.verify(bytes, trust: TrustConfiguration(), now: Fixed.now)
            try require(verification.verdict != .valid, "something is valid although nobody is trusted")
        },
        FuzzTarget("trust") { bytes throws(FuzzFinding) in
            _ = try? TrustConfiguration.parse(bytes)
        },
        FuzzTarget("page") { bytes throws(FuzzFinding) in
            guard let page = try? ProofPage.render(bytes) else { return }
            let again = try? ProofPage.render(bytes)
            try require(again == page, "one bundle, two pages")
        },
        FuzzTarget("bundle-compatible") { bytes throws(FuzzFinding) in
            for verifier in [ReferenceVerifier.core, .service] {
                _ = try? verifier.verify(text: bytes, options: ReferenceOptions(), now: Fixed.now)
            }
        },
        FuzzTarget("export-compatible") { bytes throws(FuzzFinding) in
            guard let value = try? JSONReader.parse(bytes, duplicates: .keepLastValue) else { return }
            _ = ExportVerifier(options: ReferenceOptions(), now: Fixed.now).verify(value)
        },
    ]
}
