import Foundation
import Primitives

/// What was done and seen in an episode, line by line, in a file of its directory.
final class Journal: Sendable {
    private let file: Lock<FileHandle?>
    private let start = ContinuousClock.now

    init(path: String) {
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        file = Lock(FileHandle(forWritingAtPath: path))
    }

    func write(_ text: String) {
        let seconds = (ContinuousClock.now - start) / .milliseconds(1) / 1_000
        let line = "\(String(format: "%9.3f", seconds)) \(text)\n"
        // A campaign does not end because its diary cannot be written.
        file.withLock { try? $0?.write(contentsOf: Data(line.utf8)) }
    }
}
