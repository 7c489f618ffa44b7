/// Stops asking a service that is not well, and lets one question through after a pause.
struct CircuitBreaker: Sendable {
    private enum State: Sendable {
        case closed(failures: Int)
        case open(until: ContinuousClock.Instant)
        /// One question is on its way; `until` ends the wait for its answer.
        case probing(until: ContinuousClock.Instant)
    }

    let limit: Int
    let pause: Duration
    private var state = State.closed(failures: 0)

    init(limit: Int, pause: Duration) {
        self.limit = limit
        self.pause = pause
    }

    /// True while nobody is to ask.
    var isOpen: Bool {
        switch state {
        case .closed: false
        case .open, .probing: true
        }
    }

    /// Lets a question through, or says how long to wait.
    mutating func admit(at now: ContinuousClock.Instant) -> Duration? {
        switch state {
        case .closed: return nil
        case .open(let until), .probing(let until):
            guard now >= until else { return until - now }
            state = .probing(until: now + pause)
            return nil
        }
    }

    mutating func succeeded() { state = .closed(failures: 0) }

    mutating func failed(at now: ContinuousClock.Instant) {
        switch state {
        case .closed(let failures):
            state = failures + 1 >= limit ? .open(until: now + pause) : .closed(failures: failures + 1)
        case .open, .probing: state = .open(until: now + pause)
        }
    }
}
