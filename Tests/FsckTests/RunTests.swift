import ClawWire
import Foundation
import Testing

@testable import Fsck
@testable import FsckCorruptions

struct RunTests {
    @Test(arguments: [1, 2, 3, 10, 1_000, 3_000]) func sortsWhatDoesNotFitMemory(entries: Int) throws {
        let directory = try WorkDirectory(in: nil)
        let runs = SortedRuns(width: 9, memory: 13 * 4, in: directory)
        var expected: [[UInt8]] = []
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<entries {
            var entry = EntryWriter(width: 9)
            entry.put(Int64.random(in: -50...50, using: &generator))
            entry.put(UInt8.random(in: 0...3, using: &generator))
            expected.append(entry.bytes)
            try runs.add(entry.bytes)
        }
        var found: [[UInt8]] = []
        try runs.forEach { found.append($0) }
        #expect(found == expected.sorted { $0.lexicographicallyPrecedes($1) })
    }

    @Test func numbersSortAsTheyCount() {
        let numbers: [Int64] = [.min, -1, 0, 1, 255, 256, .max]
        let entries = numbers.map { number -> [UInt8] in
            var entry = EntryWriter(width: 8)
            entry.put(number)
            return entry.bytes
        }
        #expect(entries == entries.sorted { $0.lexicographicallyPrecedes($1) })
        for (number, entry) in zip(numbers, entries) {
            var reader = EntryReader(entry)
            #expect(reader.int64() == number)
        }
    }

    @Test func theSameIsFoundInTheSmallestMemory() async throws {
        for corruption in Corruption.all.filter({ !$0.usesLedger }).prefix(20) {
            let whole = try await corruption.report()
            var small = corruption
            let plan = corruption.plan
            small.plan = {
                plan(&$0)
                $0.sortMemory = 4_096
            }
            let other = try await small.report()
            #expect(Set(whole.findings) == Set(other.findings), "\(corruption.name)")
        }
    }

    @Test func aRangeLooksAtItsBatches() async throws {
        let log = try HealthyLog.forge().publish()
        for (from, through, batches) in [(0, 4, 1), (5, 12, 2), (11, 11, 1), (13, 57, 3), (57, 57, 1)]
            as [(Int64, Int64, Int64)]
        {
            var plan = HealthyLog.plan()
            plan.from = from
            plan.through = through
            let report = try await Fsck.run(plan, MemoryTopics(log), ledger: nil)
            #expect(report.findings.map(\.description) == [], "\(from)...\(through)")
            #expect(report.counts.batches == batches)
        }
    }

    @Test func aRangeFindsWhatIsInIt() async throws {
        var log = try HealthyLog.forge().publish()
        try log.edit("grants", 6) { $0["job_id"] = "job-other" }
        var plan = HealthyLog.plan()
        plan.from = 19
        #expect(try await Fsck.run(plan, MemoryTopics(log), ledger: nil).findings.map(\.code) == ["grant.mismatch"])
        plan.from = 0
        plan.through = 18
        #expect(try await Fsck.run(plan, MemoryTopics(log), ledger: nil).isClean)
    }

    @Test func hashesAloneFindWhatHashesShow() async throws {
        var log = try HealthyLog.forge().publish()
        try log.edit("grants", 6) { $0["job_id"] = "job-other" }
        var plan = HealthyLog.plan()
        plan.isHashOnly = true
        var report = try await Fsck.run(plan, MemoryTopics(log), ledger: nil)
        #expect(report.isClean)
        #expect(report.verdict(.receipts) == .holds)
        #expect(report.verdict(.oneOutcome) == .notChecked)
        try log.edit("receipts.batches", 4) { record in
            var receipts = record["receipts"]?.array ?? []
            receipts.swapAt(1, 2)
            record["receipts"] = .array(receipts)
        }
        report = try await Fsck.run(plan, MemoryTopics(log), ledger: nil)
        #expect(Set(report.findings.map(\.code)) == ["header.root_mismatch", "header.clawlogs_root_mismatch"])
    }

    /// A sealer slept while the next one published, and a broker that fences nobody took its head: that was true.
    @Test(arguments: [(601, []), (600, []), (599, ["head.sequence"])] as [(Int64, [String])])
    func aHeadThatWasTrueWhenItWasMadeMayStandLate(_ sealedAfter: Int64, _ expected: [String]) async throws {
        var forge = try HealthyLog.forge()
        forge.headPlace = {
            $0.nextSequence = 1
            $0.asOf = Forge.noon.adding(seconds: 600)
        }
        var log = try forge.publish()
        try log.change("revocations", 1) {
            $0.with(header: "ce_time", Forge.noon.adding(seconds: sealedAfter).iso8601)
        }
        let report = try await Fsck.run(HealthyLog.plan(), MemoryTopics(log), ledger: nil)
        #expect(report.findings.map(\.code) == expected)
    }

    @Test func listsSoManyFindingsOfACodeAndCountsAll() async throws {
        var log = try HealthyLog.forge().publish()
        for index in 9..<42 { try log.edit("decisions", index) { $0["reason"] = "because" } }
        var plan = HealthyLog.plan()
        plan.maximumPerCode = 3
        let report = try await Fsck.run(plan, MemoryTopics(log), ledger: nil)
        #expect(report.findings.count == 3)
        #expect(report.totals == [.decisionMismatch: 33])
        #expect(report.json["totals"]?["decision.mismatch"]?.integer == 33)
        #expect(report.json["properties"]?["P4"]?.string == "refuted")
        #expect(report.lines.contains { $0.contains("33 findings, the first 3 are listed") })
    }

