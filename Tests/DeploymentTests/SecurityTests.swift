import ClawWire
import DevStack
import Foundation
import Playground
import Testing

/// What the papers about security say, held against the tree.
@Suite(.timeLimit(.minutes(10)))
struct SecurityTests {
    @Test func everyNamedTestExists() async throws {
        let ran = try await Ran.script("check_papers.py")
        let findings = ran.output.split(separator: "\n").filter { !$0.contains("dependencies.md") }
        #expect(findings.isEmpty && ran.errors.isEmpty, "\(ran.all)")
    }

    @Test func theDependencyListIsComplete() async throws {
        let ran = try await Ran.script("check_papers.py")
        let findings = ran.output.split(separator: "\n").filter { $0.contains("dependencies.md") }
        #expect(findings.isEmpty && ran.errors.isEmpty, "\(ran.all)")
    }

    @Test(.enabled(if: Tree.hasTools, "./dev test installs what it needs"))
    func theBillOfMaterialsFitsItsSchema() async throws {
        let home = try TemporaryDirectory(prefix: "claw-sbom")
        defer { home.close() }
        let file = home.path("sbom.json")
        let program = try #require(Tree.program)
        let made = try await Ran.script("sbom.py", ["--program", program, "--output", file])
        #expect(made.code == 0, "\(made.all)")
        let checked = try await Ran.script("sbom.py", ["--check", file])
        #expect(checked.code == 0, "\(checked.all)")
        let text = try String(contentsOfFile: file, encoding: .utf8)
        for name in ["swift-crypto", "hummingbird", "librdkafka1", "libpq5"] {
            #expect(text.contains("\"name\": \"\(name)\""), "\(name)")
        }
        #expect(!text.contains(Tree.root.path), "it tells no path of this machine")
        let again = try await Ran.script("sbom.py", ["--program", program])
        #expect(again.output == text, "the same inputs give the same bytes")
        let broken = text.replacing("\"type\": \"library\"", with: "\"type\": \"book\"", maxReplacements: 1)
        try broken.write(toFile: file, atomically: true, encoding: .utf8)
        #expect(try await Ran.script("sbom.py", ["--check", file]).code == 1)
    }

    @Test func theTreeHoldsNoSecret() async throws {
        let ran = try await Ran.script("secret_scan.py")
        #expect(ran.code == 0, "\(ran.all)")
    }

    @Test func whatIsPlantedIsFound() async throws {
        let home = try TemporaryDirectory(prefix: "claw-scan")
        defer { home.close() }
        // Put together here, so that the tree holds none of them.
        let planted = [
            "private-key": "-----BEGIN PRIVATE" + " KEY-----",
            "compact-jws": "token=ey" + "JhbGciOiJFZERTQSJ9." + String(repeating: "eyJzdWIi", count: 4) + "."
                + String(repeating: "Ab3_", count: 22),
            "cloud-key": "AKI" + "AABCDEFGHIJKLMNOP",
            "connection-string": "Endpoint=sb://x/;SharedAccessKe" + "y=" + String(repeating: "aB3+", count: 11),
            "url-pass" + "word": "postgresql://clawgrant:" + "hunter22hunter@db.example/ledger",
            "assignment": "passwor" + "d = \"correct-horse-battery\"",
            "high-entropy": "sealing_secre" + "t: q8Zt3LwV0nYx7KfB2mRj5HcD9sPg4TuE",
        ]
        for (rule, line) in planted {
            try "first line\n\(line)\n".write(toFile: home.path("\(rule).log"), atomically: true, encoding: .utf8)
        }
        try "kid=4f1e2d3c4b5a6978 digest PH1CZhKLYUJ-Pq2wPeIdqanvC3bjbVrqjnTglexJ4_k\n"
            .write(toFile: home.path("harmless.log"), atomically: true, encoding: .utf8)
        let ran = try await Ran.script("secret_scan.py", [home.path])
        #expect(ran.code == 1)
        for (rule, line) in planted {
            #expect(ran.output.contains("\(rule).log:2: \(rule):"), "\(rule) in \(ran.all)")
            #expect(!ran.output.contains(line), "an excerpt is not the secret")
        }
        #expect(!ran.output.contains("harmless.log"), "\(ran.output)")
    }

    @Test(.enabled(if: BrokerTools.find().has(.noida)))
    func theOutputsOfAWorkerHoldNoSecret() async throws {
        var options = PlaygroundOptions()
        options.logLevel = "debug"
        try await withPlayground(options) { playground in
            let worker = try playground.startWorker("one")
            try await playground.waitUntilAtWork([worker])
            try await playground.approve("s", 20)
            try await playground.produce(try BrokenRecord.allCases.map { try $0.record("x", in: playground) })
            try await playground.waitUntilSettled(waiting: 0)
            let config = worker.configurationFile
            let outputs = "\(playground.directory)/outputs"
            let dump = try await Ran.clawgrant(["fsck", "dump", "--config", config, "--settled", "--out", outputs])
            #expect(dump.code == 0, "\(dump.all)")
            await worker.stop()
            for command in [["check"], ["ledger", "status"], ["keys", "show"], ["explain", "req-s-1"]] {
                let ran = try await Ran.clawgrant(command + ["--config", config])
                try ran.all.write(
                    toFile: "\(outputs)/\(command.joined(separator: "-")).txt", atomically: true, encoding: .utf8)
            }
            // Values in a dump are base64: as text a token would not be seen.
            try await Ran.shell(
                "cd \(outputs) && python3 -c 'import base64, glob, json\nfor name in glob.glob(\"*.ndjson\"):\n"
                    + " rows = [json.loads(line)[\"value\"] for line in open(name)]\n"
                    + " open(name + \".txt\", \"wb\").write(b\"\\n\".join(base64.b64decode(row) for row in rows if row))'"
            )
            try await Ran.shell("cp \(worker.log) \(playground.postgres.log) \(outputs)")
            let ran = try await Ran.script("secret_scan.py", [outputs])
            #expect(ran.code == 0, "\(ran.all)")
            let grants = "\(outputs)/\(PlaygroundTopic.grants)-0.ndjson.txt"
            #expect(try String(contentsOfFile: grants, encoding: .utf8).contains("jwe"))
        }
    }
}
