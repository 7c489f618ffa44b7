import ArgumentParser
import ClawWire
import Foundation
import GrantWorker
import Kafka
import Keys
import ProofBundles
import ReceiptLog

/// `clawgrant proof assemble`.
struct ProofAssembleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "assemble", abstract: "Put the evidence of a run together from the topics.",
        discussion: """
            Reads the batch topic from its beginning and verifies all of it, then the gateway receipts, the approval \
            records and the policies that the run's receipts name. The same topics give the same bytes.
            """)

    @OptionGroup var source: ConfigurationOptions

    @Option(help: ArgumentHelp("The job.", valueName: "id"))
    var job: String

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
        name: .customLong("gateway-topic"),
        help: ArgumentHelp("The topic of gateway receipts; passed over when it does not exist.", valueName: "name"))
    var gatewayTopic = "claw.gateway-receipts.v1"

    @Option(
        name: .customLong("gateway"),
        help: ArgumentHelp(
            "A gateway whose receipts count, as a did:key; may be repeated. Default: every one whose signature is right.",
            valueName: "did"))
    var gateways: [String] = []

    mutating func run() async throws {
        let file = try source.load()
        let now = Clock.now
        let ring = try KeyRing.load(file.worker.keys, required: [], at: now)
        let signer = try key.map(KeyArguments.signer) ?? ring.signer(for: .envelope, at: now)
        let logKeys = ring.inventory().filter { $0.configuration.purpose == .receipt }.map(\.publicKey)
        let jobID = JobID(job)
        let reader = RunReader(file: file, jobID: jobID, logKeys: logKeys)
        var material = try await reader.material(gatewayTopic: gatewayTopic)
        guard !material.log.receipts.isEmpty else {
            throw CommandFailure.negative(
                "the log \(file.worker.logID) of \(material.log.receiptCount) receipts has none for job "
                    + Console.plain(job))
        }
        material.gatewaySigners = Set(try gateways.flatMap(KeyArguments.publicKeys).map(\.did))
        if let events {
            do {
                material.agentEvents = try RunEvent.agentChain(
                    try InputFile.bytes(events, atMost: 16 << 20), log: material.log, jobID: jobID)
            } catch let fault as DocumentFault {
                throw CommandFailure.usage("\(events): \(fault)")
            }
        }
        var options = AssemblyOptions()
        options.approver = try approverKey.map(KeyArguments.signer)
        let run = RunRecord(material)
        let assembled = try BundleAssembler.assemble(run, signer: signer, options: options)
        if let bundleOut {
            try write(JSONWriter.bytes(assembled.proofBundle) + [UInt8(ascii: "\n")], to: bundleOut)
        }
        guard let out else {
            Console.out(assembled.exportBundle)
            return
        }
        try write(assembled.fileBytes, to: out)
        Console.error(
            "\(out): \(material.log.receipts.count) receipts, \(run.tokens.count) tokens, \(run.calls.count) calls bound to "
                + "the chain and \(run.setAside.count) set aside, proven to checkpoint "
                + "\(material.log.checkpoint.checkpoint.size) of \(material.log.logID)")
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
