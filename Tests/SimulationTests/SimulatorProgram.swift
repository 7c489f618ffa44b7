import DevStack
import Foundation

/// The program `clawgrant-sim` beside the tests.
enum SimulatorProgram {
    /// Its path; `nil` when it is not built.
    static var path: String? { BuiltProgram.path("clawgrant-sim") }

    struct Run {
        let code: Int32
        let output: String
    }

    struct NotThere: Error {}

    /// Runs it.
    static func run(_ arguments: [String]) async throws -> Run {
        guard let path else { throw NotThere() }
        let result = try await Command.run(
            ManagedProcess.Configuration(executable: path, arguments: arguments), within: .seconds(240))
        guard case .code(let code) = result.status else { throw NotThere() }
        return Run(code: code, output: result.output + result.errors)
    }
}
