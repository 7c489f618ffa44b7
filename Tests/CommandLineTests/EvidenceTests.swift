import ClawWire
import DevStack
import Foundation
import Kafka
import Playground
import Testing

/// A run played from its approval to its bundle: the program against a playground with a worker and a gateway of ours.
@Suite(
    "Evidence of a run on the command line", .enabled(if: BrokerTools.find().has(.noida) && ProgramRun.path != nil),
    .serialized, .timeLimit(.minutes(10)))
struct EvidenceTests {
    private static let job = "job-run"

    private struct Gateway {
        let signer: any Ed25519Signer

        func receipt(
            _ number: Int, event: String, scope: String, at time: Timestamp = .playgroundNow
        ) throws -> ProducerRecord {
            let payload: JSONObject = [
                "receipt_version": "1", "receipt_id": .string("rcpt-\(number)"),
                "gateway_id": "did:web:clawproxy.com", "provider": "anthropic", "model": "claude-sonnet",
                "request_hash_b64u": .string(Digest(hashing: "q\(number)").b64u),
                "response_hash_b64u": .string(Digest(hashing: "a\(number)").b64u), "tokens_input": 800,
                "tokens_output": 90, "latency_ms": 412, "timestamp": .string(time.iso8601),
                "binding": [
                    "run_id": .string(EvidenceTests.job), "event_hash_b64u": .string(event),
                    "nonce": .string("n\(number)"), "token_scope_hash_b64u": .string(scope),
                ],
            ]
            let envelope = try SignedEnvelope.sign(
                type: "gateway_receipt", payload: payload, rule: .document, signer: signer, issuedAt: time)
            return ProducerRecord(
                topic: PlaygroundTopic.gatewayReceipts, key: Array(EvidenceTests.job.utf8),
                value: JSONWriter.bytes(envelope.json))
        }
    }

    private func assemble(_ playground: Playground, _ worker: PlaygroundWorker) async throws -> JSONValue {
        let out = "\(playground.directory)/run.json"
        let run = try await ProgramRun(
            [
                "proof", "assemble", "--job", Self.job, "--out", out, "--bundle-out",
                "\(playground.directory)/bundle.json",
            ], config: worker.configurationFile)
        try #require(run.code == 0, "\(run.output) \(run.errors)")
        return try JSONReader.parse(Array(try Data(contentsOf: URL(fileURLWithPath: out))))
    }

    private func trust(_ playground: Playground, _ gateway: Gateway, _ issuer: String) throws -> String {
        let path = "\(playground.directory)/trust.json"
        let trust: JSONValue = [
            "trust_version": "1",
            "logs": [
                [
                    "log_id": .string(playground.logID.rawValue),
                    "keys": [.string(playground.keys.log.did)],
                ]
            ],
            "bundle_signers": [.string(issuer)], "envelope_signers": [.string(issuer)],
            "gateway_signers": [.string(gateway.signer.publicKey.did)],
            "policy_signers": [.string(playground.keys.policySigner.publicKey.did)],
            "token_keys": [.string(playground.keys.token.did)], "approvers": [],
        ]
        try Data(JSONWriter.bytes(trust)).write(to: URL(fileURLWithPath: path))
        return path
    }

    @Test(
        "Approval, grant, calls, stop, bundle: verified strictly and as the reference does; a tampered copy is refused")
    func wholeWay() async throws {
        var options = PlaygroundOptions()
        options.followsUsage = true
        let playground = try await Playground.start(options)
        do {
            let worker = try playground.startWorker("w1")
            try await playground.waitUntilAtWork([worker])
            try await play(playground, worker)
        } catch {
            for worker in playground.workers { Issue.record("\(worker.name):\n\(worker.logTail())") }
            await playground.stop()
            throw error
        }
        await playground.stop()
    }

