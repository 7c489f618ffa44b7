/// A Work Policy Contract of one of the three forms, read and checked, not yet authenticated (WIRE section 7).
public struct WorkPolicyContract: Sendable, Hashable {
    /// The forms, by discriminator.
    public static let allForms: Set<IssuancePolicy.Form> = [.v1, .runbookInV1, .statements, .runbook]
    /// The forms that registry and gateway accept.
    public static let registrableForms: Set<IssuancePolicy.Form> = [.v1, .runbookInV1]

    /// The member of a v1 document's `metadata` that carries a runbook document.
    public static let carrierKey = "claw_ea_issuance"

    /// The document, in document order.
    public let document: JSONObject
    /// The JCS hash of the document: what a token pins.
    public let policyHash: Digest
    /// The parts that bear on issuance.
    public let issuancePolicy: IssuancePolicy
    /// The statements, when the document is of that form.
    public let statements: StatementPolicy?

    /// The document's form.
    public var form: IssuancePolicy.Form { issuancePolicy.form }

    /// Reads a document.
    ///
    /// - Parameters:
    ///   - bytes: at most 65 536 bytes of JSON; keys must not repeat.
    ///   - forms: the forms to accept.
    /// - Throws: ``WPCError`` with `PAYLOAD_TOO_LARGE`, `INVALID_JSON` or `INVALID_WPC`.
    public static func parse(
        _ bytes: [UInt8], accepting forms: Set<IssuancePolicy.Form> = allForms
    ) throws(WPCError) -> WorkPolicyContract {
        try WorkPolicyContract(try WPCRegistry.json(bytes), accepting: forms)
    }

    /// Takes a document that was read already.
    ///
    /// The discriminator is `policy_version` "1" or "2", or `wpc_version` "1"; anything else is refused, and so is a
    /// document with both.
    ///
    /// - Throws: ``WPCError`` with `INVALID_WPC`.
    public init(
        _ value: JSONValue, accepting forms: Set<IssuancePolicy.Form> = allForms
    ) throws(WPCError) {
        guard let document = value.object else {
            throw WPCError(.invalidDocument, "a policy is an object, not \(value.typeName)")
        }
        self.document = document
        switch (document["policy_version"], document["wpc_version"]) {
        case (.string("1"), nil):
            issuancePolicy = try V1Form.parse(value)
            statements = nil
        case (.string("2"), nil):
            let parsed = try StatementPolicy(value)
            var policy = IssuancePolicy(form: .statements)
            policy.policyID = parsed.policyID
            policy.statements = parsed
            issuancePolicy = policy
            statements = parsed
        case (nil, .string("1")):
            issuancePolicy = try RunbookForm.parse(value, path: "")
            statements = nil
        default:
            throw WPCError(
                .invalidDocument, "neither policy_version \"1\" or \"2\" nor wpc_version \"1\", or both members")
        }
        guard forms.contains(issuancePolicy.form) else {
            throw WPCError(.invalidDocument, "the form \(issuancePolicy.form.rawValue) is not accepted here")
        }
        policyHash = JSONValue.object(document).canonicalDigest
    }

    /// A v1 document that carries a runbook document under `metadata`, so that registry and gateway take it and its
    /// hash may be pinned (WIRE section 7.3).
    ///
    /// - Parameters:
    ///   - runbook: the document in the runbook's form.
    ///   - policyID: `policy_id`.
    ///   - issuerDID: `issuer_did`.
    ///   - allowedProviders: what the gateway shall enforce of `model_policy.allowed_routes`; `nil` for no such rule.
    ///   - allowedModels: the same for models.
    /// - Throws: ``WPCError`` with `INVALID_WPC` when the result breaks a rule.
    public static func carrying(
        runbook: JSONObject, policyID: String, issuerDID: String, allowedProviders: [String]? = nil,
        allowedModels: [String]? = nil
    ) throws(WPCError) -> WorkPolicyContract {
        var document: JSONObject = [
            "policy_version": "1", "policy_id": .string(policyID), "issuer_did": .string(issuerDID),
        ]
        if let allowedProviders { document["allowed_providers"] = .array(allowedProviders.map { .string($0) }) }
        if let allowedModels { document["allowed_models"] = .array(allowedModels.map { .string($0) }) }
        document["metadata"] = [carrierKey: .object(runbook)]
        return try WorkPolicyContract(.object(document), accepting: [.runbookInV1])
    }
}
