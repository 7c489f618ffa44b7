public import ApprovalSources
import ClawWire
public import DevStack
import GrantChecker
public import IssuanceRules
import Kafka
import Playground
import ReceiptLog

/// The demonstration: the whole path from approval to token and evidence, on private servers, in under a minute.
public struct Demo: Sendable {
    /// What a demonstration is to be like.
    public struct Options: Sendable {
        /// Whether everything is left running at the end, until the task is cancelled.
        public var keepsRunning = false
        /// The one source whose records are played; `nil` plays the whole path.
        public var source: SourceConfiguration.Kind?
        /// The program that is run as a worker; `nil` is this program itself.
        public var workerProgram: String?
        /// Approvals of the stream in the middle of which a worker is killed.
        public var streamLength = 1_000
        /// Where the broker programs are.
        public var tools = BrokerTools.find()

        /// What `clawgrant demo` takes.
        public init() {}
    }

    private let options: Options
    private let emit: @Sendable (DemoEvent) -> Void

    /// Makes a demonstration that tells what happens through `emit`, from any task.
    public init(_ options: Options, emit: @escaping @Sendable (DemoEvent) -> Void) {
        self.options = options
        self.emit = emit
    }

    /// Plays it. Whatever happens, nothing is left behind.
    ///
    /// - Parameter finished: called once everything is counted and said, before a kept demonstration begins to wait.
    /// - Throws: what is missing on this machine or went wrong, with what to do about it.
    public func run(finished: (DemoSummary) -> Void) async throws {
        if let source = options.source {
            try await run(source, finished: finished)
            return
        }
        let start = ContinuousClock.now
        chapter("1. A database, a broker and two workers of our own")
        emit(DemoEvent(.progress, "starting PostgreSQL and the broker"))
        var playgroundOptions = PlaygroundOptions()
        playgroundOptions.tools = options.tools
        playgroundOptions.workerProgram = options.workerProgram
        let playground = try await Playground.start(playgroundOptions)
        do {
            let stage = try await DemoStage(playground, emit: emit)
            let workers = try await open(playground, since: start)
            chapter("2. People decide, and Clawgrant decides what follows")
            for scene in try Scenes(playground: playground).all() { try await stage.play(scene) }
            try await stage.playOut()
            chapter("3. What the job gets, and what an auditor sees")
            try await prove(playground)
            chapter("4. Somebody pulls the emergency stop")
            try await EmergencyStop(playground: playground, stage: stage, emit: emit).play()
            chapter("5. A worker dies in the middle of a stream")
            try await killOne(workers, stage)
            chapter("6. Do the totals add up?")
            await stage.close()
            var summary = try await check(playground, since: start)
            summary.kills = 1
            try await end(playground, summary, finished: finished)
            advise()
            finished(summary)
        } catch {
            await playground.stop()
            throw error
        }
    }

    /// Plays one source.
    private func run(_ source: SourceConfiguration.Kind, finished: (DemoSummary) -> Void) async throws {
        let start = ContinuousClock.now
        chapter("1. A database, a broker and a worker of our own")
        emit(DemoEvent(.progress, "starting PostgreSQL and the broker"))
        var playgroundOptions = PlaygroundOptions()
        playgroundOptions.tools = options.tools
        playgroundOptions.workerProgram = options.workerProgram
        if let vendor = SourceDemo.vendor(of: source) { playgroundOptions.vendors = [vendor] }
        let playground = try await Playground.start(playgroundOptions)
        do {
            let stage = try await DemoStage(playground, emit: emit)
            let worker = try playground.startWorker("worker-1")
            try await playground.waitUntilAtWork([worker])
            emit(
                DemoEvent(
                    .finding, "one worker at work after \(seconds(since: start)) s, with the source \(source.rawValue)",
                    fields: ["workers": 1, "source": .string(source.rawValue)]))
            chapter("2. What comes from \(SourceDemo.title(of: source)), and what is decided")
            try await SourceDemo(playground: playground, kind: source, stage: stage, emit: emit).play()
            chapter("3. Do the totals add up?")
            await stage.close()
            let summary = try await check(playground, since: start)
            try await end(playground, summary, finished: finished)
            finished(summary)
        } catch {
            await playground.stop()
            throw error
        }
    }

