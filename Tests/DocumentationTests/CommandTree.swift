import ArgumentParser
import Foundation

@testable import clawgrant

/// The parser's own account of itself.
struct CommandTree: Decodable, Sendable {
    struct Command: Decodable, Sendable {
        let commandName: String
        let abstract: String?
        let discussion: String?
        let shouldDisplay: Bool
        let defaultSubcommand: String?
        let subcommands: [Command]?
        let arguments: [Argument]?

        /// What every command understands.
        static let everywhere: Set<String> = ["--help", "--version"]

        /// The command's own arguments.
        var ownArguments: [Argument] {
            (arguments ?? []).filter { $0.shouldDisplay && !Self.everywhere.contains($0.preferredName?.text ?? "") }
        }

        func command(_ name: some StringProtocol) -> Command? { subcommands?.first { $0.commandName == name } }
    }

    struct Argument: Decodable, Sendable {
        struct Name: Decodable, Sendable {
            let kind: String
            let name: String
            var text: String { kind == "long" ? "--\(name)" : "-\(name)" }
        }
        let kind: String
        let shouldDisplay: Bool
        let isOptional: Bool
        let isRepeating: Bool
        let names: [Name]?
        let preferredName: Name?
        let valueName: String?
        let defaultValue: String?
        let allValues: [String]?
        let abstract: String?
        let discussion: String?
    }

    let command: Command

    static func load() throws -> Command {
        try JSONDecoder().decode(CommandTree.self, from: Data(Clawgrant._dumpHelp().utf8)).command
    }
}
