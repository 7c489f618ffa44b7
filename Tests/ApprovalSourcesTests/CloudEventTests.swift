import ApprovalSources
import ClawWire
import Testing

@Suite("CloudEvents on Kafka")
struct CloudEventTests {
    private static let limits = SourceConfiguration.Limits()

    static let event: CloudEvent = {
        var event = CloudEvent(
            id: "dec-1", source: "/itsm/harborline", type: EventType.decision, subject: "itsm/harborline/req-1",
            time: Timestamp(rfc3339: "2026-11-20T09:01:00Z"), dataSchema: "https://schemas.harborline.example/d.json",
            data: .json(["approval_id": "itsm/harborline/req-1", "n": 1.5, "é": [true, nil]]))
        event.extensions = ["partitionkey": .string("p"), "correlationid": .string("größe")]
        return event
    }()

    @Test("Both modes carry the same event", arguments: [CloudEvent.Mode.binary, .structured])
    func roundtrip(mode: CloudEvent.Mode) throws {
        let record = Self.event.record(mode, topic: "t", key: "k")
        #expect(CloudEvent.mode(of: record) == mode)
        let read = try CloudEvent(record: record, limits: Self.limits)
        #expect(read == Self.event)
        #expect(read.digest == Self.event.digest)
        #expect(read.occurredAt == Timestamp(rfc3339: "2026-11-20T09:01:00Z"))
    }

    @Test("Data that is not JSON travels in both modes", arguments: [CloudEvent.Mode.binary, .structured])
    func bytes(mode: CloudEvent.Mode) throws {
        for count in 1...5 {
            var event = Self.event
            event.dataContentType = "application/secevent+jwt"
            event.data = .bytes((0..<count).map { UInt8(truncatingIfNeeded: 255 - $0 * 7) })
            let read = try CloudEvent(record: event.record(mode, topic: "t"), limits: Self.limits)
            #expect(read == event)
            #expect(read.digest == event.digest)
        }
    }

    @Test("An event without data is a tombstone in binary mode only")
    func noData() throws {
        var event = Self.event
        event.data = .none
        #expect(event.message(.binary).value == nil)
        #expect(event.message(.structured).value != nil)
        #expect(try CloudEvent(record: event.record(.binary, topic: "t"), limits: Self.limits) == event)
    }

    @Test("Typed attributes of the JSON format")
    func types() throws {
        let text = #"{"specversion":"1.0","id":"1","source":"/a","type":"t","sequence":7,"flag":true,"gone":null}"#
        let record = SourceRecord(
            topic: "t", headers: [.init("Content-Type", "APPLICATION/CLOUDEVENTS+JSON")], value: Array(text.utf8))
        let event = try CloudEvent(record: record, limits: Self.limits)
        #expect(event.extensions == ["sequence": .integer(7), "flag": .boolean(true)])
        #expect(event.data == .none)
        let binary = event.message(.binary).headers
        #expect(binary.contains(.init("ce_sequence", "7")) && binary.contains(.init("ce_flag", "true")))
    }

    @Test(
        "What breaks the specification is refused with its attribute",
        arguments: [
            (#"{"id":"1","source":"/a","type":"t"}"#, "specversion"),
            (#"{"specversion":"0.3","id":"1","source":"/a","type":"t"}"#, "specversion"),
            (#"{"specversion":"1.0","id":"","source":"/a","type":"t"}"#, "id"),
            (#"{"specversion":"1.0","id":7,"source":"/a","type":"t"}"#, "id"),
            (#"{"specversion":"1.0","id":"1","type":"t"}"#, "source"),
            (#"{"specversion":"1.0","id":"1","source":"/a"}"#, "type"),
            (#"{"specversion":"1.0","id":"1","source":"/a","type":"t","Upper":"x"}"#, "Upper"),
            (#"{"specversion":"1.0","id":"1","source":"/a","type":"t","ext":{}}"#, "ext"),
            (#"{"specversion":"1.0","id":"1","source":"/a","type":"t","ext":1.5}"#, "ext"),
            (#"{"specversion":"1.0","id":"1","source":"/a","type":"t","ext":4294967296}"#, "ext"),
            (#"{"specversion":"1.0","id":"1","source":"/a","type":"t","data_base64":"*"}"#, "data_base64"),
            (#"{"specversion":"1.0","id":"1","source":"/a","type":"t","data":1,"data_base64":"AA=="}"#, "data_base64"),
        ])
    func refusals(text: String, field: String) {
        let record = SourceRecord(
            topic: "t", headers: [.init("content-type", "application/cloudevents+json")], value: Array(text.utf8))
        #expect {
            try CloudEvent(record: record, limits: Self.limits)
        } throws: { error in
            (error as? SourceFault)?.field == field && (error as? SourceFault)?.reason == .invalidAttribute
        }
    }

    @Test("Repeated, oversized, foreign and non-UTF-8 headers are refused")
    func headers() {
        let good = Self.event.message(.binary)
        func reason(_ extra: [SourceRecord.Header]) -> DeadLetterReason? {
            do throws(SourceFault) {
                _ = try CloudEvent(
                    record: SourceRecord(topic: "t", headers: good.headers + extra, value: good.value),
                    limits: Self.limits)
                return nil
            } catch {
                return error.reason
            }
        }
        #expect(reason([.init("x-anything", [0xFF])]) == nil)
        #expect(reason([.init("ce_id", "again")]) == .invalidAttribute)
        #expect(reason([.init("ce_BAD", "x")]) == .invalidAttribute)
        #expect(reason([.init("ce_datacontenttype", "x")]) == .invalidAttribute)
        #expect(reason([.init("ce_data", "x")]) == .invalidAttribute)
        #expect(reason([.init("ce_extra", "\u{10F000}")]) == .invalidAttribute)
        #expect(reason([.init("ce_x", [0xFF, 0xFE])]) == .invalidAttribute)
        #expect(reason([.init("ce_x", String(repeating: "a", count: 9_000))]) == .tooLarge)
        #expect(reason((0..<80).map { .init("h\($0)", "x") }) == .tooLarge)
        #expect(reason([.init("ce_x", nil)]) == nil)
    }

    @Test("A record without attributes is no event")
    func notAnEvent() {
        #expect(CloudEvent.mode(of: SourceRecord(topic: "t", value: [])) == nil)
        #expect(throws: SourceFault.self) {
            try CloudEvent(record: SourceRecord(topic: "t", value: [0x7B, 0x7D]), limits: Self.limits)
        }
    }
}
