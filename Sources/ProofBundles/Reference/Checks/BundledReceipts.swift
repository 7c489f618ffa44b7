import ClawWire

/// What the gateway receipts in a bundle are worth: those that hold and are bound to its chain count.
enum BundledReceipts {
    /// Weighs every receipt by itself.
    static func results(_ context: ReferenceContext) -> [GatewayReceiptResult] {
        let check = GatewayReceiptCheck(signers: context.options.receiptSigners)
        return context.entries("receipts").map { receipt in
            var result = GatewayReceiptResult()
            do throws(ReferenceRefusal) {
                _ = try check.check(receipt)
                result.signed = true
                result.counts = isBound(receipt, context)
            } catch {
                result.signed = false
            }
            if context.verifier == .service { notePayment(receipt, &result) }
            return result
        }
    }

    private static func isBound(_ receipt: JSONValue, _ context: ReferenceContext) -> Bool {
        guard let expected = context.runID, let binding = receipt["payload"]?["binding"]?.object,
            let run = binding["run_id"]?.string, ReferenceText.isFilled(run), ExactText.equal(run, expected),
            let event = binding["event_hash_b64u"]?.string, event.utf8.count >= 8, ReferenceText.isBase64URL(event)
        else { return false }
        return context.eventHashes.contains(event)
    }

    /// Counts the receipts and draws the weakest model identity.
    static func count(_ context: inout ReferenceContext) throws(ReferenceRefusal) {
        let receipts = context.entries("receipts")
        guard !receipts.isEmpty else { return }
        let results = context.receiptResults
        let counted = results.count(where: \.counts)
        context.components["receipts_valid"] = .bool(counted == receipts.count)
        context.components["receipts_count"] = .integer(receipts.count)
        context.components["receipts_signature_verified_count"] = .integer(results.count(where: \.signed))
        context.components["receipts_verified_count"] = .integer(counted)
        if context.verifier == .service { try checkPayments(&context) }
        let identity = ModelIdentity.weakest(
            of: zip(receipts, results).map { (payload: $0["payload"] ?? .null, isSigned: $1.signed) })
        context.modelIdentityTier = identity.tier
        context.riskFlags.formUnion(identity.flags)
    }

    // MARK: Payments

    private static let paymentMembers = [
        "x402_payment_ref", "x402_amount_minor", "x402_currency", "x402_network", "x402_payment_auth_hash_b64u",
    ]

    /// Notes a claimed payment; a claim that is incomplete or not bound takes the receipt's worth away.
    private static func notePayment(_ receipt: JSONValue, _ result: inout GatewayReceiptResult) {
        guard let metadata = receipt["payload"]?["metadata"]?.object,
            paymentMembers.contains(where: { metadata.contains($0) })
        else { return }
        result.claimsPayment = true
        let hash = metadata["x402_payment_auth_hash_b64u"]?.string.map(ExactText.trimmed)
        result.paymentHash = hash.flatMap { $0.isEmpty ? nil : $0 }
        result.paymentReason = fault(metadata, receipt["payload"]?["binding"]?.object)
        if result.paymentReason != nil { result.counts = false }
        if !result.counts, result.paymentReason == nil { result.paymentReason = "X402_EXECUTION_BINDING_MISMATCH" }
    }

    private static func fault(_ metadata: JSONObject, _ binding: JSONObject?) -> String? {
        func isFilled(_ key: String) -> Bool { ReferenceText.isFilled(metadata[key]?.string) }
        guard isFilled("x402_payment_ref"), (metadata["x402_amount_minor"]?.integer ?? -1) >= 0,
            isFilled("x402_currency"), isFilled("x402_network")
        else { return "X402_METADATA_PARTIAL" }
        func isHash(_ text: String?) -> Bool {
            text.map(ExactText.trimmed).map { $0.utf8.count >= 8 && ReferenceText.isBase64URL($0) } ?? false
        }
        guard isHash(metadata["x402_payment_auth_hash_b64u"]?.string) else { return "X402_PAYMENT_AUTH_HASH_INVALID" }
        guard let binding else { return "X402_BINDING_MISSING" }
        guard ReferenceText.isFilled(binding["run_id"]?.string) else { return "X402_BINDING_RUN_ID_MISSING" }
        guard ReferenceText.isFilled(binding["event_hash_b64u"]?.string) else {
            return "X402_BINDING_EVENT_HASH_MISSING"
        }
        return isHash(binding["event_hash_b64u"]?.string) ? nil : "X402_BINDING_EVENT_HASH_INVALID"
    }

    private static func checkPayments(_ context: inout ReferenceContext) throws(ReferenceRefusal) {
        let claims = context.receiptResults.filter(\.claimsPayment)
        let bound = claims.count(where: \.counts)
        context.components["x402_claimed_count"] = .integer(claims.count)
        context.components["x402_bound_count"] = .integer(bound)
        context.components["x402_binding_valid"] = .bool(bound == claims.count)
        var reason = claims.isEmpty ? "X402_NOT_CLAIMED" : "X402_BOUND"
        var known: Set<ExactString> = []
        if claims.contains(where: { $0.paymentHash.map { !known.insert(ExactString($0)).inserted } ?? false }) {
            reason = "X402_PAYMENT_AUTH_REPLAY"
        } else if let failed = claims.first(where: { !$0.counts }) {
            reason = failed.paymentReason ?? "X402_EXECUTION_BINDING_MISMATCH"
        }
        context.components["x402_reason_code"] = .string(reason)
        guard claims.isEmpty || reason == "X402_BOUND" else {
            throw ReferenceRefusal("EVIDENCE_MISMATCH", "payload.receipts", reason)
        }
    }
}
