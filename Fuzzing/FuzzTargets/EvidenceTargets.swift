import ClawWire
import ReceiptLog

extension FuzzTarget {
    /// Our own documents: what is read has one spelling, so printing gives the bytes back.
    static let evidence = [
        FuzzTarget("receipt") { bytes throws(FuzzFinding) in
            guard let receipt = try? Receipt(parsing: bytes) else { return }
            let again = try? Receipt(parsing: bytes)
            try require(again?.id == receipt.id, "a receipt has two identifiers")
        },
        FuzzTarget("header") { bytes throws(FuzzFinding) in
            guard let header = try? BatchHeader(parsing: bytes) else { return }
            try require(header.canonicalBytes == bytes, "a header has two spellings")
        },
        FuzzTarget("batch") { bytes throws(FuzzFinding) in
            _ = try? VerifiedBatch(parsing: bytes, previous: nil, logKeys: Fixed.keys)
        },
        FuzzTarget("checkpoint") { bytes throws(FuzzFinding) in
            let text = String(decoding: bytes, as: UTF8.self)
            _ = try? Checkpoint(parsing: text)
            guard let note = try? SignedNote(parsing: text) else { return }
            try require(note.encoded.utf8.elementsEqual(text.utf8), "a note has two spellings")
        },
        FuzzTarget("inclusion-proof") { bytes throws(FuzzFinding) in
            guard let proof = try? InclusionProof(parsing: bytes) else { return }
            try require(proof.canonicalBytes == bytes, "a proof has two spellings")
        },
        FuzzTarget("log-inclusion-proof") { bytes throws(FuzzFinding) in
            guard let value = try? JSONReader.parse(bytes) else { return }
            _ = try? LogInclusionProof.verify(value)
        },
        FuzzTarget("records") { bytes throws(FuzzFinding) in
            if let record = try? PublishedGrant(parsing: bytes) {
                try require(record.canonicalBytes == bytes, "a grant has two spellings")
            }
            if let record = try? DecisionRecord(parsing: bytes) {
                try require(record.canonicalBytes == bytes, "a decision has two spellings")
            }
            if let record = try? RevocationRecord(parsing: bytes) {
                try require(record.canonicalBytes == bytes, "a revocation has two spellings")
            }
            if let record = try? CutoffRecord(parsing: bytes) {
                try require(record.canonicalBytes == bytes, "a cut-off has two spellings")
            }
            if let record = try? DeadLetterRecord(parsing: bytes) {
                try require(record.canonicalBytes == bytes, "a dead letter has two spellings")
            }
            if let record = try? FindingRecord(parsing: bytes) {
                try require(record.canonicalBytes == bytes, "a finding has two spellings")
            }
            if let record = try? BudgetRecord(parsing: bytes) {
                try require(record.canonicalBytes == bytes, "a mark of a budget has two spellings")
            }
            if let record = try? AuditRecord(parsing: bytes) {
                try require(record.canonicalBytes == bytes, "an audit record has two spellings")
            }
            _ = try? SignedRevocationHead(verifying: bytes, logKeys: Fixed.keys, logID: Fixed.logID)
        },
        FuzzTarget("excerpt") { bytes throws(FuzzFinding) in
            let excerpt = Redaction.excerpt(bytes)
            try require(excerpt.text.utf8.count <= 1_024, "an excerpt of \(excerpt.text.utf8.count) bytes")
        },
    ]
}
