import ArgumentParser

/// `clawgrant demo`.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Show the whole path from approval to token on private servers.")

    mutating func run() async throws {
        throw CommandFailure.negative("this build has no demonstration")
    }
}
