import ApprovalSources
import ClawWire
import DevStack
import Foundation
import GrantVerifier
import IssuanceRules
import ReceiptLog
import Testing
import Yams

/// How schemas may change, and what a reader of this version makes of the next one's records.
enum EvolutionTests {
    /// The schemas against their first versions.
    @Suite(.enabled(if: Peers.areThere, "the Python packages are missing: ./dev test installs them"))
    struct SchemaTests {
        private static let first = Peers.folder.appendingPathComponent("FirstVersions").path

        @Test func nothingThatReadersRelyOnHasChanged() async throws {
            let (code, lines) = try await Peers.run("compatibility", [Peers.document, Self.first])
            #expect(code == 0, "\(lines.joined(separator: "\n"))")
            #expect(lines.last?.hasSuffix(": 0 broken") == true)
        }

        /// The lines about each change of a schema, a value at a path.
        private func told(
            _ file: String, _ changes: [(path: [String], value: JSONValue?)]
        ) async throws -> [[String]] {
            let home = try TemporaryDirectory(prefix: "claw-schemas")
            defer { home.close() }
            let old = URL(fileURLWithPath: "\(Self.first)/\(file)")
            let first = try #require(try JSONReader.parse(Array(try Data(contentsOf: old))).object)
            var folders: [String] = []
            for (index, change) in changes.enumerated() {
                let folder = home.path("\(index)")
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                var schema = first
                set(&schema, change.path, change.value)
                try Data(JSONWriter.bytes(.object(schema))).write(to: URL(fileURLWithPath: "\(folder)/\(file)"))
                folders.append(folder)
            }
            let (_, lines) = try await Peers.run("compatibility", [Peers.document, Self.first] + folders)
            let cases = lines.split(omittingEmptySubsequences: false) { $0.hasPrefix("case ") }.dropFirst()
            try #require(cases.count == changes.count, "\(lines)")
            return cases.map { $0.filter { $0.contains(" \(file)") } }
        }

        private func set(_ schema: inout JSONObject, _ path: [String], _ value: JSONValue?) {
            guard let key = path.first else { return }
            guard path.count > 1 else {
                schema[key] = value
                return
            }
            var inner = schema[key]?.object ?? JSONObject()
            set(&inner, Array(path.dropFirst()), value)
            schema[key] = .object(inner)
        }

        @Test func ofWhatIsSentNothingMayGoOrWiden() async throws {
            let file = "revocation.v1.json"
            let changes: [(path: [String], value: JSONValue?)] = [
                (["properties", "token_hash"], nil), (["properties", "revocation_version", "const"], "2"),
                (["properties", "reason", "type"], "object"), (["properties", "reason", "maxLength"], 512),
                (["required"], ["token_hash"]),
                (["properties", "token_hash", "$ref"], "receipt.v1.json#/$defs/digest"),
                (["additionalProperties"], true),
            ]
            for (change, lines) in zip(changes, try await told(file, changes)) {
                #expect(lines.contains { $0.hasPrefix("broken") }, "\(change): \(lines)")
            }
            let harmless: [(path: [String], value: JSONValue?)] = [
                (["properties", "site"], ["type": "string"]), (["description"], "Other words."),
                (["properties", "reason", "maxLength"], 100),
            ]
            let told = try await told(file, harmless)
            for (change, lines) in zip(harmless, told) {
                #expect(!lines.contains { $0.hasPrefix("broken") }, "\(change): \(lines)")
            }
            #expect(told.first == ["added revocation.v1.json.site: a member more"])
        }

        @Test func ofWhatIsReceivedNothingMayBeDemandedOrNarrow() async throws {
            let file = "approval.decision.v1.json"
            let changes: [(path: [String], value: JSONValue?)] = [
                (["required"], ["approval_id", "decision", "job_class"]), (["properties", "ticket"], nil),
                (["properties", "decision", "enum"], ["approved", "denied"]), (["additionalProperties"], false),
                (["$defs", "identifier", "maxLength"], 64), (["$defs", "identifier", "pattern"], "^[a-z]+$"),
            ]
            for (change, lines) in zip(changes, try await told(file, changes)) {
                #expect(lines.contains { $0.hasPrefix("broken") }, "\(change): \(lines)")
            }
            let harmless: [(path: [String], value: JSONValue?)] = [
                (["properties", "site"], ["type": "string"]), (["required"], ["approval_id"]),
                (
                    ["properties", "decision", "enum"],
                    ["approved", "denied", "canceled", "timed_out", "ended", "escalated"]
                ),
                (["$defs", "identifier", "maxLength"], 1_024),
            ]
            for (change, lines) in zip(harmless, try await told(file, harmless)) {
                #expect(!lines.contains { $0.hasPrefix("broken") }, "\(change): \(lines)")
            }
        }
    }

