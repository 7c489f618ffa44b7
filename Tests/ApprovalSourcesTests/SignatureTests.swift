import ApprovalSources
import ClawWire
import IssuanceRules
import Testing

@Suite("Signed events")
struct SignatureTests {
    private typealias Fixtures = NativeFixtures
    private static let key = NativeFixtures.signer(7)
    private static let other = NativeFixtures.signer(8)
    private static let producer = NativeEventSigner(key)

    private static func configuration(
        classes: Set<JobClass>? = nil, _ change: (inout SourceConfiguration.Signer) -> Void = { _ in }
    ) -> SourceConfiguration {
        var signer = SourceConfiguration.Signer(publicKey: key.publicKey, jobClasses: classes)
        change(&signer)
        return NativeFixtures.configuration(.signed, signers: [signer])
    }

    @Test(
        "A signed event is taken in both modes, whatever intermediaries add",
        arguments: [CloudEvent.Mode.binary, .structured])
    func good(mode: CloudEvent.Mode) throws {
        var event = try Self.producer.sign(Fixtures.decision())
        event.extensions["traceparent"] = .string("00-aa-bb-01")
        let reading = Fixtures.read(event, Self.configuration(), mode: mode)
        #expect(reading.facts.count == 2)
        #expect(reading.evidence == .signed(by: Self.key.publicKey, form: .event))
        #expect(reading.evidence?.authenticity == .signed([Self.key.publicKey.kid]))
    }

    @Test("An unsigned event of a signed source is no evidence")
    func unsigned() {
        #expect(Fixtures.read(Fixtures.decision(), Self.configuration()).fault == .unsigned)
    }

    @Test("A key that is not listed proves nothing")
    func unlisted() throws {
        let event = try NativeEventSigner(Self.other).sign(Fixtures.decision())
        #expect(Fixtures.read(event, Self.configuration()).fault == .unknownSigner)
    }

