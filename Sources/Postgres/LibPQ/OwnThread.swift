#if canImport(Glibc)
    import Glibc
#endif

/// Threads for calls that block: libpq's conversation with a server, and cancel requests.
enum OwnThread {
    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Starts a detached thread that runs `body` and ends.
    static func start(_ body: @escaping @Sendable () -> Void) throws(PostgresError) {
        let context = unsafe Unmanaged.passRetained(Body(body))
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        defer { unsafe pthread_attr_destroy(&attributes) }
        var thread = pthread_t()
        let result = unsafe pthread_create(
            &thread, &attributes,
            { argument in
                // The creator retained the body for this thread, and pthread_create passes the pointer on unchanged.
                if let argument = unsafe argument {
                    unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
                }
                return nil
            }, context.toOpaque())
        guard result == 0 else {
            unsafe context.release()
            throw PostgresError(.connectionLost, "a thread could not be started: error \(result)")
        }
    }
}

/// A pipe that makes a thread return from `poll`.
final class WakePipe: Sendable {
    /// The end to poll for reading.
    let readable: Int32
    private let writable: Int32

    init() throws(PostgresError) {
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else {
            throw PostgresError(.connectionLost, "a pipe could not be made: error \(errno)")
        }
        readable = ends[0]
        writable = ends[1]
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
    }

    deinit {
        close(readable)
        close(writable)
    }

    /// Makes the next or current poll return. A full pipe means that a wake-up is pending already.
    func wake() {
        var byte: UInt8 = 0
        _ = unsafe write(writable, &byte, 1)
    }

    /// Takes all pending wake-ups.
    func drain() {
        var bytes = [UInt8](repeating: 0, count: 64)
        while unsafe read(readable, &bytes, bytes.count) == bytes.count {}
    }
}

/// What a wait ended with; all false when the time was over.
struct Readiness: Equatable {
    var isReadable = false
    var isWritable = false
    var isWoken = false

    /// Waits until the socket is ready as asked, the pipe was written, or the instant has passed.
    ///
    /// An error or hang-up of the socket counts as readable and writable: the next call into libpq tells what it was.
    static func wait(
        socket: Int32, read: Bool, write: Bool, pipe: WakePipe, until deadline: ContinuousClock.Instant?
    ) -> Readiness {
        let interest = Int16((read ? POLLIN : 0) | (write ? POLLOUT : 0))
        var descriptors = [
            pollfd(fd: pipe.readable, events: Int16(POLLIN), revents: 0),
            pollfd(fd: socket, events: interest, revents: 0),
        ]
        var milliseconds: Int32 = -1
        if let deadline {
            let left = max(ContinuousClock.now.duration(to: deadline), .zero).milliseconds
            milliseconds = Int32(clamping: left)
        }
        guard unsafe poll(&descriptors, nfds_t(descriptors.count), milliseconds) > 0 else { return Readiness() }
        let events = Int32(descriptors[1].revents)
        let isBroken = events & (POLLERR | POLLHUP | POLLNVAL) != 0
        let ready = Readiness(
            isReadable: events & POLLIN != 0 || isBroken,
            isWritable: events & POLLOUT != 0 || isBroken,
            isWoken: descriptors[0].revents != 0)
        if ready.isWoken { pipe.drain() }
        return ready
    }
}
