import ClawWire
import Postgres
public import ReceiptLog

/// What the proofs of a log are made of.
public protocol EvidenceLedger: WitnessLedger {
    /// The number of the newest batch that begins at or before a position of the log; `nil` when there is none.
    func batch(holding position: Int64) async throws(LedgerError) -> Int64?

    /// Sealed batches from a number on, see ``Ledger/batches(from:limit:)``.
    func batches(from number: Int64, limit: Int) async throws(LedgerError) -> [SealedBatch]

    /// The tail of the log after some batches, and their headers, by number; what does not exist is left out.
    func edges(of numbers: Set<Int64>) async throws(LedgerError) -> [Int64: LogEdge]
}

/// The end of the log after a batch.
public struct LogEdge: Sendable {
    /// The tail.
    public let tail: LogTail
    /// The canonical header of the batch.
    public let header: [UInt8]

    /// Makes an edge.
    public init(tail: LogTail, header: [UInt8]) {
        self.tail = tail
        self.header = header
    }
}

extension PostgresLedger: EvidenceLedger {
    private static let edges = PreparedStatement(
        "log_edges", "SELECT number, tail, header FROM clawgrant.receipt_batch WHERE number = ANY ($1::int8[])",
        parameterTypes: [.int8Array])

    /// See ``EvidenceLedger/edges(of:)``.
    public func edges(of numbers: Set<Int64>) async throws(LedgerError) -> [Int64: LogEdge] {
        let what = "reading the tails of \(numbers.count) batches"
        var parameters = Parameters()
        parameters.append(array: numbers.sorted())
        let rows = try await run(what, [.execute(Self.edges, parameters)])[0]
        do {
            var edges: [Int64: LogEdge] = [:]
            for row in 0..<rows.rowCount {
                let number = try rows.int64(row, 0)
                do {
                    edges[number] = LogEdge(
                        tail: try LogTail(parsing: try rows.bytes(row, 1)), header: try rows.bytes(row, 2))
                } catch is EvidenceError {
                    throw Self.corrupted("the tail after batch \(number)")
                }
            }
            return edges
        } catch {
            throw Self.translate(error, what)
        }
    }
}
