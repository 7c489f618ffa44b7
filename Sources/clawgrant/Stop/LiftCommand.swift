import ArgumentParser
import ClawWire
import IssuanceRules

/// `clawgrant lift`.
struct LiftCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lift", abstract: "End a stop, with more people than declared it and fresh authority.",
        discussion: """
            Nothing revives: what was decided before the lift is denied with a re-approval code for ever. --by names at \
            least two people, more than declared the stop and none of those; --approval an approval whose last decision is \
            younger than the stop, or --policy-hash a WPC that was never used.
            """)

    @Argument(help: ArgumentHelp("The stop, or the revocation, by its id.", valueName: "stop-id"))
    var stopID: String

    @Option(help: ArgumentHelp("The fresh approval it rests on.", valueName: "id"))
    var approval: String?

    @Option(help: ArgumentHelp("The new WPC it rests on.", valueName: "hash"))
    var policyHash: String?

    @OptionGroup var options: DeclarationOptions

    mutating func validate() throws {
        guard approval != nil || policyHash != nil else {
            throw ValidationError("a lift needs fresh authority: give --approval or --policy-hash")
        }
        guard policyHash.map({ Digest(b64u: $0) != nil }) ?? true else {
            throw ValidationError("--policy-hash has 43 characters of base64url")
        }
        guard Set(options.by.map { $0.lowercased() }).count >= ControlRules.leastPeople else {
            throw ValidationError("a lift takes at least two people: give --by for each")
        }
        guard DeclarationOptions.isName(stopID) else { throw ValidationError("the stop's id is missing") }
    }

    mutating func run() async throws {
        let now = Clock.now
        let lift = ControlOperation.Lift(
            stopID: stopID, reapproval: approval.map { ApprovalID($0) },
            policyHash: policyHash.flatMap { Digest(b64u: $0) })
        let id = options.id ?? DeclarationOptions.identifier("lift", at: now)
        try await Declaration(options, .lift(lift), id: id, word: stopID, at: now).declare()
    }
}
