import ApprovalSources
import ClawWire
import DevStack
import Foundation
import IssuanceRules
import Testing

/// Our events read and written by the PyPI package `cloudevents`, in both modes and both directions.
@Suite(.enabled(if: Peers.areThere, "the Python packages are missing: ./dev test installs them"))
struct CloudEventTests {
    private static let time = Timestamp(rfc3339: "2026-11-20T09:00:00.125Z") ?? Timestamp(seconds: 0)
    private static let signer = SeedSigner(seed: Digest(hashing: "clawgrant-tests:cloudevents").bytes)

    private static let people = [
        IssuanceRules.Actor(id: PersonID("2dd18507-3fb7-5dd2-b44b-8880d5503efa"), name: "Mina Castellanos"),
        IssuanceRules.Actor(id: PersonID("a5a38504-8335-5c2a-8ad2-5e374d719355"), name: "Zoë Ōkafor 🛡"),
    ]

    /// One event of each kind of ours, and what else CloudEvents allow.
    private static func events() throws -> [CloudEvent] {
        let signer = NativeEventSigner(try #require(Self.signer))
        let decision = NativeDecision(
            approvalID: ApprovalID("itsm/harborline/req-9001"), verdict: .approved, requester: people[1],
            answers: [NativeDecision.Answer(approver: people[0], decidedAt: time)]
        ).event(id: "evt-1", source: "/itsm/harborline", at: time)
        var extended = decision
        extended.id = "evt-2"
        extended.dataSchema = "https://schemas.clawbureau.example/clawgrant/approval.decision.v1.json"
        extended.extensions = [
            "correlationid": .string("c-1"), "causationid": .string("evt-0"), "sequence": .string("0000000007"),
            "expirytime": .string("2026-11-20T09:30:00Z"), "severitynumber": .integer(9), "sampled": .boolean(true),
            "note": .string("grüße, 世界"),
        ]
        let stop = try ControlEmitter(signer: try #require(Self.signer), source: "/soc/harborline").event(
            .stop(.init(stopID: "stop-1", scope: .everything, revokesLive: true)), id: "stop-1", by: [people[0]],
            at: time)
        let request = CloudEvent(
            id: "evt-3", source: "/platform/jobs", type: EventType.capabilityRequest, subject: "req-1", time: time,
            data: .json(["request_version": "1", "nested": ["a": [1, -2.5, nil, true]], "text": "\u{1F600}\n"]))
        return try [decision, extended, stop, request, signer.sign(decision)] + signer.signBatch([decision, extended])
    }

    private struct Message {
        var headers: [SourceRecord.Header]
        var value: [UInt8]?

        init(_ message: (headers: [SourceRecord.Header], value: [UInt8]?)) {
            headers = message.headers
            value = message.value
        }

        init(_ line: JSONValue) {
            headers = (line["headers"]?.object?.members ?? []).map {
                SourceRecord.Header($0.key, $0.value.string ?? "")
            }
            value = line["value"]?.string.map { Array($0.utf8) }
        }

        func line(key: String?) -> JSONValue {
            [
                "key": .optional(key),
                "headers": .object(
                    JSONObject(headers.map { ($0.name, .string(String(decoding: $0.value ?? [], as: UTF8.self))) })),
                "value": .optional(value.map { String(decoding: $0, as: UTF8.self) }),
            ]
        }

        func record(topic: String = "claw.approvals.decisions.v1") -> SourceRecord {
            SourceRecord(topic: topic, headers: headers, value: value)
        }
    }

    private func peer(_ verb: String, _ lines: [JSONValue]) async throws -> [JSONValue] {
        let home = try TemporaryDirectory(prefix: "claw-events")
        defer { home.close() }
        try lines.map { JSONWriter.text($0) }.joined(separator: "\n")
            .write(toFile: home.path("in"), atomically: true, encoding: .utf8)
        let (code, _) = try await Peers.run("cloudevents_peer", [verb, home.path("in"), home.path("out")])
        #expect(code == 0)
        return try String(contentsOfFile: home.path("out"), encoding: .utf8).split(separator: "\n").map {
            try JSONReader.parse(String($0))
        }
    }

    /// The attributes of an event as the other side tells them: instants are compared as such.
    private func attributes(_ event: CloudEvent, _ mode: CloudEvent.Mode) -> [String: JSONValue] {
        var found: [String: JSONValue] = [
            "specversion": "1.0", "id": .string(event.id), "source": .string(event.source),
            "type": .string(event.type),
        ]
        found["subject"] = event.subject.map { .string($0) }
        found["dataschema"] = event.dataSchema.map { .string($0) }
        found["datacontenttype"] = event.dataContentType.map { .string($0) }
        for (name, attribute) in event.extensions {
            // Headers are texts: types of extension attributes travel in structured mode alone.
            switch (mode, attribute) {
            case (.structured, .integer(let number)): found[name] = .integer(number)
            case (.structured, .boolean(let flag)): found[name] = .bool(flag)
            default: found[name] = .string(attribute.text)
            }
        }
        return found
    }

    @Test("What we write is read by the other side, in both modes, with every attribute and extension")
    func read() async throws {
        let events = try Self.events()
        for mode in [CloudEvent.Mode.binary, .structured] {
            let answers = try await peer("read", events.map { Message($0.message(mode)).line(key: nil) })
            #expect(answers.count == events.count)
            for (event, answer) in zip(events, answers) {
                var told: [String: JSONValue] = [:]
                for member in answer["attributes"]?.object?.members ?? [] { told[member.key] = member.value }
                let instant = told.removeValue(forKey: "time")?.string.flatMap { Timestamp(rfc3339: $0) }
                #expect(instant == event.occurredAt)
                #expect(told == attributes(event, mode), "\(event.id) \(mode)")
                #expect(answer["data"] == event.json, "\(event.id) \(mode)")
            }
        }
    }

    @Test("What the other side writes is read by us, in both modes, and means the same")
    func write() async throws {
        let events = try Self.events()
        let lines = events.map { event -> JSONValue in
            var attributes = JSONObject(attributes(event, .structured).sorted { $0.key < $1.key })
            attributes["time"] = event.time.map { .string($0) }
            return ["attributes": .object(attributes), "data": event.json ?? .null]
        }
        let messages = try await peer("write", lines)
        #expect(messages.count == 2 * events.count)
        for (index, line) in messages.enumerated() {
            let event = events[index / 2]
            let mode: CloudEvent.Mode = index.isMultiple(of: 2) ? .binary : .structured
            let record = Message(line).record()
            #expect(CloudEvent.mode(of: record) == mode)
            let read = try CloudEvent(record: record, limits: .init())
            var wanted = attributes(event, mode)
            // The package prints a boolean as Python does, where the specification has `true`.
            if mode == .binary, wanted["sampled"] == "true" { wanted["sampled"] = "True" }
            #expect(attributes(read, mode) == wanted, "\(event.id) \(mode)")
            #expect(read.occurredAt == event.occurredAt)
            #expect(read.json == event.json)
            if event.type == EventType.decision {
                #expect(try facts(record) == facts(Message(event.message(mode)).record()))
            }
        }
    }

    private func facts(_ record: SourceRecord) throws -> [Fact.Content] {
        let configuration = SourceConfiguration(name: SourceName("itsm"), kind: .native, authenticity: .topic)
        var signatures = BatchSignatureCache()
        let reading = NativeSource.facts(
            from: record, configuration: configuration, at: Self.time, signatures: &signatures)
        guard case .facts(let facts, _) = reading else {
            throw DevStackError(.commandFailed, "\(reading)")
        }
        return facts.map(\.content)
    }

    @Test("A key becomes the extension partitionkey on the other side, and is kept as such by us")
    func partitionKey() async throws {
        let event = try #require(try Self.events().first)
        for mode in [CloudEvent.Mode.binary, .structured] {
            let answers = try await peer("again", [Message(event.message(mode)).line(key: event.subject)])
            let answer = try #require(answers.first)
            #expect(answer["key"]?.string == event.subject)
            let read = try CloudEvent(record: Message(answer).record(), limits: .init())
            #expect(read.extensions["partitionkey"]?.text == event.subject)
            #expect(try facts(Message(answer).record()) == facts(Message(event.message(mode)).record()))
        }
    }

    /// The signature is over the texts as they travel, and the package writes a time in digits of its own.
    @Test(
        "A signed event that the package writes anew keeps its signature, which holds where its time is written alike")
    func signatures() async throws {
        let signer = NativeEventSigner(try #require(Self.signer))
        let original = try #require(try Self.events().first)
        for (text, holds) in [("2026-11-20T09:00:00Z", true), ("2026-11-20T09:00:00.125Z", false)] {
            var event = original
            event.time = text
            event = try signer.sign(event)
            let answers = try await peer("again", [Message(event.message(.binary)).line(key: nil)])
            let read = try CloudEvent(record: Message(try #require(answers.first)).record(), limits: .init())
            #expect(read.extensions["clawsig"] == event.extensions["clawsig"])
            var configuration = SourceConfiguration(name: SourceName("itsm"), kind: .native, authenticity: .signed)
            configuration.signers = [.init(publicKey: try #require(Self.signer).publicKey)]
            var signatures = BatchSignatureCache()
            let reading = NativeSource.facts(
                from: Message(read.message(.binary)).record(), configuration: configuration, at: Self.time,
                signatures: &signatures)
            switch reading {
            case .facts: #expect(holds, "\(text)")
            case .deadLetter(let fault): #expect(!holds && fault.reason.rawValue == "signature_invalid", "\(text)")
            }
        }
    }
}
