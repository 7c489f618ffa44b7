import ClawWire

/// The library's rule that one `receipt_id` has one content.
enum ReceiptReplay {
    /// Refuses `payload.receipts` that repeat a `receipt_id` with another payload.
    ///
    /// - Throws: `CAUSAL_RECEIPT_REPLAY_DETECTED` at the repeated receipt.
    static func check(_ context: ReferenceContext) throws(ReferenceRefusal) {
        var known: [String: Digest] = [:]
        for (index, receipt) in context.entries("receipts").enumerated() {
            guard let payload = receipt["payload"], let id = payload["receipt_id"]?.string, !id.isEmpty else {
                continue
            }
            let digest = payload.canonicalDigest
            let first = known[id] ?? digest
            known[id] = first
            guard first == digest else {
                throw ReferenceRefusal(
                    "CAUSAL_RECEIPT_REPLAY_DETECTED", "payload.receipts[\(index)].payload.receipt_id",
                    "the receipt id was used before for another payload")
            }
        }
    }
}

/// What one gateway receipt in a bundle is worth.
struct GatewayReceiptResult: Sendable, Hashable {
    /// Signature and binding hold: it counts for the gateway tier.
    var counts = false
    /// Signature and hash hold.
    var signed = false
    /// It claims an x402 payment (hosted verifier).
    var claimsPayment = false
    /// Hash of the payment authorization that it names.
    var paymentHash: String?
    /// Why the payment does not bind.
    var paymentReason: String?
}
