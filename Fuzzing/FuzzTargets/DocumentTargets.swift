import ClawWire
import IssuanceRules
import ReceiptLog

extension FuzzTarget {
    /// Documents of registries, witnesses and operators, and what is kept in the ledger.
    static let documents = [
        FuzzTarget("rules-case") { bytes throws(FuzzFinding) in
            let text = String(decoding: bytes, as: UTF8.self)
            guard let cases = try? RulesCase.read(yaml: text) else { return }
            try require(cases.count <= bytes.count, "more cases than bytes")
        },
        FuzzTarget("wpc-registry") { bytes throws(FuzzFinding) in
            if let contract = try? WPCRegistry.registration(bytes) {
                let again = try? WorkPolicyContract.parse(JSONWriter.bytes(.object(contract.document)))
                try require(again?.policyHash == contract.policyHash, "a registered contract has two hashes")
                try envelope(of: contract)
            }
            for status in [200, 404] { _ = try? WPCRegistry.envelope(status: status, body: bytes) }
            let text = String(decoding: bytes, as: UTF8.self)
            if let hash = try? WPCRegistry.hash(text) { try require(hash.b64u == text, "two spellings of one hash") }
            let found = try? WPCEnvelope.verify(
                bytes, expectedHash: Digest(hashing: "another policy"),
                signerAllowlist: [Fixed.signer.publicKey.did])
            try require(found == nil, "a policy is taken for another one")
        },
        FuzzTarget("key-documents") { bytes throws(FuzzFinding) in
            guard let value = try? JSONReader.parse(bytes, limits: .token) else { return }
            let snapshot = try? KeyTransparencySnapshot.verify(value, keys: Fixed.keys)
            try require(snapshot == nil, "a snapshot is taken that the key has not signed")
            guard let contract = try? RotationContract(value) else { return }
            try require((try? RotationContract(contract.json)) == contract, "a contract is not read as it was written")
        },
        FuzzTarget("log-tail") { bytes throws(FuzzFinding) in
            guard let tail = try? LogTail(parsing: bytes) else { return }
            try require(tail.canonicalBytes == bytes, "a tail has two spellings")
        },
        FuzzTarget("note-key") { bytes throws(FuzzFinding) in
            let text = String(decoding: bytes, as: UTF8.self)
            guard let key = NoteKey(text: text) else { return }
            try require(key.text.utf8.elementsEqual(bytes), "a key of notes has two spellings")
        },
        FuzzTarget("cosignature") { bytes throws(FuzzFinding) in
            let text = String(decoding: bytes, as: UTF8.self)
            guard let note = try? SignedNote(parsing: text), let sealed = Witness.sealed,
                let witness = Witness.key
            else { return }
            let found = try? CosignedCheckpoint(
                note, sealed: sealed, logKeys: Fixed.keys, logID: Fixed.logID, witnesses: [witness])
            try require(found == nil, "a witness is believed that has signed nothing")
        },
        FuzzTarget("stored") { bytes throws(FuzzFinding) in
            if let event = try? ControlEvent(encoded: bytes) {
                try require((try? ControlEvent(encoded: event.encoded)) == event, "a control event changes when kept")
            }
            if let state = try? ApprovalState(decoding: bytes) {
                try require(
                    (try? ApprovalState(decoding: state.encode()))?.encode() == state.encode(),
                    "an approval changes when kept")
            }
            if let usage = try? JobUsage(decoding: bytes) {
                try require((try? JobUsage(decoding: usage.encode())) == usage, "a job's usage changes when kept")
            }
            if let health = try? SourceHealth(decoding: bytes) {
                try require(
                    (try? SourceHealth(decoding: health.encode()))?.encode() == health.encode(),
                    "a source's health changes when kept")
            }
            guard let value = try? JSONReader.parse(bytes) else { return }
            if let fact = try? Fact(json: value) {
                try require((try? Fact(json: fact.json))?.json == fact.json, "a fact changes when written")
            }
            if let request = try? CapabilityRequest(json: value) {
                try require(
                    (try? CapabilityRequest(json: request.json))?.json == request.json, "a request changes when kept")
            }
        },
    ]

    /// A contract, signed and read as a gateway does.
    private static func envelope(of contract: WorkPolicyContract) throws(FuzzFinding) {
        guard let signed = try? WPCEnvelope.sign(contract, signer: Fixed.signer, issuedAt: Fixed.now) else {
            return try require(false, "a contract cannot be signed")
        }
        let bytes = JSONWriter.bytes(signed.json)
        let verified = try? WPCEnvelope.verify(
            bytes, expectedHash: contract.policyHash, signerAllowlist: [Fixed.signer.publicKey.did])
        try require(verified?.hash == contract.policyHash, "what was signed does not verify")
        let stranger = try? WPCEnvelope.verify(
            bytes, expectedHash: contract.policyHash, signerAllowlist: ["did:key:z6MkwF"])
        try require(stranger == nil, "a signer is believed that is not listed")
    }
}

/// A checkpoint of the log and a witness that has signed nothing.
private enum Witness {
    static let key = NoteKey(name: "witness.example/1", publicKey: Fixed.signer.publicKey, algorithm: .cosignature)
    static let sealed = try? SignedNote(
        text: "\(Fixed.logID)\n1\nXKuPa5/uErEb5C6u2Ojk1zoCE4FaSMTIEAVkLg+OaL0=\n", name: Fixed.logID.rawValue,
        signer: Fixed.signer)
}