    /// Records of the next version, read by this one.
    @Suite struct ReaderTests {
        // MARK: What the worker reads

        private static let time = Timestamp(seconds: 1_795_165_200)

        private func read(_ type: String, _ data: JSONValue, kind: SourceConfiguration.Kind = .native) -> SourceReading
        {
            var configuration = SourceConfiguration(name: SourceName("itsm"), kind: kind, authenticity: .topic)
            configuration.trustedStopSources = ["/soc/harborline"]
            let event = CloudEvent(
                id: "e", source: "/soc/harborline", type: type, time: Self.time, data: .json(data))
            let message = event.message(.structured)
            let record = SourceRecord(
                topic: "claw.approvals.decisions.v1", headers: message.headers, value: message.value)
            var signatures = BatchSignatureCache()
            return kind == .native
                ? NativeSource.facts(from: record, configuration: configuration, at: Self.time, signatures: &signatures)
                : CapabilityRequestSource.facts(
                    from: record, configuration: configuration, at: Self.time, signatures: &signatures)
        }

        private static let decision: JSONValue = [
            "approval_id": "apr-1", "decision": "approved", "requester": ["id": "avery"],
            "approvers": [["id": "mina", "kind": "human"]], "entitlement": ["kind": "group", "id": "g"],
        ]

        private func changed(_ key: String, _ value: JSONValue, in data: JSONValue = decision) -> JSONValue {
            var object = data.object ?? JSONObject()
            object[key] = value
            return .object(object)
        }

        private func reason(_ reading: SourceReading) -> String? {
            if case .deadLetter(let fault) = reading { fault.reason.rawValue } else { nil }
        }

        private func contents(_ reading: SourceReading) -> [Fact.Content] {
            if case .facts(let facts, _) = reading { facts.map(\.content) } else { [] }
        }

        @Test func newMembersOfDecisionsAreLeftAside() {
            let known = contents(read(EventType.decision, Self.decision))
            #expect(!known.isEmpty)
            for data in [
                changed("risk", ["score": 7]), changed("requester", ["id": "avery", "badge": "7"]),
                changed("approvers", [["id": "mina", "kind": "human", "device": "d"]]),
                changed("entitlement", ["kind": "group", "id": "g", "owner": "o"]),
            ] {
                #expect(contents(read(EventType.decision, data)) == known)
            }
        }

        @Test func unknownWordsNeverApprove() {
            for data in [
                changed("decision", "approved_with_conditions"), changed("decision", "Approved"),
                changed("approvers", [["id": "mina", "kind": "delegate"]]),
                changed("entitlement", ["kind": "okta_group", "id": "g"]),
            ] {
                #expect(reason(read(EventType.decision, data)) == "invalid_value", "\(data)")
            }
            #expect(reason(read("com.clawbureau.approval.decision.v2", Self.decision)) == "unsupported_type")
        }

        @Test func unknownWordsOfAStopWidenIt() throws {
            let stop: JSONValue = [
                "stop_id": "s", "scope": ["kind": "job_class", "value": "c"], "action": "deny_new",
            ]
            func declared(_ data: JSONValue) throws -> StopDeclaration {
                let content = try #require(contents(read(EventType.stopDeclared, data)).first)
                guard case .stopDeclared(let stop) = content else {
                    throw DevStackError(.commandFailed, "\(content) is no stop")
                }
                return stop
            }
            #expect(try !declared(stop).isWidened)
            #expect(try !declared(changed("ticket", "T-1", in: stop)).isWidened)
            #expect(try declared(changed("scope", ["kind": "region", "value": "eu"], in: stop)).isWidened)
            #expect(try declared(changed("action", "freeze", in: stop)).isWidened)
        }

        @Test func newMembersOfARequestAreRefusedBecauseTheyMayRestrict() throws {
            let text = try String(
                contentsOf: Peers.root.appendingPathComponent("topics/schemas/capability_request.v1.json"),
                encoding: .utf8)
            let example = try #require(try JSONReader.parse(text)["examples"]?.array?.first)
            let type = EventType.capabilityRequest
            #expect(!contents(read(type, example, kind: .capabilityRequest)).isEmpty)
            #expect(
                reason(read(type, changed("only_between", "09-17", in: example), kind: .capabilityRequest))
                    == "unknown_member")
            #expect(reason(read(type, changed("request_version", "2", in: example), kind: .capabilityRequest)) != nil)
        }

