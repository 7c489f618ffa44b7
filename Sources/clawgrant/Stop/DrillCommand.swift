import ArgumentParser
import IssuanceRules

/// `clawgrant drill`.
struct DrillCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drill", abstract: "Run the whole path of a stop and measure it, without denying anything.",
        discussion: """
            Lock, control position, receipt, seal and publication, as a stop has them, up to a reader of the revocations \
            topic as gateways have one. Try it with --via-topic as well: that measures the way over the broker.
            """)

    @OptionGroup(title: "What a stop would cover") var scope: ScopeOptions
    @OptionGroup var options: DeclarationOptions

    mutating func run() async throws {
        let now = Clock.now
        let id = options.id ?? DeclarationOptions.identifier("drill", at: now)
        let drill = ControlOperation.Drill(drillID: id, scope: try scope.scope)
        try await Declaration(options, .drill(drill), id: id, word: nil, at: now).declare()
    }
}
