#if canImport(Glibc)
    internal import Glibc
#endif

/// A mutual-exclusion lock that owns the state it guards.
///
/// It stands on `pthread_mutex_t` rather than `Synchronization.Mutex` because the thread sanitizer cannot see the
/// futex slow path of the latter and reports contention as a race. Hold it only to compute; never across a suspension
/// point or a blocking call.
@safe public final class Lock<State>: @unchecked Sendable {
    // Safe to send: `state` is reached only through `withLock`, which holds `mutex` for the whole access.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var state: State

    /// Makes a lock around an initial state.
    public init(_ state: sending State) {
        unsafe self.mutex = .allocate(capacity: 1)
        unsafe self.mutex.initialize(to: pthread_mutex_t())
        let result = unsafe pthread_mutex_init(self.mutex, nil)
        precondition(result == 0, "pthread_mutex_init failed with \(result)")
        self.state = state
    }

    deinit {
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deinitialize(count: 1)
        unsafe mutex.deallocate()
    }

    /// Runs `body` with exclusive access to the state and returns what it returns.
    public func withLock<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try body(&state)
    }
}
