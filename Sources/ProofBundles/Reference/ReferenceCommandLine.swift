public import ClawWire

/// What the reference's command line says about a proof bundle: the library's answer, and every receipt must count.
public struct ReferenceCommandLine: Sendable {
    /// An answer of the command line.
    public struct Verdict: Sendable, Hashable {
        /// PASS or FAIL.
        public let passes: Bool
        /// `OK`, or why not.
        public let reasonCode: String
    }

    private let options: ReferenceOptions
    private let now: Timestamp

    /// Makes a command line with the options that its configuration gives the library.
    public init(options: ReferenceOptions, now: Timestamp) {
        self.options = options
        self.now = now
    }

    /// Answers about a bundle's envelope, or a document that has it as `envelope`.
    public func verify(_ document: JSONValue) -> Verdict {
        let envelope = document["envelope"] ?? document
        let verdict = ReferenceVerifier.core.verify(envelope, options: options, now: now)
        if let code = verdict.code { return Verdict(passes: false, reasonCode: code) }
        let receipts = Int64((envelope["payload"]?["receipts"]?.array ?? []).count)
        guard receipts > 0, verdict.receiptsVerifiedCount != receipts else {
            return Verdict(passes: true, reasonCode: "OK")
        }
        guard options.receiptSigners?.isEmpty == false else {
            return Verdict(passes: false, reasonCode: "DEPENDENCY_NOT_CONFIGURED")
        }
        let signed = verdict.components["receipts_signature_verified_count"]?.integer ?? 0
        return Verdict(
            passes: false,
            reasonCode: signed == receipts ? "RECEIPT_BINDING_MISMATCH" : "RECEIPT_VERIFICATION_FAILED")
    }
}
