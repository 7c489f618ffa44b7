import ArgumentParser
import ClawWire
import Foundation
import Fsck
import GrantLedger
import GrantWorker
import IssuanceRules
import Keys

/// `clawgrant fsck`: a second reader of everything that was published.
struct FsckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fsck", abstract: "Prove or refute, from topics and ledger, what Clawgrant promises.",
        discussion: """
            Ends with 0 when there is no finding, with 1 when there is one, with 2 when it could not be checked. \
            docs/fsck.md explains every finding.
            """,
        subcommands: [FsckCheckCommand.self, FsckDumpCommand.self], defaultSubcommand: FsckCheckCommand.self)
}

/// `clawgrant fsck check`.
struct FsckCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Read topics or a dump of them, and the ledger if asked to.")

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    @Option(help: ArgumentHelp("A dump instead of a broker.", valueName: "dir"), completion: .directory)
    var directory: String?

    @Option(help: ArgumentHelp("First position of a receipt.", valueName: "position"))
    var from: Int64 = 0

    @Option(help: ArgumentHelp("Last position of a receipt.", valueName: "position"))
    var to: Int64?

    @Flag(name: .customLong("hash-only"), help: "Hashes, chain and signatures of the log alone.")
    var isHashOnly = false

    @Flag(
        name: .customLong("ledger"),
        help: "Hold the ledger, or its rows in a dump, against the topics and make tokens again.")
    var readsLedger = false

    @Flag(name: .customLong("settled"), help: "Nothing is under way: what is missing at the end is a finding.")
    var isSettled = false

    @Option(
        name: .customLong("log-key"),
        help: ArgumentHelp(
            "A key that may sign for the log: a did:key, a JWKS file or a PEM file; may be repeated. Default: the "
                + "receipt keys of the configuration, or what a dump names.", valueName: "key"))
    var logKeys: [String] = []

    @Option(
        name: .customLong("token-key"),
        help: ArgumentHelp("A key that may sign tokens; may be repeated.", valueName: "key"))
    var tokenKeys: [String] = []

    @Option(
        name: .customLong("token-signer"),
        help: ArgumentHelp(
            "A private key of tokens, with which a dump's tokens are made again; may be repeated. Default: the "
                + "configuration's, unless a dump is read.", valueName: "file"), completion: .file())
    var tokenSigners: [String] = []

    @Option(
        name: .customLong("token-id-secret"),
        help: ArgumentHelp(
            "The secret from which jti follow. Default: the configuration's, unless a dump is read.",
            valueName: "file"), completion: .file())
    var tokenIDSecret: String?

    @Option(name: .customLong("log-id"), help: ArgumentHelp("The log that is expected.", valueName: "name"))
    var logID: String?

    @Option(
        name: .customLong("rules"),
        help: ArgumentHelp(
            "Issuance rules to hold grants against; may be repeated for older ones. The configuration's are always "
                + "used.", valueName: "file"), completion: .file())
    var rulesFiles: [String] = []

    @Option(name: .customLong("policies"), help: ArgumentHelp("A directory of WPC envelopes.", valueName: "dir"))
    var policies: String?

    @Option(name: .customLong("limit"), help: ArgumentHelp("Most findings of one code to list.", valueName: "count"))
    var limit = 20

    @Option(
        name: .customLong("work-directory"),
        help: ArgumentHelp("Where sorted runs are written. Default: the system's.", valueName: "dir"))
    var workDirectory: String?

    mutating func validate() throws {
        guard from >= 0, to.map({ $0 >= from }) ?? true else {
            throw ValidationError("--from and --to are positions, the smaller first")
        }
        guard limit >= 0 else { throw ValidationError("--limit is not negative") }
    }

    mutating func run() async throws {
        let report: FsckReport
        do {
            report = try await check()
        } catch let failure as CommandFailure {
            throw failure
        } catch let fault as ConfigurationFileError {
            throw fault
        } catch {
            throw CommandFailure.usage("could not be checked: \(error)")
        }
        if output.isJSON {
            Console.out(report.json)
        } else {
            for line in report.lines { Console.out(Console.plain(line)) }
        }
        if !report.isClean { throw CommandFailure.no }
    }

    private func check() async throws -> FsckReport {
        var plan = FsckPlan(logID: logID, logKeys: try logKeys.flatMap(KeyArguments.publicKeys))
        plan.tokenKeys = try tokenKeys.flatMap(KeyArguments.publicKeys)
        plan.tokenSigners = try tokenSigners.map(KeyArguments.signer)
        plan.tokenIDSecret = try tokenIDSecret.map { try SecretFile.load($0, links: .anywhere).copyExposed() }
        plan.from = from
        plan.through = to
        plan.isHashOnly = isHashOnly
        plan.isSettled = isSettled
        plan.maximumPerCode = limit
        plan.workDirectory = workDirectory
        for file in rulesFiles { plan.add(try RulesFile.load(file)) }
        if let policies { plan.addPolicies(in: policies) }
        if let directory { return try await Fsck.check(directory: directory, plan, readsLedger: readsLedger) }
        let file = try source.load()
        try plan.take(file)
        if let rules = try? file.rules() { await plan.addPolicies(file.worker.policySources(rules), rules, file) }
        return try await Fsck.check(
            kafka: file.worker.kafka, database: readsLedger ? file.worker.database : nil, plan)
    }
}

