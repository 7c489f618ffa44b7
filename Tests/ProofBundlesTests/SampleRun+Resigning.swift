import ClawWire
import ReceiptLog
import Testing

@testable import ProofBundles

extension SampleRun {
    /// Signs an export bundle again, so that only what is inside can give a lie away.
    static func resigned(_ export: JSONValue) throws -> JSONValue {
        var object = try #require(export.object)
        for key in ["bundle_hash_b64u", "hash_algorithm", "signature_b64u", "algorithm"] { object[key] = nil }
        let signer = signer("envelope")
        var bundle = try #require(object["artifacts"]?["proof_bundle_envelope"]?.object)
        var payload = try #require(bundle["payload"]?.object)
        var metadata = try #require(payload["metadata"]?["clawgrant"]?.object)
        let evidence = try #require(object["metadata"]?["clawgrant"])
        metadata["evidence_sha256_b64u"] = .string(evidence.canonicalDigest.b64u)
        payload["metadata"] = ["clawgrant": .object(metadata)]
        bundle = try #require(
            SignedEnvelope.sign(
                type: "proof_bundle", payload: payload, rule: .document, signer: signer,
                issuedAt: noon.adding(seconds: 180)
            ).json.object)
        object["artifacts"] = ["proof_bundle_envelope": .object(bundle)]
        let bytes = JSONWriter.bytes(.object(bundle), order: .canonical)
        var manifest = try #require(object["manifest"]?.object)
        var entry = try #require(manifest["entries"]?.array?.first?.object)
        entry["sha256_b64u"] = .string(Digest(hashing: bytes).b64u)
        entry["size_bytes"] = .integer(bytes.count)
        manifest["entries"] = [.object(entry)]
        object["manifest"] = .object(manifest)
        let hash = JSONValue.object(object).canonicalDigest.b64u
        object["bundle_hash_b64u"] = .string(hash)
        object["hash_algorithm"] = "SHA-256"
        object["signature_b64u"] = .string(try signer.sign(Array(hash.utf8)).b64u)
        object["algorithm"] = "Ed25519"
        return .object(object)
    }

    /// An export bundle with its evidence changed, signed again.
    static func retold(
        _ export: JSONValue, _ change: (inout JSONObject) throws -> Void
    ) throws -> JSONValue {
        var object = try #require(export.object)
        var evidence = try #require(object["metadata"]?["clawgrant"]?.object)
        try change(&evidence)
        object["metadata"] = ["clawgrant": .object(evidence)]
        return try resigned(.object(object))
    }

    /// An export bundle whose proof bundle is changed, signed again. Of a changed call the entry of the chain follows.
    static func rebundled(
        _ export: JSONValue, _ change: (inout JSONObject) throws -> Void
    ) throws -> JSONValue {
        var object = try #require(export.object)
        var bundle = try #require(object["artifacts"]?["proof_bundle_envelope"]?.object)
        var payload = try #require(bundle["payload"]?.object)
        try change(&payload)
        let hashes = (payload["receipts"]?.array ?? []).map { receipt in
            ("call:\(receipt["payload"]?["receipt_id"]?.string ?? "")", receipt["payload"]?.documentDigest)
        }
        var renamed: [String: Digest] = [:]
        var previous: Digest?
        let chain = try RunEvent.chain(payload["event_chain"]?.array ?? []).map { event in
            let hash = hashes.first { $0.0 == event.id }?.1 ?? event.payloadHash
            let again = RunEvent(
                id: event.id, runID: event.runID, type: event.type, timestamp: event.timestamp, payloadHash: hash,
                previousHash: previous)
            previous = again.hash
            renamed[event.hash.b64u] = again.hash
            return again
        }
        payload["event_chain"] = .array(chain.map(\.json))
        payload["tool_receipts"] = try payload["tool_receipts"]?.array.map { tools in
            .array(try tools.map { try rebound($0, renamed) })
        }
        bundle["payload"] = .object(payload)
        object["artifacts"] = ["proof_bundle_envelope": .object(bundle)]
        return try resigned(.object(object))
    }

    private static func rebound(_ tool: JSONValue, _ renamed: [String: Digest]) throws -> JSONValue {
        guard var object = tool.object, var payload = object["payload"]?.object,
            var binding = payload["binding"]?.object, let old = binding["event_hash_b64u"]?.string,
            let new = renamed[old], new.b64u != old
        else { return tool }
        binding["event_hash_b64u"] = .string(new.b64u)
        payload["binding"] = .object(binding)
        object["payload"] = .object(payload)
        let hash = JSONValue.object(payload).documentDigest.b64u
        let signature = JSONValue.string(try signer("envelope").sign(Array(hash.utf8)).b64u)
        object["payload_hash_b64u"] = .string(hash)
        object["signature_b64u"] = signature
        object["co_signatures"] = object["co_signatures"]?.array.map { others in
            .array(
                others.map { other in
                    var other = other.object ?? [:]
                    other["signature_b64u"] = signature
                    return .object(other)
                })
        }
        return .object(object)
    }

    /// Takes out what approvers signed.
    static func stripApprovals(_ evidence: inout JSONObject) {
        evidence["approvals"] = evidence["approvals"]?.array.map { approvals in
            .array(
                approvals.map { approval in
                    var approval = approval.object ?? [:]
                    approval["inputs"] = approval["inputs"]?.array.map { inputs in
                        .array(
                            inputs.map { input in
                                var input = input.object ?? [:]
                                input["envelope"] = nil
                                return .object(input)
                            })
                    }
                    return .object(approval)
                })
        }
    }

    /// The log's receipt of a call.
    static func leaf(_ call: GatewayCall) -> Receipt {
        Receipt(
            content: .gatewayReceipt(
                Receipt.GatewayCall(
                    signerDID: call.envelope.signerDID, receiptID: call.receiptID, payloadHash: call.payloadHash,
                    calledAt: call.timestamp, provider: call.provider, model: call.model,
                    inputTokens: call.tokensInput, outputTokens: call.tokensOutput, scopeHash: call.scopeHash?.b64u,
                    policyHash: call.policyHash?.b64u, runID: call.runID)),
            subject: subject(agent), provenance: provenance(), occurredAt: call.timestamp)
    }

    /// A sample whose calls are in the log.
    static func loggedMaterial(
        _ calls: [Int64] = [5, 30], leaves: Int = .max, change: @escaping (inout RunMaterial) throws -> Void = { _ in }
    ) throws -> RunMaterial {
        var options = Options(calls: calls)
        options.leaves = try material(options).calls.prefix(leaves).map { leaf($0) }
        options.change = change
        return try material(options)
    }

    static func logged(
        _ calls: [Int64] = [5, 30], leaves: Int = .max, change: @escaping (inout RunMaterial) throws -> Void = { _ in }
    ) throws -> JSONValue {
        try BundleAssembler.assemble(
            RunRecord(try loggedMaterial(calls, leaves: leaves, change: change)), signer: signer("envelope")
        ).exportBundle
    }
}
