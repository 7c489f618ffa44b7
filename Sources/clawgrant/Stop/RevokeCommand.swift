import ArgumentParser
import ClawWire
import IssuanceRules

/// `clawgrant revoke`.
struct RevokeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Void live tokens, and prevent those that would come.",
        discussion: """
            A token, a job, a request and an approval never give a token again. An agent, a person or a key give none until \
            a lift names the revocation, or, with --permit-reapproval, as soon as something is approved anew.
            """)

    @OptionGroup(title: "What is revoked") var scope: ScopeOptions
    @OptionGroup var options: DeclarationOptions

    @Flag(help: "What is decided after the revocation may be issued without a lift.")
    var permitReapproval = false

    mutating func validate() throws {
        guard !scope.isEverything else {
            throw ValidationError("to void everything use `clawgrant stop --all`, which can be lifted as a stop")
        }
        guard let kind = try? scope.scope.kind else { return }
        guard !permitReapproval || !kind.isForGood else {
            throw ValidationError("--permit-reapproval says nothing of what never comes back: leave it out")
        }
    }

    mutating func run() async throws {
        let now = Clock.now
        let id = options.id ?? DeclarationOptions.identifier("revoke", at: now)
        let scope = try scope.scope
        let revocation = ControlOperation.Revocation(
            revocationID: id, scope: scope, permitsReapproval: permitReapproval)
        try await Declaration(options, .revoke(revocation), id: id, word: scope.word, at: now).declare()
    }
}
