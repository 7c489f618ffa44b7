import ArgumentParser
import ClawWire
import GrantWorker
import Kafka

/// `clawgrant topics check`.
struct TopicsCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Compare the broker's topics, and who may use them, with the catalog.",
        discussion: "Ends with 1 after a warning or an error. Access is looked at for the principals that are named.")

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var principals: PrincipalOptions

    @Option(
        name: .customLong("replication-factor"),
        help: ArgumentHelp(
            "Brokers that should keep each partition; without it three, or as many as there are.", valueName: "n"))
    var replicas: Int?

    mutating func validate() throws {
        guard (1...32_767).contains(replicas ?? 1) else {
            throw ValidationError("--replication-factor is a number of brokers")
        }
    }

    /// What the broker tells of its access rules.
    private enum Access {
        case notAsked
        case told([AccessFinding])
        /// There is no rule at all.
        case none
        case untold(String)
    }

    mutating func run() async throws {
        let file = try source.load()
        let catalog = try TopicCatalog(file)
        let plan = AccessPlan(catalog, file)
        let principals = try principals.byRole
        let replicas = replicas
        let (findings, access) = try await KafkaAccess.admin(file) { admin in
            (
                try await catalog.review(admin, replicas: replicas),
                try await Self.access(plan, principals, admin)
            )
        }
        report(findings, access, topics: catalog.entries.count)
        let isAccessClean =
            switch access {
            case .notAsked, .untold: true
            case .none: false
            case .told(let differences): differences.allSatisfy { $0.severity == .notice }
            }
        guard isAccessClean, findings.allSatisfy({ $0.severity == .notice }) else { throw CommandFailure.no }
    }

    private static func access(
        _ plan: AccessPlan, _ principals: [AccessRole: String], _ admin: KafkaAdmin
    ) async throws -> Access {
        guard !principals.isEmpty else { return .notAsked }
        do {
            let bindings = try await admin.accessBindings()
            return bindings.isEmpty ? .none : .told(plan.findings(principals: principals, bindings: bindings))
        } catch {
            return .untold("\(error)")
        }
    }

    private func report(_ findings: [TopicFinding], _ access: Access, topics: Int) {
        if output.isJSON {
            for finding in findings { Console.out(finding.json) }
        } else if findings.isEmpty {
            Console.out("\(topics) topics are as they should be")
        } else {
            for finding in findings { Console.out(finding.line) }
        }
        switch access {
        case .notAsked:
            if !output.isJSON { Console.error("access was not looked at: no --principal was given") }
        case .none:
            tell(
                "warning", "access_none", "the broker has no access rule at all",
                "let it keep rules (authorizer.class.name), unless something else keeps strangers from the topics")
        case .untold(let reason):
            tell(
                "notice", "access_untold", "the broker does not tell its access rules: \(reason)",
                "compare them with `clawgrant topics export --format kafka-acls` by hand")
        case .told(let differences):
            for difference in differences {
                if output.isJSON {
                    Console.out(difference.json)
                } else {
                    Console.out("\(difference.severity.rawValue): \(difference.summary); \(difference.remedy)")
                }
            }
            if differences.isEmpty, !output.isJSON { Console.out("every principal may do what its role needs") }
        }
    }

    /// Writes a finding about access as a whole.
    private func tell(_ severity: String, _ kind: String, _ finding: String, _ remedy: String) {
        guard output.isJSON else {
            Console.out("\(severity): \(finding); \(remedy)")
            return
        }
        Console.out([
            "topic": nil, "severity": .string(severity), "kind": .string(kind), "finding": .string(finding),
            "remedy": .string(remedy),
        ])
    }
}

extension AccessFinding {
    /// The finding for programs.
    var json: JSONValue {
        [
            "topic": binding.resourceType == .topic ? .string(binding.name) : .null,
            "severity": .string(severity.rawValue), "kind": .string(code), "finding": .string(summary),
            "remedy": .string(remedy), "role": .string(role.rawValue), "principal": .string(binding.principal),
            "operation": .string(binding.operation.rawValue), "resource_type": .string(binding.resourceType.rawValue),
            "resource": .string(binding.name),
        ]
    }
}
