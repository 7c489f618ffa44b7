import ArgumentParser
import BrokerTokens
import ClawWire
import Foundation
import GrantWorker
import IssuanceRules

/// Where the configuration is.
struct ConfigurationOptions: ParsableArguments {
    @Option(
        name: .customLong("config"),
        help: ArgumentHelp(
            "The configuration.", discussion: "Default: $CLAWGRANT_CONFIG, else clawgrant.yaml.", valueName: "file"),
        completion: .file(extensions: ["yaml", "yml"]))
    var path: String?

    /// The path in force.
    var effectivePath: String {
        if let path { return path }
        let named = ProcessInfo.processInfo.environment["CLAWGRANT_CONFIG"] ?? ""
        return named.isEmpty ? "clawgrant.yaml" : named
    }

    func load() throws -> ConfigurationFile {
        try ConfigurationFile.load(effectivePath).withTokens { BrokerTokens.provider($0) }
    }
}

/// How results are printed.
struct OutputOptions: ParsableArguments {
    @Flag(name: .customLong("json"), help: "Print JSON: one document, or one object a line.")
    var isJSON = false
}

extension ConfigurationFile {
    /// The issuance rules that the configuration names.
    func rules() throws -> RuleSet { try RulesFile.load(worker.rulesFile) }
}

extension WorkerConfiguration {
    /// Where WPCs come from: what the configuration says, else what the rules say, whose directory is relative to them.
    func policySources(_ rules: RuleSet) -> PolicySources {
        var sources = policies
        if sources.directory == nil, let directory = rules.workPolicies.directory {
            let home = URL(fileURLWithPath: rulesFile).deletingLastPathComponent()
            sources.directory =
                directory.hasPrefix("/") ? directory : home.appendingPathComponent(directory).standardizedFileURL.path
        }
        sources.topic = sources.topic ?? rules.workPolicies.topic
        sources.url = sources.url ?? rules.workPolicies.registry
        return sources
    }
}

/// Reads rules files.
enum RulesFile {
    static func load(_ path: String) throws -> RuleSet {
        let text = try InputFile.text(path)
        do {
            return try RuleSet(yaml: text)
        } catch {
            throw CommandFailure.usage(
                error.problems.map { "\(path): \($0)" }.joined(separator: "\n")
                    + "\ncorrect the file; docs/rules.md explains every setting")
        }
    }
}

/// Reads whole files that people name on the command line.
enum InputFile {
    /// Largest file read.
    static let maximumBytes = 256 << 20

    /// The bytes of a file, or of standard input for `-`.
    static func bytes(_ path: String, atMost maximum: Int = maximumBytes) throws -> [UInt8] {
        do {
            let handle =
                path == "-" ? FileHandle.standardInput : try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            let data = try handle.read(upToCount: maximum + 1) ?? Data()
            guard data.count <= maximum else {
                throw CommandFailure.usage("\(shown(path)) has more than the \(maximum) bytes that are read")
            }
            return Array(data)
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            let reason =
                FileManager.default.fileExists(atPath: path)
                ? error.localizedDescription.trimmingSuffix(".") : "there is no such file"
            throw CommandFailure.usage("\(shown(path)) cannot be read: \(reason); check the path and its permissions")
        }
    }

    /// The text of a file.
    static func text(_ path: String) throws -> String {
        guard let text = String(validating: try bytes(path), as: UTF8.self) else {
            throw CommandFailure.usage("\(shown(path)) is not UTF-8 text")
        }
        return text
    }

    private static func shown(_ path: String) -> String { path == "-" ? "standard input" : path }
}

extension String {
    fileprivate func trimmingSuffix(_ suffix: String) -> String {
        hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
    }
}

/// The present.
enum Clock {
    static var now: Timestamp { Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1e6)) }
}

extension Timestamp {
    /// Reads a time from the command line: RFC 3339, or a day, which stands for its first instant.
    init(argument text: String) throws {
        guard let time = Timestamp(rfc3339: text) ?? Timestamp(rfc3339: text + "T00:00:00Z") else {
            throw ValidationError("\"\(text)\" is not a time such as 2026-11-20T09:00:00Z or 2026-11-20")
        }
        self = time
    }
}