    @Test("A signature in another's name proves nothing")
    func wrongKey() throws {
        let event = try NativeEventSigner(Self.other).sign(Fixtures.decision())
        let jws = try #require(event.extensions[CloudEvent.signatureExtension]?.text)
        let header = Base64URL.encode(
            Array(#"{"alg":"EdDSA","kid":"\#(Self.key.publicKey.did)","typ":"clawgrant-event+jws"}"#.utf8))
        var forged = event
        forged.extensions[CloudEvent.signatureExtension] = .string(
            header + ".." + (jws.split(separator: ".").last ?? ""))
        #expect(Fixtures.read(forged, Self.configuration()).fault == .signatureInvalid)
    }

    @Test("Every signed attribute and the data are covered")
    func altered() throws {
        let event = try Self.producer.sign(Fixtures.decision())
        let changes: [(inout CloudEvent) -> Void] = [
            { $0.id = "other" }, { $0.subject = nil }, { $0.time = "2026-11-20T09:01:01Z" },
            { $0.source = "/itsm/elsewhere" }, { $0.dataSchema = "https://x.example/" },
            { $0.dataContentType = "text/json" },
            { $0 = NativeFixtures.changing($0, "approval_id", to: "itsm/other") },
        ]
        for change in changes {
            var copy = event
            change(&copy)
            #expect(Fixtures.read(copy, Self.configuration()).fault == .signatureInvalid)
        }
    }

    @Test(
        "A signature of another form is refused",
        arguments: [
            "", "a.b.c", "..", "e30..AAAA", "not base64..", String(repeating: "a", count: 2_000),
        ])
    func malformed(text: String) {
        var event = Fixtures.decision()
        event.extensions[CloudEvent.signatureExtension] = .string(text)
        #expect(Fixtures.read(event, Self.configuration()).fault == .malformedSignature)
    }

    @Test(
        "Only EdDSA, and no header member but ours",
        arguments: [
            #"{"alg":"none","kid":"K","typ":"clawgrant-event+jws"}"#, #"{"alg":"EdDSA","kid":"K","typ":"JWT"}"#,
            #"{"alg":"EdDSA","kid":"K","typ":"clawgrant-event+jws","crit":["x"]}"#,
            #"{"alg":"EdDSA","typ":"clawgrant-event+jws"}"#,
        ])
    func headers(header: String) throws {
        let event = try Self.producer.sign(Fixtures.decision())
        let signature = try #require(event.extensions[CloudEvent.signatureExtension]?.text.split(separator: ".").last)
        var copy = event
        let text = header.replacing("\"K\"", with: "\"\(Self.key.publicKey.did)\"")
        copy.extensions[CloudEvent.signatureExtension] = .string(Base64URL.encode(Array(text.utf8)) + ".." + signature)
        #expect(Fixtures.read(copy, Self.configuration()).fault == .malformedSignature)
    }

    @Test("The short key identifier names a key too")
    func shortIdentifier() throws {
        let configuration = Self.configuration()
        let header = Base64URL.encode(
            Array(#"{"alg":"EdDSA","kid":"\#(Self.key.publicKey.kid)","typ":"clawgrant-event+jws"}"#.utf8))
        var event = Fixtures.decision()
        let input = Array("\(header).\(Base64URL.encode(event.canonicalBytes))".utf8)
        event.extensions[CloudEvent.signatureExtension] = .string("\(header)..\(try Self.key.sign(input).b64u)")
        #expect(Fixtures.read(event, configuration).facts.count == 2)
    }

    // MARK: Rights of keys

    @Test("A key approves its job classes only")
    func classes() throws {
        let event = try Self.producer.sign(Fixtures.decision())
        #expect(Fixtures.read(event, Self.configuration(classes: [Fixtures.maintenance])).facts.count == 2)
        #expect(Fixtures.read(event, Self.configuration(classes: [JobClass("x")])).fault == .signerNotAllowed)
        let unknown = try Self.producer.sign(Fixtures.decision { $0.jobClass = nil })
        #expect(Fixtures.read(unknown, Self.configuration(classes: [Fixtures.maintenance])).fault == .jobClassUnknown)
        #expect(Fixtures.read(unknown, Self.configuration()).facts.count == 2)
    }

    @Test("The job class of an entitlement is that of the mapping")
    func mappedClass() throws {
        let event = try Self.producer.sign(
            Fixtures.decision {
                $0.jobClass = nil
                $0.entitlement = Entitlement(kind: .group, id: "G1", scope: "member")
            })
        var configuration = Self.configuration(classes: [Fixtures.maintenance])
        #expect(Fixtures.read(event, configuration).fault == .jobClassUnknown)
        configuration.mapping = SourceMapping(
            entitlements: EntitlementMap(entries: [
                EntitlementMap.Entry(kind: .group, id: "g1", scope: "MEMBER", jobClass: Fixtures.maintenance)
            ]))
        #expect(Fixtures.read(event, configuration).facts.count == 2)
    }

    @Test("A key does only what it may")
    func rights() throws {
        let decision = try Self.producer.sign(Fixtures.decision())
        #expect(Fixtures.read(decision, Self.configuration { $0.mayApprove = false }).fault == .signerNotAllowed)
        let stop = try Self.producer.sign(
            CloudEvent(
                id: "s", source: "/soc/harborline", type: EventType.stopDeclared, time: Fixtures.time,
                data: .json(["scope": ["kind": "all"], "action": "deny_new"])))
        #expect(Fixtures.read(stop, Self.configuration()).fault == .signerNotAllowed)
        #expect(Fixtures.read(stop, Self.configuration { $0.mayStop = true }).only?.kind == "stop.declared")
        var lift = stop
        lift.type = EventType.stopLifted
        lift = try Self.producer.sign(lift)
        #expect(Fixtures.read(lift, Self.configuration { $0.mayStop = true }).fault == .signerNotAllowed)
        let request = try Self.producer.sign(
            CloudEvent(
                id: "r", source: "/platform", type: EventType.capabilityRequest, time: Fixtures.time,
                data: .json(CapabilityRequestDocument.encode(Fixtures.request()))))
        #expect(Fixtures.read(request, Self.configuration { $0.mayRequest = false }).fault == .signerNotAllowed)
        #expect(Fixtures.read(request, Self.configuration()).only?.kind == "capability.requested")
    }

    // MARK: Batches

    private static func read(
        _ events: [CloudEvent], _ configuration: SourceConfiguration, _ cache: inout BatchSignatureCache
    ) -> [SourceReading] {
        events.map {
            NativeSource.facts(
                from: $0.record(.binary, topic: "t"), configuration: configuration, at: NativeFixtures.time,
                signatures: &cache)
        }
    }

    @Test("One verification serves a batch of any size", arguments: [1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 33, 100])
    func batch(size: Int) throws {
        let events = try Self.producer.signBatch((0..<size).map { Fixtures.decision("dec-\($0)") })
        var cache = BatchSignatureCache()
        let readings = Self.read(events, Self.configuration(), &cache)
        #expect(readings.allSatisfy { $0.facts.count == 2 })
        #expect(readings.allSatisfy { $0.evidence == .signed(by: Self.key.publicKey, form: .batch) })
        #expect(cache.verifications == 1)
    }

    private static func batch(of event: CloudEvent) throws -> BatchSignature {
        try BatchSignature(text: event.extensions[CloudEvent.batchExtension]?.text ?? "")
    }

    @Test("Neither event nor path, index, size, root or signature can be changed")
    func alteredBatch() throws {
        let events = try Self.producer.signBatch((0..<6).map { Fixtures.decision("dec-\($0)") })
        let good = try Self.batch(of: events[2])
        func fault(_ batch: BatchSignature, event: CloudEvent? = nil) -> DeadLetterReason? {
            var copy = event ?? events[2]
            copy.extensions[CloudEvent.batchExtension] = .string(batch.text)
            return Fixtures.read(copy, Self.configuration()).fault
        }
        func with(
            root: Digest? = nil, signature: Ed25519Signature? = nil, index: Int? = nil, size: Int? = nil,
            path: [Digest]? = nil, kid: String? = nil
        ) -> BatchSignature {
            BatchSignature(
                root: root ?? good.root, signature: signature ?? good.signature, kid: kid ?? good.kid,
                index: index ?? good.index, size: size ?? good.size, path: path ?? good.path)
        }
        #expect(fault(good) == nil)
        #expect(fault(good, event: Fixtures.decision("dec-x")) == .batchProofInvalid)
        #expect(fault(good, event: events[3]) == .batchProofInvalid)
        #expect(fault(with(index: 3)) == .batchProofInvalid)
        #expect(fault(with(size: 3)) == .batchProofInvalid)
        #expect(fault(with(path: Array(good.path.dropLast()))) == .batchProofInvalid)
        #expect(fault(with(path: good.path + [Digest(hashing: "x")])) == .batchProofInvalid)
        var path = good.path
        path[0] = Digest(hashing: "x")
        #expect(fault(with(path: path)) == .batchProofInvalid)
        #expect(fault(with(kid: Self.other.publicKey.did)) == .unknownSigner)
        #expect(fault(with(index: 6)) == .malformedSignature)
        let tree = try #require(BatchTree([events[2].digest]))
        let own = with(root: tree.root, index: 0, size: 1, path: [])
        #expect(fault(own) == .signatureInvalid)
        var bytes = good.signature.bytes
        bytes[5] ^= 1
        #expect(fault(with(signature: Ed25519Signature(bytes: bytes))) == .signatureInvalid)
    }

    @Test("A wrong signature is not remembered, and the memory is bounded")
    func cache() throws {
        var cache = BatchSignatureCache(capacity: 2)
        let batches = try (0..<3).map { try Self.producer.signBatch([Fixtures.decision("dec-\($0)")]) }
        for _ in 0..<2 { _ = Self.read(batches[0], Self.configuration(), &cache) }
        #expect(cache.verifications == 1)
        for batch in batches { _ = Self.read(batch, Self.configuration(), &cache) }
        #expect(cache.verifications == 3)
        _ = Self.read(batches[0], Self.configuration(), &cache)
        #expect(cache.verifications == 4)
        let forged = BatchSignature(
            root: try Self.batch(of: batches[0][0]).root, signature: try Self.batch(of: batches[1][0]).signature,
            kid: Self.key.publicKey.did, index: 0, size: 1, path: [])
        for _ in 0..<2 {
            let isValid = cache.isValid(forged, key: Self.key.publicKey)
            #expect(!isValid)
        }
        #expect(cache.verifications == 6)
    }

    @Test(
        "Text that is no batch signature is refused",
        arguments: ["", "e30", "AAAA", "*", String(repeating: "A", count: 9_000)])
    func malformedBatch(text: String) {
        #expect(throws: SourceFault.self) { try BatchSignature(text: text) }
    }

    @Test("The tree is that of RFC 9162")
    func tree() throws {
        let digests = (0..<7).map { Digest(hashing: "leaf \($0)") }
        func reference(_ digests: ArraySlice<Digest>) -> Digest {
            if digests.count == 1, let only = digests.first { return Digest(hashing: [0] + only.bytes) }
            var k = 1
            while k * 2 < digests.count { k *= 2 }
            let middle = digests.startIndex + k
            return Digest(hashing: [1] + reference(digests[..<middle]).bytes + reference(digests[middle...]).bytes)
        }
        for count in 1...7 {
            let tree = try #require(BatchTree(Array(digests[..<count])))
            #expect(tree.root == reference(digests[..<count]))
            for index in 0..<count {
                #expect(
                    BatchTree.root(of: digests[index], index: index, size: count, path: tree.path(to: index))
                        == tree.root)
            }
        }
        #expect(BatchTree([]) == nil)
    }

    // MARK: Receipts

    private static func receipt(
        _ type: String = "explicit_approve", request: JSONValue? = nil, signer: SeedSigner = key,
        _ change: (inout JSONObject) -> Void = { _ in }
    ) throws -> JSONValue {
        var payload: JSONObject = [
            "receipt_version": "1", "receipt_id": "har_1", "approval_type": .string(type),
            "approver_subject": "mina.castellanos@harborline.example",
            "agent_did": .string(NativeFixtures.request().agentDID.rawValue),
            "scope_hash_b64u": .string((request?["requested_scope"] ?? .null).canonicalDigest.b64u),
            "minted_capability_ttl_seconds": 900, "plan_hash_b64u": .string((request ?? .null).canonicalDigest.b64u),
            "hash_algorithm": "SHA-256", "timestamp": "2026-11-20T09:00:00.000Z",
        ]
        change(&payload)
        let hash = JSONValue.object(payload).documentDigest.b64u
        return [
            "envelope_version": "1", "envelope_type": "human_approval_receipt", "payload": .object(payload),
            "payload_hash_b64u": .string(hash), "hash_algorithm": "SHA-256",
            "signature_b64u": .string(try signer.sign(Array(hash.utf8)).b64u), "algorithm": "Ed25519",
            "signer_did": .string(signer.publicKey.did), "issued_at": "2026-11-20T09:00:00.000Z",
        ]
    }

    private static func read(bare envelope: JSONValue, _ configuration: SourceConfiguration) -> SourceReading {
        NativeSource.facts(
            from: SourceRecord(topic: "t", value: JSONWriter.bytes(envelope)), configuration: configuration,
            at: NativeFixtures.time)
    }

    @Test("A bare receipt is an approval of its own name, on any authenticity")
    func bareReceipt() throws {
        for authenticity in [SourceConfiguration.Authenticity.signed, .topic, .confirmed] {
            var configuration = Self.configuration()
            configuration.authenticity = authenticity
            let reading = Self.read(bare: try Self.receipt(), configuration)
            #expect(reading.facts.map(\.kind) == ["decision.approved", "grant.started"])
            #expect(reading.facts.allSatisfy { $0.approvalID == ApprovalID("receipt/har_1") })
            #expect(reading.evidence == .signed(by: Self.key.publicKey, form: .receipt))
            #expect(
                reading.facts[0].content
                    == .decisionApproved(approver: Actor(id: PersonID("mina.castellanos@harborline.example"))))
        }
    }

    @Test(
        "Every type of receipt",
        arguments: [
            ("explicit_deny", ["decision.denied"]), ("timeout_deny", ["decision.timed_out"]),
            ("auto_approve", ["decision.approved", "grant.started"]),
        ])
    func receiptTypes(type: String, kinds: [String]) throws {
        let facts = Self.read(bare: try Self.receipt(type), Self.configuration()).facts
        #expect(facts.map(\.kind) == kinds)
        if case .decisionApproved(let approver) = facts[0].content { #expect(approver?.kind == .system) }
    }

    private static func event(_ receipt: JSONValue, _ request: JSONValue) -> CloudEvent {
        CloudEvent(
            id: "rc-1", source: "/platform", type: EventType.receipt, time: NativeFixtures.time,
            data: .json(["receipt": receipt, "request": request]))
    }

    @Test("A receipt binds the request beside it")
    func boundReceipt() throws {
        let request = CapabilityRequestDocument.encode(Fixtures.request())
        let receipt = try Self.receipt(request: request)
        let configuration = Self.configuration(classes: [Fixtures.maintenance])
        let facts = Fixtures.read(Self.event(receipt, request), configuration).facts
        #expect(facts.map(\.kind) == ["decision.approved", "grant.started", "capability.requested"])
        #expect(Set(facts.map { $0.approvalID?.rawValue }) == ["receipt/har_1"])
        #expect(Set(facts.map { $0.sourceEventID?.rawValue }).count == 3)
        #expect(facts[0].jobClass == Fixtures.maintenance)
        let wider = CapabilityRequestDocument.encode(Fixtures.request("req-2"))
        #expect(Fixtures.read(Self.event(receipt, wider), configuration).fault == .receiptMismatch)
        let scope = try Self.receipt(request: request) { $0["scope_hash_b64u"] = .string(Digest(hashing: "x").b64u) }
        #expect(Fixtures.read(Self.event(scope, request), configuration).fault == .receiptMismatch)
        let agent = try Self.receipt(request: request) { $0["agent_did"] = "did:key:zOther" }
        #expect(Fixtures.read(Self.event(agent, request), configuration).fault == .receiptMismatch)
        #expect(
            Fixtures.read(Self.event(receipt, request), Self.configuration(classes: [JobClass("x")])).fault
                == .signerNotAllowed)
    }

    @Test("A receipt of another key, or one that was changed, proves nothing")
    func forgedReceipt() throws {
        #expect(Self.read(bare: try Self.receipt(signer: Self.other), Self.configuration()).fault == .unknownSigner)
        var envelope = try #require(try Self.receipt().object)
        var payload = try #require(envelope["payload"]?.object)
        payload["approver_subject"] = "someone.else@harborline.example"
        envelope["payload"] = .object(payload)
        #expect(Self.read(bare: .object(envelope), Self.configuration()).fault == .signatureInvalid)
        envelope["payload_hash_b64u"] = .string(JSONValue.object(payload).documentDigest.b64u)
        #expect(Self.read(bare: .object(envelope), Self.configuration()).fault == .signatureInvalid)
        envelope["envelope_type"] = "tool_receipt"
        #expect(Self.read(bare: .object(envelope), Self.configuration()).fault == .notACloudEvent)
    }

    @Test("Members of a receipt at fault", arguments: ["receipt_id", "approval_type", "approver_subject", "timestamp"])
    func incompleteReceipt(member: String) throws {
        let missing = try Self.receipt { $0[member] = nil }
        #expect(Self.read(bare: missing, Self.configuration()).fault == .missingMember)
        let wrong = try Self.receipt { $0[member] = 7 }
        #expect(Self.read(bare: wrong, Self.configuration()).fault == .wrongType)
    }
}
