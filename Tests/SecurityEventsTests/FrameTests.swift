import ClawWire
import Foundation
import ReceiptLog
import TestSupport
import Testing

@testable import SecurityEvents

@Suite struct FrameTests {
    @Test func theCollectorGetsObjectsWithoutAnythingBetween() throws {
        let events = Events.every + [Events.attack]
        let text = String(decoding: SplunkHEC.body(events, target: SplunkHEC.Target(index: "claw")), as: UTF8.self)
        #expect(text.components(separatedBy: "}{\"time\":").count == events.count)
        let first = try JSONReader.parse(text.components(separatedBy: "}{\"time\":")[0] + "}")
        #expect(first["time"]?.number == Double(Samples.noon.seconds))
        #expect(first["index"] == "claw")
        #expect(first["sourcetype"] == "ocsf:json")
        #expect(first["host"] == "worker-0")
        #expect(first["event"]?["class_uid"]?.integer == 3_003)
        #expect(first["fields"]?["sequence"] == "0")
    }

    /// No class of OCSF that our events have knows a trace but API Activity: there it stands with the facts.
    @Test func theTraceStandsWhereEachFormHasAPlaceForIt() throws {
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        let trace = try #require(TraceContext(traceparent: header, tracestate: nil))
        let plain = Events.event(Samples.grant(0))
        let traced = SecurityEvent(
            receipt: plain.receipt, sequence: plain.sequence, batch: plain.batch, sealedAt: plain.sealedAt,
            producer: plain.producer, trace: trace)
        let (id, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
        let ecs = JSONValue.object(ECS.object(traced))
        #expect(ecs["trace"]?["id"]?.string == id && ecs["span"]?["id"]?.string == span)
        let record = try JSONReader.parse(OTLPLogs.recordBytes(traced))
        #expect(record["traceId"]?.string == id && record["spanId"]?.string == span && record["flags"]?.integer == 1)
        let claw = JSONValue.object(OCSF.object(traced))["unmapped"]?["claw"]
        #expect(claw?["trace_id"]?.string == id && claw?["span_id"]?.string == span)
        #expect(SecurityEventFormat.syslog.line(traced).contains("traceId=\"\(id)\""))
        // What nobody traced says nothing of it, in any form.
        for format in SecurityEventFormat.allCases { #expect(!format.line(plain).contains("trace")) }
        #expect(!String(decoding: OTLPLogs.recordBytes(plain), as: UTF8.self).contains("trace"))
    }

    @Test func theIngestionGetsRowsInCallsThatAreNotTooLong() throws {
        let events = (0..<40).map { Events.event(Samples.grant($0), at: Int64($0)) }
        for maximum in [1, 4_000, 10_000, LogsIngestion.maximumBytes] {
            let bodies = LogsIngestion.bodies(events, maximumBytes: maximum)
            #expect(bodies.map(\.events).flatMap { Array($0) } == Array(0..<40))
            var sequences: [Int64] = []
            for (range, body) in bodies {
                #expect(body.count <= maximum || range.count == 1)
                let rows = try #require(try JSONReader.parse(body).array)
                sequences += rows.compactMap { $0["Sequence"]?.integer }
            }
            #expect(sequences == Array(0..<40))
        }
        #expect(LogsIngestion.bodies([]).isEmpty)
        let row = try #require(LogsIngestion.row(Events.stop)["StopId"])
        #expect(row == "stop-2026-0001")
    }

    @Test func theTelemetryGetsRecordsOfOneResource() throws {
        let request = try JSONReader.parse(OTLPLogs.body(Events.every))
        let resource = try #require(request["resourceLogs"]?.array?.first)
        let records = try #require(resource["scopeLogs"]?.array?.first?["logRecords"]?.array)
        #expect(records.count == Events.every.count)
        let stop = try #require(records.last)
        #expect(stop["severityNumber"]?.integer == 21)
        #expect(stop["timeUnixNano"]?.string == "\(Samples.noon.milliseconds)000000")
        let attributes = try #require(stop["attributes"]?.array)
        let stopID = attributes.first { $0["key"] == "claw.stop_id" }
        #expect(stopID?["value"]?["stringValue"] == "stop-2026-0001")
        let sequence = attributes.first { $0["key"] == "claw.sequence" }
        #expect(sequence?["value"]?["intValue"]?.string == "\(Events.stop.sequence)")
    }
}
