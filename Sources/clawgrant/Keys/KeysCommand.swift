import ArgumentParser

/// `clawgrant keys`: signing keys and secrets.
struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Make and show signing keys and secrets.",
        subcommands: [
            KeysGenerateCommand.self, KeysSecretCommand.self, KeysShowCommand.self, KeysJWKSCommand.self,
        ])
}
