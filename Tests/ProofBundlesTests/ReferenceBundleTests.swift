import ClawWire
import Foundation
import Testing

@testable import ProofBundles

struct ReferenceBundleTests {
    let maker: BundleMaker

    init() throws { maker = try BundleMaker() }

    @Test func boundReceiptsRaiseTheTier() throws {
        let events = maker.events()
        let receipts = [
            try maker.receipt("r1", boundTo: events[1]), try maker.receipt("r2", boundTo: nil),
            try maker.receipt("r3", boundTo: maker.events(run: "another")[0]),
        ]
        let verdict = maker.core(try maker.bundle(maker.payload(events, receipts: receipts)))
        #expect(verdict.status == .valid)
        #expect(verdict.proofTier == .gateway)
        #expect(verdict.trustTier == .verified)
        #expect(verdict.receiptsCount == 3)
        #expect(verdict.receiptsVerifiedCount == 1)
        #expect(verdict.components["receipts_signature_verified_count"]?.integer == 3)
        #expect(verdict.riskFlags.contains("MODEL_IDENTITY_MISSING_DEFAULTED"))
    }

    @Test func receiptsOfUnknownGatewaysDoNotCount() throws {
        let events = maker.events()
        let bundle = try maker.bundle(maker.payload(events, receipts: [maker.receipt(boundTo: events[0])]))
        let verdict = maker.core(bundle, ReferenceOptions())
        #expect(verdict.status == .valid)
        #expect(verdict.proofTier == .selfSigned)
        #expect(verdict.receiptsVerifiedCount == 0)
    }

    /// The library's defect: without an envelope nothing is signed, and it says VALID all the same.
    @Test func libraryTakesABarePayload() throws {
        let bare = JSONValue.object(maker.payload(maker.events()))
        #expect(maker.core(bare).status == .valid)
        #expect(maker.core(bare).envelopeValid == true)
        let hosted = ReferenceVerifier.service.verify(bare, options: maker.options, now: maker.now)
        #expect(hosted.code == "MALFORMED_ENVELOPE")
    }

