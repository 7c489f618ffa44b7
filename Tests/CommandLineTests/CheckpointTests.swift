import ClawWire
import DevStack
import Foundation
import Playground
import Postgres
import ReceiptLog
import Testing

/// Checkpoints and their cosignatures: the program against a playground with a worker, and witnesses of ours.
@Suite(
    "Cosigned checkpoints on the command line",
    .enabled(if: BrokerTools.find().has(.noida) && ProgramRun.path != nil), .serialized, .timeLimit(.minutes(10)))
struct CheckpointTests {
    private struct Witness {
        let name: String
        let signer: SeedSigner

        init(_ name: String) throws {
            self.name = name
            signer = try #require(SeedSigner(seed: Digest(hashing: name).bytes))
        }

        var key: NoteKey {
            get throws {
                try #require(NoteKey(name: name, publicKey: signer.publicKey, algorithm: .cosignature))
            }
        }
    }

    private static func run(_ body: (Playground, PlaygroundWorker) async throws -> Void) async throws {
        let playground = try await Playground.start(PlaygroundOptions())
        do {
            let worker = try playground.startWorker("w1")
            try await playground.waitUntilAtWork([worker])
            try await body(playground, worker)
        } catch {
            for worker in playground.workers { Issue.record("\(worker.name):\n\(worker.logTail())") }
            await playground.stop()
            throw error
        }
        await playground.stop()
    }

    private static func trust(
        _ playground: Playground, _ witnesses: [Witness], required: Int = 0, issuer: String? = nil
    ) throws -> String {
        let path = "\(playground.directory)/trust-\(witnesses.count)-\(required).json"
        let trust: JSONValue = [
            "trust_version": "1",
            "logs": [
                [
                    "log_id": .string(playground.logID.rawValue), "keys": [.string(playground.keys.log.did)],
                    "witnesses": .array(try witnesses.map { .string(try $0.key.text) }),
                    "required_witnesses": .integer(required),
                ]
            ],
            "bundle_signers": .array(issuer.map { [.string($0)] } ?? []),
            "envelope_signers": .array(issuer.map { [.string($0)] } ?? []),
            "policy_signers": [.string(playground.keys.policySigner.publicKey.did)],
            "token_keys": [.string(playground.keys.token.did)],
        ]
        try Data(JSONWriter.bytes(trust)).write(to: URL(fileURLWithPath: path))
        return path
    }

