/// One of the two ways bytes take through a relay.
public enum RelayDirection: Sendable, Hashable, CaseIterable {
    /// What the client sends: requests.
    case toServer
    /// What the server sends: replies.
    case toClient
}

/// Something that goes wrong on the network between a client and a server.
///
/// Faults add up until the relay is healed.
public enum RelayFault: Sendable, Hashable {
    /// Holds every byte back for a fixed time in each direction. At most a mebibyte is held per direction and
    /// connection, so a long delay also limits the bandwidth.
    case delay(toServer: Duration, toClient: Duration)
    /// Resets every connection that is open now. New ones are served.
    case cutConnections
    /// Lets this many more bytes through in one direction, over all connections, then closes the connection that
    /// carried the last of them, in the middle of whatever it was saying. Happens once.
    case truncate(afterBytes: Int, RelayDirection)
    /// Takes every byte from both sides and passes none on; new connections are accepted and led nowhere.
    case blackHole
    /// Passes requests on and swallows what the server answers, so that work is done and nobody learns of it.
    case dropReplies
    /// Refuses new connections as if nothing listened. Open ones stay.
    case refuseConnections
}

/// What has passed through a relay since it was made.
///
/// The counts may trail the bytes by an instant: wait for the number wanted.
public struct RelayCounters: Sendable, Hashable {
    /// Connections taken from clients.
    public var accepted = 0
    /// Connections that are open now.
    public var open = 0
    /// Bytes handed to the server.
    public var bytesToServer = 0
    /// Bytes handed to clients.
    public var bytesToClient = 0
    /// Bytes read from the client's side and thrown away by a fault.
    public var swallowedRequests = 0
    /// Bytes read from the server's side and thrown away by a fault.
    public var swallowedReplies = 0

    /// A relay that has seen nothing.
    public init() {}
}

/// A relay in front of a server, through which a test breaks the network.
public protocol FaultRelay: Sendable {
    /// The port of 127.0.0.1 that clients connect to.
    var port: UInt16 { get }
    /// What has passed so far.
    var counters: RelayCounters { get }
    /// Lets something go wrong. The fault is in force when this returns.
    func inject(_ fault: RelayFault)
    /// Ends every fault. Connections that lost bytes are reset, for what they would carry on with is not what was sent.
    ///
    /// - Throws: `DevStackError` with `portUnavailable` when refusing gave up the port and another program took it.
    func heal() throws(DevStackError)
    /// Resets every connection and gives up the port. Closing twice is fine.
    func close()
}

/// The faults in force, as a value.
struct RelayFaultState: Equatable {
    private(set) var delays: [RelayDirection: Duration] = [:]
    private(set) var budget: (direction: RelayDirection, bytes: Int)?
    private(set) var isBlackHole = false
    private(set) var dropsReplies = false
    private(set) var refusesConnections = false

    mutating func add(_ fault: RelayFault) {
        switch fault {
        case .delay(let toServer, let toClient): delays = [.toServer: toServer, .toClient: toClient]
        case .truncate(let bytes, let direction): budget = (direction, max(0, bytes))
        case .blackHole: isBlackHole = true
        case .dropReplies: dropsReplies = true
        case .refuseConnections: refusesConnections = true
        case .cutConnections: break
        }
    }

    func delay(_ direction: RelayDirection) -> Duration { delays[direction] ?? .zero }

    /// Whether bytes of this direction are thrown away.
    func swallows(_ direction: RelayDirection) -> Bool {
        isBlackHole || (dropsReplies && direction == .toClient)
    }

    /// Takes bytes out of the budget of a truncation.
    ///
    /// - Returns: How many of them may pass, and whether the connection is to end after them.
    mutating func spend(_ count: Int, _ direction: RelayDirection) -> (passing: Int, ends: Bool) {
        guard let left = budget, left.direction == direction else { return (count, false) }
        guard count >= left.bytes else {
            budget = (direction, left.bytes - count)
            return (count, false)
        }
        budget = nil
        return (left.bytes, true)
    }

    static func == (left: RelayFaultState, right: RelayFaultState) -> Bool {
        left.delays == right.delays && left.isBlackHole == right.isBlackHole && left.dropsReplies == right.dropsReplies
            && left.refusesConnections == right.refusesConnections && left.budget?.direction == right.budget?.direction
            && left.budget?.bytes == right.budget?.bytes
    }
}
