package import ClawWire

/// The readers of this checker over single inputs, for those who feed them what strangers might write.
package enum FsckReaders {
    /// True when the bytes are read as one object in its canonical spelling.
    package static func isCanonicalObject(_ bytes: [UInt8]) -> Bool { (try? Members(bytes)) != nil }

    /// Size and root of a checkpoint; `nil` when the text is no signed note.
    package static func checkpoint(_ text: String) -> (origin: String, size: UInt64, root: Digest)? {
        Note(text).map { ($0.origin, $0.size, $0.root) }
    }

    /// The number of effects in a group's body; `nil` when it does not read.
    package static func effects(inGroup body: [UInt8]) -> Int? { LedgerEffect.read(body)?.count }

    /// The number of topics that a dump's manifest names; `nil` when it does not read.
    package static func topics(inManifest bytes: [UInt8]) -> Int? { (try? DumpManifest(bytes))?.topics.count }

    /// A line of a dump, written anew; `nil` when it is no record.
    package static func rewritten(dumpLine line: [UInt8]) -> [UInt8]? {
        DumpSource.record(line, partition: 0).map { Array(DumpWriter.line($0).dropLast()) }
    }

    /// A row of the ledger in a dump, written anew, for each table as which the line reads.
    package static func rewritten(ledgerLine line: [UInt8]) -> [[UInt8]] {
        guard let members = try? Members(line) else { return [] }
        return [
            DumpedLedger.batch(members).map(LedgerDumpWriter.batch),
            DumpedLedger.group(members).map(LedgerDumpWriter.group),
            DumpedLedger.request(members).map(LedgerDumpWriter.request),
            DumpedLedger.approval(members).map(LedgerDumpWriter.approval),
            DumpedLedger.controlEvent(members).map(LedgerDumpWriter.controlEvent),
        ].compactMap { $0.map { Array($0.dropLast()) } }
    }

    /// Everything that is said of a log whose records stand one a line: the stream's name, a space, and the record as in
    /// a dump. Lines that are no such record are passed over.
    package static func report(lines: [UInt8], _ plan: FsckPlan) throws -> FsckReport {
        let pass = try FsckPass(plan, hasLedger: false)
        var records: [Int: [FsckRecord]] = [:]
        for line in lines.split(separator: UInt8(ascii: "\n")).prefix(256) {
            let parts = line.split(separator: UInt8(ascii: " "), maxSplits: 1)
            guard parts.count == 2, let record = DumpSource.record(Array(parts[1]), partition: 0),
                let stream = plan.streams.firstIndex(where: { parts[0].elementsEqual($0.name.utf8) })
            else { continue }
            records[stream, default: []].append(record)
        }
        for record in records[pass.batchStream] ?? [] { try pass.take(batch: record) }
        guard try pass.endBatches() else { return pass.book.report }
        for stream in plan.streams.indices where stream != pass.batchStream {
            for record in records[stream] ?? [] { try pass.take(record, stream: stream) }
        }
        try pass.finish()
        return pass.book.report
    }
}
