import ClawWire
import ReceiptLog

/// The error that a body throws, or `nil`.
func fault(_ body: () throws -> Void) -> EvidenceError? {
    do {
        try body()
        return nil
    } catch {
        return error as? EvidenceError
    }
}
