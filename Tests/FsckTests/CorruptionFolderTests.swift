import ClawWire
import DevStack
import Foundation
import Testing

@testable import Fsck

/// The folder of planted corruptions, made by its program and read by the command: nothing of what is expected is known
/// here but what stands in the folder.
@Suite(.timeLimit(.minutes(10)))
struct CorruptionFolderTests {
    private static func program(_ name: String) throws -> String {
        try #require(BuiltProgram.path(name), "\(name) is not built")
    }

    private static func run(
        _ program: String, _ arguments: [String], in directory: String? = nil
    ) async throws -> (code: Int32, output: String, errors: String) {
        var configuration = ManagedProcess.Configuration(executable: program, arguments: arguments)
        if let directory { configuration.workingDirectory = directory }
        let result = try await Command.run(configuration, within: .seconds(120))
        guard case .code(let code) = result.status else {
            throw FsckError("\(arguments) ended with \(result.status): \(result.errors)")
        }
        return (code, result.output, result.errors)
    }

    @Test func everyKindIsNamedByTheCommand() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("corruptions-\(UUID())").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let made = try await Self.run(try Self.program("fsck-corruptions"), [directory])
        try #require(made.code == 0, "\(made.errors)")
        let again = try await Self.run(try Self.program("fsck-corruptions"), [directory])
        #expect(again.code == 1 && again.errors.contains("not empty"))
        let folders = try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0 != "keys" }.sorted()
        #expect(folders.count > 60)
        let program = try Self.program("clawgrant")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, folder) in folders.enumerated() {
                // As many at a time as a small machine has cores.
                if index >= 2 { try await group.next() }
                group.addTask { try await Self.check("\(directory)/\(folder)", program) }
            }
            try await group.waitForAll()
        }
    }

    private static func check(_ folder: String, _ program: String) async throws {
        let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: "\(folder)/expected.json")))
        let document = try JSONReader.parse(bytes)
        let name = try #require(document["name"]?.string)
        let arguments = try #require(document["arguments"]?.array).compactMap(\.string)
        let result = try await run(program, arguments, in: folder)
        let expected = document["expected"]?.array ?? []
        #expect(result.code == (expected.isEmpty ? 0 : 1), "\(name): \(result.output)\(result.errors)")
        let findings = try #require(try JSONReader.parse(result.output)["findings"]?.array)
        for entry in expected {
            let (code, place) = (try #require(entry["code"]?.string), try #require(entry["place"]?.string))
            #expect(
                findings.contains { $0["code"]?.string == code && "\($0["place"]?.string ?? "") ".contains(place) },
                "\(name): \(code) at \(place) is not in \(result.output)")
        }
        let allowed = Set((expected.map { $0["code"] } + (document["also"]?.array ?? [])).compactMap { $0?.string })
        for finding in findings {
            let code = finding["code"]?.string ?? ""
            #expect(allowed.contains(code), "\(name): unexpected \(JSONWriter.text(finding))")
        }
    }
}
