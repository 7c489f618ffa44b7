import Foundation
import Primitives

/// Halts one worker although broker and database may be gone: a file that exists, or a signal. It can only stop; the
/// file's absence lifts nothing that anybody else declared, and a signal holds until the process ends.
public final class LocalStop: Sendable {
    private let file: String?
    private let isSignalled = Lock(false)

    /// Watches a file.
    ///
    /// - Parameter file: path of the file whose existence halts the worker; `nil` for the signal alone.
    public init(file: String?) { self.file = file }

    /// Halts the worker until its process ends.
    public func stop() { isSignalled.withLock { $0 = true } }

    /// Why the worker is halted; `nil` when it is not.
    public var reason: String? {
        if isSignalled.withLock({ $0 }) { return "a signal" }
        guard let file, FileManager.default.fileExists(atPath: file) else { return nil }
        return "the file \(file) exists"
    }
}
