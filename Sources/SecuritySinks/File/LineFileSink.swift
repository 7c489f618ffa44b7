import ClawWire
import Dispatch
public import GrantWorker
import Primitives
public import SecurityEvents

/// Security events as lines of JSON in a file that is rotated.
///
/// A delivery returns when its lines are on disk. Finished files carry the numbers of their first and last event in their
/// names. A line that a crash tore is cut off when the file is opened again; its event comes again.
public final class LineFileSink: SecurityEventSink {
    /// See ``SecurityEventSink/name``.
    public let name: String
    /// See ``SecurityEventSink/maximumEvents``.
    public var maximumEvents: Int { settings.maximumEvents }
    /// 4 MiB.
    public let maximumBytes = 4 << 20
    private let settings: SecurityEventSettings.LineFile
    private let calls: FileCalls
    private let open = Lock<LineFile?>(nil)

    /// Makes a sink; opens the file with the first delivery.
    public convenience init(name: String, _ settings: SecurityEventSettings.LineFile) {
        self.init(name: name, settings, FileCalls())
    }

    /// - Parameter calls: how the system is asked; tests let it run out of space.
    init(name: String, _ settings: SecurityEventSettings.LineFile, _ calls: FileCalls) {
        self.name = name
        self.settings = settings
        self.calls = calls
    }

    /// The event as a line with its end.
    public func rendered(_ event: SecurityEvent) -> [UInt8] {
        Array(settings.format.line(event).utf8) + [UInt8(ascii: "\n")]
    }

    /// Appends the events; returns when they are on disk.
    public func deliver(_ events: [RenderedEvent]) async throws(SinkFailure) {
        let held = take()
        let (settings, calls) = (settings, calls)
        let result = await Self.offPool { () -> Result<LineFile, SinkFailure> in
            Result { () throws(SinkFailure) -> LineFile in
                var file: LineFile
                if let held { file = held } else { file = try LineFile(opening: settings, calls) }
                try file.append(events)
                return file
            }
        }
        // After a failure the file is opened anew, and what it holds is read from it.
        let file = try result.get()
        open.withLock { $0 = file }
    }

    /// Closes the file.
    public func close() async { _ = take() }

    private func take() -> LineFile? {
        open.withLock { file in
            defer { file = nil }
            return file
        }
    }

    /// Writing blocks, which the threads of tasks must not.
    private static func offPool<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(returning: body()) }
        }
    }
}
