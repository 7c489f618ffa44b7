import ClawWire
import TestSupport
import Testing

@Suite("Work Policy Contracts")
struct PolicyTests {
    static let runbook = """
        {"wpc_version":"1","policy":{"job_class":"enterprise_agent_run",
         "tool_policy":{"allow":["read","write","http","process"],
          "deny":["exec_host","docker_socket","filesystem_mount_rw_outside_workspace"],"require_sandbox":true},
         "model_policy":{"require_proxy":"clawproxy","allowed_routes":["openrouter_via_fal"],"receipt_required":true},
         "approvals":[{"action":"enable_elevated","require":"human_approval"},
          {"action":"access_production_data","require":"human_approval"}],
         "session_limits":{"max_ttl_seconds":3600},"audit":{"emit_gateway_receipts":true,"bundle_proof":true}},
         "cst_requirements":{"policy_hash_pinned":true,"job_scoped_binding":true}}
        """

    @Test func runbookForm() throws {
        let contract = try WorkPolicyContract.parse(Array(Self.runbook.utf8))
        #expect(contract.policyHash.b64u == "xJ0ViZgT5ToY8nhWGIRUtaoIWCbjgCktssb-PcUD1Po")
        let policy = contract.issuancePolicy
        #expect(policy.form == .runbook)
        #expect(!policy.isRegistrable)
        #expect(policy.jobClass == "enterprise_agent_run")
        #expect(policy.toolsAllowed == ["read", "write", "http", "process"])
        #expect(policy.toolsDenied.count == 3)
        #expect(policy.requiresSandbox && policy.requiresProxy && policy.requiresReceipts)
        #expect(policy.approvals.map(\.action) == ["enable_elevated", "access_production_data"])
        #expect(policy.maximumTTLSeconds == 3_600)
        #expect(policy.policyHashPinned && policy.jobScopedBinding)
    }

