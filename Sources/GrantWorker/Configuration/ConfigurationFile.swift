import ClawWire
import Foundation
import IssuanceRules
public import Kafka
public import Logging
import Yams

/// How the process logs.
public struct LogSettings: Sendable, Hashable {
    /// Form of a log line.
    public enum Format: String, Sendable, Hashable, CaseIterable {
        /// For people.
        case text
        /// One JSON object a line.
        case json
    }

    /// Least severity that is written.
    public var level: Logger.Level = .info
    /// Form of a line.
    public var format: Format = .text
    /// The standard settings: `info`, `text`.
    public init() {}
}

/// A configuration file with the environment laid over it, ready for a worker.
///
/// The file is read strictly: a key that is not known, a value that is not what it should be, and a secret that stands
/// in the file itself are refused, all of them at once and each with its place. `docs/configuration.md` lists the
/// settings with their defaults.
public struct ConfigurationFile: Sendable {
    /// The only version there is, the value of `config_version`.
    public static let version = "1"
    /// Largest file, in bytes.
    public static let maximumBytes = 262_144

    /// The file.
    public let path: String
    /// What the worker is told.
    public private(set) var worker: WorkerConfiguration
    /// How it logs.
    public let log: LogSettings

    /// Loads a file.
    ///
    /// Reads the files of secrets that it names too. Blocks for the time of these reads.
    ///
    /// - Parameters:
    ///   - path: the file; relative paths in it are resolved against its directory.
    ///   - environment: variables that override settings, `CLAWGRANT_<SECTION>_<KEY>`; nil for the process's own.
    /// - Throws: ``ConfigurationFileError`` with every fault.
    public static func load(
        _ path: String, environment: [String: String]? = nil
    ) throws(ConfigurationFileError) -> ConfigurationFile {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw fault(
                path, found: FileManager.default.fileExists(atPath: path) ? "an unreadable file" : "no such file",
                expected: "a configuration file in UTF-8; give one with --config or CLAWGRANT_CONFIG")
        }
        return try ConfigurationFile(
            yaml: text, path: path, environment: environment ?? ProcessInfo.processInfo.environment)
    }

    /// Reads the text of a file; see ``load(_:environment:)``.
    public init(yaml text: String, path: String, environment: [String: String]) throws(ConfigurationFileError) {
        let root = try Self.root(text, path)
        let absolute = URL(fileURLWithPath: path)
        var loader = ConfigurationFileLoader(
            reader: ConfigurationReader(environment: environment), directory: absolute.deletingLastPathComponent())
        guard let (worker, log) = loader.load(root) else {
            throw ConfigurationFileError(path: path, problems: loader.reader.problems.sorted(by: Self.inOrder))
        }
        self.path = path
        self.worker = worker
        self.log = log
    }

    /// What the loader asks of a file, for the reference of settings.
    ///
    /// - Parameters:
    ///   - text: the file's text; only what it gives a value has a form.
    ///   - path: the file; relative paths in it are resolved against its directory.
    /// - Throws: ``ConfigurationFileError`` when a worker would not take the file.
    package static func settings(askedOf text: String, path: String) throws(ConfigurationFileError) -> SettingRecord {
        var reader = ConfigurationReader(environment: [:])
        reader.record = SettingRecord()
        var loader = ConfigurationFileLoader(
            reader: reader, directory: URL(fileURLWithPath: path).deletingLastPathComponent())
        guard loader.load(try root(text, path)) != nil, let record = loader.reader.record else {
            throw ConfigurationFileError(path: path, problems: loader.reader.problems.sorted(by: inOrder))
        }
        return record
    }

    private static func root(_ text: String, _ path: String) throws(ConfigurationFileError) -> Node {
        guard text.utf8.count <= maximumBytes else {
            throw fault(path, found: "\(text.utf8.count) bytes", expected: "at most \(maximumBytes) bytes")
        }
        guard YAMLSize.isBounded(text) else {
            throw fault(
                path, found: "more values than that once aliases are followed",
                expected: "at most \(YAMLSize.maximumNodes) values")
        }
        let root: Node?
        do {
            root = try compose(yaml: text)
        } catch {
            throw fault(path, of: error)
        }
        guard let root else { throw fault(path, found: "nothing", expected: "a configuration in YAML") }
        return root
    }

    /// Reads the text of another program part's file by the same rules: strictly, all faults at once, each with its
    /// place, the environment laid over it.
    ///
    /// - Parameters:
    ///   - text: the file's text.
    ///   - path: the file; relative paths in it are resolved against its directory.
    ///   - environment: variables that override settings.
    ///   - body: reads the document with the reader and resolves paths; `nil` when it had to report a fault.
    /// - Throws: ``ConfigurationFileError`` with every fault that was reported.
    package static func read<Value>(
        yaml text: String, path: String, environment: [String: String],
        _ body: (inout ConfigurationReader, ConfigurationValue, @escaping (String) -> String) -> Value?
    ) throws(ConfigurationFileError) -> Value {
        let document = ConfigurationValue(try root(text, path), setting: "")
        var reader = ConfigurationReader(environment: environment)
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent()
        let value = body(&reader, document) { ConfigurationFileLoader.resolve($0, in: directory) }
        guard let value, reader.problems.isEmpty else {
            throw ConfigurationFileError(path: path, problems: reader.problems.sorted(by: inOrder))
        }
        return value
    }

    /// The same file with a provider of the tokens it asks for; the file itself when it asks for none.
    ///
    /// - Parameter provider: makes the provider for a source of tokens.
    public func withTokens(
        from provider: (BrokerTokenSource) -> @Sendable () async throws -> OAuthBearerToken
    ) -> ConfigurationFile {
        guard let source = worker.brokerTokens else { return self }
        var file = self
        file.worker.kafka.tokenProvider = provider(source)
        return file
    }

    private static func inOrder(_ left: ConfigurationProblem, _ right: ConfigurationProblem) -> Bool {
        switch (left.place, right.place) {
        case (.file(let line, let column), .file(let otherLine, let otherColumn)):
            (line, column) < (otherLine, otherColumn)
        case (.file, .environment): true
        case (.environment, .file): false
        case (.environment(let name), .environment(let other)): name < other
        }
    }

    private static func fault(
        _ path: String, line: Int = 1, column: Int = 1, found: String, expected: String
    ) -> ConfigurationFileError {
        ConfigurationFileError(
            path: path,
            problems: [
                ConfigurationProblem(
                    place: .file(line: line, column: column), setting: "", found: found, expected: expected,
                    suggestion: nil)
            ])
    }

    private static func fault(_ path: String, of error: any Error) -> ConfigurationFileError {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            fault(path, line: mark.line, column: mark.column, found: problem, expected: "YAML")
        case .duplicatedKeysInMapping(let keys, let context):
            fault(
                path, line: context.mark.line, column: context.mark.column,
                found: "the key \(keys.map { "\"\($0.prefix(80))\"" }.joined(separator: ", ")) twice",
                expected: "every key once")
        case .reader(let problem, _, _, _): fault(path, found: problem, expected: "UTF-8 text")
        case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded, nil:
            fault(path, found: "text that is no YAML", expected: "a configuration in YAML")
        }
    }
}
