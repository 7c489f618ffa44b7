import Dispatch
import Glibc
import Primitives

/// Turns the signals that ask a process to end into a call, and the second of them into an end at once.
final class StopSignals {
    private let sources: [any DispatchSourceSignal]

    /// Exit code of an end at a second signal, as shells give it for SIGINT.
    static let impatientExitCode: Int32 = 130

    /// Begins to listen for SIGTERM and SIGINT, and for SIGUSR1 where there is something to halt.
    ///
    /// - Parameters:
    ///   - patience: how long after the first the process may go on, and what to do before it is ended then; `nil` for
    ///     as long as it takes.
    ///   - onFirst: called once, on a queue of its own.
    ///   - onHalt: called at each SIGUSR1, on the same queue; `nil` leaves that signal alone.
    init(
        patience: (limit: Duration, onEnd: @Sendable () -> Void)? = nil, onFirst: @escaping @Sendable () -> Void,
        onHalt: (@Sendable () -> Void)? = nil
    ) {
        let queue = DispatchQueue(label: "clawgrant.signals")
        let first = FirstCall()
        var sources = [SIGTERM, SIGINT].map { number in
            Self.source(number, queue) {
                guard first.take() else { _exit(Self.impatientExitCode) }
                onFirst()
                guard let patience else { return }
                let milliseconds = Int(patience.limit / .milliseconds(1))
                queue.asyncAfter(deadline: .now() + .milliseconds(milliseconds)) {
                    patience.onEnd()
                    _exit(CommandFailure.Kind.negative.rawValue)
                }
            }
        }
        if let onHalt { sources.append(Self.source(SIGUSR1, queue, onHalt)) }
        self.sources = sources
    }

    private static func source(
        _ number: Int32, _ queue: DispatchQueue, _ handler: @escaping @Sendable () -> Void
    ) -> any DispatchSourceSignal {
        // The default action would end the process before the source is asked.
        _ = signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
        source.setEventHandler(handler: handler)
        source.activate()
        return source
    }

    /// Ends listening.
    func cancel() { for source in sources { source.cancel() } }
}

/// True once.
private final class FirstCall: Sendable {
    private let isTaken = Lock(false)

    func take() -> Bool {
        isTaken.withLock { taken in
            defer { taken = true }
            return !taken
        }
    }
}
