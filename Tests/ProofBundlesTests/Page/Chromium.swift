import Foundation

/// A headless Chromium, where one is installed.
enum Chromium {
    /// The program: `CLAWGRANT_CHROMIUM`, else the first that PATH has.
    static let program: String? = {
        let environment = ProcessInfo.processInfo.environment
        if let named = environment["CLAWGRANT_CHROMIUM"] { return named }
        let folders = (environment["PATH"] ?? "/usr/bin").split(separator: ":").map(String.init)
        let names = ["chromium", "chromium-browser", "google-chrome"]
        return names.flatMap { name in folders.map { "\($0)/\(name)" } }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }()

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Loads a page from a file, lets its timers run out in virtual time, and returns its document as markup.
    static func document(of page: [UInt8], fragment: String = "") throws -> String {
        guard let program else { throw Failure(description: "no Chromium") }
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("page-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("page.html")
        try Data(page).write(to: file)
        let output = folder.appendingPathComponent("document")
        try Data().write(to: output)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-extensions",
            "--disable-background-networking",
            "--no-first-run", "--user-data-dir=\(folder.path)/profile", "--virtual-time-budget=120000",
            "--timeout=120000",
            "--dump-dom", "file://\(file.path)\(fragment)",
        ]
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        let text = String(decoding: try Data(contentsOf: output), as: UTF8.self)
        guard process.terminationStatus == 0, text.contains("</html>") else {
            throw Failure(description: "Chromium ended with \(process.terminationStatus) and \(text.utf8.count) bytes")
        }
        return text
    }
}
