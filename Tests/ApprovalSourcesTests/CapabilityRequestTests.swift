import ApprovalSources
import ClawWire
import IssuanceRules
import TestSupport
import Testing

@Suite("Capability requests")
struct CapabilityRequestTests {
    private typealias Fixtures = NativeFixtures
    private static let topic = NativeFixtures.configuration(.topic, kind: .capabilityRequest)

    private static func read(
        _ document: JSONValue, _ configuration: SourceConfiguration = topic, headers: [SourceRecord.Header] = []
    ) -> SourceReading {
        CapabilityRequestSource.facts(
            from: SourceRecord(topic: "requests", headers: headers, value: JSONWriter.bytes(document)),
            configuration: configuration, at: NativeFixtures.time)
    }

    @Test(
        "A request is written and read back",
        arguments: [
            CapabilityRequest.Delivery.sealed(publicKey: Array(1...32)), .plain,
            .reference(claimKey: nil), .reference(claimKey: Digest(hashing: "key")),
        ])
    func roundtrip(delivery: CapabilityRequest.Delivery) throws {
        let request = Fixtures.request(delivery: delivery)
        let document = CapabilityRequestDocument.encode(request)
        #expect(try CapabilityRequestDocument.decode(document) == request)
        let bare = CapabilityRequest(
            requestID: RequestID("r"), jobID: JobID("j"), jobClass: JobClass("c"),
            agentDID: AgentDID("did:web:a.example"),
            scope: ["x"], approvalID: ApprovalID("a"), ticketNumber: "OPS-1", delivery: delivery,
            upgradesRequest: RequestID("q"), requestedAt: Fixtures.time)
        #expect(try CapabilityRequestDocument.decode(CapabilityRequestDocument.encode(bare)) == bare)
    }

    @Test("Bare JSON and CloudEvents in both modes give the same request")
    func forms() throws {
        let document = CapabilityRequestDocument.encode(Fixtures.request())
        let fact = try #require(Self.read(document).only)
        #expect(fact.content == .capabilityRequested(Fixtures.request()))
        #expect(fact.sourceEventID == SourceEventID("req-1"))
        #expect(fact.source == "claw.request" && fact.occurredAt == Fixtures.time)
        #expect(fact.recordDigest == document.canonicalDigest)
        let event = CloudEvent(
            id: "e1", source: "/platform", type: EventType.capabilityRequest, time: Fixtures.time, data: .json(document)
        )
        for mode in [CloudEvent.Mode.binary, .structured] {
            let fact = try #require(Fixtures.read(event, Self.topic, mode: mode).only)
            #expect(fact.content == .capabilityRequested(Fixtures.request()))
            #expect(fact.sourceEventID == SourceEventID("/platform e1"))
        }
        var other = event
        other.type = EventType.decision
        #expect(Fixtures.read(other, Self.topic).fault == .unsupportedType)
    }