    /// Takes everything down, or keeps it until the task is cancelled.
    private func end(
        _ playground: Playground, _ summary: DemoSummary, finished: (DemoSummary) -> Void
    ) async throws {
        if options.keepsRunning {
            try keep(playground)
            finished(summary)
            // Ctrl-C cancels the task; nothing else ends this wait.
            while true { try await Task.sleep(for: .seconds(3_600)) }
        }
        await playground.stop()
    }

    private func chapter(_ text: String) { emit(DemoEvent(.chapter, text)) }

    private func open(
        _ playground: Playground, since start: ContinuousClock.Instant
    ) async throws -> [PlaygroundWorker] {
        emit(
            DemoEvent(
                .finding,
                "PostgreSQL on its own socket, \(playground.options.broker.rawValue) as the broker on "
                    + "\(playground.broker.bootstrapServers), in \(playground.directory)",
                fields: [
                    "directory": .string(playground.directory),
                    "bootstrap_servers": .string(playground.broker.bootstrapServers),
                ]))
        emit(
            DemoEvent(
                .finding,
                "\(playground.inputTopics.count) input and \(PlaygroundTopic.outputs.count) output topics, keys in files "
                    + "of mode 0600, \(playground.policies.count) signed Work Policy Contracts"))
        let workers = try ["worker-1", "worker-2"].map { try playground.startWorker($0) }
        emit(DemoEvent(.progress, "waiting for the workers to share the partitions"))
        try await playground.waitUntilAtWork(workers)
        let status = try await playground.status()
        let shares = workers.map { "\($0.name) reads \(status.partitions(heldBy: $0))" }.joined(separator: ", ")
        emit(
            DemoEvent(
                .finding, "two workers at work after \(seconds(since: start)) s: \(shares) partitions",
                fields: ["workers": .integer(2)]))
        return workers
    }

    private func prove(_ playground: Playground) async throws {
        let evidence = Evidence(playground: playground)
        let grant = try await evidence.grant(of: RequestID("req-agent-run"))
        emit(
            DemoEvent(
                .action,
                "The grant of \(grant.grant.requestID) is on the topic, sealed to its job: whoever reads the topic has "
                    + "nothing to use"))
        emit(try evidence.openToken(of: grant).event)
        emit(DemoEvent(.action, "Its receipt is public, and can be held against the log"))
        for event in try await evidence.prove(grant) { emit(event) }
    }

    private func killOne(_ workers: [PlaygroundWorker], _ stage: DemoStage) async throws {
        let playground = stage.playground
        let stream = try Stream(length: options.streamLength, in: playground)
        emit(
            DemoEvent(
                .action,
                "\(stream.approvals) approvals and \(stream.denials) denials arrive, one signature for each batch, "
                    + "\(stream.repeats) of them twice"))
        let before = try await playground.status()
        let victim = workers.first { $0.isNamed(before.sealer) } ?? workers[0]
        let decidedBefore = before.issued + before.denied
        try await playground.produce(stream.first)
        try await playground.waitForStatus("the stream to be under way") {
            $0.issued + $0.denied > decidedBefore + 20
        }
        let death = ContinuousClock.now
        await victim.kill()
        let atDeath = try await playground.status()
        try await playground.produce(stream.rest)
        emit(
            DemoEvent(
                .kill,
                "\(victim.name), which seals and publishes, is killed with SIGKILL after "
                    + "\(atDeath.issued + atDeath.denied - decidedBefore) decisions; the stream goes on",
                fields: ["worker": .string(victim.name)]))
        guard let survivor = workers.first(where: { $0.name != victim.name }) else { return }
        emit(DemoEvent(.progress, "waiting for \(survivor.name) to notice"))
        try await playground.waitUntilAtWork([survivor])
        let takeover = seconds(since: death)
        emit(
            DemoEvent(
                .finding, "\(survivor.name) has every partition \(takeover) s after the death, and nobody called",
                tone: .good, fields: ["takeover_seconds": .number(takeover)]))
        let total = decidedBefore + stream.approvals + stream.denials
        let emit = emit
        try await stage.listenQuietly("the stream to be decided") {
            let status = try await playground.status()
            emit(DemoEvent(.progress, "\(status.issued + status.denied - decidedBefore) of \(total - decidedBefore)"))
            return status.issued + status.denied >= total
        }
        try await playground.waitUntilSettled()
        let after = try await playground.status()
        emit(
            DemoEvent(
                .finding,
                "\(after.issued - before.issued) tokens and \(after.denied - before.denied) refusals for "
                    + "\(stream.approvals) approvals and \(stream.denials) denials",
                tone: .good,
                fields: [
                    "issued": .integer(after.issued - before.issued), "denied": .integer(after.denied - before.denied),
                ]))
        guard after.issued - before.issued == stream.approvals, after.denied - before.denied == stream.denials else {
            throw PlaygroundError("the totals of the stream do not add up")
        }
    }

