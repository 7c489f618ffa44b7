import ClawWire
import ReceiptLog

/// What is over on the revocations topic: each record without a value follows from a receipt, and no token that lives is
/// forgotten.
struct EndAudit {
    /// When tokens expire, by their hash.
    private var expiries: [Fingerprint: Int64] = [:]
    /// Receipts of revocations, by the hash of the token.
    private var revocations: [Fingerprint: Fingerprint] = [:]
    /// By key: how often a receipt says that it is over, less the records that say so.
    private var balance: [Fingerprint: Int] = [:]
    /// Receipts of revocations that are over.
    private(set) var endedReceipts: [Fingerprint] = []

    mutating func take(_ token: TokenReference) {
        expiries[Fingerprint(token.tokenHash)] = token.expiresAt.seconds
    }

    mutating func take(_ revocation: Receipt.Revocation, receipt: Fingerprint) {
        revocations[Fingerprint(revocation.tokenHash)] = receipt
    }

    /// Takes a receipt; returns what is wrong with it.
    mutating func take(_ end: RevocationEnd) -> [String] {
        var faults: [String] = []
        for key in end.keys {
            balance[Fingerprint(key.description), default: 0] += 1
            guard case .token(let hash) = key else { continue }
            let token = Fingerprint(hash)
            if let receipt = revocations[token] {
                endedReceipts.append(receipt)
            } else {
                faults.append("the token \(hash.hex) was never revoked")
            }
            if let expiry = expiries[token], expiry >= end.expiredBefore.seconds {
                faults.append("the token \(hash.hex) lives until \(Timestamp(seconds: expiry))")
            }
        }
        return faults
    }

    mutating func take(tombstone key: [UInt8]) {
        balance[Fingerprint(String(decoding: key, as: UTF8.self)), default: 0] -= 1
    }

    /// Receipts say that it is over, and no record does.
    var missingTombstones: Int { balance.values.reduce(0) { $0 + max(0, $1) } }

    /// What does not fit, once everything was read.
    func faults(isSettled: Bool, isCompacted: Bool) -> [String] {
        guard isSettled else { return [] }
        var faults: [String] = []
        if balance.values.contains(where: { $0 < 0 }) {
            faults.append("records of the revocations topic end what no receipt ends")
        }
        if !isCompacted, missingTombstones > 0 {
            faults.append("\(missingTombstones) revocations are over by the receipts and not on the topic")
        }
        return faults
    }
}