    @Test func firstBreachOfTheSchemaIsNamed() throws {
        let events = maker.events()
        func field(_ payload: JSONObject) throws -> String? {
            let verdict = maker.core(try maker.bundle(payload))
            return verdict.code == "SCHEMA_VALIDATION_FAILED" ? verdict.field : "not the schema: \(verdict)"
        }
        #expect(try field(maker.payload(events, more: ["a b": 1])) == #"payload["a b"]"#)
        #expect(try field(maker.payload(events, more: ["z": 1, "7": 1])) == #"payload["7"]"#)
        #expect(try field(maker.payload([])) == "payload.urm")
        #expect(
            try field(maker.payload(events, more: ["human_approval_receipts": [["receipt_version": "1"]]]))
                == "payload.human_approval_receipts[0].receipt_id")
        let many = JSONValue.array(Array(repeating: ["x": 1], count: 1_001))
        #expect(
            try field(maker.payload(events, more: ["human_approval_receipts": many]))
                == "payload.human_approval_receipts")
        let phase = try maker.bundle(
            maker.payload(events, receipts: [changed(maker.receipt(boundTo: events[0]), "phase", "lunch")]))
        #expect(maker.core(phase).code == "CAUSAL_PHASE_INVALID")
        #expect(maker.core(phase).field == "payload.receipts[0].payload.binding.phase")
    }

    private func changed(_ envelope: JSONValue, _ key: String, _ value: JSONValue) -> JSONValue {
        guard var object = envelope.object, var payload = object["payload"]?.object,
            var binding = payload["binding"]?.object
        else { return envelope }
        binding[key] = value
        payload["binding"] = .object(binding)
        object["payload"] = .object(payload)
        return .object(object)
    }

    @Test func metadataIsLimited() throws {
        let metadata: JSONValue = ["x": .string(String(repeating: "y", count: 16_384))]
        let verdict = maker.core(try maker.bundle(maker.payload(maker.events(), more: ["metadata": metadata])))
        #expect(verdict.code == "MALFORMED_ENVELOPE")
        #expect(verdict.field == "payload.metadata")
    }

    @Test func signerMustBeTheAgent() throws {
        let foreign = try maker.envelope("proof_bundle", maker.payload(maker.events()), by: maker.gateway)
        #expect(maker.core(foreign).code == "INVALID_DID_FORMAT")
        #expect(maker.core(foreign).field == "signer_did")
    }

    @Test func eventsMustLink() throws {
        var events = maker.events(3)
        events.remove(at: 1)
        let broken = maker.core(try maker.bundle(maker.payload(events)))
        #expect(broken.code == "MALFORMED_ENVELOPE")
        #expect(broken.field == "payload.event_chain")
    }

    @Test func onlyTheLibraryJudgesExpiry() throws {
        let envelope = try SignedEnvelope.sign(
            type: "proof_bundle", payload: maker.payload(maker.events()), rule: .document, signer: maker.agent,
            issuedAt: maker.now, expiresAt: maker.now.adding(seconds: -1)
        ).json
        #expect(maker.core(envelope).code == "EXPIRED_TTL")
        var late = maker.options
        late.members["ttlSkewMs"] = 1_000
        #expect(maker.core(envelope, late).status == .valid)
        let hosted = ReferenceVerifier.service.verify(envelope, options: maker.options, now: maker.now)
        #expect(hosted.code != "EXPIRED_TTL")
    }

    @Test func rateLimitClaimsMustAgreeWithThemselves() throws {
        func code(_ change: JSONObject) throws -> String? {
            var claim: JSONObject = [
                "claim_version": "1", "scope": "agent", "scope_key": "k", "window_start": "2026-01-01T00:00:00Z",
                "window_end": "2026-01-01T01:00:00Z", "max_requests": 5, "observed_requests": 5,
            ]
            for member in change.members { claim[member.key] = member.value }
            let payload = maker.payload(maker.events(), more: ["rate_limit_claims": [.object(claim)]])
            return maker.core(try maker.bundle(payload)).code
        }
        #expect(try code([:]) == nil)
        #expect(try code(["observed_requests": 6]) == "RATE_LIMIT_EXCEEDED")
        #expect(try code(["window_end": "2025-12-31T00:00:00Z"]) == "RATE_LIMIT_WINDOW_INVALID")
        #expect(try code(["max_tokens_input": 6]) == "RATE_LIMIT_CLAIM_INCONSISTENT")
        #expect(try code(["run_id": "another"]) == "RATE_LIMIT_CLAIM_INCONSISTENT")
    }

    @Test func coSignedToolReceiptsAreChecked() throws {
        let events = maker.events()
        func verdict(coSigner: SeedSigner, disclosed: JSONValue = "4711") throws -> ReferenceVerdict {
            let leaf: JSONObject = [
                "type": .string(disclosed.typeName), "value": disclosed, "salt_b64u": "c2FsdHNhbHQ",
            ]
            let leafText = "args.id:" + JSONWriter.text(.object(leaf), order: .canonical)
            let root = JSONValue.array([.string(Digest(hashing: leafText).b64u)]).canonicalDigest.b64u
            var shown = leaf
            shown["value"] = "4711"
            let payload: JSONObject = [
                "receipt_version": "2", "receipt_id": "t1", "tool_name": "issue", "args_hash_b64u": .string(root),
                "result_hash_b64u": .string(root), "hash_algorithm": "SHA-256",
                "agent_did": .string(maker.agent.publicKey.did), "timestamp": "2026-01-01T00:00:00Z",
                "latency_ms": 1, "args_salt_b64u": "c2FsdHNhbHQ", "result_salt_b64u": "c2FsdHNhbHQ",
                "args_disclosure": [
                    "disclosure_algorithm": "vir_v2_typed_lexicographical", "merkle_root_b64u": .string(root),
                    "redacted_leaf_hashes_b64u": [], "disclosed_leaves": ["args.id": .object(shown)],
                ],
            ]
            var envelope = try #require(maker.envelope("tool_receipt", payload, by: maker.gateway).object)
            envelope["envelope_version"] = "2"
            let hash = try #require(envelope["payload_hash_b64u"]?.string)
            envelope["co_signatures"] = [
                [
                    "signature_b64u": .string(try coSigner.sign(Array(hash.utf8)).b64u), "algorithm": "Ed25519",
                    "signer_did": .string(maker.agent.publicKey.did), "issued_at": "2026-01-01T00:00:00Z",
                    "role": "approver",
                ]
            ]
            return maker.core(
                try maker.bundle(maker.payload(events, more: ["tool_receipts": [.object(envelope)]])))
        }
        #expect(try verdict(coSigner: maker.agent).status == .valid)
        let foreign = try verdict(coSigner: maker.gateway)
        #expect(foreign.code == "CO_SIGNATURE_INVALID")
        #expect(foreign.field == "payload.tool_receipts[0].co_signatures[0].signature_b64u")
        #expect(try verdict(coSigner: maker.agent, disclosed: "4712").code == "DISCLOSURE_ROOT_MISMATCH")
    }

    @Test func attestationsCountWhenSignedAboutTheAgentByAKnownAttester() throws {
        func verdict(subject: String, known: Bool) throws -> ReferenceVerdict {
            var attestation: JSONObject = [
                "attestation_id": "a1", "attestation_type": "third_party",
                "attester_did": .string(maker.gateway.publicKey.did), "subject_did": .string(subject),
                "signature_b64u": "",
            ]
            let text = JSONWriter.bytes(.object(attestation), order: .canonical)
            attestation["signature_b64u"] = .string(try maker.gateway.sign(text).b64u)
            var options = maker.options
            if known { options.members["allowlistedAttesterDids"] = [.string(maker.gateway.publicKey.did)] }
            let payload = maker.payload(maker.events(), more: ["attestations": [.object(attestation)]])
            return maker.core(try maker.bundle(payload), options)
        }
        let agent = maker.agent.publicKey.did
        #expect(try verdict(subject: agent, known: true).proofTier == .sandbox)
        #expect(try verdict(subject: agent, known: true).trustTier == .verified)
        #expect(try verdict(subject: agent, known: false).proofTier == .selfSigned)
        #expect(try verdict(subject: maker.gateway.publicKey.did, known: true).proofTier == .selfSigned)
    }

    @Test func commandLineWantsEveryReceiptToCount() throws {
        let events = maker.events()
        func code(_ receipts: [JSONValue], _ options: ReferenceOptions) throws -> String {
            let bundle = try maker.bundle(maker.payload(events, receipts: receipts))
            return ReferenceCommandLine(options: options, now: maker.now).verify(bundle).reasonCode
        }
        let bound = try maker.receipt("r1", boundTo: events[0])
        let unbound = try maker.receipt("r2", boundTo: nil)
        let tooMany = try maker.receipt("r3", boundTo: events[0], tokens: 10_000_001)
        #expect(try code([bound], maker.options) == "OK")
        #expect(try code([bound, unbound], maker.options) == "RECEIPT_BINDING_MISMATCH")
        #expect(try code([bound, tooMany], maker.options) == "RECEIPT_VERIFICATION_FAILED")
        #expect(try code([bound], ReferenceOptions()) == "DEPENDENCY_NOT_CONFIGURED")
    }

    @Test func commitReferencesAreSignedOverTheirCanonicalText() throws {
        var document: JSONObject = [
            "version": "m1", "type": "message_signature", "algo": "ed25519",
            "did": .string(maker.agent.publicKey.did), "message": "commit:0123abc", "createdAt": "2026-01-01T00:00:00Z",
            "signature": "",
        ]
        let signature = try maker.agent.sign(JSONWriter.bytes(.object(document), order: .canonical))
        document["signature"] = .string(Data(signature.bytes).base64EncodedString())
        func code(_ change: JSONObject) -> String {
            var changed = document
            for member in change.members { changed[member.key] = member.value }
            return ReferenceCommandLine.verify(commitSignature: .object(changed)).reasonCode
        }
        #expect(code([:]) == "OK")
        #expect(code(["message": "commit:0123abd"]) == "SIGNATURE_INVALID")
        #expect(code(["message": "commit:xyz"]) == "COMMIT_MESSAGE_INVALID")
        #expect(code(["did": "did:web:harborline.example"]) == "INVALID_DID_FORMAT")
        #expect(code(["signature": ""]) == "MALFORMED_ENVELOPE")
    }

    @Test func textsPastTheLimitsAreRefused() {
        let deep = Array(String(repeating: "[", count: 1_000).utf8)
        #expect(throws: JSONError.self) {
            try ReferenceVerifier.core.verify(text: deep, options: maker.options, now: maker.now)
        }
    }
}