    private func play(_ playground: Playground, _ worker: PlaygroundWorker) async throws {
        let gateway = Gateway(signer: playground.keys.gateway)
        try await playground.produce([
            try ApprovalDraft("other", .reconcile, in: playground).record(signedBy: playground.keys.eventSigner),
            try ApprovalDraft("run", .agentRun, in: playground).record(signedBy: playground.keys.eventSigner),
        ])
        try await playground.waitUntilSettled(waiting: 0)

        // What the agent knows as soon as it has its token: the entry that stands for it.
        let before = try await assemble(playground, worker)
        let chain = try #require(
            before["artifacts"]?["proof_bundle_envelope"]?["payload"]?["event_chain"]?.array)
        let event = try #require(
            chain.first { $0["event_type"]?.string == "cst_issued" }?["event_hash_b64u"]?.string)
        let scope = try #require(
            before["metadata"]?["clawgrant"]?["tokens"]?.array?.first?["token_scope_hash_b64u"]?.string)
        try await playground.produce(try (0..<3).map { try gateway.receipt($0, event: event, scope: scope) })
        // The worker takes them into the log.
        var logged = before
        while logged["metadata"]?["clawgrant"]?["completeness"]?["counts"]?["gateway.receipt"]?.integer != 3 {
            logged = try await assemble(playground, worker)
        }
        let stopped = try await ProgramRun(
            [
                "stop", "--job-class", PlaygroundClass.agentRun.rawValue, "--by", "soc-1", "--id", "stop-1", "--wait",
                "converged", "--reason", "drill", "--yes", "--json",
            ], config: worker.configurationFile)
        try #require(stopped.code == 0, "\(stopped.output) \(stopped.errors)")
        try await playground.waitUntilSettled(waiting: 0)

        let run = try await assemble(playground, worker)
        let evidence = try #require(run["metadata"]?["clawgrant"])
        #expect(evidence["usage"]?["calls_bound"]?.integer == 3)
        #expect(evidence["tokens"]?.array?.first?["state_at_checkpoint"]?.string == "revoked")
        #expect(evidence["completeness"]?["missing"]?.array == [])
        let path = "\(playground.directory)/run.json"
        let trust = try trust(playground, gateway, try #require(run["issuer_did"]?.string))
        let strict = try await ProgramRun(["proof", "verify", path, "--trust", trust])
        #expect(strict.code == 0, "\(strict.output) \(strict.errors)")
        #expect(strict.output.hasPrefix("VALID: "))
        try await shows("intact", path, playground)
        let compatible = try await ProgramRun(
            ["proof", "verify", path, "\(playground.directory)/bundle.json", "--trust", trust, "--compat"])
        #expect(compatible.code == 0, "\(compatible.output)")
        #expect(compatible.output.contains("service says VALID, tier gateway"))
        // Heads of the revocations topic go on coming; what is said of the run does not change.
        let again = try await assemble(playground, worker)
        let inside = { (run: JSONValue) in run["artifacts"]?["proof_bundle_envelope"]?["payload"] }
        #expect(inside(again)?["event_chain"] == inside(run)?["event_chain"])
        #expect(inside(again)?["tool_receipts"] == inside(run)?["tool_receipts"])
        #expect(again["metadata"]?["clawgrant"]?["receipts"] == evidence["receipts"])

        let text = try String(contentsOfFile: path, encoding: .utf8)
        let tampered = "\(playground.directory)/tampered.json"
        try text.replacingOccurrences(of: "\"tokens_output\":90", with: "\"tokens_output\":9")
            .write(toFile: tampered, atomically: true, encoding: .utf8)
        let refused = try await ProgramRun(["proof", "verify", tampered, "--trust", trust, "--json"])
        #expect(refused.code == 1)
        try await shows("bad", tampered, playground)
        #expect(
            try refused.lines.first?["checks"]?.array?.contains {
                $0["outcome"]?.string == "failed"
                    && $0["path"]?.string?.hasPrefix("artifacts.proof_bundle_envelope.payload.receipts[0]") ?? false
            } == true)

        let checked = try await ProgramRun(
            [
                "proof", "assemble", "--job", Self.job, "--from-ledger", "cross-check",
                "--out", "\(playground.directory)/checked.json",
            ], config: worker.configurationFile)
        #expect(checked.code == 0 && checked.errors.contains("the ledger agrees about 1 tokens"), "\(checked.errors)")
        try await goesOnFromState(playground, worker)
        try await beginsBehindAMark(playground, worker, trust)
        try await fetchesPolicies(playground, worker)
        try await follows(playground, worker, trust)

        try await playground.produce([try gateway.receipt(9, event: event, scope: scope)])
        _ = try await assemble(playground, worker)
        let late = try await ProgramRun(["proof", "verify", path, "--trust", trust])
        #expect(late.code == 1 && late.output.contains("RECEIPT_AFTER_REVOCATION"), "\(late.output)")
    }

    /// The page of a bundle comes to this verdict by itself in a browser, where one is installed.
    private func shows(_ verdict: String, _ path: String, _ playground: Playground) async throws {
        let browser = ProcessInfo.processInfo.environment["CLAWGRANT_CHROMIUM"] ?? "/usr/bin/chromium"
        guard FileManager.default.isExecutableFile(atPath: browser) else { return }
        let page = "\(playground.directory)/page.html"
        let rendered = try await ProgramRun(["proof", "render", path, "--out", page])
        try #require(rendered.code == 0, "\(rendered.errors)")
        let document = try await Command.output(
            of: ManagedProcess.Configuration(
                executable: browser,
                arguments: [
                    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                    "--disable-background-networking", "--user-data-dir=\(playground.directory)/browser",
                    "--virtual-time-budget=120000", "--timeout=120000", "--dump-dom", "file://\(page)#verify",
                ]), within: .seconds(180))
        #expect(document.contains(#"<html lang="en" data-verdict="\#(verdict)">"#), "\(document.prefix(200))")
    }

    /// The service writes the ended run's bundle while the log never pauses, and leaves the other runs alone.
    private func follows(_ playground: Playground, _ worker: PlaygroundWorker, _ trust: String) async throws {
        let producer = Task {
            var number = 0
            while !Task.isCancelled {
                // The next record goes out as soon as the broker has the one before: a batch follows on a batch.
                try await playground.produce([
                    try ApprovalDraft("busy-\(number)", .reconcile, in: playground)
                        .record(signedBy: playground.keys.eventSigner)
                ])
                number += 1
            }
            return number
        }
        do {
            try await followsBusyLog(playground, worker, trust)
        } catch {
            producer.cancel()
            throw error
        }
        producer.cancel()
        if case .success(let number) = await producer.result { #expect(number > 0) }
        try await playground.waitUntilSettled(waiting: 0, within: .seconds(120))
    }

    private func followsBusyLog(_ playground: Playground, _ worker: PlaygroundWorker, _ trust: String) async throws {
        let folder = "\(playground.directory)/bundles"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let service = try ManagedProcess(
            ManagedProcess.Configuration(
                executable: try #require(ProgramRun.path),
                arguments: [
                    "proof", "assemble", "--follow", "--folder", folder, "--settle", "0", "--config",
                    worker.configurationFile,
                ]))
        func files() -> [String] { (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] }
        try await waitUntil(deadline: .seconds(60), description: "the bundle of the ended run") {
            files().contains { $0.hasPrefix("job-run.") && $0.hasSuffix(".json") }
        }
        #expect(await service.terminate() == .code(0))
        let names = files()
        #expect(names.count == 1)
        let verified = try await ProgramRun(
            ["proof", "verify", "\(folder)/\(try #require(names.first))", "--trust", trust])
        #expect(verified.code == 0, "\(verified.output)")
    }

    /// With a state a run gives the same bundle, and a state that somebody else could have written is not used.
    private func goesOnFromState(_ playground: Playground, _ worker: PlaygroundWorker) async throws {
        let state = "\(playground.directory)/log.state"
        func assemble(_ name: String, _ arguments: [String]) async throws -> (bundle: JSONValue, errors: String) {
            let out = "\(playground.directory)/\(name).json"
            let run = try await ProgramRun(
                ["proof", "assemble", "--job", Self.job, "--out", out] + arguments, config: worker.configurationFile)
            try #require(run.code == 0, "\(run.output) \(run.errors)")
            return (try JSONReader.parse(Array(try Data(contentsOf: URL(fileURLWithPath: out)))), run.errors)
        }
        func receipts(_ bundle: JSONValue) -> JSONValue? { bundle["metadata"]?["clawgrant"]?["receipts"] }
        let anew = try await assemble("anew", [])
        let first = try await assemble("first", ["--state", state])
        #expect(!first.errors.contains("is not used"))
        let attributes = try FileManager.default.attributesOfItem(atPath: state)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        let second = try await assemble("second", ["--state", state])
        #expect(receipts(first.bundle) == receipts(anew.bundle) && receipts(second.bundle) == receipts(anew.bundle))
        #expect(!second.errors.contains("is not used"))

        var text = try String(contentsOfFile: state, encoding: .utf8)
        text = text.replacingOccurrences(of: "\"jobs_b64u\":\"", with: "\"jobs_b64u\":\"AAAA")
        try text.write(toFile: state, atomically: true, encoding: .utf8)
        let third = try await assemble("third", ["--state", state])
        #expect(third.errors.contains("\(state) is not used") && third.errors.contains("HASH_MISMATCH"))
        #expect(receipts(third.bundle) == receipts(anew.bundle))
    }

    /// A job that begins late in a long log is read from a mark before it, and its bundle is the same.
    private func beginsBehindAMark(_ playground: Playground, _ worker: PlaygroundWorker, _ trust: String) async throws {
        func produce(_ name: String) async throws {
            let batches = try await playground.status().batches
            try await playground.produce([
                try ApprovalDraft(name, .reconcile, in: playground).record(signedBy: playground.keys.eventSigner)
            ])
            try await playground.waitForStatus("a batch to be sealed") { $0.batches > batches }
        }
        // Marks stand every 64 batches.
        while true {
            let batches = try await playground.status().batches
            if batches >= 68 { break }
            try await produce("fill-\(batches)")
        }
        let state = "\(playground.directory)/long.state"
        func assemble(_ job: String, _ arguments: [String]) async throws -> (evidence: JSONValue?, errors: String) {
            let out = "\(playground.directory)/\(job).json"
            let run = try await ProgramRun(
                ["proof", "assemble", "--job", job, "--out", out] + arguments, config: worker.configurationFile)
            try #require(run.code == 0, "\(run.output) \(run.errors)")
            let bundle = try JSONReader.parse(Array(try Data(contentsOf: URL(fileURLWithPath: out))))
            return (bundle["metadata"]?["clawgrant"], run.errors)
        }
        try await playground.waitUntilSettled(waiting: 0)
        _ = try await assemble(Self.job, ["--state", state])
        try await produce("late")
        try await playground.waitUntilSettled(waiting: 0)
        let whole = try await assemble("job-late", [])
        let short = try await assemble("job-late", ["--state", state])
        #expect(!whole.errors.contains("the log was read from batch"))
        #expect(short.errors.contains("the log was read from batch"), "\(short.errors)")
        #expect(short.evidence?["receipts"] == whole.evidence?["receipts"])
        #expect(short.evidence?["log"]?["signers"] == whole.evidence?["log"]?["signers"])
        #expect(short.evidence?["log"]?["batches"]?.array?.isEmpty == false)
        let verified = try await ProgramRun(
            ["proof", "verify", "\(playground.directory)/job-late.json", "--trust", trust])
        #expect(verified.code == 0, "\(verified.output)")
    }

    /// A WPC that is in no directory comes from the registry; a registry that does not answer leaves it missing.
    private func fetchesPolicies(_ playground: Playground, _ worker: PlaygroundWorker) async throws {
        let python = "/usr/bin/python3"
        guard FileManager.default.isExecutableFile(atPath: python) else { return }
        let files = FileManager.default
        let registry = "\(playground.directory)/registry"
        let empty = "\(playground.directory)/no-policies"
        try files.createDirectory(atPath: "\(registry)/v1/wpc", withIntermediateDirectories: true)
        try files.createDirectory(atPath: empty, withIntermediateDirectories: true)
        let policies = URL(fileURLWithPath: worker.configurationFile).deletingLastPathComponent()
            .appendingPathComponent("policies").path
        for name in try files.contentsOfDirectory(atPath: policies) where name.hasSuffix(".json") {
            let envelope = try JSONReader.parse(
                Array(try Data(contentsOf: URL(fileURLWithPath: "\(policies)/\(name)"))))
            let hash = try #require(envelope["payload_hash_b64u"]?.string)
            let answer: JSONValue = ["ok": true, "policy_hash_b64u": .string(hash), "envelope": envelope]
            try Data(JSONWriter.bytes(answer)).write(to: URL(fileURLWithPath: "\(registry)/v1/wpc/\(hash)"))
        }
        let port = try FreePort.next()
        let config = "\(worker.configurationFile).registry.yaml"
        let original = try String(contentsOfFile: worker.configurationFile, encoding: .utf8)
        try original.replacingOccurrences(
            of: "wpc: {directory: policies}",
            with: "wpc: {directory: no-policies, url: \"http://127.0.0.1:\(port)\"}"
        ).write(toFile: config, atomically: true, encoding: .utf8)
        func assemble() async throws -> (evidence: JSONValue?, errors: String) {
            let out = "\(playground.directory)/fetched.json"
            let run = try await ProgramRun(["proof", "assemble", "--job", Self.job, "--out", out], config: config)
            try #require(run.code == 0, "\(run.output) \(run.errors)")
            let bundle = try JSONReader.parse(Array(try Data(contentsOf: URL(fileURLWithPath: out))))
            return (bundle["metadata"]?["clawgrant"], run.errors)
        }
        let without = try await assemble()
        #expect(without.errors.contains("did not give the WPC"), "\(without.errors)")
        let missing = without.evidence?["completeness"]?["missing"]?.array ?? []
        #expect(missing.compactMap { $0["code"]?.string } == ["POLICY_NOT_FOUND"])

        let server = try ManagedProcess(
            ManagedProcess.Configuration(
                executable: python,
                arguments: [
                    "-m", "http.server", "\(port)", "--bind", "127.0.0.1", "--directory", registry,
                ]))
        do {
            var found = try await assemble()
            let deadline = ContinuousClock.now + .seconds(60)
            // The server listens a moment after it was started.
            while found.evidence?["policies"]?.array?.first?["envelope"] == nil, ContinuousClock.now < deadline {
                found = try await assemble()
            }
            #expect(found.evidence?["policies"]?.array?.first?["envelope"] != nil, "\(found.errors)")
            #expect(found.evidence?["completeness"]?["missing"]?.array == [])
        } catch {
            _ = await server.terminate()
            throw error
        }
        _ = await server.terminate()
    }
}
