import ArgumentParser

/// `clawgrant bench`.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "bench", abstract: "Measure this machine.")

    mutating func run() async throws {
        throw CommandFailure.negative("this build has no benchmarks")
    }
}
