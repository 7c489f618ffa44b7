public import Foundation

/// The folder of vectors and samples that other projects share with us. It lies beside the package, or where
/// `CLAWGRANT_SHARED` says; tests that need it are skipped where it is absent.
public enum SharedFolder {
    private static let root: URL? = {
        let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let named = ProcessInfo.processInfo.environment["CLAWGRANT_SHARED"].map { URL(filePath: $0) }
        return [named, package.deletingLastPathComponent().appending(path: "shared")].compactMap { $0 }
            .first { FileManager.default.fileExists(atPath: $0.path) }
    }()

    /// A folder in it; `nil` where there is none.
    public static func folder(_ name: String) -> URL? {
        root?.appending(path: name).existing
    }
}

extension URL {
    fileprivate var existing: URL? { FileManager.default.fileExists(atPath: path) ? self : nil }
}
