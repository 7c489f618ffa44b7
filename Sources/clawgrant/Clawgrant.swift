import ArgumentParser

@main
struct Clawgrant: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Turns human approvals into job-scoped tokens.")
}
