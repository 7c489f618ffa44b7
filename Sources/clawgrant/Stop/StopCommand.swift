import ArgumentParser
import ClawWire
import IssuanceRules

/// `clawgrant stop`: the emergency stop.
struct StopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "Stop issuing now, or ask whether it is stopped.",
        discussion: """
            clawgrant stop --job-class prod_deploy --reason "…" stops a job class, clawgrant stop --all --reason "…" \
            everything, clawgrant stop status answers whether it is stopped. docs/emergency-stop.md is for reading in an \
            emergency.
            """,
        subcommands: [StopDeclareCommand.self, StopStatusCommand.self], defaultSubcommand: StopDeclareCommand.self)
}

/// `clawgrant stop --job-class …`: declares a stop.
struct StopDeclareCommand: AsyncParsableCommand {
    /// What becomes of live tokens.
    enum Action: String, CaseIterable, ExpressibleByArgument {
        case denyNew = "deny_new"
        case revokeAndDeny = "revoke_and_deny"
    }

    static let configuration = CommandConfiguration(
        commandName: "declare", abstract: "Stop a scope: nothing more is issued in it until a lift.",
        discussion: """
            Goes straight to the ledger; the broker may be gone. Shows what would be hit, asks for the scope's value, then \
            tells when the stop is in force (acknowledged), when its receipt and cut-off are on the topics (published), and \
            with --wait converged when every token was revoked one by one. From the acknowledgement on no worker issues in \
            the scope: each decision reads the stops under a lock that the stop has held alone.
            """)

    @OptionGroup(title: "What is stopped") var scope: ScopeOptions
    @OptionGroup var options: DeclarationOptions

    @Option(help: "revoke_and_deny voids live tokens too, deny_new lets them run out.")
    var action: Action = .revokeAndDeny

    mutating func validate() throws {
        guard scope.tokenHash == nil, scope.jti == nil else {
            throw ValidationError(
                "a token is revoked, not stopped: use `clawgrant revoke`, which also keeps it from being issued again")
        }
    }

    mutating func run() async throws {
        let now = Clock.now
        let id = options.id ?? DeclarationOptions.identifier("stop", at: now)
        let scope = try scope.scope
        let stop = ControlOperation.Stop(stopID: id, scope: scope, revokesLive: action == .revokeAndDeny)
        try await Declaration(options, .stop(stop), id: id, word: scope.word, at: now).declare()
    }
}
