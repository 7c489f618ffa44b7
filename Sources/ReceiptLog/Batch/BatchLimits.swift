/// How large a batch may be. The record of a batch is one Kafka message.
public struct BatchLimits: Sendable, Hashable {
    /// Largest record in bytes.
    public let maximumBytes: Int
    /// Most receipts.
    public let maximumReceipts: Int

    /// Makes limits.
    public init(maximumBytes: Int, maximumReceipts: Int) {
        self.maximumBytes = maximumBytes
        self.maximumReceipts = maximumReceipts
    }

    /// What is sealed: 900 000 bytes, below every broker's default, and 1 000 receipts.
    public static let sealing = BatchLimits(maximumBytes: 900_000, maximumReceipts: 1_000)
    /// What is read: up to what a Kafka-compatible service takes in one request, whatever the sealer's settings were.
    public static let reading = BatchLimits(maximumBytes: 1_046_528, maximumReceipts: 20_000)
}
