import ClawWire
import Fsck
import ReceiptLog

extension FuzzTarget {
    /// The second reader's own readers, held against the first's where both read the same.
    static let secondReader = [
        FuzzTarget("fsck-text") { bytes throws(FuzzFinding) in
            guard FsckReaders.isCanonicalObject(bytes) else { return }
            let limits = JSONLimits(
                maximumBytes: max(1, bytes.count), maximumDepth: 128, maximumMembers: max(1, bytes.count))
            guard let value = try? JSONReader.parse(bytes, limits: limits) else {
                return try require(false, "one reader takes for JSON what the other does not")
            }
            try require(JSONWriter.bytes(value, order: .canonical) == bytes, "another spelling is taken for canonical")
        },
        FuzzTarget("fsck-note") { bytes throws(FuzzFinding) in
            let text = String(decoding: bytes, as: UTF8.self)
            guard let second = FsckReaders.checkpoint(text), let note = try? SignedNote(parsing: text),
                let first = try? Checkpoint(parsing: note.text)
            else { return }
            try require(
                first.origin == second.origin && first.size == second.size && first.root == second.root,
                "two readers, two checkpoints")
        },
        FuzzTarget("fsck-group") { bytes throws(FuzzFinding) in
            let count = FsckReaders.effects(inGroup: bytes)
            try require(count ?? 0 <= bytes.count, "more effects than bytes")
        },
        FuzzTarget("fsck-dump") { bytes throws(FuzzFinding) in
            _ = FsckReaders.topics(inManifest: bytes)
            for row in FsckReaders.rewritten(ledgerLine: bytes) {
                try require(
                    FsckReaders.rewritten(ledgerLine: row) == [row], "a row of the ledger is written in two ways")
            }
            guard let line = FsckReaders.rewritten(dumpLine: bytes) else { return }
            try require(FsckReaders.rewritten(dumpLine: line) == line, "a record is written in two ways")
        },
        FuzzTarget("fsck-log") { bytes throws(FuzzFinding) in
            var plan = FsckPlan(logID: Fixed.logID.rawValue, logKeys: Fixed.keys)
            plan.sortMemory = 1 << 16
            let report: FsckReport
            do { report = try FsckReaders.report(lines: bytes, plan) } catch {
                return try require(false, "the run itself failed: \(error)")
            }
            try require(
                report.counts.batches == 0 || !report.isClean, "a log is clean although nobody is trusted to sign it")
        },
    ]
}
