import Testing

struct CommandReferenceTests {
    @Test func theReferenceIsTheCommandTree() throws {
        var output = ""
        for command in try CommandTree.load().subcommands ?? [] where command.commandName != "help" {
            Self.describe(command, path: [command.commandName], isDefault: false, into: &output)
        }
        #expect(try Tree.isGenerated("docs/reference/cli.md", output + "\n"))
    }

    private static func describe(
        _ command: CommandTree.Command, path: [String], isDefault: Bool, into output: inout String
    ) {
        guard command.shouldDisplay else { return }
        let mark = String(repeating: "#", count: min(path.count + 1, 4))
        output += "\n\(mark) clawgrant \(path.joined(separator: " "))\n\n"
        output += sentence(command.abstract ?? "")
        if isDefault { output += " This is what `\(path.dropLast().joined(separator: " "))` alone does." }
        output += "\n"
        if let text = command.discussion, !text.isEmpty { output += "\n\(plain(text))\n" }
        let arguments = command.ownArguments
        if !arguments.isEmpty {
            output += "\n| argument | default | |\n| --- | --- | --- |\n"
            for argument in arguments { output += row(argument) }
        }
        for child in command.subcommands ?? [] where child.commandName != "help" {
            describe(
                child, path: path + [child.commandName], isDefault: command.defaultSubcommand == child.commandName,
                into: &output)
        }
    }

    private static func row(_ argument: CommandTree.Argument) -> String {
        let value = "<\(argument.valueName ?? "value")>"
        var names = (argument.names ?? []).map(\.text).sorted { $0.count > $1.count }
        if names.isEmpty {
            names = [value]
        } else if argument.kind == "option" {
            names[0] += " \(value)"
        }
        let name = names.map { "`\($0)`" }.joined(separator: ", ") + (argument.isRepeating ? " …" : "")
        var words = [argument.abstract, argument.discussion].compactMap { $0.map { sentence(plain($0)) } }
        if let choices = argument.allValues, !choices.isEmpty {
            words.append("One of \(choices.map { "`\($0)`" }.joined(separator: ", ")).")
        }
        let fallback = argument.defaultValue.map { "`\($0)`" } ?? (argument.isOptional ? "" : "required")
        return "| \(name) | \(fallback) | \(words.joined(separator: " ").replacing("|", with: "\\|")) |\n"
    }

    private static func sentence(_ text: String) -> String {
        text.isEmpty || ".:)".contains(text.last ?? ".") ? text : "\(text)."
    }

    /// Help is plain text: what Markdown would read as its own is marked.
    private static func plain(_ text: String) -> String {
        text.replacing("<", with: "\\<").replacing("*", with: "\\*").replacing("\n", with: " ")
    }
}
