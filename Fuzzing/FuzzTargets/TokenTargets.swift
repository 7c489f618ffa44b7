import ClawWire
import GrantVerifier

extension FuzzTarget {
    /// Tokens, sealed tokens and the documents of keys.
    static let tokens = [
        FuzzTarget("cst") { bytes throws(FuzzFinding) in
            _ = try? CST.parse(String(decoding: bytes, as: UTF8.self))
        },
        FuzzTarget("sealed-token") { bytes throws(FuzzFinding) in
            _ = try? SealedToken.open(String(decoding: bytes, as: UTF8.self), privateKey: Fixed.sealingKey)
        },
        FuzzTarget("jwks") { bytes throws(FuzzFinding) in
            _ = try? JWKS.parse(bytes)
            _ = try? AcceptedKeys(jwks: bytes, rotationContract: bytes)
        },
        FuzzTarget("status-list") { bytes throws(FuzzFinding) in
            let text = String(decoding: bytes, as: UTF8.self)
            let keys = AcceptedKeys(signing: Fixed.keys)
            _ = try? StatusListToken(verifying: text, uri: "https://harborline.example/1", keys: keys, now: Fixed.now)
        },
        FuzzTarget("revocations") { bytes throws(FuzzFinding) in
            var state = RevocationState(logID: Fixed.logID, logKeys: Fixed.keys)
            // A record a line: key, tab, value; no tab makes a tombstone.
            for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), maxSplits: 64).enumerated() {
                let parts = line.split(separator: UInt8(ascii: "\t"), maxSplits: 1)
                state.apply(
                    RevocationTopicRecord(
                        key: parts.first.map(Array.init) ?? [], value: parts.count > 1 ? Array(parts[1]) : nil,
                        sequence: SequenceNumber(Int64(index))))
            }
        },
    ]
}