    @Test func workUnderWayIsNotMissed() async throws {
        var log = try HealthyLog.forge().publish()
        log.topics["decisions"]?.removeLast()
        var plan = HealthyLog.plan()
        plan.isSettled = false
        let report = try await Fsck.run(plan, MemoryTopics(log), ledger: nil)
        #expect(report.isClean)
        #expect(report.notes.contains { $0.contains("on their way") })
    }

    @Test func strangeKindsAreNamedAndHashed() async throws {
        var forge = try HealthyLog.forge()
        var strange = try HealthyLog.heartbeat(50)
        strange.receipt["kind"] = "gateway.strange"
        forge.batches[5].append(strange)
        let report = try await Fsck.run(HealthyLog.plan(), MemoryTopics(try forge.publish()), ledger: nil)
        #expect(report.isClean)
        #expect(report.counts.kinds["gateway.strange"] == 1)
        #expect(report.notes.contains { $0.contains("gateway.strange") })
    }

    @Test func everyCodeIsExplained() throws {
        let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("docs/fsck.md")
        let text = try String(contentsOf: page, encoding: .utf8)
        for code in FindingCode.allCases { #expect(text.contains("`\(code.rawValue)`"), "\(code.rawValue)") }
    }
}

struct DumpTests {
    private static func withDirectory(_ body: (String) async throws -> Void) async throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("fsck-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try await body(path)
    }

    @Test func aDumpSaysWhatTheTopicsSay() async throws {
        try await Self.withDirectory { path in
            let log = try HealthyLog.forge().publish()
            let count = try await DumpWriter(directory: path).write(HealthyLog.plan(), from: MemoryTopics(log))
            #expect(count == log.topics.values.reduce(0) { $0 + Int64($1.count) })
            var plan = HealthyLog.plan()
            let direct = try await Fsck.run(plan, MemoryTopics(log), ledger: nil)
            #expect(try await Fsck.check(directory: path, plan).counts == direct.counts)
            plan.logKeys = []
            let own = try await Fsck.check(directory: path, plan)
            #expect(own.isClean)
            #expect(own.notes.contains { $0.contains("--log-key") })
            plan.logKeys = [Forge.signer("stranger").publicKey]
            #expect(try await Fsck.check(directory: path, plan).totals[.batchSignerUnknown] == 6)
            await #expect(throws: FsckError.self) {
                _ = try await DumpWriter(directory: path).write(plan, from: MemoryTopics(log))
            }
        }
    }

    @Test func aDumpThatWasCutCannotBeChecked() async throws {
        try await Self.withDirectory { path in
            let log = try HealthyLog.forge().publish()
            _ = try await DumpWriter(directory: path).write(HealthyLog.plan(), from: MemoryTopics(log))
            let file = "\(path)/claw.decisions.v1-1.ndjson"
            let whole = try Data(contentsOf: URL(fileURLWithPath: file))
            for part in [whole.dropLast(), whole.dropLast(500), whole + Data("{}\n".utf8), Data()] {
                try Data(part).write(to: URL(fileURLWithPath: file))
                await #expect(throws: FsckError.self) {
                    _ = try await Fsck.check(directory: path, HealthyLog.plan())
                }
            }
        }
    }

    @Test func aManifestLeadsNowhereElse() async throws {
        try await Self.withDirectory { path in
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            for file in ["../secret", "/etc/hostname", "..", "a/b"] {
                let manifest: JSONValue = [
                    "dump_version": "1",
                    "topics": [
                        [
                            "stream": "grants", "topic": "t",
                            "partitions": [["partition": 0, "file": .string(file), "low": 0, "records": 0]],
                        ]
                    ],
                ]
                try Data(JSONWriter.bytes(manifest)).write(to: URL(fileURLWithPath: "\(path)/manifest.json"))
                #expect(throws: FsckError.self) { _ = try DumpSource(directory: path) }
            }
        }
    }

    @Test func linesReadBack() throws {
        for record in [
            FsckRecord(partition: 3, offset: 9, timestamp: nil, key: nil, value: nil, headers: []),
            FsckRecord(
                partition: 3, offset: 0, timestamp: 5, key: [], value: [0, 255, 10],
                headers: [("é \"\n", nil), ("", [1])]),
        ] {
            let line = Array(DumpWriter.line(record).dropLast())
            let read = try #require(DumpSource.record(line, partition: 3))
            #expect(read.fingerprint == record.fingerprint)
            #expect(read.offset == record.offset)
            #expect(read.timestamp == record.timestamp)
            #expect((read.key == nil) == (record.key == nil))
        }
        for line in [
            "", "{}", "{\"headers\":[],\"key\":null,\"offset\":-1,\"value\":null}",
            "{\"headers\":[],\"key\":\"*\",\"offset\":1,\"value\":null}",
        ] {
            #expect(DumpSource.record(Array(line.utf8), partition: 0) == nil)
        }
    }
}