/// `clawgrant fsck dump`.
struct FsckDumpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dump",
        abstract: "Write the output topics, and the ledger if asked to, into a directory, for `fsck --directory`.",
        discussion: """
            One file a partition or table, one JSON object a record or row; docs/fsck.md has the form. Grants hold \
            sealed tokens: keep a dump as you keep the topics and the ledger.
            """)

    @OptionGroup var source: ConfigurationOptions

    @Option(name: .customLong("out"), help: ArgumentHelp("A new directory.", valueName: "dir"), completion: .directory)
    var out: String

    @Flag(name: .customLong("ledger"), help: "The rows of the ledger too.")
    var writesLedger = false

    @Flag(name: .customLong("settled"), help: "Nothing is under way while the dump is made.")
    var isSettled = false

    mutating func run() async throws {
        let file = try source.load()
        var plan = FsckPlan(logID: nil, logKeys: [])
        plan.isSettled = isSettled
        try plan.take(file)
        if let rules = try? file.rules() { await plan.addPolicies(file.worker.policySources(rules), rules, file) }
        do {
            let count = try await Fsck.dump(
                kafka: file.worker.kafka, database: writesLedger ? file.worker.database : nil, to: out, plan)
            Console.out("\(count) records\(writesLedger ? " and rows" : "") are in \(out)")
        } catch {
            throw CommandFailure.negative("the dump was not made: \(error)")
        }
    }
}

extension FsckPlan {
    /// Takes from a configuration what was not given otherwise: log, streams, keys, rules, WPCs, secrets.
    mutating func take(_ file: ConfigurationFile) throws {
        let worker = file.worker
        logID = logID ?? worker.logID.rawValue
        streams = OutputStream.allCases.map {
            Stream(name: $0.name, topic: worker.outputs.name($0), isCompacted: $0 == .revocations)
        }
        var ring: KeyRing?
        do {
            ring = try KeyRing.load(worker.keys, required: [], at: Clock.now)
        } catch {
            // An auditor has the log's public keys and no others; the report says what was not checked for that.
            if logKeys.isEmpty { throw error }
        }
        if let ring {
            let keys = ring.inventory()
            if logKeys.isEmpty { logKeys = keys.filter { $0.configuration.purpose == .receipt }.map(\.publicKey) }
            if tokenKeys.isEmpty { tokenKeys = keys.filter { $0.configuration.purpose == .token }.map(\.publicKey) }
            if tokenSigners.isEmpty { tokenSigners = Array(ring.remakers(for: .token).values) }
        }
        if tokenIDSecret == nil { tokenIDSecret = try? SecretFile.load(worker.tokenIDSecretFile).copyExposed() }
        if let rules = try? file.rules() {
            add(rules)
            if let directory = worker.policySources(rules).directory { addPolicies(in: directory) }
        }
    }

