import ClawWire
import Foundation
import Logging
import Testing

@testable import Observability

/// The catalogues are what the code does, and the documentation is what they say.
struct CatalogueTests {
    /// Names of metrics in a text.
    private static func names(_ text: String) -> Set<String> {
        Set(text.matches(of: /"((?:clawgrant|process)_[a-z_]+)"/).map { String($0.1) })
    }

    /// Where the metrics of parts are emitted that are built apart from the worker.
    private static let folders: [MetricDefinition.Section: [String]] = [
        .sinks: ["SecuritySinks"], .http: ["IssuerAPI", "HTTPService"],
    ]

    private static func emitted() throws -> [String: Set<String>] {
        try ObservationPeers.sources().filter { !$0.key.hasSuffix("MetricCatalogue.swift") }.mapValues(names)
    }

    @Test func everyMetricThatIsEmittedIsListed() throws {
        let known = Set(MetricCatalogue.all.map(\.name))
        for (path, source) in try ObservationPeers.sources() where !path.hasPrefix("Sources/Observability/Metrics/") {
            for match in source.matches(of: /(?:label:|gauge\(|gauge\(label:)\s*"((?:clawgrant|process)_[a-z_]+)"/) {
                #expect(known.contains(String(match.1)), "\(path) emits \(match.1), which is not in the catalogue")
            }
        }
    }

    @Test func everyMetricThatIsListedIsEmitted() throws {
        let emitted = try Self.emitted()
        for definition in MetricCatalogue.all {
            let places = Self.folders[definition.section].map { $0.map { "Sources/\($0)/" } } ?? ["Sources/"]
            let here = emitted.filter { path, _ in places.contains { path.hasPrefix($0) } }
            // A part that emits nothing at all is not there.
            guard Self.folders[definition.section] == nil || here.values.contains(where: { !$0.isEmpty }) else {
                continue
            }
            #expect(here.values.contains { $0.contains(definition.name) }, "nobody emits \(definition.name)")
        }
    }

    @Test func namesFollowTheRules() {
        let names = MetricCatalogue.all.map(\.name)
        #expect(Set(names).count == names.count)
        for definition in MetricCatalogue.all {
            #expect(definition.name.wholeMatch(of: /(clawgrant|process)_[a-z_]+/) != nil)
            #expect((definition.kind == .counter) == definition.name.hasSuffix("_total"), "\(definition.name)")
            #expect(definition.help.hasSuffix(".") && !definition.help.contains("\n"), "\(definition.name)")
            switch definition.unit {
            case .none: #expect(!definition.name.contains("_seconds"), "\(definition.name)")
            case .seconds, .bytes: #expect(definition.name.contains(definition.unit.rawValue), "\(definition.name)")
            }
            if case .histogram(let bounds) = definition.kind { #expect(bounds == bounds.sorted() && bounds.count > 3) }
        }
    }

    @Test func theDocumentationOfMetricsIsTheCatalogue() throws {
        #expect(try ObservationPeers.documented("docs/metrics.md", MetricDocument.text))
    }

    @Test func theDocumentationOfLinesIsTheCatalogue() throws {
        #expect(try ObservationPeers.documented("docs/logs.md", LogDocument.text))
    }

    /// Services write lines of the catalogue alone.
    @Test func everyLineOfTheLogIsListed() throws {
        let direct = /[lL]og(ger)?\??\.(trace|debug|info|notice|warning|error|critical)\(|\.log\(\s*level:/
        // Where lines of the catalogue become lines of the log.
        let door = "Sources/Observability/Logs/LogLine.swift"
        let sources = try ObservationPeers.sources()
        #expect(sources[door]?.firstMatch(of: /log\(level:/) != nil)
        for (path, source) in sources where path != door {
            #expect(source.firstMatch(of: direct) == nil, "\(path) writes a line that has no name")
        }
    }

    @Test func everyLineIsWrittenSomewhere() throws {
        let sources = try ObservationPeers.sources().filter { !$0.key.hasPrefix("Sources/Observability/Logs/") }
        let lines = try ObservationPeers.sources(below: "Observability/Logs").values.flatMap { source in
            source.matches(of: /static let (\w+) = LogLine\(\s*"([^"]+)"/).map { (String($0.1), String($0.2)) }
        }
        #expect(lines.count == LogLine.all.count)
        for (constant, id) in lines {
            #expect(LogLine.named(id) != nil, "\(id) is in no part of the catalogue")
            let use = try Regex("\\.\(constant)\\b")
            #expect(sources.values.contains { $0.firstMatch(of: use) != nil }, "nobody writes \(id)")
        }
    }

    @Test func linesFollowTheRules() {
        let ids = LogLine.all.map(\.id)
        #expect(Set(ids).count == ids.count)
        for line in LogLine.all {
            #expect(line.id.wholeMatch(of: /[a-z]+\.[a-z_]+/) != nil, "\(line.id)")
            #expect(!line.meaning.isEmpty && line.meaning.hasSuffix("."), "\(line.id)")
            #expect(line.level < .error || !line.action.isEmpty, "\(line.id) is severe and says not what to do")
        }
    }

    @Test func whatOthersWroteIsShownOnOneLineAndCut() {
        #expect(OutsideText("a\nb\u{202E}c\u{1B}[31m").description == "a\\u{a}b\\u{202e}c\\u{1b}[31m")
        #expect(OutsideText(String(repeating: "x", count: 300)).description.count == 257)
        #expect("\(SecretText("hunter2"))" == "(secret)")
        var dumped = ""
        dump(SecretText("hunter2"), to: &dumped)
        #expect(!dumped.contains("hunter2"))
    }
}
