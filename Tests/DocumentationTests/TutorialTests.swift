import ClawWire
import DevStack
import Foundation
import GrantDemo
import Playground
import Testing

/// The tutorials, played as they stand: a page's sessions (```` ```console ````) one after the other in one shell.
///
/// What is typed stands behind `$ `, then what is printed; `…` stands for the rest of a line or, alone, for any lines. Every
/// command ends with 0. Where the servers are is all that is put in.
struct TutorialTests {
    @Test(
        .enabled(if: Ran.program != nil, "the program clawgrant is not built"),
        arguments: ["docs/tutorials/write-rules.md", "docs/tutorials/connect-entra-pim.md"])
    func aTutorialWithoutServersDoesWhatItSays(path: String) async throws {
        try await Session(try Tree.document(path)).play()
    }

    /// The page begins with an empty database and a broker.
    @Test(
        .enabled(if: Ran.program != nil, "the program clawgrant is not built"),
        .enabled(if: AvailableServers.postgres && AvailableServers.broker(.noida), "PostgreSQL or noida-db is missing"),
        .timeLimit(.minutes(10)))
    func theQuickStartLeadsToAToken() async throws {
        let home = try TemporaryDirectory(prefix: "claw-quick")
        defer { home.close() }
        let server = try PrivatePostgres(directory: home.path("pg"), options: .forTests)
        let broker = try PrivateBroker(.noida, directory: home.path("broker"))
        try await server.start()
        try await broker.start()
        try await server.createDatabase("quick")
        let played = await Task {
            try await Session(try Tree.document("docs/quick-start.md")).play(with: [
                "BROKER": broker.bootstrapServers, "DATABASE": "\"\(server.conninfo(database: "quick"))\"",
            ])
        }.result
        try await broker.stop()
        try await server.stop()
        try played.get()
    }

    /// What `./dev demo --keep` leaves running is what these pages begin with.
    @Test(
        .enabled(if: Ran.program != nil, "the program clawgrant is not built"),
        .enabled(if: AvailableServers.postgres && AvailableServers.broker(.noida), "PostgreSQL or noida-db is missing"),
        .timeLimit(.minutes(10)))
    func tutorialsOnTheDemonstrationDoWhatTheySay() async throws {
        var options = Demo.Options()
        options.keepsRunning = true
        options.workerProgram = Ran.program
        options.streamLength = 40
        let (events, feed) = AsyncStream<DemoEvent>.makeStream()
        let demo = Demo(options) { feed.yield($0) }
        let running = Task {
            defer { feed.finish() }
            try await demo.run { _ in }
        }
        var configuration: String?
        for await event in events {
            if let path = event.fields["configuration"]?.string {
                configuration = path
                break
            }
        }
        let found = configuration
        let played = await Task {
            let path = try #require(found, "the demonstration ended before it was done")
            let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
            for page in ["docs/tutorials/verify-a-bundle.md", "docs/tutorials/pull-the-stop.md"] {
                try await Session(try Tree.document(page)).play(with: ["DEMO": folder])
            }
        }.result
        running.cancel()
        _ = await running.result
        try played.get()
    }

    @Test func whatDiffersIsFound() async throws {
        let page = Document(
            path: "page.md", text: "```console\n$ echo one; echo two\none\n…\n$ echo three\nfour\n```\n")
        await withKnownIssue { try await Session(page).play() }
        let good = Document(path: "page.md", text: "```console\n$ echo one; echo two\none\n…\n$ echo three\nth…\n```\n")
        try await Session(good).play()
    }

    @Test func everyTutorialIsPlayed() throws {
        let pages = Tree.documents.map(\.path).filter { $0.hasPrefix("docs/tutorials/") }
        #expect(
            Set(pages) == [
                "docs/tutorials/README.md", "docs/tutorials/connect-entra-pim.md", "docs/tutorials/pull-the-stop.md",
                "docs/tutorials/verify-a-bundle.md", "docs/tutorials/write-rules.md",
            ], "a tutorial that no test plays")
    }
}

