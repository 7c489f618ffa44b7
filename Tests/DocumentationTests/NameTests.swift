import Foundation
import GrantWorker
import IssuanceRules
import Testing

@testable import Observability

/// Names in documents are names in the code.
struct NameTests {
    /// Pages on which every name in backticks is held against the code, whatever it looks like.
    static let strict = ["docs/troubleshooting.md", "docs/alerts.md"]

    /// Roles of the database and the like, which look like metrics.
    private static let roles: Set<String> = ["clawgrant_owner", "clawgrant_worker", "clawgrant_auditor"]

    private static let metrics = Set(MetricCatalogue.all.map(\.name))

    private static func isMetric(_ name: String) -> Bool {
        metrics.contains(name)
            || ["_bucket", "_count", "_sum"].contains {
                name.hasSuffix($0) && metrics.contains(String(name.dropLast($0.count)))
            }
    }

    @Test(arguments: Tree.documents) func everyMetricIsOne(document: Document) {
        for span in document.spans {
            for match in span.text.matches(of: /\b(?:clawgrant|process)_[a-z_]+[a-z]/) {
                let name = String(match.0)
                #expect(
                    Self.isMetric(name) || Self.roles.contains(name),
                    "\(document.path):\(span.line): there is no metric \(name)")
            }
        }
    }

    /// Codes of the registered families are the rules' reasons, or words of another closed set of the sources.
    @Test(arguments: Tree.documents) func everyReasonIsOne(document: Document) throws {
        let reasons = Set(ReasonCode.allCases.map(\.rawValue))
        let others = Self.quoted
        for span in document.spans {
            for match in span.text.matches(
                of: /\b(?:CAPABILITY|HUMAN_APPROVAL|REPLAY|SCOPE|TOKEN|POLICY|WPC)_[A-Z_]+[A-Z]\b/)
            {
                let code = String(match.0)
                #expect(
                    reasons.contains(code) || others.contains(code),
                    "\(document.path):\(span.line): there is no code \(code)")
            }
        }
    }

    /// Words with underscores that stand in quotes somewhere in the sources.
    private static let quoted: Set<String> = {
        var words: Set<String> = []
        for case let url as URL in FileManager.default.enumerator(
            at: Tree.url("Sources"), includingPropertiesForKeys: nil)
            ?? .init() where url.pathExtension == "swift"
        {
            let text = (try? String(contentsOf: url, encoding: .utf8)) ?? ""
            for match in text.matches(of: /"([A-Za-z]+_[A-Za-z_]+)"/) { words.insert(String(match.1)) }
        }
        return words
    }()

    private static let settings: Set<String> = Set(
        SettingCatalogue.all.flatMap { section in
            section.settings.map { section.path.isEmpty ? $0.name : "\(section.path).\($0.name)" } + [section.path]
        })

    /// Keys of the rules file that runbooks name; the rules' own tests hold them against the schema.
    private static let ruleKeys: Set<String> = [
        "max_source_silence", "max_approval_age", "wait_timeout", "max_grants", "may_approve", "may_request", "tenants",
        "signers", "trusted_event_sources", "max_event_age", "entitlements", "gateways.signers", "control.signers",
    ]

    @Test(arguments: strict) func everyNameOfARunbookExists(path: String) throws {
        let document = try Tree.document(path)
        let events = Set(LogLine.all.map(\.id))
        let codes = Set(ReasonCode.allCases.map(\.rawValue)).union(UsageFinding.Code.allCases.map(\.rawValue))
            .union(HealthFinding.Code.allCases.map(\.rawValue)).union(Self.quoted)
        for span in document.spans {
            let place = "\(path):\(span.line)"
            if let match = span.text.wholeMatch(of: /([a-z_]+\.[a-z_.]+)(?:: .*|=.*)?/) {
                let name = String(match.1)
                let isFile =
                    [".md", ".yaml", ".json", ".example"].contains { name.hasSuffix($0) }
                    || name.hasPrefix("claw.")
                #expect(
                    isFile || events.contains(name) || Self.settings.contains(name) || Self.ruleKeys.contains(name)
                        || Self.settings.contains { $0.hasPrefix(name + "[") } || name.hasPrefix("kafka.properties."),
                    "\(place): \(name) is neither a line of the log nor a setting")
            } else if span.text.wholeMatch(of: /[a-z]+(?:_[a-z]+)+/) != nil, !span.text.hasPrefix("clawgrant_") {
                #expect(
                    codes.contains(span.text) || Self.ruleKeys.contains(span.text)
                        || Self.settings.contains { $0.split(separator: ".").last.map(String.init) == span.text },
                    "\(place): there is no \(span.text)")
            } else if span.text.wholeMatch(of: /[A-Z][A-Z_]*_[A-Z]+/) != nil {
                #expect(
                    codes.contains(span.text) || span.text.hasPrefix("CLAWGRANT_"),
                    "\(place): there is no code \(span.text)")
            }
        }
    }

    /// A runbook that names nothing would pass the tests above.
    @Test(arguments: strict) func runbooksNameWhatToLookAt(path: String) throws {
        let spans = try Tree.document(path).spans.map(\.text)
        #expect(spans.filter { $0.contains("clawgrant_") }.count > 5)
        #expect(spans.contains { $0.hasPrefix("clawgrant ") })
    }

    /// `./dev` has the commands that documents tell people to run.
    @Test func everyCommandOfTheDevelopersScriptExists() throws {
        let script = try Tree.text("dev")
        let start = try #require(script.range(of: "\ncase $command in\n"))
        let known = Set(
            script[start.upperBound...].matches(of: /(?m)^([a-z| -]+)\)/).flatMap { match in
                match.1.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            })
        #expect(known.isSuperset(of: ["demo", "test", "build"]))
        for document in Tree.documents {
            for match in document.text.matches(of: /\.\/dev ([a-z]+)/) {
                #expect(known.contains(String(match.1)), "\(document.path): there is no ./dev \(match.1)")
            }
        }
    }

    /// The links of all documents, by the check that `./dev check` runs.
    @Test func everyLinkLeadsSomewhere() async throws {
        let ran = try await Ran.script("check_tree.py")
        #expect(ran.code == 0, "\(ran.output)")
    }

    /// Whoever begins at the README finds every page in two clicks.
    @Test func everyPageIsTwoClicksFromTheReadme() throws {
        func links(_ path: String) -> Set<String> {
            guard let document = Tree.documents.first(where: { $0.path == path }) else { return [] }
            let folder = URL(fileURLWithPath: "/" + path).deletingLastPathComponent()
            return Set(
                document.text.matches(of: /\]\(([^)#\s]+\.md)/).map { match in
                    String(
                        URL(fileURLWithPath: String(match.1), relativeTo: folder).standardizedFileURL.path.dropFirst())
                })
        }
        let first = links("README.md")
        let second = first.reduce(into: first) { $0.formUnion(links($1)) }
        for document in Tree.documents where document.path.hasPrefix("docs/") {
            #expect(second.contains(document.path), "\(document.path) is further than two clicks from the README")
        }
    }
}
