public import ClawWire

/// Collects the calls of a run from a topic that others write to as well: what nobody trusted signed takes no room from
/// what counts.
public struct CallCollector: Sendable {
    /// Most calls whose signer is unknown, or whose signature is wrong, that are kept to be told.
    public static let maximumStrangers = 1_000
    /// Most calls that are kept beside those that the log has a receipt of.
    static let maximumSigned = 14_000

    private let filter: CallFilter
    private let signers: Set<String>
    private let logged: Set<Digest>
    private var signed = 0
    private var strangers = 0
    private var taken: Set<Digest> = []
    /// The calls, in the order of the topic.
    public private(set) var calls: [GatewayCall] = []
    /// Records that concern the run and are no gateway receipts, or had no room.
    public private(set) var unreadable = 0

    /// Starts with nothing.
    ///
    /// - Parameter signers: whose receipts count; all with a right signature do when it is empty.
    public init(jobID: JobID, log: CollectedLog, signers: Set<String>) {
        filter = CallFilter(jobID: jobID, log: log)
        logged = LoggedCalls.hashes(log.receipts)
        self.signers = signers
    }

    /// Takes a record of the gateways' topic.
    public mutating func take(_ record: [UInt8]) {
        guard filter.mayConcern(record) else { return }
        guard let call = try? CallFilter.call(record), hasRoom(call) else {
            unreadable += 1
            return
        }
        calls.append(call)
    }

    private mutating func hasRoom(_ call: GatewayCall) -> Bool {
        guard call.isIntact, signers.isEmpty || signers.contains(call.envelope.signerDID) else {
            strangers += 1
            return strangers <= Self.maximumStrangers
        }
        // The receipts of the log are bounded; a repeated one takes the room of any other.
        if logged.contains(call.payloadHash), !isKnown(call) { return true }
        signed += 1
        return signed <= Self.maximumSigned
    }

    private mutating func isKnown(_ call: GatewayCall) -> Bool { !taken.insert(call.payloadHash).inserted }
}
