import ClawWire
import IssuanceRules

extension FuzzTarget {
    /// Envelopes, contracts, rules.
    static let envelopes = [
        FuzzTarget("envelope") { bytes in
            guard let value = try? JSONReader.parse(bytes, duplicates: .keepLastValue) else { return }
            for type in ["gateway_receipt", "human_approval_receipt", "tool_receipt"] {
                _ = try? SignedEnvelope.parse(value, type: type)
            }
            if let object = value.object { _ = try? HumanApprovalReceipt.parse(object) }
        },
        FuzzTarget("wpc") { bytes in
            guard let contract = try? WorkPolicyContract.parse(bytes) else { return }
            let again = try? WorkPolicyContract.parse(JSONWriter.bytes(.object(contract.document)))
            require(again?.policyHash == contract.policyHash, "a contract has two hashes")
        },
        FuzzTarget("rules") { bytes in
            _ = try? RuleSet(yaml: String(decoding: bytes, as: UTF8.self))
        },
    ]
}