    @Test func runbookCarriedInARegistrableDocument() throws {
        let runbook = try #require(JSONReader.parse(Self.runbook).object)
        let contract = try WorkPolicyContract.carrying(
            runbook: runbook, policyID: "pol-1", issuerDID: "did:web:issuer.example", allowedProviders: ["openai"],
            allowedModels: ["gpt-*"])
        #expect(contract.form == .runbookInV1)
        #expect(contract.issuancePolicy.isRegistrable)
        #expect(contract.issuancePolicy.policyID == "pol-1")
        #expect(contract.issuancePolicy.maximumTTLSeconds == 3_600)
        #expect(contract.policyHash != JSONValue.object(runbook).canonicalDigest)
        #expect(throws: Never.self) {
            try WPCRegistry.registration(JSONWriter.bytes(["wpc": .object(contract.document)]))
        }
    }

    @Test(arguments: [
        ("{}", "policy"), ("{\"policy\":{\"budget\":1}}", "policy.budget"),
        ("{\"policy\":{},\"expires_at\":\"x\"}", "expires_at"),
        ("{\"policy\":{\"tool_policy\":{\"allow\":\"read\"}}}", "policy.tool_policy.allow"),
        ("{\"policy\":{\"tool_policy\":{\"allow\":[\"\"]}}}", "policy.tool_policy.allow[0]"),
        ("{\"policy\":{\"tool_policy\":{\"ask\":[]}}}", "policy.tool_policy.ask"),
        ("{\"policy\":{\"model_policy\":{\"require_proxy\":1}}}", "policy.model_policy.require_proxy"),
        ("{\"policy\":{\"model_policy\":{\"require_proxy\":\"\"}}}", "policy.model_policy.require_proxy"),
        ("{\"policy\":{\"approvals\":[{\"action\":\"a\"}]}}", "policy.approvals[0].require"),
        ("{\"policy\":{\"approvals\":[{\"action\":\"a\",\"require\":\"r\",\"ttl\":1}]}}", "policy.approvals[0].ttl"),
        ("{\"policy\":{\"session_limits\":{\"max_ttl_seconds\":0}}}", "policy.session_limits.max_ttl_seconds"),
        ("{\"policy\":{\"session_limits\":{\"max_ttl_seconds\":1.5}}}", "policy.session_limits.max_ttl_seconds"),
        ("{\"policy\":{\"session_limits\":{\"max_cost\":1}}}", "policy.session_limits.max_cost"),
        ("{\"policy\":{},\"cst_requirements\":{\"max_uses\":1}}", "cst_requirements.max_uses"),
        ("{\"policy\":{},\"policy_version\":\"1\"}", ""),
    ])
    func whatMightRestrictIsNotPassedOver(_ members: String, path: String) throws {
        var document: JSONObject = ["wpc_version": "1"]
        for member in try #require(JSONReader.parse(members).object).members { document[member.key] = member.value }
        let value = JSONValue.object(document)
        let error = #expect(throws: WPCError.self) { try WorkPolicyContract(value) }
        #expect(error?.code == .invalidDocument)
        #expect(error?.path == path)
    }

    @Test(arguments: ["true", "\"clawproxy\""])
    func proxyByNameOrFlag(_ text: String) throws {
        let document =
            "{\"wpc_version\":\"1\",\"policy\":{\"model_policy\":{\"require_proxy\":\(text)},\"audit\":{\"x\":1}},"
            + "\"metadata\":{\"title\":\"t\"}}"
        #expect(try WorkPolicyContract.parse(Array(document.utf8)).issuancePolicy.requiresProxy)
    }

    @Test(arguments: [
        "{\"wpc_version\":\"v1\",\"policy\":{}}", "{\"wpc_version\":1,\"policy\":{}}", "{\"policy_version\":\"3\"}",
        "{}", "[]",
        "{\"policy_version\":\"1\",\"policy_id\":\"p\",\"issuer_did\":\"did:x:y\",\"metadata\":{\"claw_ea_issuance\":{}}}",
        "{\"policy_version\":\"1\",\"policy_id\":\" \",\"issuer_did\":\"did:x:y\"}",
        "{\"policy_version\":\"1\",\"policy_id\":\"p\",\"issuer_did\":\"did:x:y\",\"egress_allowlist\":null}",
    ])
    func otherDocumentsAreRefused(_ text: String) {
        let error = #expect(throws: WPCError.self) { try WorkPolicyContract.parse(Array(text.utf8)) }
        #expect(error?.code == .invalidDocument)
    }

    @Test func textsThatAreNoDocuments() {
        #expect(throws: WPCError.self) { try WorkPolicyContract.parse(Array("{".utf8)) }
        let repeated = Array("{\"wpc_version\":\"1\",\"policy\":{},\"policy\":{}}".utf8)
        let error = #expect(throws: WPCError.self) { try WorkPolicyContract.parse(repeated) }
        #expect(error?.code == .invalidJSON)
        let large = [UInt8](repeating: UInt8(ascii: " "), count: 65_537)
        let tooLarge = #expect(throws: WPCError.self) { try WorkPolicyContract.parse(large) }
        #expect(tooLarge?.code == .tooLarge)
    }

    @Test func envelopeIsByteExactAndVerifies() throws {
        let contract = try WorkPolicyContract.parse(Array(Self.runbook.utf8))
        let signer = try Own.signer("controls")
        let envelope = try WPCEnvelope.sign(contract, signer: signer, issuedAt: Own.now)
        #expect(
            envelope.signature.b64u
                == "3i5gkqf_AAL7Qj7DDvi7YO--dfPuMzVDBYIjK7SiUnmtqLFig-AKn4aRm_p6MFlzGwAHsHnpvyk_vW9kASfKDQ")
        let bytes = JSONWriter.bytes(envelope.json)
        let verified = try WPCEnvelope.verify(
            bytes, expectedHash: contract.policyHash, signerAllowlist: [signer.publicKey.did])
        #expect(verified.contract == contract)
        #expect(verified.hash == contract.policyHash)
        #expect(verified.signer == signer.publicKey)
        let nobody = #expect(throws: WPCError.self) {
            try WPCEnvelope.verify(bytes, expectedHash: contract.policyHash, signerAllowlist: [])
        }
        #expect(nobody?.code == .signerNotAllowed)
        let gateway = #expect(throws: WPCError.self) {
            try WPCEnvelope.verify(
                bytes, expectedHash: contract.policyHash, signerAllowlist: [signer.publicKey.did],
                accepting: WorkPolicyContract.registrableForms)
        }
        #expect(gateway?.code == .envelopeInvalid)
    }

    @Test(
        arguments: [
            ("https://registry.example", nil), ("HTTPS://registry.example", nil),
            ("http://registry.example", WPCError.Code.registryAddressInsecure),
            ("registry.example", .registryAddressInvalid),
            ("https://", .registryAddressInvalid), ("", .registryAddressInvalid),
        ] as [(String, WPCError.Code?)])
    func registryAddress(_ text: String, code: WPCError.Code?) {
        var thrown: WPCError.Code?
        do { try WPCRegistry.checkBaseURL(text) } catch { thrown = error.code }
        #expect(thrown == code)
    }
}

