import ArgumentParser
import ClawWire
import Foundation
import GrantLedger
import GrantWorker
import IssuanceRules
import Kafka
import Keys
import Primitives
import ProofBundles
import ReceiptLog

/// `clawgrant proof assemble`.
struct ProofAssembleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "assemble", abstract: "Put the evidence of a run together from the topics.",
        discussion: """
            Reads the batch topic and verifies all of it, from its beginning or from where --state says that the job \
            begins, then the gateway receipts, the approval records and the policies that the run's receipts name. The \
            same topics give the same bytes.
            """)

    @OptionGroup var source: ConfigurationOptions

    /// What is asked of the ledger.
    enum LedgerUse: String, CaseIterable, ExpressibleByArgument {
        case crossCheck = "cross-check"
    }

    @Option(help: ArgumentHelp("The job.", valueName: "id"))
    var job: String?

    @Flag(help: "Go on, and write a bundle into --folder for each run that has ended.")
    var follow = false

    @Option(
        help: ArgumentHelp("Where --follow writes: <job>.<position>.json.", valueName: "folder"),
        completion: .directory)
    var folder: String?

    @Option(
        help: ArgumentHelp("How long a run must have ended before --follow writes its bundle.", valueName: "seconds"))
    var settle: Int64 = 60

    @Option(
        name: .customLong("from-ledger"),
        help: "cross-check: hold the run against the ledger, and end with 1 where they differ.")
    var ledger: LedgerUse?

    @Flag(
        help: "Prove to the newest checkpoint that witnesses cosigned, from the ledger; later batches are left out.")
    var cosigned = false

    @Option(
        help: ArgumentHelp("The agent's own event chain: a JSON file.", valueName: "file"), completion: .file())
    var events: String?

    @Option(
        name: [.customShort("o"), .customLong("out")],
        help: ArgumentHelp("Where to write the export bundle. Default: standard output.", valueName: "file"),
        completion: .file())
    var out: String?

    @Option(
        name: .customLong("bundle-out"),
        help: ArgumentHelp("Where to write the proof bundle alone.", valueName: "file"), completion: .file())
    var bundleOut: String?

    @Option(
        name: .customLong("audit-out"),
        help: ArgumentHelp(
            "Where to write the run's audit bundle: issuances and revocations as the reference keeps them.",
            valueName: "file"), completion: .file())
    var auditOut: String?

    @Option(
        name: .customLong("key"),
        help: ArgumentHelp(
            "The private key that signs the bundle. Default: the configured envelope key.", valueName: "file"),
        completion: .file())
    var key: String?

    @Option(
        name: .customLong("approver-key"),
        help: ArgumentHelp(
            "The private key that co-signs in the role of the approver. Default: the key that signs.", valueName: "file"
        ), completion: .file())
    var approverKey: String?

    @Option(
        name: .customLong("state"),
        help: ArgumentHelp(
            "A file that keeps what was read and verified of the log, so that the next run need not begin with its "
                + "first batch. Made when it is not there.", valueName: "file"), completion: .file())
    var state: String?

    @Option(
        name: .customLong("gateway-topic"),
        help: ArgumentHelp(
            "The topic of gateway receipts; passed over when it does not exist. Default: the configured one.",
            valueName: "name"))
    var gatewayTopic: String?

    @Option(
        name: .customLong("gateway"),
        help: ArgumentHelp(
            "A gateway whose receipts count, as a did:key; may be repeated. Default: those of the rules.",
            valueName: "did"))
    var gateways: [String] = []

    mutating func validate() throws {
        guard (job != nil) != follow else { throw ValidationError("give either --job or --follow") }
        guard follow == (folder != nil) else { throw ValidationError("--follow needs --folder, and nothing else does") }
        guard
            !follow || events == nil && out == nil && bundleOut == nil && auditOut == nil && ledger == nil && !cosigned
        else {
            throw ValidationError(
                "--events, --out, --bundle-out, --audit-out, --from-ledger and --cosigned are of one job")
        }
        guard !cosigned || state == nil else {
            throw ValidationError("--cosigned may end before --state begins: give one of them")
        }
        guard (0...86_400).contains(settle) else { throw ValidationError("--settle is 0 seconds to a day") }
    }

    mutating func run() async throws {
        let file = try source.load()
        guard follow, let folder else {
            try await one(JobID(job ?? ""), file)
            return
        }
        let command = self
        let stop = StopFlag()
        let signals = StopSignals { stop.set() }
        defer { signals.cancel() }
        let follower = RunFollower(file: file, folder: folder, settle: settle) { jobID in
            try await command.assembled(jobID, file).document.fileBytes
        }
        try await follower.run { stop.isSet }
    }

    /// Reads and signs one run.
    private func assembled(
        _ jobID: JobID, _ file: ConfigurationFile
    ) async throws -> (run: RunRecord, document: AssembledRun) {
        let now = Clock.now
        let ring = try KeyRing.load(file.worker.keys, required: [], at: now)
        let signer = try key.map(KeyArguments.signer) ?? ring.signer(for: .envelope, at: now)
        let logKeys = ring.inventory().filter { $0.configuration.purpose == .receipt }.map(\.publicKey)
        let checkpoint = cosigned ? try await CosignedLog.newest(file) : nil
        let index = try state.map { StoredIndex(path: $0, signer: try ring.signer(for: .envelope, at: now)) }
        let reader = RunReader(
            file: file, jobID: jobID, logKeys: logKeys, index: index, gateways: try gatewaySigners(file),
            batchLimit: checkpoint.map { Int(clamping: $0.size) })
        var material = try await reader.material(
            gatewayTopic: gatewayTopic ?? file.worker.gatewayReceipts.topic ?? "claw.gateway-receipts.v1")
        if let checkpoint { material.log = try CosignedLog.apply(checkpoint, to: material.log) }
        guard !material.log.receipts.isEmpty else {
            throw CommandFailure.negative(
                "the log \(file.worker.logID) of \(material.log.receiptCount) receipts has none for job "
                    + Console.plain(jobID.rawValue))
        }
        if let events {
            do {
                material.agentEvents = try RunEvent.agentChain(
                    try InputFile.bytes(events, atMost: 16 << 20), log: material.log, jobID: jobID)
            } catch let fault as DocumentFault {
                throw CommandFailure.usage("\(events): \(fault)")
            }
        }
        var options = AssemblyOptions()
        // A key that is given signs the bundle; what the worker says is still signed by the worker's own.
        if key != nil { options.issuer = try? ring.signer(for: .envelope, at: now) }
        options.approver = try approverKey.map(KeyArguments.signer)
        return try BundleAssembler.assemble(material, signer: signer, options: options)
    }

    /// The gateways that are named here, else those of the rules.
    private func gatewaySigners(_ file: ConfigurationFile) throws -> Set<String> {
        let named = try gateways.flatMap(KeyArguments.publicKeys)
        return Set((named.isEmpty ? try file.rules().gateways.signers : named).map(\.did))
    }

    private func one(_ jobID: JobID, _ file: ConfigurationFile) async throws {
        let (run, assembled) = try await assembled(jobID, file)
        if let bundleOut {
            try write(JSONWriter.bytes(assembled.proofBundle) + [UInt8(ascii: "\n")], to: bundleOut)
        }
        if let auditOut {
            let audit = AuditBundle(run)
            try write(JSONWriter.bytes(audit.json) + [UInt8(ascii: "\n")], to: auditOut)
            if audit.leftOut > 0 {
                Console.error("  \(auditOut): \(audit.leftOut) tokens without their claims left out")
            }
        }
        if let out {
            try write(assembled.fileBytes, to: out)
            tell(run, assembled, out)
        } else {
            Console.out(assembled.exportBundle)
        }
        guard ledger == .crossCheck else { return }
        let differences = try await LedgerCrossCheck.differences(run, file)
        for difference in differences { Console.error("  differs: \(difference)") }
        if !differences.isEmpty { throw CommandFailure.no }
        Console.error("  the ledger agrees about \(run.tokens.count) tokens")
    }

    private func tell(_ run: RunRecord, _ assembled: AssembledRun, _ path: String) {
        let log = run.material.log
        Console.error(
            "\(path): \(log.receipts.count) receipts, \(run.tokens.count) tokens, \(run.calls.count) calls bound to the "
                + "chain and \(run.setAside.count) set aside, proven to checkpoint "
                + "\(log.checkpoint.checkpoint.size) of \(log.logID)")
        for missing in assembled.evidence["completeness"]?["missing"]?.array ?? [] {
            Console.error("  missing: \(missing["code"]?.string ?? "") \(missing["detail"]?.string ?? "")")
        }
    }

    private func write(_ bytes: [UInt8], to path: String) throws {
        do {
            try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw CommandFailure.negative("\(path) cannot be written: \(error.localizedDescription)")
        }
    }
}

/// Set once, from a signal.
private final class StopFlag: Sendable {
    private let state = Lock(false)

    var isSet: Bool { state.withLock { $0 } }

    func set() { state.withLock { $0 = true } }
}
