import ClawWire
import DevStack
import Foundation
import Metrics
import Testing

@testable import Observability

/// What the registry counts, and how it is written down.
struct ExpositionTests {
    private static let catalogue: [MetricDefinition] = [
        MetricDefinition("t_events_total", .counter, labels: ["why"], in: .process, "Events.\nOf \\ all kinds."),
        MetricDefinition("t_level", .gauge, in: .process, "A level."),
        MetricDefinition("t_work_seconds", .histogram([0.1, 1]), .seconds, in: .process, "Work."),
        MetricDefinition(MetricRegistry.droppedSeriesName, .counter, in: .process, "Dropped."),
    ]

    private func text(_ registry: MetricRegistry, _ format: ExpositionFormat = .prometheus) -> String {
        String(decoding: registry.render(format), as: UTF8.self)
    }

    private func filled() -> MetricRegistry {
        let registry = MetricRegistry(catalogue: Self.catalogue)
        Counter(label: "t_events_total", dimensions: [("why", "a\"b\\c\nd")], factory: registry).increment(by: 3)
        Counter(label: "t_events_total", dimensions: [("why", "plain")], factory: registry).increment()
        Gauge(label: "t_level", factory: registry).record(-2.5)
        let timer = Timer(label: "t_work_seconds", factory: registry)
        for milliseconds in [50, 100, 500, 5_000] { timer.record(duration: .milliseconds(milliseconds)) }
        return registry
    }