@Suite("Work Policy Contracts against the reference's vectors", .enabled(if: SharedVectors.arePresent))
struct PolicyVectorTests {
    @Test(arguments: SharedVectors.cases("wpc", "registered"))
    func registered(_ vector: VectorCase) throws {
        let wpc = try #require(vector["wpc"])
        let contract = try WPCRegistry.registration(JSONWriter.bytes(["wpc": wpc]))
        #expect(JSONWriter.text(.object(contract.document), order: .canonical) == (try vector.text("canonical")))
        #expect(contract.policyHash.b64u == (try vector.text("policy_hash_b64u")))
        let envelope = try #require(vector["response"]?["envelope"])
        let signer = try SharedVectors.signer("controls")
        let verified = try WPCEnvelope.verify(
            JSONWriter.bytes(envelope), expectedHash: contract.policyHash, signerAllowlist: [signer.publicKey.did],
            accepting: WorkPolicyContract.registrableForms)
        let issuedAt = try #require(Timestamp(rfc3339: verified.envelope.issuedAt))
        let signed = try WPCEnvelope.sign(verified.contract, signer: signer, issuedAt: issuedAt)
        #expect(JSONWriter.text(signed.json) == JSONWriter.text(envelope))
    }

    @Test(arguments: SharedVectors.cases("wpc", "register_errors"))
    func registrationErrors(_ vector: VectorCase) throws {
        let body: [UInt8] =
            switch try vector.text("name") {
            case "not JSON": Array("{".utf8)
            case "too large": [UInt8](repeating: UInt8(ascii: " "), count: 65_537)
            default: JSONWriter.bytes(try #require(vector["request"]))
            }
        let error = #expect(throws: WPCError.self) { try WPCRegistry.registration(body) }
        #expect(error?.code.rawValue == vector["error"]?["code"]?.string)
    }

    @Test(arguments: SharedVectors.cases("wpc", "fetch"))
    func fetched(_ vector: VectorCase) throws {
        var code: String?
        do {
            _ = try WPCRegistry.hash(try vector.text("hash"))
            _ = try WPCRegistry.envelope(
                status: Int(vector["status"]?.integer ?? 0), body: Array("{\"envelope\":{}}".utf8))
        } catch let error as WPCError { code = error.code.rawValue }
        #expect(code == vector["error"]?["code"]?.string)
    }

    @Test(arguments: SharedVectors.cases("wpc", "gateway_verification"))
    func gatewayVerification(_ vector: VectorCase) throws {
        let allowed = vector["env"]?["WPC_SIGNER_DIDS"]?.string ?? ""
        // Where the reference has no list it allows every signer; here that is said by name.
        let signer = vector["envelope"]?["signer_did"]?.string ?? ""
        let allowlist: Set<String> = [allowed.isEmpty ? signer : allowed]
        var code: String?
        do {
            if let address = vector["env"]?["WPC_REGISTRY_BASE_URL"]?.string { try WPCRegistry.checkBaseURL(address) }
            let answer: (status: Int, body: [UInt8]) =
                switch try vector.text("name") {
                case "registry 404": (404, [])
                case "registry 500": (500, [])
                case "registry not JSON": (200, Array("<html>".utf8))
                default: (200, JSONWriter.bytes(["envelope": try #require(vector["envelope"])]))
                }
            let envelope = try WPCRegistry.envelope(status: answer.status, body: answer.body)
            // The first case asks for 43 characters that no digest has; any other hash differs as well.
            let hash = Digest(b64u: try vector.text("requested_hash")) ?? Digest(hashing: "")
            _ = try WPCEnvelope.verify(
                envelope, expectedHash: hash, signerAllowlist: allowlist,
                accepting: WorkPolicyContract.registrableForms)
        } catch let error as WPCError { code = error.code.rawValue }
        #expect(code == vector["errorCode"]?.string)
    }

    @Test func theRunbooksShapeHasItsHash() throws {
        let vectors = try SharedVectors.load("wpc")
        let contract = try WorkPolicyContract(try #require(vectors["seed_shaped_policy"]))
        #expect(contract.policyHash.b64u == vectors["seed_shaped_policy_jcs_sha256_b64u"]?.string)
        #expect(contract.issuancePolicy.approvals.first?.require == "two_person")
    }

    @Test(arguments: SharedVectors.cases("policy-eval", "cases"))
    func evaluation(_ vector: VectorCase) throws {
        let vectors = try SharedVectors.load("policy-eval")
        var document = try #require(vectors["policy"]?.object)
        if let parent = vector["inherits"]?.string { document["inherits"] = .string(parent) }
        let policy = try #require(WorkPolicyContract(.object(document)).statements)
        let ancestor = try StatementPolicy(try #require(vectors["parent_policy"]))
        var context: [String: String] = [:]
        for member in vector["context"]?.object?.members ?? [] { context[member.key] = member.value.string }
        let verdict = PolicyEvaluator.evaluate(
            policy, action: try vector.text("action"), resource: try vector.text("resource"), context: context,
            mode: .compatible, parent: { $0 == "parent" ? ancestor : nil })
        #expect(verdict.isAllowed == (vector["effect"]?.string == "ALLOW"))
        #expect(verdict.reason == (try vector.text("reason")))
        #expect(verdict.matched == vector["matched_statements"]?.array?.compactMap(\.string))
    }
}