        // MARK: What others read of the worker

        /// The payload of a message's first example.
        private static func example(_ message: String) throws -> JSONObject {
            let document = try compose(yaml: try String(contentsOfFile: Peers.document, encoding: .utf8))
            let examples = document?["components"]?["messages"]?[message]?["examples"]?.sequence
            let payload = try #require(examples?.first?["payload"])
            return try #require(json(payload).object)
        }

        private static func json(_ node: Node) -> JSONValue {
            switch node {
            case .mapping(let mapping):
                .object(JSONObject(mapping.map { ($0.key.string ?? "", json($0.value)) }))
            case .sequence(let sequence): .array(sequence.map(json))
            case .scalar(let scalar):
                if node.tag == Tag(.str) {
                    .string(scalar.string)
                } else if let flag = node.bool {
                    .bool(flag)
                } else {
                    node.float.map { .number($0) } ?? .null
                }
            case .alias: .null
            }
        }

        private func bytes(_ object: JSONObject) -> [UInt8] { JSONWriter.bytes(.object(object), order: .canonical) }

        private static let readers: [(message: String, version: String, read: @Sendable ([UInt8]) throws -> Void)] = [
            ("grant", "grant_version", { _ = try PublishedGrant(parsing: $0) }),
            ("decision", "response_version", { _ = try DecisionRecord(parsing: $0) }),
            ("revocation", "revocation_version", { _ = try RevocationRecord(parsing: $0) }),
            ("cutoff", "cutoff_version", { _ = try CutoffRecord(parsing: $0) }),
            ("deadLetter", "dead_letter_version", { _ = try DeadLetterRecord(parsing: $0) }),
            ("finding", "finding_version", { _ = try FindingRecord(parsing: $0) }),
            ("budgetMark", "budget_version", { _ = try BudgetRecord(parsing: $0) }),
        ]

        @Test func outputsOfTheNextVersionAreRefusedAndNeverMisread() throws {
            for (message, version, read) in Self.readers {
                let example = try Self.example(message)
                #expect(throws: Never.self) { try read(bytes(example)) }
                var next = example
                next[version] = "2"
                #expect(throws: EvidenceError.self, "\(message)") { try read(bytes(next)) }
                var more = example
                more["zone"] = "eu"
                #expect(throws: EvidenceError.self, "\(message)") { try read(bytes(more)) }
            }
        }

        @Test func unknownWordsInOutputsAreRefused() throws {
            var revocation = try Self.example("revocation")
            revocation["cause"] = "weather"
            #expect(throws: EvidenceError.self) { try RevocationRecord(parsing: bytes(revocation)) }
            var cutoff = try Self.example("cutoff")
            cutoff["scope"] = ["kind": "region", "value": "eu"]
            #expect(throws: EvidenceError.self) { try CutoffRecord(parsing: bytes(cutoff)) }
            let batch = try Self.example("receiptBatch")
            var receipt = try #require(batch["receipts"]?.array?.first?.object)
            #expect(throws: Never.self) { try Receipt(parsing: bytes(receipt)) }
            receipt["kind"] = "grant.lent"
            #expect(throws: EvidenceError.self) { try Receipt(parsing: bytes(receipt)) }
        }

        /// A gateway that meets a revocation it cannot read does not go on as if there were none.
        @Test func aViewWithARevocationOfTheNextVersionIsNotComplete() throws {
            let head = try Self.example("revocationHead")
            let did = try #require(head["signature"]?["signer_did"]?.string)
            let key = try #require(Ed25519PublicKey(did: did))
            let logID = LogID(try #require(head["log_id"]?.string))
            var state = RevocationState(logID: logID, logKeys: [key])
            var revocation = try Self.example("revocation")
            let hash = try #require(revocation["token_hash"]?.string)
            revocation["revocation_version"] = "2"
            let outcome = state.apply(
                RevocationTopicRecord(
                    key: Array(hash.utf8), value: bytes(revocation), sequence: SequenceNumber(0)))
            guard case .refused(let fault) = outcome else {
                Issue.record("it was taken: \(outcome)")
                return
            }
            #expect(fault.code == .unreadable)
            state.apply(
                RevocationTopicRecord(key: Array("head".utf8), value: bytes(head), sequence: nil))
            #expect(!state.isComplete)
        }
    }
}