/// The sessions of one page.
private struct Session {
    struct Step {
        var command: String
        var output: [String] = []
    }

    let path: String
    private(set) var steps: [Step] = []

    init(_ document: Document) {
        path = document.path
        for block in document.blocks where block.language == "console" {
            var end: String?
            for line in block.text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
                let isContinued = steps.last?.command.hasSuffix("\\") == true && steps.last?.output.isEmpty == true
                if let mark = end {
                    steps[steps.count - 1].command += "\n\(line)"
                    if line == mark { end = nil }
                } else if line.hasPrefix("$ ") {
                    steps.append(Step(command: String(line.dropFirst(2))))
                    end = line.firstMatch(of: /<<'?([A-Z]+)'?/).map { String($0.1) }
                } else if isContinued {
                    steps[steps.count - 1].command += "\n\(line)"
                } else if !steps.isEmpty {
                    steps[steps.count - 1].output.append(String(line))
                }
            }
        }
    }

    /// Plays all steps in one shell and compares.
    ///
    /// - Parameter values: what stands in the place of the values that the page gives to exported variables.
    func play(with values: [String: String] = [:]) async throws {
        try #require(!steps.isEmpty, "\(path) has no session")
        let room = try TemporaryDirectory(prefix: "claw-tutorial")
        defer { room.close() }
        var script = ""
        for (index, step) in steps.enumerated() {
            var command = step.command
            for (name, value) in values where command.hasPrefix("export \(name)=") {
                command = "export \(name)=\(value)"
            }
            script += "printf '\\001begin \(index)\\n'\n\(command)\nprintf '\\001end \(index) %s\\n' $?\n"
        }
        let program = Ran.program.map { URL(fileURLWithPath: $0).deletingLastPathComponent().path } ?? ""
        let search = "\(program):\(ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")"
        let ran = try await Ran.run(
            "/bin/bash", ["-c", "exec 2>&1\n\(script)"], environment: ["PATH": search, "NO_COLOR": "1"],
            in: room.path("."),
            within: .seconds(400))
        for (index, step) in steps.enumerated() {
            let begin = ran.output.range(of: "\u{1}begin \(index)\n")
            let end = ran.output.range(of: "\u{1}end \(index) ")
            guard let begin, let end else {
                Issue.record("\(path): not reached: \(step.command)\n\(ran.output.suffix(2_000))")
                return
            }
            let printed = ran.output[begin.upperBound..<end.lowerBound]
            let code = ran.output[end.upperBound...].prefix { $0 != "\n" }
            #expect(code == "0", "\(path): \(step.command)\nended with \(code):\n\(printed.prefix(4_000))")
            #expect(
                Self.fits(
                    printed.split(separator: "\n", omittingEmptySubsequences: false).dropLast()[...], step.output[...]),
                "\(path): \(step.command)\nprinted:\n\(printed.prefix(4_000))")
        }
    }

    /// Whether lines are as the page says.
    private static func fits(_ lines: ArraySlice<Substring>, _ expected: ArraySlice<String>) -> Bool {
        guard let first = expected.first else { return lines.isEmpty }
        if first == "…" {
            return (0...lines.count).contains { fits(lines.dropFirst($0), expected.dropFirst()) }
        }
        guard let line = lines.first, fits(line, first) else { return false }
        return fits(lines.dropFirst(), expected.dropFirst())
    }

    private static func fits(_ line: Substring, _ pattern: String) -> Bool {
        let parts = pattern.components(separatedBy: "…")
        guard parts.count > 1 else { return line == pattern }
        guard line.hasPrefix(parts[0]), line.dropFirst(parts[0].count).hasSuffix(parts[parts.count - 1]) else {
            return false
        }
        var rest = line.dropFirst(parts[0].count).dropLast(parts[parts.count - 1].count)
        for part in parts.dropFirst().dropLast() where !part.isEmpty {
            guard let found = rest.range(of: part) else { return false }
            rest = rest[found.upperBound...]
        }
        return true
    }
}