/// Dates and signatures as loosely as the reference reads them.
struct ReferenceFormsTests {
    @Test func schemaDatesNeedAnOffset() {
        for text in [
            "2026-03-01T12:00:00Z", "2026-03-01 12:00:00.5+02", "2026-12-31T23:59:60Z", "2024-02-29t00:00:00z",
        ] {
            #expect(ReferenceDate.isDateTime(text), "\(text)")
        }
        for text in [
            "2026-03-01T12:00:00", "2026-03-01", "2026-02-29T00:00:00Z", "2026-03-01T12:00Z", "2026-03-01T12:00:60Z",
            "2026-03-01T24:00:00Z", "", "2026-03-01T12:00:00+24:00",
        ] { #expect(!ReferenceDate.isDateTime(text), "\(text)") }
    }

    @Test func otherDatesNeedLess() {
        #expect(ReferenceDate.milliseconds("1970-01-02") == 86_400_000)
        #expect(ReferenceDate.milliseconds("1970-01-01T00:00:01.2349Z") == 1_234)
        #expect(ReferenceDate.milliseconds("1970-01-01T01:00:00+01:00") == 0)
        #expect(ReferenceDate.milliseconds("2000-03-01T00:00:00Z") == 951_868_800_000)
        #expect(ReferenceDate.milliseconds("soon") == nil)
        #expect(ReferenceDate.milliseconds("2026-12-31T23:59:60Z") == nil)
    }

    @Test func unusedBitsOfASignatureAreOverlooked() throws {
        let maker = try BundleMaker()
        let signature = try maker.agent.sign(Array("m".utf8)).b64u
        let did = maker.agent.publicKey.did
        #expect(ReferenceSignature.holds(signature, by: did, over: "m"))
        let last = try #require(signature.last)
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        let position = try #require(letters.firstIndex(of: last))
        let loose = String(signature.dropLast()) + String(letters[position | 1])
        #expect(ReferenceSignature.holds(loose, by: did, over: "m"))
        #expect(!ReferenceSignature.holds(loose, by: did, over: "n"))
    }
}
