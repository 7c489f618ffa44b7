import ArgumentParser
import ClawWire
import Foundation
import GrantWorker
import IssuanceRules

/// `clawgrant rules test`.
struct RulesTestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test", abstract: "Decide cases and compare with what they expect.",
        discussion: "docs/rules.md shows the form of a case: given these facts, at this time, expect this decision.")

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    @Option(
        name: .customLong("rules"),
        help: ArgumentHelp("The rules; without it, those of the configuration.", valueName: "file"),
        completion: .file(extensions: ["yaml", "yml"]))
    var rulesFile: String?

    @Argument(help: "Files of cases, or folders of such files.", completion: .file())
    var paths: [String]

    mutating func run() async throws {
        let rules = try RulesFile.load(try rulesFile ?? source.load().worker.rulesFile)
        var passed = 0
        var failed = 0
        for file in try paths.flatMap(CaseFiles.find) {
            for example in try CaseFiles.read(file) {
                let result = example.run(under: rules)
                if result.isPassed { passed += 1 } else { failed += 1 }
                if output.isJSON {
                    Console.out([
                        "file": .string(file), "case": .string(result.name), "passed": .bool(result.isPassed),
                        "differences": .array(result.differences.map { .string($0) }),
                        "reason_codes": .array(result.decision.reasons.map { .string($0.code.rawValue) }),
                    ])
                } else {
                    let mark = result.isPassed ? Console.styled("ok    ", .green) : Console.styled("FAILED", .red)
                    Console.out("\(mark)  \(Console.plain(result.name))")
                    for line in result.differences { Console.out("        \(Console.plain(line))") }
                }
            }
        }
        guard passed + failed > 0 else {
            throw CommandFailure.usage("\(paths.joined(separator: ", ")): there are no cases")
        }
        if output.isJSON {
            Console.out(["summary": ["passed": .integer(passed), "failed": .integer(failed)]])
        } else {
            Console.out("\(passed) passed, \(failed) failed")
        }
        if failed > 0 { throw CommandFailure.no }
    }
}

/// Files of rules cases.
enum CaseFiles {
    /// A file, or every YAML and JSON file below a folder, in the order of their names.
    static func find(_ path: String) throws -> [String] {
        var isDirectory: ObjCBool = false
        guard unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw CommandFailure.usage("\(path): there is no such file or folder")
        }
        guard isDirectory.boolValue else { return [path] }
        let names = try FileManager.default.subpathsOfDirectory(atPath: path).sorted()
        return names.filter { name in [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) } }.map {
            "\(path)/\($0)"
        }
    }

    /// The cases of a file.
    static func read(_ path: String) throws -> [RulesCase] {
        let text = try InputFile.text(path)
        do {
            return try RulesCase.read(yaml: text)
        } catch {
            throw CommandFailure.usage("\(path): \(error); docs/rules.md shows the form of a case")
        }
    }
}