    @Test("A bare request is signed by a header")
    func signedHeader() throws {
        let key = Fixtures.signer(3)
        let document = CapabilityRequestDocument.encode(Fixtures.request())
        let configuration = Fixtures.configuration(
            .signed, signers: [.init(publicKey: key.publicKey, jobClasses: [Fixtures.maintenance])],
            kind: .capabilityRequest)
        let header = SourceRecord.Header("clawsig", try NativeEventSigner(key).signature(of: document))
        #expect(
            Self.read(document, configuration, headers: [header]).evidence == .signed(by: key.publicKey, form: .event))
        #expect(Self.read(document, configuration).fault == .unsigned)
        let other = CapabilityRequestDocument.encode(Fixtures.request("req-2"))
        #expect(Self.read(other, configuration, headers: [header]).fault == .signatureInvalid)
    }

    private static func changed(_ path: [String], _ value: JSONValue?) -> JSONValue {
        func change(_ document: JSONValue, _ path: ArraySlice<String>) -> JSONValue {
            guard let key = path.first else { return document }
            var object = document.object ?? JSONObject()
            object[key] = path.count == 1 ? value : change(object[key] ?? [:], path.dropFirst())
            return .object(object)
        }
        return change(CapabilityRequestDocument.encode(NativeFixtures.request()), path[...])
    }

    @Test(
        "What a request must not be",
        arguments: [
            (["extra"], "x", DeadLetterReason.unknownMember), (["requested_scope", "extra"], 1, .unknownMember),
            (["delivery", "url"], "x", .unknownMember), (["preflight"], true, .preflightRequest),
            (["preflight"], "no", .wrongType), (["plan_hash_b64u"], "short", .invalidValue),
            (["binding"], ["run_id": ""], .invalidValue), (["binding"], ["nonce": "x"], .unknownMember),
            (["binding"], "run", .wrongType),
            (["request_version"], "2", .invalidValue), (["request_version"], 1, .wrongType),
            (["request_id"], nil, .missingMember), (["request_id"], "", .invalidValue),
            (["request_id"], "a\u{0}b", .invalidValue),
            (["request_id"], .string(String(repeating: "a", count: 600)), .tooLarge),
            (["job_id"], nil, .missingMember), (["job_class"], nil, .missingMember),
            (["agent_did"], "x", .invalidValue),
            (["agent_did"], "did:key:", .invalidValue), (["agent_did"], "did:key:a b", .invalidValue),
            (["requested_scope"], nil, .missingMember), (["requested_scope", "scope"], nil, .missingMember),
            (["requested_scope", "scope"], [], .invalidValue),
            (["requested_scope", "scope"], ["a", "a"], .invalidValue),
            (["requested_scope", "scope"], ["a b"], .invalidValue), (["requested_scope", "scope"], [1], .wrongType),
            (["requested_scope", "scope"], .array((0..<65).map { .string("s\($0)") }), .tooLarge),
            (["requested_scope", "tools"], [.string(String(repeating: "t", count: 300))], .tooLarge),
            (["requested_scope", "ttl_seconds"], 0, .invalidValue),
            (["requested_scope", "ttl_seconds"], 1.5, .wrongType),
            (["requested_scope", "ttl_seconds"], 1e12, .invalidValue),
            (["requested_scope", "policy_hash_b64u"], "short", .invalidValue),
            (["delivery"], nil, .missingMember), (["delivery", "mode"], "mail", .invalidValue),
            (["delivery", "jwk"], nil, .missingMember), (["delivery", "jwk", "crv"], "Ed25519", .invalidValue),
            (["delivery", "jwk", "x"], "AAAA", .invalidValue), (["delivery", "jwk", "d"], "secret", .unknownMember),
            (["delivery", "jwk", "x"], .string(Base64URL.encode([UInt8](repeating: 0, count: 32))), .invalidValue),
            (
                ["delivery", "jwk", "x"], .string(Base64URL.encode([1] + [UInt8](repeating: 0, count: 31))),
                .invalidValue
            ),
            (["delivery", "mode"], "plain", .invalidValue), (["approval"], ["name": "x"], .unknownMember),
            (["reason"], nil, .missingMember), (["reason"], .string(String(repeating: "r", count: 5_000)), .tooLarge),
            (["timestamp"], "2026-11-20T09:00:00", .unparseableTime), (["timestamp"], nil, .missingMember),
        ] as [([String], JSONValue?, DeadLetterReason)])
    func faults(path: [String], value: JSONValue?, reason: DeadLetterReason) {
        #expect(Self.read(Self.changed(path, value)).fault == reason)
    }

    @Test("Members of the reference's requests are read, and restrict nothing")
    func referenceMembers() throws {
        for (member, value) in [
            ("plan_hash_b64u", .string(Digest(hashing: "plan").b64u)), ("preflight", false), ("preflight", .null),
            ("binding", ["run_id": "run-1"]), ("binding", [:]),
        ] as [(String, JSONValue)] {
            let fact = try #require(Self.read(Self.changed([member], value)).only, "\(member)")
            #expect(fact.content == .capabilityRequested(Fixtures.request()))
        }
    }

    @Test("A ticket is the same in small letters")
    func ticket() throws {
        let small = Self.changed(["approval"], ["ticket_number": "chg0034521"])
        let fact = try #require(Self.read(small).only)
        guard case .capabilityRequested(let request) = fact.content else { return #expect(Bool(false)) }
        #expect(request.ticketNumber == "CHG0034521" && fact.ticket?.number == "CHG0034521")
        #expect(Ticket(system: nil, number: "chg0034521ß") == Ticket(system: nil, number: "CHG0034521ß"))
    }

    @Test("Records that are no requests", arguments: ["", "[]", "7", "{}", "{\"a\":1,\"a\":2}"])
    func nonsense(text: String) {
        let reading = CapabilityRequestSource.facts(
            from: SourceRecord(topic: "t", value: Array(text.utf8)), configuration: Self.topic, at: Fixtures.time)
        #expect(reading.fault != nil)
    }

    @Test("A source requests its job classes only")
    func jobClasses() {
        var configuration = Self.topic
        configuration.jobClasses = [JobClass("x")]
        #expect(
            Self.read(CapabilityRequestDocument.encode(Fixtures.request()), configuration).fault == .jobClassNotAllowed)
    }

    @Test("Any member of any type gives facts or a reason, never a crash", arguments: 0..<200)
    func mutations(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed) &+ 4_711)
        let document = random.mutate(CapabilityRequestDocument.encode(Fixtures.request()), depth: 0)
        switch Self.read(document) {
        case .facts(let facts, _): #expect(facts.count == 1)
        case .deadLetter(let fault): #expect(!fault.detail.isEmpty)
        }
    }
}