    /// What of the rules receipts can be held against.
    mutating func add(_ set: RuleSet) {
        var classes: [String: Rules.JobClass] = [:]
        for (name, rule) in set.jobClasses {
            classes[name.rawValue] = Rules.JobClass(
                scopes: Set(rule.scopes), audience: Set(rule.audience),
                actions: rule.elevatedActions.mapValues(\.scopes),
                maximumTTLSeconds: min(rule.maximumTTLSeconds, set.hardCapSeconds),
                isSingleUse: rule.binding != .entitlement, allowsPlain: rule.deliveries.contains(.plain),
                workPolicy: Self.demand(rule.workPolicy))
        }
        rules[set.hash] = Rules(jobClasses: classes, policySigners: Set(set.workPolicies.signers.map(\.did)))
    }

    private static func demand(_ rule: JobClassRule.WorkPolicyDemand) -> Rules.PolicyDemand {
        var demand = Rules.PolicyDemand()
        demand.isRequired = rule.isRequired
        demand.hashes = rule.hashes
        demand.policyIDs = rule.policyIDs
        demand.isAlwaysPinned = rule.pin == .always
        if rule.requiresProxy { demand.properties.insert(.proxy) }
        if rule.requiresReceipts { demand.properties.insert(.receipts) }
        if rule.requiresSandbox { demand.properties.insert(.sandbox) }
        if rule.requiresJobBinding { demand.properties.insert(.jobBinding) }
        return demand
    }

    /// What the WPCs of a directory say. What does not read there is passed over: it is no evidence.
    mutating func addPolicies(in directory: String) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        for name in names.filter({ $0.hasSuffix(".json") }).sorted().prefix(10_000) {
            if let bytes = try? InputFile.bytes("\(directory)/\(name)", atMost: 131_072) { addPolicy(bytes) }
        }
    }

    /// What the WPCs say that workers find besides those of the directory: on the topic, and, of those that the rules
    /// name by hash, in the registry. A place that does not answer is told: what only it has is not checked.
    mutating func addPolicies(
        _ sources: WorkerConfiguration.PolicySources, _ rules: RuleSet, _ file: ConfigurationFile
    ) async {
        if let topic = sources.topic {
            do {
                for bytes in try await Fsck.envelopes(on: topic, kafka: file.worker.kafka) { addPolicy(bytes) }
            } catch {
                Console.error("the WPCs on the topic \(Console.plain(topic)) were not read: \(error)")
            }
        }
        guard let url = sources.url else { return }
        let named = Set(rules.jobClasses.values.flatMap(\.workPolicy.hashes))
        for hash in named.filter({ policies[$0]?.signerDID == nil }).sorted().prefix(256) {
            do {
                if let bytes = try await PolicyLookup.registered(hash, at: url) { addPolicy(bytes) }
            } catch {
                Console.error("the registry \(Console.plain(url)) did not give the WPC \(hash): \(error)")
            }
        }
    }

    private mutating func addPolicy(_ bytes: [UInt8]) {
        guard bytes.count <= 131_072, let envelope = try? JSONReader.parse(bytes), let document = envelope["payload"],
            let contract = try? WorkPolicyContract(document)
        else { return }
        // Of two envelopes around one document the one that stands counts.
        guard policies[contract.policyHash]?.signerDID == nil else { return }
        policies[contract.policyHash] = Self.policy(contract.issuancePolicy, envelope)
    }

    private static func policy(_ contract: IssuancePolicy, _ envelope: JSONValue) -> Policy {
        var policy = Policy(envelope: envelope)
        policy.maximumTTLSeconds = contract.maximumTTLSeconds
        policy.policyID = contract.policyID
        policy.jobClass = contract.jobClass
        policy.isPinned = contract.policyHashPinned
        if contract.requiresProxy { policy.properties.insert(.proxy) }
        if contract.requiresReceipts { policy.properties.insert(.receipts) }
        if contract.requiresSandbox { policy.properties.insert(.sandbox) }
        if contract.jobScopedBinding { policy.properties.insert(.jobBinding) }
        return policy
    }
}
