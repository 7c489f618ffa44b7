import Foundation

/// A program of this package that was built beside the one that runs.
public enum BuiltProgram {
    /// The path of a program: the running one where it has that name, else the one beside it. A test bundle's own program
    /// lies some folders deeper.
    ///
    /// - Returns: `nil` when it is not built.
    public static func path(_ name: String) -> String? {
        guard let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") else { return nil }
        var folder = URL(fileURLWithPath: own)
        if folder.lastPathComponent == name { return own }
        for _ in 0..<5 {
            folder.deleteLastPathComponent()
            let program = folder.appendingPathComponent(name).path
            if Executables.isExecutable(program) { return program }
        }
        return nil
    }

    /// The program, as an operator runs it.
    public static let clawgrant = path("clawgrant")
}
