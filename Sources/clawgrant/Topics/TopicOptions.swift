import ArgumentParser
import GrantWorker

/// How many brokers keep each partition.
struct ReplicationOptions: ParsableArguments {
    @Option(
        name: .customLong("replication-factor"),
        help: ArgumentHelp(
            "Brokers that keep each partition of a new topic; -1 for the cluster's default, the default.",
            valueName: "n"))
    var factor: Int32?

    mutating func validate() throws {
        guard let factor else { return }
        guard factor == -1 || (1...32_767).contains(factor) else {
            throw ValidationError("--replication-factor is a number of brokers, or -1")
        }
    }

    /// What a broker is asked for.
    var wanted: Int32 { factor ?? -1 }

    /// How many copies a topic should have; `nil` leaves it to the number of brokers.
    var expected: Int? { factor.flatMap { $0 > 0 ? Int($0) : nil } }
}

/// Who takes which role.
struct PrincipalOptions: ParsableArguments {
    @Option(
        name: .customLong("principal"), parsing: .singleValue,
        help: ArgumentHelp(
            "Who takes a role, for example worker=User:claw-worker; may be repeated.",
            discussion: "Roles: \(AccessRole.allCases.map(\.rawValue).joined(separator: ", ")).",
            valueName: "role=principal"))
    var texts: [String] = []

    /// The principals by role.
    var byRole: [AccessRole: String] {
        get throws {
            var principals: [AccessRole: String] = [:]
            for text in texts {
                let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
                guard parts.count == 2, let role = AccessRole(rawValue: parts[0]) else {
                    throw ValidationError(
                        "--principal \(text): ROLE=PRINCIPAL was expected, the role one of "
                            + AccessRole.allCases.map(\.rawValue).joined(separator: ", "))
                }
                guard parts[1].contains(":") else {
                    throw ValidationError("--principal \(text): a principal has a type, such as User:\(parts[1])")
                }
                guard principals.updateValue(parts[1], forKey: role) == nil else {
                    throw ValidationError("--principal names the role \(role.rawValue) twice")
                }
            }
            return principals
        }
    }

    mutating func validate() throws { _ = try byRole }
}
