import ClawWire
import Metrics
import Primitives
import Testing

@testable import Observability

/// Spans on their way out: bounded, tried again, counted.
struct SpanExporterTests {
    private struct Gone: Error {}

    /// Answers with a script, then with 200, and keeps what came.
    private final class Collector: Sendable {
        let bodies = Lock<[JSONValue]>([])
        private let script: Lock<[Int?]>

        init(_ script: [Int?] = []) { self.script = Lock(script) }

        func take(_ body: [UInt8], _ settings: SpanExporter.Settings) async throws -> SpanExporter.Answer {
            let value = try JSONReader.parse(body)
            let status = script.withLock { $0.isEmpty ? 200 : $0.removeFirst() }
            guard let status else { throw Gone() }
            if status == 200 { bodies.withLock { $0.append(value) } }
            return SpanExporter.Answer(status: status, retryAfter: .zero)
        }

        var spans: [JSONValue] {
            bodies.withLock { bodies in
                bodies.flatMap { body in
                    body["resourceSpans"]?.array?.first?["scopeSpans"]?.array?.first?["spans"]?.array ?? []
                }
            }
        }
    }

    private let registry = MetricRegistry()

    private func exporter(_ collector: Collector, queue: Int = 2_048, batch: Int = 512) -> SpanExporter {
        var settings = SpanExporter.Settings(endpoint: "http://127.0.0.1:4318/v1/traces")
        settings.queueLength = queue
        settings.batchLength = batch
        return SpanExporter(
            settings, resource: [Span.Attribute("service.name", "clawgrant")], version: "1", metrics: registry,
            transport: { try await collector.take($0, $1) })
    }

    private func span(_ name: String, sampled: Bool = true) throws -> Span {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-\(sampled ? "01" : "00")"
        let context = try #require(TraceContext(traceparent: parent, tracestate: "a=b"))
        return Span(
            name, .consumer, in: context.child(.random()), under: context.spanID, from: Timestamp(seconds: 10),
            to: Timestamp(seconds: 11), attributes: [Span.Attribute("n", 7), Span.Attribute("t", .text("x"))],
            links: [context], fault: "broken")
    }

    private func count(_ result: String) -> Double? { registry.value("clawgrant_spans_total", ["result": result]) }

    @Test func whatIsRecordedArrives() async throws {
        let collector = Collector()
        let exporter = exporter(collector, batch: 2)
        for index in 0..<5 { exporter.record(try span("s\(index)")) }
        exporter.record(try span("not kept", sampled: false))
        await exporter.run { true }
        #expect(collector.spans.compactMap { $0["name"]?.string } == ["s0", "s1", "s2", "s3", "s4"])
        #expect(collector.bodies.withLock(\.count) == 3)
        let first = try #require(collector.spans.first)
        #expect(first["traceId"]?.string == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(first["parentSpanId"]?.string == "00f067aa0ba902b7")
        #expect(first["traceState"]?.string == "a=b")
        #expect(first["kind"]?.integer == 5)
        #expect(first["startTimeUnixNano"]?.string == "10000000000")
        #expect(first["endTimeUnixNano"]?.string == "11000000000")
        #expect(first["attributes"]?.array?.first?["value"]?["intValue"]?.string == "7")
        #expect(first["status"]?["code"]?.integer == 2)
        #expect(count("exported") == 5)
    }

    @Test func aFullQueueDropsAndCounts() async throws {
        let collector = Collector()
        let exporter = exporter(collector, queue: 3)
        for index in 0..<5 { exporter.record(try span("s\(index)")) }
        await exporter.run { true }
        #expect(collector.spans.count == 3)
        #expect(count("dropped_full") == 2)
    }

    @Test func aCollectorThatIsBusyIsAskedAgain() async throws {
        let collector = Collector([503, nil, 429])
        let exporter = exporter(collector)
        exporter.record(try span("s"))
        let isDone = Lock(false)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await exporter.run { isDone.withLock { $0 } } }
            while collector.spans.isEmpty { try? await Task.sleep(for: .milliseconds(5)) }
            isDone.withLock { $0 = true }
        }
        #expect(collector.spans.count == 1)
        #expect(count("exported") == 1)
    }

    @Test func whatACollectorRefusesIsNotSentAgain() async throws {
        let collector = Collector([400])
        let exporter = exporter(collector)
        exporter.record(try span("s"))
        await exporter.run { true }
        #expect(collector.spans.isEmpty)
        #expect(count("refused") == 1)
    }

    @Test func aCollectorThatIsGoneHoldsNothingUp() async throws {
        let collector = Collector([nil])
        let exporter = exporter(collector, batch: 1)
        for _ in 0..<3 { exporter.record(try span("s")) }
        await exporter.run { true }
        #expect(collector.spans.isEmpty)
        #expect(count("dropped_failed") == 3)
        exporter.record(try span("late"))
        #expect(count("dropped_full") == 1)
    }

    @Test func textIsCut() throws {
        var span = try span("s")
        span.attributes = [Span.Attribute("t", .text(String(repeating: "x", count: 1_000)))]
        let body = try JSONReader.parse(OTLPEncoder.body([span], resource: [], scopeVersion: "1"))
        let spans = body["resourceSpans"]?.array?.first?["scopeSpans"]?.array?.first?["spans"]?.array
        #expect(spans?.first?["attributes"]?.array?.first?["value"]?["stringValue"]?.string?.count == 256)
    }
}
