import ClawWire
import DevStack
import Foundation
import Metrics
import Observability
import Testing

/// Rules, dashboard and objectives are about metrics that exist, and lead somewhere.
struct OperationsFilesTests {
    private static let rules = "deploy/observability/clawgrant.rules.yaml"
    private static let dashboard = "deploy/observability/clawgrant.dashboard.json"

    /// Names that a query may speak of: what is exposed, and what rules record.
    private static func exposed() throws -> Set<String> {
        var names: Set<String> = ["ALERTS", "up"]
        for definition in MetricCatalogue.all {
            names.insert(definition.name)
            if case .histogram = definition.kind {
                for ending in ["_bucket", "_sum", "_count"] { names.insert(definition.name + ending) }
            }
        }
        for match in try ObservationPeers.text(rules).matches(of: /record: (\S+)/) { names.insert(String(match.1)) }
        return names
    }

    private static func names(in query: String) -> [String] {
        let bare = query.replacing(/"[^"]*"/, with: "\"\"")
        return bare.matches(of: /\b((?:clawgrant|process)[a-z0-9_:]*)\b/).map { String($0.1) }
    }

    @Test func everyQueryOfTheDashboardNamesMetricsThatExist() throws {
        let exposed = try Self.exposed()
        let dashboard = try JSONReader.parse(try ObservationPeers.text(Self.dashboard))
        let panels = try #require(dashboard["panels"]?.array)
        var queries = 0
        var shown: Set<String> = []
        for panel in panels {
            for target in panel["targets"]?.array ?? [] {
                let query = try #require(target["expr"]?.string)
                queries += 1
                let names = Self.names(in: query)
                #expect(!names.isEmpty || query.contains("vector"), "\(query)")
                for name in names {
                    shown.insert(name)
                    #expect(exposed.contains(name), "\(name), in \(panel["title"]?.string ?? ""), does not exist")
                }
            }
        }
        #expect(queries > 40)
        // And the other way round: each metric has its place.
        for definition in MetricCatalogue.all where definition.section != .bridge {
            let isShown = shown.contains { $0 == definition.name || $0.hasPrefix(definition.name + "_") }
            let isDetail = [
                "process_max_fds", "process_virtual",
            ].contains { definition.name.hasPrefix($0) }
            #expect(isShown || isDetail, "\(definition.name) is on no panel")
        }
    }

    @Test func theDashboardIsOneThatCanBeImported() throws {
        let dashboard = try JSONReader.parse(try ObservationPeers.text(Self.dashboard))
        #expect(dashboard["uid"]?.string == "clawgrant")
        #expect(dashboard["schemaVersion"]?.integer == 39)
        let variables = dashboard["templating"]?["list"]?.array ?? []
        #expect(variables.contains { $0["type"]?.string == "datasource" && $0["name"]?.string == "datasource" })
        let panels = try #require(dashboard["panels"]?.array)
        let ids = panels.compactMap { $0["id"]?.integer }
        #expect(ids.count == panels.count && Set(ids).count == ids.count)
        var taken: Set<[Int64]> = []
        for panel in panels {
            let place = try #require(panel["gridPos"])
            let figures = ["x", "y", "w", "h"].compactMap { place[$0]?.integer }
            try #require(figures.count == 4)
            #expect(figures[0] + figures[2] <= 24)
            for x in figures[0]..<(figures[0] + figures[2]) {
                for y in figures[1]..<(figures[1] + figures[3]) {
                    #expect(taken.insert([Int64(x), Int64(y)]).inserted, "\(panel["title"]?.string ?? "") overlaps")
                }
            }
            guard panel["type"]?.string != "row" else { continue }
            #expect(panel["datasource"]?["uid"]?.string == "${datasource}")
            let letters = (panel["targets"]?.array ?? []).compactMap { $0["refId"]?.string }
            #expect(!letters.isEmpty && Set(letters).count == letters.count)
        }
        let rows = panels.filter { $0["type"]?.string == "row" }.compactMap { $0["title"]?.string }
        #expect(rows.contains("Deciding") && rows.contains("Stops and control events"))
    }

    @Test func everyRuleNamesMetricsThatExist() throws {
        let exposed = try Self.exposed()
        let text = try ObservationPeers.text(Self.rules)
        let queries = text.matches(of: /expr: \|\n((?: {10}.*\n)+)/).map { String($0.1) }
        #expect(queries.count > 40)
        for query in queries {
            for name in Self.names(in: query) { #expect(exposed.contains(name), "\(name) does not exist") }
        }
    }

    @Test func everyAlertHasATest() throws {
        let rules = try ObservationPeers.text(Self.rules)
        let tests = try ["clawgrant.rules.test.yaml", "clawgrant.rules.days.test.yaml"]
            .map { try ObservationPeers.text("deploy/observability/\($0)") }.joined()
        let tested = Set(tests.matches(of: /alertname: ([A-Za-z]+)/).map { String($0.1) })
        for alert in rules.matches(of: /alert: (\S+)/) { #expect(tested.contains(String(alert.1)), "\(alert.1)") }
    }

    @Test func everyAlertLeadsToASectionThatExists() throws {
        let text = try ObservationPeers.text(Self.rules)
        let alerts = text.matches(of: /alert: (\S+)/).map { String($0.1) }
        let runbooks = text.matches(of: /runbook: (\S+)/).map { String($0.1) }
        #expect(alerts.count > 20 && alerts.count == runbooks.count)
        #expect(Set(alerts).count == alerts.count)
        #expect(text.matches(of: /summary: \S/).count == alerts.count)
        #expect(text.matches(of: /description: >-\n {12}\S/).count == alerts.count)
        let document = try ObservationPeers.text("docs/alerts.md")
        let sections = Set(document.matches(of: /(?m)^#+ `?([A-Za-z]+)`?$/).map { String($0.1).lowercased() })
        for runbook in runbooks {
            let parts = runbook.split(separator: "#")
            #expect(parts.first == "docs/alerts.md")
            #expect(parts.last.map { sections.contains(String($0)) } ?? false, "\(runbook) leads nowhere")
        }
    }

    @Test(
        .enabled(if: ObservationPeers.hasPromtool),
        arguments: [
            ["check", "rules", "clawgrant.rules.yaml"], ["test", "rules", "clawgrant.rules.test.yaml"],
            ["test", "rules", "clawgrant.rules.days.test.yaml"],
            ["check", "config", "--syntax-only", "prometheus.example.yaml"],
        ])
    func promtoolIsContent(_ arguments: [String]) async throws {
        var run = ManagedProcess.Configuration(executable: ObservationPeers.promtool, arguments: arguments)
        run.workingDirectory = ObservationPeers.root.appendingPathComponent("deploy/observability").path
        let result = try await Command.run(run, within: .seconds(120))
        #expect(result.status.isSuccess, "\(result.output) \(result.errors)")
    }

    /// What a registry writes passes the linter of those who read it.
    @Test(.enabled(if: ObservationPeers.hasPromtool))
    func promtoolFindsNothingInTheExposition() async throws {
        let registry = MetricRegistry()
        ProcessMetrics.install(in: registry, version: "1", program: "test")
        for definition in MetricCatalogue.all where definition.name.hasPrefix("clawgrant_") {
            let labels = definition.labels.map { ($0, "x") }
            switch definition.kind {
            case .counter: _ = registry.makeCounter(label: definition.name, dimensions: labels)
            case .gauge: registry.makeRecorder(label: definition.name, dimensions: labels, aggregate: false).record(1.0)
            case .histogram: registry.makeTimer(label: definition.name, dimensions: labels).recordNanoseconds(5)
            }
        }
        let path = NSTemporaryDirectory() + "metrics-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(registry.render()).write(to: URL(fileURLWithPath: path))
        let result = try await Command.run(
            ManagedProcess.Configuration(
                executable: "/bin/sh",
                arguments: ["-c", "\"$0\" check metrics < \"$1\"", ObservationPeers.promtool, path]))
        #expect(result.status.isSuccess, "\(result.output) \(result.errors)")
    }
}
