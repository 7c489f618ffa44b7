import ClawWire
import IssuanceRules

/// Proves vendors' records before anything of them is read.
enum VendorProof {
    /// How a record's authenticity stands.
    ///
    /// - Throws: ``SourceFault`` when the source demands a proof that the record does not bring.
    static func evidence(
        of record: SourceRecord, _ configuration: SourceConfiguration
    ) throws(SourceFault) -> AuthenticityEvidence {
        switch configuration.authenticity {
        case .topic: return .topic
        case .confirmed: return .confirmationNeeded
        case .signed: throw SourceFault(.unsigned, "the record carries no signature of a listed key")
        }
    }
}
