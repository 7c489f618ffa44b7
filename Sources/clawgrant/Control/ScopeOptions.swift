import ArgumentParser
import ClawWire
import IssuanceRules

/// What a stop, a revocation or a drill is about: exactly one of these.
struct ScopeOptions: ParsableArguments {
    @Option(help: ArgumentHelp("A job class.", valueName: "name"))
    var jobClass: String?

    @Option(help: ArgumentHelp("An agent.", valueName: "did"))
    var agent: String?

    @Option(help: ArgumentHelp("A person, by directory id.", valueName: "id"))
    var subject: String?

    @Option(help: ArgumentHelp("An approval.", valueName: "id"))
    var approval: String?

    @Option(help: ArgumentHelp("A capability request.", valueName: "id"))
    var request: String?

    @Option(help: ArgumentHelp("A job.", valueName: "id"))
    var job: String?

    @Option(help: ArgumentHelp("An entitlement, kind:id or kind:id:scope.", valueName: "entitlement"))
    var entitlement: String?

    @Option(help: ArgumentHelp("A WPC, by its hash.", valueName: "hash"))
    var policyHash: String?

    @Option(name: .customLong("policy-id"), help: ArgumentHelp("A WPC, by its policy id.", valueName: "id"))
    var policyID: String?

    @Option(
        name: .customLong("source"), help: ArgumentHelp("A source of approvals or requests.", valueName: "name"))
    var sourceName: String?

    @Option(name: .customLong("key"), help: ArgumentHelp("A signing key.", valueName: "kid"))
    var issuerKey: String?

    @Option(help: ArgumentHelp("A token, by its hash; only for revoke.", valueName: "hex"))
    var tokenHash: String?

    @Option(help: ArgumentHelp("A token, by its claim jti; only for revoke.", valueName: "id"))
    var jti: String?

    @Flag(name: .customLong("all"), help: "Everything.")
    var isEverything = false

    private var given: [(option: String, scope: StopScope)] {
        let values: [(String, StopScope.Kind, String?)] = [
            ("--job-class", .jobClass, jobClass), ("--agent", .agent, agent), ("--subject", .subject, subject),
            ("--approval", .approval, approval), ("--request", .request, request), ("--job", .job, job),
            ("--entitlement", .entitlement, entitlement), ("--policy-hash", .policyHash, policyHash),
            ("--policy-id", .policyID, policyID), ("--source", .source, sourceName), ("--key", .issuerKey, issuerKey),
            ("--token-hash", .token, tokenHash), ("--jti", .jti, jti),
        ]
        var scopes = values.compactMap { option, kind, value in
            value.map { (option, StopScope(kind: kind, value: $0)) }
        }
        if isEverything { scopes.append(("--all", .everything)) }
        return scopes
    }

    mutating func validate() throws {
        let given = given
        guard let first = given.first, given.count == 1 else {
            throw ValidationError(
                given.isEmpty
                    ? "say what it is about: --job-class, --agent, --subject, --approval, --request, --job, "
                        + "--entitlement, --policy-hash, --policy-id, --source, --key or --all"
                    : "\(given.map(\.option).joined(separator: " and ")) are given; give one, and the command again for "
                        + "each other")
        }
        guard DeclarationOptions.isName(first.scope.word), first.scope.word.utf8.count <= 1_024 else {
            throw ValidationError("\(first.option) has 1 to 1024 bytes without control characters")
        }
        if let fault = first.scope.fault {
            throw ValidationError("\(first.option) \"\(first.scope.value ?? "")\": \(fault); nothing would be hit")
        }
    }

    /// The scope, normalized.
    var scope: StopScope {
        get throws {
            guard let scope = given.first?.scope.normalized else { throw CommandFailure.usage("no scope is given") }
            return scope
        }
    }
}

extension StopScope {
    /// What a person types to confirm.
    var word: String { value ?? kind.rawValue }
}

/// Everything, or one job class: what restrictions are about.
struct ReachOptions: ParsableArguments {
    @Option(help: ArgumentHelp("One job class.", valueName: "name"))
    var jobClass: String?

    @Flag(name: .customLong("all"), help: "Every job class.")
    var isEverywhere = false

    mutating func validate() throws {
        guard (jobClass != nil) != isEverywhere else { throw ValidationError("give --job-class NAME or --all") }
        guard jobClass?.isEmpty != true else { throw ValidationError("--job-class needs a name") }
    }

    /// The reach.
    var reach: ControlOperation.Reach { jobClass.map { .jobClass(JobClass($0)) } ?? .everywhere }
}
