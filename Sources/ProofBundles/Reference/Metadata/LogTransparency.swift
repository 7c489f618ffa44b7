import ClawWire
import ReceiptLog

/// `transparency` in a signed receipt's payload: proofs that a log lists the receipt.
enum LogTransparency {
    /// A leaf's content: its version, then the payload's members but some.
    static func leaf(_ version: String, _ payload: JSONObject, without absent: Set<String>) -> JSONObject {
        var leaf: JSONObject = ["leaf_version": .string(version)]
        for member in payload.members where !absent.contains(member.key) { leaf[member.key] = member.value }
        return leaf
    }

    /// Checks the inclusion proof against the receipt's leaf, and the consistency proof against the inclusion proof.
    ///
    /// Of a consistency proof between trees of different size only the ends are checked: the log's tree has no
    /// consistency proofs of its own (WIRE section 10).
    static func check(_ payload: Part, leaf: JSONObject, codes: MetadataCodes) throws(ReferenceRefusal) {
        guard let value = payload["transparency"] else { return }
        guard let object = value.object else {
            throw payload.refusal(codes.malformed, "transparency", "must be an object")
        }
        let transparency = Part(members: object, path: payload.field("transparency"))
        let inclusion = try transparency.part("inclusion_proof", else: codes.malformed)
        do throws(LogInclusionProof.Refusal) {
            _ = try LogInclusionProof.verify(.object(inclusion.members))
        } catch {
            throw ReferenceRefusal(
                error.code.rawValue, error.field.map { inclusion.field($0) } ?? inclusion.path, error.detail)
        }
        try inclusion.require(
            inclusion["leaf_hash_b64u"] == .string(JSONValue.object(leaf).documentDigest.b64u), codes.mismatch,
            "leaf_hash_b64u", "is not the receipt's leaf")
        guard transparency["consistency_proof"] != nil else { return }
        try checkConsistency(transparency.part("consistency_proof", else: codes.malformed), inclusion, codes)
    }

    private static func checkConsistency(
        _ proof: Part, _ inclusion: Part, _ codes: MetadataCodes
    ) throws(ReferenceRefusal) {
        try proof.constant("proof_version", "1", else: codes.malformed)
        try proof.filled("log_id", else: codes.malformed)
        guard let from = Loose.count(proof["from_tree_size"]), from > 0 else {
            throw proof.refusal(codes.malformed, "from_tree_size", "must be a whole number from 1")
        }
        guard let size = Loose.count(proof["to_tree_size"]), size > 0 else {
            throw proof.refusal(codes.malformed, "to_tree_size", "must be a whole number from 1")
        }
        let root = try proof.base64URL("from_root_hash_b64u", else: codes.malformed)
        try proof.base64URL("to_root_hash_b64u", else: codes.malformed)
        guard let path = proof["consistency_path"]?.array, path.allSatisfy({ Loose.base64URL($0) != nil }) else {
            throw proof.refusal(codes.malformed, "consistency_path", "must be an array of base64url")
        }
        try proof.require(proof["log_id"] == inclusion["log_id"], codes.mismatch, "log_id", "is another log")
        try proof.require(
            proof["to_tree_size"] == inclusion["tree_size"], codes.mismatch, "to_tree_size",
            "is not the size in the inclusion proof")
        try proof.require(
            proof["to_root_hash_b64u"] == inclusion["root_hash_b64u"], codes.mismatch, "to_root_hash_b64u",
            "is not the root in the inclusion proof")
        try proof.require(from <= size, codes.mismatch, "from_tree_size", "the log cannot shrink")
        guard from == size else { return }
        try proof.require(
            proof["to_root_hash_b64u"] == .string(root), codes.mismatch, "from_root_hash_b64u",
            "the same size has another root")
        try proof.require(path.isEmpty, codes.mismatch, "consistency_path", "must be empty for an unchanged size")
    }
}
