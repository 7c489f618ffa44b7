import ClawWire
import Foundation
import Testing

@testable import ProofBundles

/// What the document tells an auditor to have.
enum AuditorTools {
    static let areThere = ["/usr/bin/python3", "/usr/bin/openssl"].allSatisfy {
        FileManager.default.isExecutableFile(atPath: $0)
    }
}

/// The script of docs/evidence.md, taken out of the document and run as an auditor would.
@Suite(.enabled(if: AuditorTools.areThere))
struct EvidenceDocumentTests {
    private static let page = SampleRun.folder.deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("docs/evidence.md")

    private func run(_ script: String, on bundle: String) throws -> (code: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments = [script, bundle, SampleRun.folder.appendingPathComponent("trust.json").path]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }

    @Test func theScriptTakesTheSampleAndRefusesTamperedOnes() throws {
        let text = try String(contentsOf: Self.page, encoding: .utf8)
        let parts = text.components(separatedBy: "```python\n")
        try #require(parts.count == 2, "the document has one script")
        let script = try #require(parts[1].components(separatedBy: "```").first)
        #expect(script.split(separator: "\n", omittingEmptySubsequences: false).dropLast().count <= 40)
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("evidence-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let program = folder.appendingPathComponent("verify.py")
        try Data(script.utf8).write(to: program)

        let sample = SampleRun.folder.appendingPathComponent("run.export.json")
        let good = try run(program.path, on: sample.path)
        #expect(good.code == 0, "\(good.output)")
        #expect(good.output.hasSuffix("VALID: 2 receipts, 2 calls\n"))

        let original = try String(contentsOf: sample, encoding: .utf8)
        for (found, put) in [
            ("\"tokens_input\":900", "\"tokens_input\":901"), ("mara.lindqvist", "mara.lindqvisu"),
            ("\"event_type\":\"llm_call\"", "\"event_type\":\"llm_cell\""), ("TOKEN_REVOKED", "TOKEN_REVOKEE"),
            ("harborline.reconcile.2026-03", "harborline.reconcile.2026-04"), ("\"position\":5,", "\"position\":6,"),
            ("\"event_id\":\"call:rcpt-0\"", "\"event_id\":\"call:rcpt-7\""),
        ] {
            let altered = original.replacingOccurrences(of: found, with: put)
            #expect(altered != original, "\(found) is in the sample")
            let copy = folder.appendingPathComponent("tampered.json")
            try Data(altered.utf8).write(to: copy)
            let bad = try run(program.path, on: copy.path)
            #expect(bad.code == 1, "\(found): \(bad.output)")
            #expect(bad.output.contains("FAILED"))
        }
    }
}
