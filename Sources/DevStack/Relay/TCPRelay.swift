import Foundation
import Primitives

/// What a relay changes in what passes, beside faults.
struct RelayManners {
    /// Answers the first question of Kafka's clients itself, see ``ApiVersionsDowngrade``.
    var downgradesApiVersions = false
    /// Names itself where the broker names its own port, see ``AdvertisedPort``.
    var readvertises = false
}

/// A relay between clients and a server on loopback that injects network faults on command.
///
/// It knows nothing of what passes through it, so it serves in front of PostgreSQL as well as of anything else that
/// speaks over one TCP connection. One thread does all its work; without faults it passes several hundred megabytes a
/// second.
public final class TCPRelay: FaultRelay {
    /// The port of 127.0.0.1 that clients connect to.
    public let port: UInt16
    private let mailbox: RelayMailbox

    /// Opens a relay to a port of 127.0.0.1. Nothing has to listen there yet.
    ///
    /// - Parameters:
    ///   - targetPort: Where connections are passed on to.
    ///   - port: Where to listen; nil for a free port.
    /// - Throws: `DevStackError` with `portUnavailable` or `systemCall`.
    public convenience init(to targetPort: UInt16, listeningOn port: UInt16? = nil) throws(DevStackError) {
        try self.init(to: targetPort, listeningOn: port, RelayManners())
    }

    init(to targetPort: UInt16, listeningOn port: UInt16?, _ manners: RelayManners) throws(DevStackError) {
        let port = if let port { port } else { try FreePort.next() }
        // Handed over, not shared: the port is free only when the loop holds the last reference and lets it go.
        let listener = Lock<Socket?>(try Socket.listening(port: port))
        let mailbox = try RelayMailbox()
        self.port = port
        self.mailbox = mailbox
        let thread = Thread {
            RelayLoop(
                mailbox: mailbox, listener: listener.withLock { $0.take() }, port: port, targetPort: targetPort,
                manners: manners
            ).run()
        }
        thread.name = "relay \(port)"
        thread.start()
    }

    deinit { mailbox.drop(.close) }

    /// What has passed so far.
    public var counters: RelayCounters { mailbox.counters.withLock { $0 } }

    /// Lets something go wrong. The fault is in force when this returns.
    public func inject(_ fault: RelayFault) { _ = mailbox.post(.inject(fault)) }

    /// Ends every fault. Connections that lost bytes are reset.
    ///
    /// - Throws: `DevStackError` with `portUnavailable` when refusing gave up the port and another program took it.
    public func heal() throws(DevStackError) {
        if let failure = mailbox.post(.heal) { throw failure }
    }

    /// Resets every connection and gives up the port. Closing twice is fine.
    public func close() { _ = mailbox.post(.close) }
}
