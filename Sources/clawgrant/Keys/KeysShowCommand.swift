import ArgumentParser
import ClawWire
import GrantWorker
import Keys

/// `clawgrant keys show`.
struct KeysShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "List the configured keys with their state, kid and DID.")

    @OptionGroup var source: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    mutating func run() async throws {
        let ring = try KeyRing.load(try source.load().worker.keys, required: [], at: Clock.now)
        if output.isJSON {
            for key in ring.inventory() {
                Console.out([
                    "purpose": .string(key.configuration.purpose.rawValue),
                    "state": .string(key.configuration.state.name), "kid": .string(key.kid.rawValue),
                    "did": .string(key.publicKey.did), "location": .string(key.configuration.location.description),
                    "not_before": .optional(key.configuration.notBefore?.iso8601),
                    "not_after": .optional(key.configuration.notAfter?.iso8601),
                ])
            }
            for key in ring.signalInventory() {
                Console.out([
                    "purpose": .string(key.configuration.purpose.rawValue),
                    "state": .string(key.configuration.state.name), "kid": .string(key.publicKey.kid), "did": .null,
                    "location": .string(key.configuration.location.description),
                    "not_before": .optional(key.configuration.notBefore?.iso8601),
                    "not_after": .optional(key.configuration.notAfter?.iso8601),
                ])
            }
            return
        }
        var rows = [["PURPOSE", "STATE", "UNTIL", "KID", "DID", "LOCATION"]]
        for key in ring.inventory() {
            rows.append([
                key.configuration.purpose.rawValue, key.configuration.state.name,
                key.configuration.notAfter?.iso8601 ?? "-", key.kid.rawValue, key.publicKey.did,
                key.configuration.location.description,
            ])
        }
        for key in ring.signalInventory() {
            rows.append([
                key.configuration.purpose.rawValue, key.configuration.state.name,
                key.configuration.notAfter?.iso8601 ?? "-", key.publicKey.kid, "-",
                key.configuration.location.description,
            ])
        }
        for line in Console.table(rows) { Console.out(line) }
    }
}

extension KeyState {
    /// The name in the configuration.
    var name: String {
        switch self {
        case .active: "active"
        case .verifyOnly: "verify_only"
        case .retired: "retired"
        }
    }
}
