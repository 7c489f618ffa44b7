import ArgumentParser

/// `clawgrant completions`.
struct CompletionsCommand: ParsableCommand {
    /// Shells for which a script is written.
    enum Shell: String, CaseIterable, ExpressibleByArgument {
        case bash
        case zsh
        case fish
    }

    static let configuration = CommandConfiguration(
        commandName: "completions", abstract: "Print a completion script for a shell.",
        discussion: "For example: clawgrant completions bash > /etc/bash_completion.d/clawgrant")

    @Argument(help: "The shell.")
    var shell: Shell

    mutating func run() throws {
        let shell: CompletionShell =
            switch shell {
            case .bash: .bash
            case .zsh: .zsh
            case .fish: .fish
            }
        Console.out(Clawgrant.completionScript(for: shell))
    }
}