    private static func write(_ note: SignedNote, _ playground: Playground) throws -> String {
        let path = "\(playground.directory)/note.txt"
        try note.encoded.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    @Test("A cosigned checkpoint is verified, stored once, shown, and proves a run")
    func wholeWay() async throws {
        try await Self.run { playground, worker in
            let config = worker.configurationFile
            let (north, south) = (try Witness("witness.north.example/w1"), try Witness("witness.south.example/w1"))
            try await playground.produce([
                try ApprovalDraft("run", .agentRun, in: playground).record(signedBy: playground.keys.eventSigner)
            ])
            try await playground.waitUntilSettled(waiting: 0)
            let shown = try await ProgramRun(["checkpoint", "show"], config: config)
            #expect(shown.code == 0, "\(shown.errors)")
            let own = try SignedNote(parsing: shown.output)
            let size = try Checkpoint(parsing: own.text).size
            let none = try await ProgramRun(["checkpoint", "show", "--cosigned"], config: config)
            #expect(none.code == 1 && none.errors.contains("no checkpoint has a stored cosignature"))

            let now = Timestamp.playgroundNow
            let trust = try Self.trust(playground, [north, south])
            let cosigned = try own.cosigned(name: north.name, at: now, signer: north.signer)
            let path = try Self.write(cosigned, playground)
            let unconfigured = try await ProgramRun(["checkpoint", "store", path], config: config)
            #expect(unconfigured.code == 2 && unconfigured.errors.contains("names no witnesses"))
            for expected in ["stored: ", "was stored before: "] {
                let stored = try await ProgramRun(["checkpoint", "store", path, "--trust", trust], config: config)
                #expect(stored.code == 0 && stored.output.hasPrefix(expected), "\(stored.output) \(stored.errors)")
            }
            let both = try cosigned.cosigned(name: south.name, at: now, signer: south.signer)
            let more = try await ProgramRun(
                ["checkpoint", "store", try Self.write(both, playground), "--trust", trust, "--json"], config: config)
            let answer = try #require(try more.lines.first)
            #expect(answer["stored"]?.array?.map { $0["witness"]?.string } == [south.name])
            #expect(answer["known_before"]?.array?.count == 1)

            let whole = try await ProgramRun(["checkpoint", "show", "--cosigned"], config: config)
            let verified = try VerifiedCheckpoint(
                try SignedNote(parsing: whole.output), logKey: playground.keys.log, logID: playground.logID,
                witnesses: [try north.key, try south.key])
            #expect(verified.checkpoint.size == size && verified.cosignatures.count == 2)
            let listed = try await ProgramRun(["checkpoint", "cosignatures", "--json"], config: config)
            #expect(try listed.lines.first?["witnesses"]?.array?.count == 2)

            try await Self.proves(playground, worker, [north, south])
            try await Self.refuses(playground, worker, own, north, trust)
        }
    }

    /// The run is proven to the cosigned checkpoint, and a verifier that demands both witnesses accepts it.
    private static func proves(_ playground: Playground, _ worker: PlaygroundWorker, _ witnesses: [Witness])
        async throws
    {
        // The log goes on; what witnesses have not seen is left out.
        try await playground.produce([
            try ApprovalDraft("later", .reconcile, in: playground).record(signedBy: playground.keys.eventSigner)
        ])
        try await playground.waitUntilSettled(waiting: 0)
        let out = "\(playground.directory)/run.json"
        for (arguments, code) in [(["--cosigned"], Int32(0)), ([], 1)] {
            let assembled = try await ProgramRun(
                ["proof", "assemble", "--job", "job-run", "--out", out] + arguments, config: worker.configurationFile)
            try #require(assembled.code == 0, "\(assembled.errors)")
            let run = try JSONReader.parse(Array(try Data(contentsOf: URL(fileURLWithPath: out))))
            let trust = try trust(playground, witnesses, required: 2, issuer: run["issuer_did"]?.string)
            let verified = try await ProgramRun(["proof", "verify", out, "--trust", trust])
            #expect(verified.code == code, "\(verified.output)")
            #expect(verified.output.contains("WITNESSES_MISSING") == (code == 1), "\(verified.output)")
        }
    }

    /// Whatever is not the log's own checkpoint, or goes back, is refused with its reason, and nothing is stored.
    private static func refuses(
        _ playground: Playground, _ worker: PlaygroundWorker, _ own: SignedNote, _ witness: Witness, _ trust: String
    ) async throws {
        let config = worker.configurationFile
        let now = Timestamp.playgroundNow
        func stored() async throws -> String {
            let rows = try await playground.query("SELECT count(*)::text FROM clawgrant.checkpoint_cosignature")
            return try rows.string(0, 0)
        }
        let before = try await stored()
        func refused(_ note: SignedNote, _ reason: String) async throws {
            let run = try await ProgramRun(
                ["checkpoint", "store", try write(note, playground), "--trust", trust], config: config)
            #expect(run.code == 1 && run.errors.contains(reason), "\(run.output) \(run.errors)")
        }
        let checkpoint = try Checkpoint(parsing: own.text)
        let forger = try #require(SeedSigner(seed: Digest(hashing: "forger").bytes))
        let other = try Checkpoint(
            origin: checkpoint.origin, size: checkpoint.size, root: Digest(hashing: "another history")
        ).signed(by: forger)
        try await refused(
            try other.cosigned(name: witness.name, at: now, signer: witness.signer), "shown another history")
        let beyond = try Checkpoint(origin: checkpoint.origin, size: 1_000_000, root: checkpoint.root).signed(
            by: forger)
        try await refused(try beyond.cosigned(name: witness.name, at: now, signer: witness.signer), "newest checkpoint")
        try await refused(own, "no known witness has cosigned")
        let early = try SignedNote(
            parsing: try await ProgramRun(["checkpoint", "show", "--size", "1"], config: config).output)
        if try Checkpoint(parsing: early.text).size < checkpoint.size {
            try await refused(
                try early.cosigned(name: witness.name, at: now.adding(seconds: 5), signer: witness.signer),
                "adds nothing to it")
        }
        try await refused(
            try own.cosigned(name: witness.name, at: now.adding(seconds: 3_600), signer: witness.signer),
            "and it is only")
        let garbage = try await ProgramRun(
            ["checkpoint", "store", "-", "--trust", trust], typing: "no note", config: config)
        #expect(garbage.code == 2 && garbage.errors.contains("is no signed note"))
        #expect(try await stored() == before)
    }
}
