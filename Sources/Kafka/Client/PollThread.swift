#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A thread of the system for work that waits in C calls, which must not happen on the cooperative pool.
enum PollThread {
    /// Starts a detached thread that runs `body` once.
    static func start(_ body: @escaping @Sendable () -> Void) throws(KafkaError) {
        let start = Start(body)
        // The new thread takes the reference over; it is released here when there is no new thread.
        let reference = unsafe Unmanaged.passRetained(start)
        var thread = pthread_t()
        let result = unsafe pthread_create(&thread, nil, runStart, reference.toOpaque())
        guard result == 0 else {
            unsafe reference.release()
            throw KafkaError(
                code: .systemResource, kind: .retriable, operation: .configure,
                detail: "the system refused a thread (error \(result))")
        }
        pthread_detach(thread)
    }

    fileprivate final class Start {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) {
            self.body = body
        }
    }
}

private func runStart(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument = unsafe argument else { return nil }
    let start = unsafe Unmanaged<PollThread.Start>.fromOpaque(argument).takeRetainedValue()
    start.body()
    return nil
}
