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
    static let page = SampleRun.folder.deletingLastPathComponent().deletingLastPathComponent()
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

    /// What an assembler that signs can do to the sample.
    private static func lies() throws -> [(name: String, export: JSONValue)] {
        func export(_ options: SampleRun.Options) throws -> JSONValue { try SampleRun.assembled(options).exportBundle }
        func call(_ change: @escaping (inout JSONObject) -> Void) throws -> JSONValue {
            let good = try SampleRun.assembled().exportBundle
            return try SampleRun.rebundled(good) { payload in
                guard var receipts = payload["receipts"]?.array, let old = receipts.last else { return }
                guard var inner = old["payload"]?.object else { return }
                change(&inner)
                receipts[receipts.count - 1] =
                    try SignedEnvelope.sign(
                        type: "gateway_receipt", payload: inner, rule: .document, signer: SampleRun.signer("gateway"),
                        issuedAt: SampleRun.noon
                    ).json
                payload["receipts"] = .array(receipts)
            }
        }
        let sample = try SampleRun.assembled().exportBundle
        let logged = try SampleRun.logged()
        return [
            (
                "a call of another run",
                try call { payload in
                    var binding = payload["binding"]?.object ?? [:]
                    binding["run_id"] = "job-someone-else"
                    payload["binding"] = .object(binding)
                }
            ),
            ("a call at another hour", try call { $0["timestamp"] = "2026-03-01T12:01:00.000-01:00" }),
            (
                "a co-signature of zeros",
                try SampleRun.rebundled(sample) { payload in
                    guard var tools = payload["tool_receipts"]?.array, var tool = tools.first?.object,
                        var other = tool["co_signatures"]?.array?.first?.object
                    else { return }
                    other["signature_b64u"] = .string(Base64URL.encode([UInt8](repeating: 0, count: 64)))
                    tool["co_signatures"] = [.object(other)]
                    tools[0] = .object(tool)
                    payload["tool_receipts"] = .array(tools)
                }
            ),
            ("an approval taken out", try SampleRun.retold(sample) { SampleRun.stripApprovals(&$0) }),
            (
                "a call withheld",
                try SampleRun.rebundled(
                    try SampleRun.retold(logged) { evidence in evidence["gateway_receipts"] = [] }
                ) { payload in
                    payload["receipts"] = payload["receipts"]?.array.map { .array(Array($0.dropLast())) }
                }
            ),
        ]
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

        for (name, export) in try Self.lies() {
            #expect(SampleRun.verify(export).verdict != .valid, "\(name)")
            let copy = folder.appendingPathComponent("lie.json")
            try Data(JSONWriter.bytes(export)).write(to: copy)
            let bad = try run(program.path, on: copy.path)
            #expect(bad.code == 1 && bad.output.contains("FAILED"), "\(name): \(bad.output.suffix(400))")
        }
        let logged = folder.appendingPathComponent("logged.json")
        try Data(JSONWriter.bytes(try SampleRun.logged())).write(to: logged)
        #expect(try run(program.path, on: logged.path).code == 0)

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

/// The kinds of documents that docs/evidence.md lists, against those that there are.
struct DocumentKindTests {
    /// The rows of the table of kinds: a kind, and how it is known.
    private static func rows() throws -> [(kind: String, sign: String)] {
        let text = try String(contentsOf: EvidenceDocumentTests.page, encoding: .utf8)
        let start = try #require(text.range(of: "| `kind` |")).upperBound
        let table = text[start...].prefix(upTo: try #require(text[start...].range(of: "\n\n")).lowerBound)
        return table.matches(of: #/\n\| `(?<kind>\w+)` \|.*\| (?<sign>[^|]+) \|/#).map {
            (String($0.output.kind), String($0.output.sign))
        }
    }

    @Test func theDocumentListsEveryKind() throws {
        let listed = try Self.rows().map(\.kind)
        #expect(Set(listed) == Set(DocumentKind.allCases.filter { $0 != .unknown }.map(\.rawValue)))
        #expect(Set(listed).count == listed.count)
    }

    @Test func envelopesAreKnownByTheirType() throws {
        let types = try Self.rows().filter { $0.sign.hasPrefix("`envelope_type`") }.map(\.kind)
        #expect(types.count == 6)
        for type in types {
            #expect(ProofVerifier.kind(of: ["envelope_type": .string(type)]).rawValue == type)
        }
    }
}