    private func check(
        _ playground: Playground, since start: ContinuousClock.Instant
    ) async throws -> DemoSummary {
        emit(DemoEvent(.progress, "an independent reader goes through every topic and the database"))
        try await playground.waitUntilSettled()
        let report = try await playground.check()
        let counts = report.counts
        emit(
            DemoEvent(
                .finding,
                report.isPass
                    ? "an independent reader of all topics and the ledger finds every property in order: one outcome for "
                        + "each approval, one receipt for each effect, no gap, no usable token anywhere"
                    : "an independent reader finds faults",
                details: report.violations.map(\.description), tone: report.isPass ? .good : .refused,
                fields: ["report": report.json]))
        var summary = DemoSummary()
        summary.recordsRead = counts.inputRecords
        summary.issued = counts.issued
        summary.denied = counts.denied
        summary.expired = counts.expired
        summary.quarantined = counts.quarantined
        summary.grants = counts.grants
        summary.receipts = counts.receipts
        summary.heartbeats = counts.heartbeats
        summary.batches = counts.batches
        summary.repeatsSeen = counts.inputRepeats
        summary.checker = report.verdict
        summary.seconds = seconds(since: start)
        return summary
    }

    private func keep(_ playground: Playground) throws {
        for worker in playground.workers where !worker.isRunning { try worker.start() }
        let configuration = playground.workers.first?.configurationFile ?? ""
        emit(
            DemoEvent(
                .advice, "Everything keeps running until you press Ctrl-C here. To look around:",
                details: [
                    "clawgrant tail --from-beginning --follow --config \(configuration)",
                    "clawgrant explain \(options.source == nil ? "req-agent-run" : "REQUEST") --config \(configuration)",
                    "psql \"\(playground.conninfo)\"",
                    "any Kafka client with bootstrap.servers=\(playground.broker.bootstrapServers)",
                ], fields: ["configuration": .string(configuration)]))
    }

    private func advise() {
        emit(
            DemoEvent(
                .advice, "Everything is gone again. Where to go next:",
                details: [
                    "./dev demo --keep            leave it running and look around with `clawgrant tail`",
                    "./dev test                   the tests, with workers that die at every moment",
                    "docs/architecture.md         how it works, in ten minutes",
                    "deploy/examples/rules.yaml   rules to start from; `clawgrant rules check` reads them",
                ]))
    }

    private func seconds(since start: ContinuousClock.Instant) -> Double {
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        return ((Double(seconds) + Double(attoseconds) / 1e18) * 10).rounded() / 10
    }
}

/// A stream of native decisions under one signature a batch.
private struct Stream {
    let first: [ProducerRecord]
    let rest: [ProducerRecord]
    let approvals: Int
    let denials: Int
    let repeats: Int

    init(length: Int, in playground: Playground) throws {
        let now = Timestamp.playgroundNow
        let drafts = (0..<length).map { index in
            let draft = ApprovalDraft("stream-\(index)", .reconcile, in: playground, at: now)
            return index % 10 == 9 ? draft.denied(by: PlaygroundCast.paloma) : draft
        }
        var records: [ProducerRecord] = []
        for start in stride(from: 0, to: length, by: 100) {
            let batch = try ApprovalDraft.records(
                Array(drafts[start..<min(length, start + 100)]), signedTogetherBy: playground.keys.batchSigner)
            records += batch
            records += batch.prefix(5)
        }
        denials = length / 10
        approvals = length - denials
        repeats = records.count - length
        let half = records.count / 2
        first = Array(records[..<half])
        rest = Array(records[half...])
    }
}
