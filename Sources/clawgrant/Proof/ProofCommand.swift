import ArgumentParser

/// `clawgrant proof`: evidence of runs.
struct ProofCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "proof", abstract: "Put the evidence of a run together, and verify evidence.",
        discussion: "docs/evidence.md says what is in a bundle, and how to check one without this program.",
        subcommands: [ProofAssembleCommand.self, ProofVerifyCommand.self, ProofRenderCommand.self])
}
