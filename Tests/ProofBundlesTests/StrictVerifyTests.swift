import ClawWire
import Foundation
import ReceiptLog
import TestSupport
import Testing

@testable import ProofBundles

/// The strict verifier on our own samples and on what can be done to them.
struct StrictVerifyTests {
    private func codes(_ value: JSONValue, at time: Timestamp = SampleRun.now) -> Set<String> {
        Set(SampleRun.verify(value, at: time).failures.map(\.code))
    }

    private func failures(_ verification: Verification) -> String {
        verification.checks.filter { $0.outcome != .passed }.map { "\($0.code) \($0.path): \($0.detail)" }
            .joined(separator: "\n")
    }

    @Test func theSampleIsValid() throws {
        let verification = SampleRun.verify(try SampleRun.assembled().exportBundle)
        #expect(verification.verdict == .valid, "\(failures(verification))")
        #expect(verification.exitCode == 0)
        #expect(verification.kind == .exportBundle)
    }

    @Test func aProofBundleAloneIsUndetermined() throws {
        let verification = SampleRun.verify(try SampleRun.assembled().proofBundle)
        #expect(verification.verdict == .undetermined, "\(failures(verification))")
        #expect(verification.checks.contains { $0.code == "EVIDENCE_NOT_GIVEN" })
    }

    @Test func nothingUnsignedIsValid() throws {
        let run = try SampleRun.assembled()
        let payload = try #require(run.proofBundle["payload"])
        #expect(codes(payload) == ["UNSIGNED_PAYLOAD"])
        let receipt = try #require(run.evidence["receipts"]?.array?.first?["text"]?.string)
        let alone = ProofVerifier.verify(Array(receipt.utf8), trust: SampleRun.trust, now: SampleRun.now)
        #expect(alone.verdict == .undetermined && alone.kind == .receipt)
    }

    @Test func nobodyIsTrustedByDefault() throws {
        let bytes = try SampleRun.assembled().fileBytes
        let verification = ProofVerifier.verify(bytes, trust: TrustConfiguration(), now: SampleRun.now)
        #expect(verification.verdict == .invalid)
        #expect(Set(verification.failures.map(\.code)).isSuperset(of: ["SIGNER_UNKNOWN", "LOG_UNKNOWN"]))
    }

    @Test func everyUnknownSignerIsNamed() throws {
        let bytes = try SampleRun.assembled().fileBytes
        func path(_ change: (inout TrustConfiguration) -> Void) -> Set<String> {
            var trust = SampleRun.trust
            change(&trust)
            return Set(ProofVerifier.verify(bytes, trust: trust, now: SampleRun.now).failures.map(\.path))
        }
        let root = "artifacts.proof_bundle_envelope"
        #expect(path { $0.bundleSigners = [] } == ["issuer_did", "\(root).signer_did"])
        #expect(path { $0.gatewaySigners = [] }.contains("\(root).payload.receipts[0].signer_did"))
        #expect(path { $0.envelopeSigners = [] }.contains("\(root).payload.tool_receipts[1].signer_did"))
        #expect(path { $0.policySigners = [] } == ["metadata.clawgrant.policies[0].envelope.signer_did"])
        #expect(path { $0.approvers = [] }.contains("metadata.clawgrant.approvals[0].inputs[0].envelope.signer_did"))
        #expect(path { $0.logs = [] } == ["metadata.clawgrant.log.log_id"])
    }

