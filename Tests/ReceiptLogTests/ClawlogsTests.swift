import ClawWire
import ReceiptLog
import TestSupport
import Testing

struct ClawlogsTests {
    private func leaves(_ count: Int) -> [Digest] { (0..<count).map { Digest(hashing: "leaf:\($0)") } }

    private func proof(_ size: Int, _ index: Int) throws -> LogInclusionProof {
        let tree = ClawlogsTree(leaves: leaves(size))
        let root = try LogInclusionProof.SignedRoot(
            tree: tree, logID: Samples.logID, publishedAt: Samples.noon, signer: Samples.signer)
        return try #require(LogInclusionProof(tree: tree, index: index, signedRoot: root))
    }

    private func refusal(_ value: JSONValue) -> LogInclusionProof.Refusal? {
        do {
            _ = try LogInclusionProof.verify(value)
            return nil
        } catch {
            return error
        }
    }

    @Test func rootsAndPathsByOwnVectors() {
        #expect(ClawlogsTree(leaves: []).root.b64u == "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU")
        #expect(ClawlogsTree(leaves: leaves(1)).root == leaves(1)[0])
        let three = leaves(3)
        let left = Digest(hashing: three[0].bytes + three[1].bytes)
        let right = Digest(hashing: three[2].bytes + three[2].bytes)
        #expect(ClawlogsTree(leaves: three).root == Digest(hashing: left.bytes + right.bytes))
        #expect(ClawlogsTree(leaves: three).auditPath(of: 2) == [three[2], left])
        // The weakness that keeps this rule from being ours: a repeated last leaf does not show.
        #expect(ClawlogsTree(leaves: three).root == ClawlogsTree(leaves: three + [three[2]]).root)
    }

    @Test func builtProofsVerify() throws {
        for size in 1...20 {
            for index in 0..<size {
                let built = try proof(size, index)
                #expect(try LogInclusionProof.verify(built.json) == built)
                #expect(
                    try LogInclusionProof.verifyStrictly(
                        built.json, logKey: Samples.signer.publicKey, logID: Samples.logID) == built)
            }
        }
    }

    @Test func proofOfAnotherTreeIsNotMade() throws {
        let tree = ClawlogsTree(leaves: leaves(4))
        let root = try LogInclusionProof.SignedRoot(
            tree: ClawlogsTree(leaves: leaves(5)), logID: Samples.logID, publishedAt: Samples.noon,
            signer: Samples.signer)
        #expect(LogInclusionProof(tree: tree, index: 0, signedRoot: root) == nil)
    }

    @Test func strictVerificationCoversLogSizeAndTime() throws {
        let original = try #require(try proof(5, 3).json.object)
        for (member, value) in [
            ("log_id", "another.example/log"), ("tree_size", 6), ("root_published_at", "2026-03-02T12:00:00.000Z"),
        ] as [(String, JSONValue)] {
            var altered = original
            altered[member] = value
            // The reference's rule does not see the change, ours does.
            #expect(refusal(.object(altered)) == nil)
            #expect(throws: LogInclusionProof.Refusal.self) {
                try LogInclusionProof.verifyStrictly(
                    .object(altered), logKey: Samples.signer.publicKey, logID: Samples.logID)
            }
        }
        #expect(throws: LogInclusionProof.Refusal.self) {
            try LogInclusionProof.verifyStrictly(
                .object(original), logKey: Samples.signer("other").publicKey, logID: Samples.logID)
        }
    }

    @Test func refusalsCarryTheReferencesCodes() throws {
        let original = try #require(try proof(5, 3).json.object)
        func code(_ change: (inout JSONObject) -> Void) -> String? {
            var altered = original
            change(&altered)
            return refusal(.object(altered)).map { "\($0.code.rawValue) \($0.field ?? "")" }
        }
        #expect(code { $0["ok"] = true } == "SCHEMA_VALIDATION_FAILED ok")
        #expect(code { $0["proof_version"] = "2" } == "SCHEMA_VALIDATION_FAILED proof_version")
        #expect(code { $0["tree_size"] = -1 } == "SCHEMA_VALIDATION_FAILED tree_size")
        #expect(code { $0["tree_size"] = 0 } == "INCLUSION_PROOF_INVALID tree_size")
        #expect(code { $0["tree_size"] = 9 } == "INCLUSION_PROOF_INVALID audit_path")
        #expect(code { $0["metadata"] = ["leaf_index": 5] } == "INCLUSION_PROOF_INVALID metadata.leaf_index")
        #expect(code { $0["metadata"] = nil } == "INCLUSION_PROOF_INVALID metadata.leaf_index")
        #expect(code { $0["metadata"] = ["leaf_index": 2] } == "INCLUSION_PROOF_INVALID ")
        #expect(code { $0["leaf_hash_b64u"] = "AAAA" } == "SCHEMA_VALIDATION_FAILED leaf_hash_b64u")
        #expect(
            code { $0["root_signature"] = ["signer_did": "did:web:logs.example", "sig_b64u": "AAAAAAAA"] }
                == "INVALID_DID_FORMAT root_signature.signer_did")
        #expect(
            code { $0["root_hash_b64u"] = .string(Digest(hashing: "x").b64u) }
                == "SIGNATURE_INVALID root_signature.sig_b64u")
        #expect(refusal("text")?.code == .schemaValidationFailed)
    }

    @Test(.enabled(if: SharedVectors.arePresent)) func referenceTrees() throws {
        for vector in try #require(try SharedVectors.load("merkle")["trees"]?.array) {
            let size = Int(try #require(vector["tree_size"]?.integer))
            let tree = ClawlogsTree(leaves: leaves(size))
            #expect(tree.root.b64u == vector["root_hash_b64u"]?.string)
            for expected in try #require(vector["proofs"]?.array) {
                let index = Int(try #require(expected["leaf_index"]?.integer))
                #expect(tree.auditPath(of: index)?.map(\.b64u) == expected["audit_path"]?.array?.compactMap(\.string))
            }
        }
    }

    @Test(.enabled(if: SharedVectors.arePresent)) func referenceProofs() throws {
        for vector in try #require(try SharedVectors.load("inclusion-proofs")["cases"]?.array) {
            let found = refusal(try #require(vector["proof"]))
            let name = vector["name"]?.string ?? ""
            #expect((found == nil) == (vector["valid"]?.bool ?? false), "\(name)")
            #expect(found?.code.rawValue == vector["error"]?.string, "\(name)")
            #expect(found?.field == vector["field"]?.string, "\(name)")
        }
        let golden = try SharedVectors.load("fixtures/log_inclusion_proof_golden.v1")
        #expect(refusal(try #require(golden["inclusion_proof_v1"])) == nil)
    }
}
