import ClawWire
import IssuanceRules

extension FuzzTarget {
    /// Envelopes, contracts, rules.
    static let envelopes = [
        FuzzTarget("envelope") { bytes throws(FuzzFinding) in
            guard let value = try? JSONReader.parse(bytes, duplicates: .keepLastValue) else { return }
            for type in ["gateway_receipt", "human_approval_receipt", "tool_receipt"] {
                _ = try? SignedEnvelope.parse(value, type: type)
            }
            if let object = value.object { _ = try? HumanApprovalReceipt.parse(object) }
        },
        FuzzTarget("gateway-receipt") { bytes throws(FuzzFinding) in
            let verified = try? GatewayReceipt.verify(bytes, signers: [Fixed.signer.publicKey.did])
            try require(verified == nil, "a receipt is taken that no trusted key has signed")
        },
        FuzzTarget("wpc") { bytes throws(FuzzFinding) in
            guard let contract = try? WorkPolicyContract.parse(bytes) else { return }
            let again = try? WorkPolicyContract.parse(JSONWriter.bytes(.object(contract.document)))
            try require(again?.policyHash == contract.policyHash, "a contract has two hashes")
        },
        FuzzTarget("rules") { bytes throws(FuzzFinding) in
            _ = try? RuleSet(yaml: String(decoding: bytes, as: UTF8.self))
        },
    ]
}
