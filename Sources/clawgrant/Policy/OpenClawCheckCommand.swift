import ArgumentParser
import ClawWire
import Foundation
import OpenClaw

/// `clawgrant policy openclaw check`.
struct OpenClawCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Compare an OpenClaw configuration with a WPC.",
        discussion: """
            Ends with 0 when nothing but notices is found, with 1 after a warning or an error, with 2 when the \
            configuration cannot be read or the WPC has no OpenClaw form.
            """)

    @OptionGroup var policy: PolicyOptions
    @OptionGroup var output: OutputOptions

    @Flag(name: .customLong("sarif"), help: "Print a SARIF 2.1.0 log.")
    var isSARIF = false

    @Option(
        name: .customLong("approvals"),
        help: ArgumentHelp("The host's exec-approvals.json.", valueName: "file"), completion: .file())
    var approvals: String?

    @Argument(help: "The configuration, JSON5, with everything that it includes merged.", completion: .file())
    var file: String

    mutating func validate() throws {
        guard !isSARIF || !output.isJSON else { throw ValidationError("--json and --sarif exclude each other") }
    }

    mutating func run() async throws {
        let check = OpenClawCheck(try policy.load(), proxies: policy.proxies, resolve: SymbolicLinks.resolve)
        let findings = check.findings(
            try Self.document(file), approvals: try approvals.map { try Self.document($0).value })
        if isSARIF {
            Console.out(OpenClawFinding.sarif(findings, file: file))
        } else if output.isJSON {
            for finding in findings { Console.out(finding.json) }
        } else if findings.isEmpty {
            Console.out("\(file): nothing is possible that the WPC \(check.policy.hash) forbids")
        } else {
            for finding in findings { Console.out(Console.plain(finding.line)) }
        }
        if findings.contains(where: { $0.severity != .notice }) { throw CommandFailure.no }
    }

    private static func document(_ path: String) throws -> JSON5Document {
        let text = try InputFile.text(path)
        do {
            return try JSON5Document(text)
        } catch {
            throw CommandFailure.usage("\(path): \(error); OpenClaw's configuration is JSON5")
        }
    }
}

/// Where paths lead.
enum SymbolicLinks {
    private static let mostLinks = 40

    /// The path with every symbolic link in it followed, also where what it leads to does not exist.
    @Sendable static func resolve(_ path: String) -> String {
        let home = path.hasPrefix("~") ? NSString(string: path).expandingTildeInPath : path
        var open = home.split(separator: "/").map(String.init)[...]
        var resolved: [String] = []
        var links = 0
        while let part = open.popFirst() {
            guard part != "." else { continue }
            guard part != ".." else {
                _ = resolved.popLast()
                continue
            }
            let place = "/" + (resolved + [part]).joined(separator: "/")
            guard links < mostLinks,
                let target = try? FileManager.default.destinationOfSymbolicLink(atPath: place)
            else {
                resolved.append(part)
                continue
            }
            links += 1
            if target.hasPrefix("/") { resolved = [] }
            open = (target.split(separator: "/").map(String.init) + open)[...]
        }
        return "/" + resolved.joined(separator: "/")
    }
}
