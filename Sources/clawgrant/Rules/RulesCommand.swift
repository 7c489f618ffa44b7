import ArgumentParser
import ClawWire
import GrantWorker
import IssuanceRules

/// `clawgrant rules`: the issuance rules.
struct RulesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rules", abstract: "Check and try issuance rules.",
        subcommands: [RulesCheckCommand.self, RulesTestCommand.self, RulesReasonsCommand.self])
}

/// `clawgrant rules check`.
struct RulesCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Read a rules file and report every fault with its place.")

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    @Argument(help: "The rules; without it, those of the configuration.", completion: .file(extensions: ["yaml"]))
    var file: String?

    mutating func run() async throws {
        let path = try file ?? source.load().worker.rulesFile
        let rules: RuleSet
        do {
            rules = try RuleSet(yaml: try InputFile.text(path))
        } catch let error as RulesError {
            for problem in error.problems {
                if output.isJSON {
                    Console.out([
                        "file": .string(path), "line": .integer(problem.line), "column": .integer(problem.column),
                        "setting": .string(problem.path), "found": .string(problem.found),
                        "expected": .string(problem.expected), "suggestion": .optional(problem.suggestion),
                    ])
                } else {
                    Console.out("\(path): \(problem)")
                }
            }
            throw CommandFailure.no
        }
        if output.isJSON {
            Console.out([
                "file": .string(path), "rules_hash_b64u": .string(rules.hash.b64u),
                "job_classes": .array(rules.jobClasses.keys.sorted().map { .string($0.rawValue) }),
                "sources": .array(rules.sources.keys.sorted().map { .string($0.rawValue) }),
            ])
        } else {
            Console.out(
                "\(path): \(rules.jobClasses.count) job classes, \(rules.sources.count) sources, hash \(rules.hash)")
        }
    }
}

/// `clawgrant rules reasons`.
struct RulesReasonsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reasons", abstract: "Print every reason code with its meaning and what to do about it.")

    @OptionGroup var output: OutputOptions

    @Argument(help: "Only these codes.")
    var codes: [String] = []

    mutating func run() async throws {
        let unknown = codes.filter { ReasonCode(rawValue: $0.uppercased()) == nil }
        guard unknown.isEmpty else {
            throw CommandFailure.usage(
                "\(unknown.joined(separator: ", ")): no such reason; `clawgrant rules reasons` lists them all")
        }
        let chosen = Set(codes.map { $0.uppercased() })
        for code in ReasonCode.allCases where chosen.isEmpty || chosen.contains(code.rawValue) {
            if output.isJSON {
                Console.out([
                    "code": .string(code.rawValue), "meaning": .string(code.meaning), "remedy": .string(code.remedy),
                    "note": .bool(code.isNote),
                ])
            } else {
                Console.out(Console.styled(code.rawValue, .bold))
                Console.out("  \(code.meaning)")
                Console.out("  -> \(code.remedy)")
            }
        }
    }
}
