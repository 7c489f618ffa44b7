/// When to ask the server to cancel a running exchange, and when to stop waiting for it. Pure: told the time.
///
/// A cancel request is a shout: it meets whatever the backend runs at that moment, and is lost when that is between two
/// statements of a pipeline. So it is repeated until the exchange ends or the grace is over.
struct Canceller {
    enum Step: Equatable { case wait, send, giveUp }

    private static let repeatAfter = Duration.milliseconds(250)

    private let grace: Duration
    private let replyTimeout: Duration?
    private var replyDeadline: ContinuousClock.Instant?
    private var graceDeadline: ContinuousClock.Instant?
    private var nextSend: ContinuousClock.Instant?

    /// Why the exchange is being cancelled, once it is.
    private(set) var reason: CancelReason?

    init(grace: Duration, replyTimeout: Duration?) {
        self.grace = grace
        self.replyTimeout = replyTimeout
    }

    /// - Parameters:
    ///   - request: what the exchange's owner asks for.
    ///   - isInFlight: whether an earlier cancel request has not returned yet.
    ///   - isComplete: whether the exchange has ended and only waits for the request to return.
    mutating func step(
        now: ContinuousClock.Instant, request: CancelReason?, isInFlight: Bool, isComplete: Bool
    ) -> Step {
        if replyDeadline == nil, let replyTimeout { replyDeadline = now.advanced(by: replyTimeout) }
        if reason == nil {
            let isLate = replyDeadline.map { $0 <= now } ?? false
            reason = request ?? (isLate ? .replyTimeout : nil)
            guard reason != nil else { return .wait }
            graceDeadline = now.advanced(by: grace)
            nextSend = now
        }
        if let graceDeadline, graceDeadline <= now { return .giveUp }
        guard let due = nextSend, due <= now else { return .wait }
        nextSend = now.advanced(by: Self.repeatAfter)
        return isInFlight || isComplete ? .wait : .send
    }

    /// When to look again at the latest; nil for never.
    func nextInstant(listener: ContinuousClock.Instant?) -> ContinuousClock.Instant? {
        let own = reason == nil ? [replyDeadline] : [graceDeadline, nextSend]
        return (own + [listener]).compactMap { $0 }.min()
    }
}
