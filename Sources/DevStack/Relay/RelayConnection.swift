import Glibc

/// One client's connection through a relay, and its counterpart to the server.
final class RelayConnection {
    let client: Socket
    /// Nil in a black hole that was there before the client came.
    let server: Socket?
    var isConnecting: Bool
    var requests = RelayPipe()
    var replies = RelayPipe()
    /// Nil as soon as nothing needs to be looked at.
    var downgrade: ApiVersionsDowngrade?
    /// Nil where the server advertises the relay itself.
    var advertised: AdvertisedPort?
    /// Whether a fault threw away bytes of it, so that it must not carry on afterwards.
    var hasLostBytes = false
    /// Whether it ends as soon as what waits has been delivered.
    var isTruncated = false
    var isClosed = false

    init(client: Socket, server: Socket?, downgrade: ApiVersionsDowngrade?, advertised: AdvertisedPort?) {
        self.client = client
        self.server = server
        self.downgrade = downgrade
        self.advertised = advertised
        isConnecting = server != nil
        hasLostBytes = server == nil
    }

    func sender(_ direction: RelayDirection) -> Socket? { direction == .toServer ? client : server }
    func receiver(_ direction: RelayDirection) -> Socket? { direction == .toServer ? server : client }

    func withPipe<Result>(_ direction: RelayDirection, _ body: (inout RelayPipe) -> Result) -> Result {
        switch direction {
        case .toServer: body(&requests)
        case .toClient: body(&replies)
        }
    }

    func pipe(_ direction: RelayDirection) -> RelayPipe { direction == .toServer ? requests : replies }

    /// Whether everything was said in both directions and passed on.
    var isDone: Bool {
        (requests.isFinished && replies.isFinished) || (isTruncated && requests.isEmpty && replies.isEmpty)
    }

    /// What to ask the kernel for on one side's behalf.
    func interest(of side: Socket, faults: RelayFaultState, now: ContinuousClock.Instant) -> Int16 {
        let (sends, receives): (RelayDirection, RelayDirection) =
            side === client ? (.toServer, .toClient) : (.toClient, .toServer)
        if side === server, isConnecting { return Int16(POLLOUT) }
        var events: Int32 = 0
        let outgoing = pipe(sends)
        if !outgoing.isEnded, !isTruncated, outgoing.hasRoom || faults.swallows(sends) { events |= POLLIN }
        if let release = pipe(receives).nextRelease(delay: faults.delay(receives)), release <= now { events |= POLLOUT }
        return Int16(events)
    }

    /// When something held back may leave; nil when nothing is held back.
    func nextRelease(faults: RelayFaultState, after now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        RelayDirection.allCases
            .compactMap { pipe($0).nextRelease(delay: faults.delay($0)) }
            .filter { $0 > now }
            .min()
    }
}