    @Test func foreignAndExpiredApprovalsAreNamed() throws {
        func found(_ envelope: SignedEnvelope) throws -> Set<String> {
            codes(try SampleRun.assembled(SampleRun.Options(approvalEnvelope: envelope)).exportBundle)
        }
        #expect(try found(SampleRun.approvalEnvelope(agent: AgentDID("did:web:other.example"))) == ["APPROVAL_FOREIGN"])
        #expect(
            try found(SampleRun.approvalEnvelope(at: SampleRun.noon.adding(seconds: -900), ttl: 60))
                == ["HUMAN_APPROVAL_EXPIRED"])
        #expect(try found(SampleRun.approvalEnvelope(by: "stranger")) == ["APPROVER_UNKNOWN"])
    }

    @Test func callsOutsideTheTokensLifeAreNamed() throws {
        #expect(
            codes(try SampleRun.assembled(SampleRun.Options(calls: [5, 130])).exportBundle)
                == ["RECEIPT_AFTER_REVOCATION"])
        #expect(
            codes(try SampleRun.assembled(SampleRun.Options(revokedAfter: nil, calls: [5, 700])).exportBundle)
                == ["RECEIPT_AFTER_EXPIRY"])
        #expect(
            codes(try SampleRun.assembled(SampleRun.Options(calls: [-400])).exportBundle)
                == ["RECEIPT_BEFORE_ISSUANCE"])
    }

    @Test func setAsideCallsAreWeighed() throws {
        func export(_ call: @escaping (Digest?, Digest?) throws -> JSONValue) throws -> Verification {
            SampleRun.verify(
                try SampleRun.assembled(
                    SampleRun.Options(change: { material in
                        material.calls.append(
                            try GatewayCall(try call(material.calls[0].eventHash, material.calls[0].scopeHash)))
                    })
                ).exportBundle)
        }
        let noon = SampleRun.noon.adding(seconds: 9)
        let unbound = try export { _, scope in
            try SampleRun.call(7, event: Digest(hashing: "x"), scope: scope, at: noon)
        }
        #expect(unbound.verdict == .undetermined)
        #expect(unbound.checks.contains { $0.code == "CALL_NOT_BOUND" })
        let other = try export { event, scope in
            try SampleRun.call(7, event: event, scope: scope, at: noon, run: "job-other")
        }
        #expect(other.failures.map(\.code) == ["CALL_OTHER_RUN"])
        let late = try export { _, scope in
            try SampleRun.call(7, event: Digest(hashing: "x"), scope: scope, at: noon.adding(seconds: 200))
        }
        #expect(late.failures.map(\.code) == ["RECEIPT_AFTER_REVOCATION"])
        let shadow = try export { event, _ in
            try SampleRun.call(7, event: event, scope: Digest(hashing: "another"), at: noon)
        }
        #expect(shadow.failures.map(\.code) == ["CALL_SCOPE_UNKNOWN"])
    }

    @Test func missingPoliciesMakeItUndetermined() throws {
        let verification = SampleRun.verify(
            try SampleRun.assembled(SampleRun.Options(isPolicyKnown: false)).exportBundle)
        #expect(verification.verdict == .undetermined)
        #expect(verification.checks.contains { $0.code == "POLICY_NOT_GIVEN" })
    }

    // MARK: Tampering

    /// Paths to every leaf of a value.
    private func leaves(_ value: JSONValue, _ path: [String] = []) -> [[String]] {
        switch value {
        case .object(let object): object.members.flatMap { leaves($0.value, path + [$0.key]) }
        case .array(let array): array.enumerated().flatMap { leaves($0.element, path + ["\($0.offset)"]) }
        case .null, .bool, .number, .string: [path]
        }
    }

    private func altered(_ value: JSONValue, at path: ArraySlice<String>) -> JSONValue {
        guard let key = path.first else {
            return switch value {
            case .null: "null"
            case .bool(let bool): .bool(!bool)
            case .number(let number): .number(number + 1)
            case .string(let text):
                .string(text.isEmpty ? "x" : String(text.dropLast()) + (text.hasSuffix("A") ? "B" : "A"))
            case .array, .object: .null
            }
        }
        switch value {
        case .object(var object):
            object[key] = object[key].map { altered($0, at: path.dropFirst()) }
            return .object(object)
        case .array(var array):
            guard let index = Int(key), array.indices.contains(index) else { return value }
            array[index] = altered(array[index], at: path.dropFirst())
            return .array(array)
        case .null, .bool, .number, .string: return value
        }
    }

    @Test func everyAlteredMemberIsNoticed() throws {
        let export = try SampleRun.assembled().exportBundle
        let paths = leaves(export)
        #expect(paths.count > 150)
        for path in paths {
            let verification = SampleRun.verify(altered(export, at: path[...]))
            #expect(verification.verdict == .invalid, "\(path.joined(separator: "."))")
        }
    }

    /// What the assembler may say without anything else in the bundle to hold it to.
    private func isTheAssemblersWord(_ path: String) -> Bool {
        [
            "completeness.statement", "completeness.log_id", "completeness.first_position_read",
            "completeness.summary.", "assembled_at", "run.job_class", "run.agent_dids", "run.agent_chain",
            "log.sealed_at", "log.receipts",
        ].contains { path.hasPrefix($0) }
            // The dates of an envelope are not signed in this format.
            || path.hasSuffix(".issued_at")
            // Words for people.
            || path.hasSuffix(".merkle_algorithm")
    }

    @Test func aLieThatTheAssemblerSignsIsNamed() throws {
        let export = try SampleRun.assembled().exportBundle
        #expect(SampleRun.verify(try SampleRun.resigned(export)).verdict == .valid)
        let root = ["metadata", "clawgrant"]
        let evidence = try #require(export["metadata"]?["clawgrant"])
        for path in leaves(evidence) where !isTheAssemblersWord(path.joined(separator: ".")) {
            let lie = try SampleRun.resigned(altered(export, at: (root + path)[...]))
            let verification = SampleRun.verify(lie)
            #expect(verification.verdict == .invalid, "\(path.joined(separator: "."))")
            let section = "metadata.clawgrant.\(path[0])"
            #expect(
                verification.failures.contains { $0.path.hasPrefix(section) }
                    || verification.failures.contains { $0.path.hasPrefix("artifacts.") },
                "\(path.joined(separator: ".")): \(verification.failures.map(\.path))")
        }
    }

    @Test func leftOutReceiptsAreNamed() throws {
        let export = try SampleRun.assembled().exportBundle
        var object = try #require(export.object)
        var evidence = try #require(object["metadata"]?["clawgrant"]?.object)
        evidence["receipts"] = .array(Array(try #require(evidence["receipts"]?.array).dropLast()))
        object["metadata"] = ["clawgrant": .object(evidence)]
        let found = codes(try SampleRun.resigned(.object(object)))
        #expect(found.contains("RECEIPT_POSITION_MISSING"))
        #expect(found.contains("EVENT_UNPROVEN"))
    }

    @Test func anyBytesAreSurvived() throws {
        let bytes = try SampleRun.assembled().fileBytes
        var generator = SeededGenerator(seed: 4_711)
        for _ in 0..<80 {
            var mutated = bytes
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                let place = Int.random(in: 0..<mutated.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: mutated[place] = UInt8.random(in: .min ... .max, using: &generator)
                case 1: mutated.remove(at: place)
                case 2: mutated.insert(UInt8.random(in: 0x20...0x7E, using: &generator), at: place)
                default: mutated.removeSubrange(place..<min(mutated.count, place + 40))
                }
            }
            let verification = ProofVerifier.verify(mutated, trust: SampleRun.trust, now: SampleRun.now)
            if mutated != bytes, (try? JSONReader.parse(mutated)) != (try? JSONReader.parse(bytes)) {
                #expect(verification.verdict != .valid)
            }
        }
    }

    /// Every member of every object replaced by a value of another type.
    @Test func wrongTypesAreSurvived() throws {
        let export = try SampleRun.assembled().exportBundle
        let values: [JSONValue] = [nil, [], [:], 7, "x"]
        for (number, path) in leaves(export).enumerated() {
            for cut in 1...path.count where (number + cut) % 5 == 0 {
                for value in [values[number / 5 % 5], values[(number + cut) / 3 % 5]] {
                    let changed = replaced(export, at: path[..<cut], by: value)
                    #expect(changed == export || SampleRun.verify(changed).verdict != .valid)
                }
            }
        }
    }

    private func replaced(_ value: JSONValue, at path: ArraySlice<String>, by new: JSONValue) -> JSONValue {
        guard let key = path.first else { return new }
        switch value {
        case .object(var object):
            object[key] = object[key].map { replaced($0, at: path.dropFirst(), by: new) }
            return .object(object)
        case .array(var array):
            guard let index = Int(key), array.indices.contains(index) else { return value }
            array[index] = replaced(array[index], at: path.dropFirst(), by: new)
            return .array(array)
        case .null, .bool, .number, .string: return value
        }
    }
}
