/// The registry's form, `policy_version` "1": a closed object (WIRE section 7.1).
enum V1Form {
    private static let providers: Set<String> = ["openai", "anthropic", "google"]
    private static let tiers: Set<String> = [
        "closed_opaque", "closed_provider_manifest", "openweights_hashable", "tee_measured",
    ]

    static func parse(_ value: JSONValue) throws(WPCError) -> IssuancePolicy {
        var object = try ClosedObject(value, path: "")
        _ = object.value("policy_version")
        let policyID = try object.requiredText("policy_id", maximum: 128)
        let issuer = try object.requiredText("issuer_did", maximum: 256)
        guard issuer.utf8.starts(with: "did:".utf8) else { throw object.invalid("issuer_did", "no DID") }
        let allowedProviders = try object.texts("allowed_providers", maximumCount: 16, maximum: 64)
        for provider in allowedProviders ?? []
        where !providers.contains(provider) {
            throw object.invalid("allowed_providers", "\(provider.cut(toBytes: 64)) is not a known provider")
        }
        _ = try object.texts("allowed_models", maximumCount: 256, maximum: 256)
        _ = try object.choice("minimum_model_identity_tier", of: tiers)
        for pack in try object.texts("required_audit_packs", maximumCount: 64, maximum: 128) ?? [] {
            guard pack.utf8.count >= 8, pack.utf8.allSatisfy(Base64URL.isInAlphabet) else {
                throw object.invalid("required_audit_packs", "an entry is not base64url of 8 to 128 characters")
            }
        }
        for (i, element) in (try object.elements("redaction_rules", maximumCount: 256) ?? []).enumerated() {
            var rule = try ClosedObject(element, path: "redaction_rules[\(i)]")
            _ = try rule.requiredText("path", maximum: 512)
            guard try rule.choice("action", of: ["remove", "hash", "mask"]) != nil else {
                throw rule.invalid("action", "this member is required")
            }
            try rule.close()
        }
        _ = try object.choice("receipt_privacy_mode", of: ["hash_only", "encrypted"])
        _ = try object.texts("egress_allowlist", maximumCount: 256, maximum: 256)
        let metadata = try object.object("metadata")
        try object.close()

        var policy = IssuancePolicy(form: .v1)
        if let carried = metadata?.object[WorkPolicyContract.carrierKey] {
            let path = "metadata.\(WorkPolicyContract.carrierKey)"
            guard carried["wpc_version"]?.string == "1" else {
                throw WPCError(.invalidDocument, path: path, "no document with wpc_version \"1\"")
            }
            policy = try RunbookForm.parse(carried, path: path)
            policy.form = .runbookInV1
            policy.isRegistrable = true
        }
        policy.policyID = policyID
        policy.allowedProviders = allowedProviders
        return policy
    }
}
