import ClawWire
import ReceiptLog

/// Holds the calls of a run against the receipts by which the log knows them.
enum LoggedCalls {
    /// How a bundle states that the log has calls that are not in it.
    static let notFound = "GATEWAY_RECEIPTS_NOT_FOUND"

    /// The log's receipts of calls.
    static func leaves(_ receipts: [LoggedReceipt]) -> [LoggedReceipt] {
        receipts.filter { $0.kind == "gateway.receipt" }
    }

    /// Receipts of the log without their call, and calls without a receipt of the log.
    static func differences(
        _ leaves: [LoggedReceipt], _ calls: [GatewayCall]
    ) -> (lost: [LoggedReceipt], unlogged: [GatewayCall]) {
        let given = Set(calls.map(\.payloadHash.b64u))
        let logged = hashes(leaves)
        return (
            leaves.filter { leaf in hash(of: leaf).map { !given.contains($0) } ?? true },
            calls.filter { !logged.contains($0.payloadHash) }
        )
    }

    /// The payload hashes of the calls that the log has a receipt of.
    static func hashes(_ receipts: [LoggedReceipt]) -> Set<Digest> {
        Set(leaves(receipts).compactMap { hash(of: $0).flatMap { Digest(b64u: $0) } })
    }

    private static func hash(of leaf: LoggedReceipt) -> String? {
        leaf.document["gateway_call"]?["payload_hash_b64u"]?.string
    }
}
