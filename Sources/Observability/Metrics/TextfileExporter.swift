import Foundation
import Glibc

/// Writes the metrics to a file for the node exporter's textfile collector, where nobody can reach the process itself.
///
/// A reader sees a whole document or the one before: it is written beside the file and renamed.
public struct TextfileExporter: Sendable {
    /// A file that cannot be written.
    public struct WriteError: Error, Sendable, CustomStringConvertible {
        /// What could not be done, to which file, and why.
        public let description: String
    }

    /// The file, by the collector's rule named `*.prom`.
    public let path: String
    private let registry: MetricRegistry

    /// Makes an exporter.
    public init(path: String, registry: MetricRegistry) {
        self.path = path
        self.registry = registry
    }

    /// Writes the metrics as they are now.
    ///
    /// - Throws: ``WriteError``; then the file is as it was.
    public func write() throws(WriteError) {
        // The collector takes no notice of a name that does not end in `.prom`.
        let beside = "\(path).\(getpid()).new"
        do {
            try Data(registry.render(.prometheus)).write(to: URL(fileURLWithPath: beside))
        } catch {
            throw WriteError(description: "the metrics cannot be written to \(beside): \(error.localizedDescription)")
        }
        guard unsafe chmod(beside, 0o644) == 0, unsafe rename(beside, path) == 0 else {
            let why = unsafe String(cString: strerror(errno))
            _ = unsafe unlink(beside)
            throw WriteError(description: "the metrics cannot be put to \(path): \(why)")
        }
    }

    /// Takes the file away, so that nobody takes the figures of a process that has left for the present ones.
    public func remove() { _ = unsafe unlink(path) }

    /// Writes every so often until told to stop, then removes the file.
    ///
    /// - Parameters:
    ///   - interval: time between two files.
    ///   - stop: true when it is over.
    ///   - failed: told of a file that could not be written; the next is tried all the same.
    public func run(
        every interval: Duration, until stop: @Sendable () -> Bool, failed: @Sendable (WriteError) -> Void
    ) async {
        let tick = min(interval, .milliseconds(200))
        var next = ContinuousClock.now
        while !stop(), !Task.isCancelled {
            if ContinuousClock.now >= next {
                do throws(WriteError) { try write() } catch { failed(error) }
                next = .now + interval
            }
            do { try await Task.sleep(for: tick) } catch { break }
        }
        remove()
    }
}
