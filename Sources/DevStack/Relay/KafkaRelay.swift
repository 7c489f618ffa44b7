/// A fault-injecting relay in front of a Kafka broker that also lets librdkafka 2.0.2 talk to newer brokers.
///
/// It answers ApiVersions requests of version 3 and later with UNSUPPORTED_VERSION, upon which clients fall back to
/// version 0, and passes everything else untouched. The broker has to advertise the relay's address: clients connect
/// to what the metadata names, and a relay that it does not name is soon bypassed.
public final class KafkaRelay: FaultRelay {
    private let relay: TCPRelay

    /// Opens a relay to a broker's port of 127.0.0.1. Nothing has to listen there yet.
    ///
    /// - Parameters:
    ///   - targetPort: The broker's own port.
    ///   - port: Where to listen; nil for a free port.
    /// - Throws: `DevStackError` with `portUnavailable` or `systemCall`.
    public init(to targetPort: UInt16, listeningOn port: UInt16? = nil) throws(DevStackError) {
        relay = try TCPRelay(to: targetPort, listeningOn: port, RelayManners(downgradesApiVersions: true))
    }

    /// Opens a relay to a broker that advertises its own address: clients that come through the relay are told the relay's
    /// port wherever the broker tells its own, and their first question passes untouched.
    ///
    /// - Parameter brokerPort: The broker's own port. Nothing has to listen there yet.
    /// - Throws: `DevStackError` with `portUnavailable` or `systemCall`.
    public init(readvertising brokerPort: UInt16) throws(DevStackError) {
        relay = try TCPRelay(to: brokerPort, listeningOn: nil, RelayManners(readvertises: true))
    }

    /// The port of 127.0.0.1 that clients connect to.
    public var port: UInt16 { relay.port }

    /// What has passed so far.
    public var counters: RelayCounters { relay.counters }

    /// Lets something go wrong. The fault is in force when this returns.
    public func inject(_ fault: RelayFault) { relay.inject(fault) }

    /// Ends every fault. Connections that lost bytes are reset.
    ///
    /// - Throws: `DevStackError` with `portUnavailable` when refusing gave up the port and another program took it.
    public func heal() throws(DevStackError) { try relay.heal() }

    /// Resets every connection and gives up the port. Closing twice is fine.
    public func close() { relay.close() }
}
