import ApprovalSources
import ArgumentParser
import ClawWire
import IssuanceRules

/// `clawgrant source`: the sources of approvals.
struct SourceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "source", abstract: "See what a source's records mean.", subcommands: [SourceMapCommand.self])
}

/// `clawgrant source map`.
struct SourceMapCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "map", abstract: "Print the facts, outcomes and stops of a file of vendor records.",
        discussion: """
            Needs neither broker nor database. The file holds one record, a list of records, records with their Kafka \
            headers, or one JSON document a line. Signatures are not asked for: the result is what the records mean if \
            their source is trusted.
            """)

    @OptionGroup var output: OutputOptions

    @Option(
        help: ArgumentHelp(
            "The kind of source: \(SourceKind.names), or auto to tell it from each record.", valueName: "name"))
    var source: String = "auto"

    @Option(
        help: ArgumentHelp("Tenants, entitlements, job classes and trusted stop sources, in JSON.", valueName: "file"),
        completion: .file(extensions: ["json"]))
    var mapping: String?

    @Option(help: ArgumentHelp("The time at which outcomes are assessed; default: now.", valueName: "time"))
    var at: String?

    @Argument(help: "The records; - for standard input.", completion: .file())
    var file: String

    mutating func run() async throws {
        let kind = try SourceKind.parse(source)
        let now = try at.map { try Timestamp(argument: $0) } ?? Clock.now
        let report = MappingReport(
            try InputFile.bytes(file, atMost: 67_108_864), kind: kind, mapping: try readMapping(), asOf: now)
        if output.isJSON {
            Console.out(report.json)
            return
        }
        Console.out("as of \(now)")
        Console.out(Console.styled("facts", .bold))
        for (message, fact) in report.facts { Console.out("  " + line(fact, message: report.isList ? message : nil)) }
        Console.out(Console.styled("outcomes", .bold))
        for outcome in report.json["outcomes"]?.array ?? [] { Console.out("  " + line(outcome)) }
        let stops = report.json["stops"]?.array ?? []
        if !stops.isEmpty {
            Console.out(Console.styled("stops", .bold))
            for stop in stops { Console.out("  " + Console.plain(JSONWriter.text(stop))) }
        }
    }

    private func readMapping() throws -> SourceMapping {
        guard let mapping else { return SourceMapping() }
        do {
            return try SourceMapping(try JSONReader.parse(try InputFile.bytes(mapping, atMost: 16 << 20)))
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure.usage("\(mapping): \(error); correct the mapping")
        }
    }

    private func line(_ fact: Fact, message: Int?) -> String {
        var parts = [message.map { "message \($0)" }, fact.occurredAt?.iso8601].compactMap { $0 }
        let document = FactDocument.json(fact, message: nil)
        parts.append(document["fact"]?.string ?? "fact")
        if let id = fact.approvalID { parts.append("approval \(id)") }
        if let why = document["why"]?.string { parts.append("(\(why))") }
        return Console.plain(parts.joined(separator: "  "))
    }

    private func line(_ outcome: JSONValue) -> String {
        func text(_ key: String) -> String { outcome[key]?.string ?? "-" }
        let verdict =
            outcome["issue"]?.bool == true ? "issue" : outcome["revoke"]?.bool == true ? "revoke" : "do not issue"
        return Console.plain(
            "\(text("approval_id"))  \(text("state")) (\(text("why")))  class \(text("job_class"))  \(verdict)")
    }
}

/// Names of source kinds on the command line.
enum SourceKind {
    /// The names.
    static let names = SourceConfiguration.Kind.allCases.map(\.rawValue).joined(separator: ", ")

    /// The kind of a name, whatever separates its words; `nil` for `auto`.
    static func parse(_ text: String) throws -> SourceConfiguration.Kind? {
        if text.lowercased() == "auto" { return nil }
        guard let kind = SourceConfiguration.Kind(name: text) else {
            throw CommandFailure.usage("\"\(text)\" is no kind of source; known are \(names) and auto")
        }
        return kind
    }
}