    @Test func writesTheTextFormat() {
        #expect(
            text(filled()) == """
                # HELP clawgrant_metric_series_dropped_total Dropped.
                # TYPE clawgrant_metric_series_dropped_total counter
                clawgrant_metric_series_dropped_total 0
                # HELP t_events_total Events.\\nOf \\\\ all kinds.
                # TYPE t_events_total counter
                t_events_total{why="a\\"b\\\\c\\nd"} 3
                t_events_total{why="plain"} 1
                # HELP t_level A level.
                # TYPE t_level gauge
                t_level -2.5
                # HELP t_work_seconds Work.
                # TYPE t_work_seconds histogram
                t_work_seconds_bucket{le="0.1"} 2
                t_work_seconds_bucket{le="1"} 3
                t_work_seconds_bucket{le="+Inf"} 4
                t_work_seconds_sum 5.65
                t_work_seconds_count 4

                """)
    }

    @Test func writesOpenMetrics() {
        let lines = text(filled(), .openMetrics).split(separator: "\n").map(String.init)
        #expect(lines.last == "# EOF")
        #expect(lines.contains("# TYPE t_events counter"))
        #expect(lines.contains("# UNIT t_work_seconds seconds"))
        #expect(lines.contains("t_events_total{why=\"plain\"} 1"))
    }

    /// An independent reader understands both formats, and the same of them.
    @Test(.enabled(if: ObservationPeers.hasParser), arguments: ExpositionFormat.allCases)
    func othersReadIt(format: ExpositionFormat) async throws {
        let registry = filled()
        Counter(label: "odd.name-of/library", dimensions: [("a b", "\u{1}\u{2028}é😀")], factory: registry).increment()
        let path = NSTemporaryDirectory() + "exposition-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(registry.render(format)).write(to: URL(fileURLWithPath: path))
        let form = format == .prometheus ? "prometheus" : "openmetrics"
        let result = try await Command.run(ObservationPeers.python("exposition", [form, path]), within: .seconds(60))
        #expect(result.status.isSuccess, "\(result.errors)")
        let families = try JSONReader.parse(result.output).array ?? []
        func samples(_ family: String) -> [JSONValue] {
            families.first { $0["name"]?.string == family }?["samples"]?.array ?? []
        }
        let events = samples("t_events")
        #expect(events.count == 2)
        #expect(events.contains { $0["labels"]?["why"]?.string == "a\"b\\c\nd" && $0["value"]?.integer == 3 })
        #expect(samples("t_level").first?["value"] == .number(-2.5))
        #expect(samples("t_work_seconds").count == 5)
        #expect(samples("odd_name_of_library").first?["labels"]?["a_b"]?.string == "\u{1}\u{2028}é😀")
    }

    @Test func theFormatIsTheOneThatIsAskedFor() {
        #expect(ExpositionFormat(accept: nil) == .prometheus)
        #expect(ExpositionFormat(accept: "text/html, */*") == .prometheus)
        #expect(ExpositionFormat(accept: "application/openmetrics-text; version=1.0.0") == .openMetrics)
        #expect(
            ExpositionFormat(
                accept: "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.75")
                == .prometheus)
        #expect(
            ExpositionFormat(accept: "application/openmetrics-text;q=0.8,text/plain;q=0.5,*/*;q=0.1") == .openMetrics)
    }

    @Test func seriesAreBoundedAndTheRestIsCounted() {
        let registry = MetricRegistry(catalogue: Self.catalogue, maximumSeries: 3)
        for name in ["a", "b", "c", "d", "e"] {
            Counter(label: "t_events_total", dimensions: [("why", name)], factory: registry).increment()
        }
        #expect(registry.droppedSeries == 2)
        #expect(registry.value("t_events_total", ["why": "c"]) == 1)
        #expect(registry.value("t_events_total", ["why": "d"]) == nil)
        // A name is of one kind.
        Gauge(label: "t_events_total", factory: registry).record(1)
        #expect(registry.droppedSeries == 3)
    }

    @Test func aHandlerIsOneHoweverOftenItIsMade() {
        let registry = MetricRegistry(catalogue: Self.catalogue)
        for _ in 0..<5 {
            Counter(label: "t_events_total", dimensions: [("why", "x")], factory: registry).increment()
        }
        #expect(registry.value("t_events_total", ["why": "x"]) == 5)
    }

    @Test func whatIsNotReadAnyMoreIsNotShown() {
        let registry = MetricRegistry(catalogue: [])
        let gauges = LabelledGauges<Int>(label: "t_lag", factory: registry) { [("partition", String($0))] }
        gauges.set(0, to: 5)
        gauges.set(1, to: 7)
        gauges.keep(only: [1])
        #expect(registry.value("t_lag", ["partition": "0"]) == nil)
        #expect(registry.value("t_lag", ["partition": "1"]) == 7)
        gauges.set(0, to: 2)
        #expect(registry.value("t_lag", ["partition": "0"]) == 2)
    }

    @Test func aGaugeIsShownOnceItIsSet() {
        let registry = MetricRegistry(catalogue: Self.catalogue)
        let gauge = Gauge(label: "t_level", factory: registry)
        #expect(!text(registry).contains("t_level"))
        gauge.record(0)
        #expect(text(registry).contains("t_level 0\n"))
    }

    @Test func nothingIsLostWhenManyCount() async {
        let registry = MetricRegistry(catalogue: Self.catalogue)
        let counters = LabelledCounters<Int>(label: "t_events_total", known: [0], factory: registry) {
            [("why", String($0))]
        }
        let timer = Timer(label: "t_work_seconds", factory: registry)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for index in 0..<5_000 {
                        counters[index % 3].increment()
                        timer.recordNanoseconds(1_000_000_000)
                    }
                }
            }
        }
        let sum = (0..<3).reduce(0.0) { $0 + (registry.value("t_events_total", ["why": String($1)]) ?? 0) }
        #expect(sum == 40_000)
        #expect(text(registry).contains("t_work_seconds_sum 40000\nt_work_seconds_count 40000\n"))
    }

    @Test func theProcessIsMeasured() throws {
        let registry = MetricRegistry()
        ProcessMetrics.install(in: registry, version: "1.2.3", program: "test")
        _ = registry.render()
        #expect(try #require(registry.value("process_resident_memory_bytes")) > 1_000_000)
        #expect(try #require(registry.value("process_open_fds")) >= 3)
        #expect(try #require(registry.value("process_start_time_seconds")) > 1_600_000_000)
        #expect(registry.value("clawgrant_build_info", ["version": "1.2.3", "program": "test"]) == 1)
    }

    @Test func aProgramsNameForgesNoFigure() throws {
        let fields = (1...40).map(String.init).joined(separator: " ")
        let stat = "7 (a) b ) S \(fields)\n"
        let figures = try #require(ProcessMetrics.figures(stat: stat))
        #expect(figures.processorTicks == 11 + 12)
        #expect(figures.residentPages == 21)
        #expect(ProcessMetrics.figures(stat: "nonsense") == nil)
    }

    @Test func aFileIsWrittenWholeAndTakenAway() async throws {
        let directory = NSTemporaryDirectory() + "textfile-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let exporter = TextfileExporter(path: directory + "/clawgrant.prom", registry: filled())
        try exporter.write()
        let written = try String(contentsOfFile: exporter.path, encoding: .utf8)
        #expect(written.hasSuffix("t_work_seconds_count 4\n"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["clawgrant.prom"])
        exporter.remove()
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == [])
        let nowhere = TextfileExporter(path: directory + "/none/clawgrant.prom", registry: filled())
        #expect(throws: TextfileExporter.WriteError.self) { try nowhere.write() }
    }
}
