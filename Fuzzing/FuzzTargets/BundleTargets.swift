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
        FuzzTarget("agent-events") { bytes throws(FuzzFinding) in
            guard let events = try? RunEvent.agentChain(bytes, continues: []) else { return }
            var previous: Digest?
            for event in events {
                try require(event.previousHash == previous, "a chain is taken whose links are broken")
                previous = event.hash
            }
        },
        FuzzTarget("run-records") { bytes throws(FuzzFinding) in
            _ = try? CallFilter.call(bytes)
            _ = ApprovalRecords.envelope(in: bytes, digest: Digest(hashing: bytes))
            var open = OpenRuns()
            open.take(bytes)
            for run in open.ended(at: Fixed.now, settle: 0) {
                let name = OpenRuns.fileName(run)
                try require(!name.contains("/") && !name.hasPrefix("."), "a bundle's file leaves its folder: \(name)")
            }
        },
        FuzzTarget("log-index") { bytes throws(FuzzFinding) in
            guard let payload = try? JSONReader.parse(bytes),
                let file = try? LogIndex.file(payload, signedBy: Fixed.signer),
                let index = try? LogIndex(file, logID: Fixed.logID, logKeys: Fixed.keys, signers: Fixed.keys)
            else { return }
            let again = try? index.file(signedBy: Fixed.signer)
            let other = again.flatMap {
                try? LogIndex($0, logID: Fixed.logID, logKeys: Fixed.keys, signers: Fixed.keys)
            }
            try require(other == index, "an index is not read as it was written")
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
