/// Proves P8 for every stream: each position once, without gaps, repeats identical.
///
/// Entries are sorted by stream and position on disk, so that streams of any length are checked in bounded memory and
/// exactly: no filter that could be wrong.
final class PositionAudit {
    private static let width = 1 + 8 + 4 + 8 + 8 + 16

    private let plan: FsckPlan
    private let book: FindingBook
    private let runs: SortedRuns
    /// Streams whose topic does not begin at its beginning: old records are gone by retention.
    private var shortened: Set<Int> = []

    init(_ plan: FsckPlan, _ book: FindingBook, _ directory: WorkDirectory) {
        self.plan = plan
        self.book = book
        runs = SortedRuns(width: Self.width, memory: plan.sortMemory, in: directory)
    }

    func begins(late stream: Int) { shortened.insert(stream) }

    func take(_ record: FsckRecord, stream: Int, sequence: Int64, batch: Int64) throws {
        var entry = EntryWriter(width: Self.width)
        entry.put(UInt8(truncatingIfNeeded: stream))
        entry.put(sequence)
        entry.put(record.partition)
        entry.put(record.offset)
        entry.put(batch)
        entry.put(record.fingerprint)
        try runs.add(entry.bytes)
    }

    private struct First {
        let stream: Int
        let sequence: Int64
        let partition: Int32
        let offset: Int64
        let fingerprint: Fingerprint
    }

    /// Goes through all positions. A range that does not begin with the log may begin anywhere.
    func finish(isWhole: Bool) throws {
        var first: First?
        var lastOffsets: [Int32: Int64] = [:]
        var isConflictTold = false
        try runs.forEach { bytes in
            var entry = EntryReader(bytes)
            let found = First(
                stream: Int(entry.byte()), sequence: entry.int64(), partition: entry.int32(), offset: entry.int64(),
                fingerprint: {
                    _ = entry.int64()
                    return entry.fingerprint()
                }())
            let stream = plan.streams[found.stream]
            if let known = first, known.stream == found.stream, known.sequence == found.sequence {
                repeated(found, of: known, stream, &isConflictTold)
                return
            }
            isConflictTold = false
            if let known = first, known.stream == found.stream {
                gap(stream, from: known.sequence + 1, to: found.sequence, "\(stream.name) goes on")
            } else {
                lastOffsets = [:]
                let mayBeginLate = !isWhole || shortened.contains(found.stream)
                if !mayBeginLate { gap(stream, from: 0, to: found.sequence, "\(stream.name) begins") }
            }
            if let last = lastOffsets[found.partition], found.offset < last {
                book.add(
                    .sequenceOutOfOrder, at: Place.record(stream.topic, found.partition, found.offset),
                    "position \(found.sequence) of \(stream.name) stands before a smaller one, which is at \(last)"
                )
            }
            lastOffsets[found.partition] = max(found.offset, lastOffsets[found.partition] ?? found.offset)
            first = found
        }
    }

    private func repeated(
        _ found: First, of known: First, _ stream: FsckPlan.Stream, _ isConflictTold: inout Bool
    ) {
        let place = Place.record(stream.topic, found.partition, found.offset)
        let firstPlace = Place.record(stream.topic, known.partition, known.offset)
        if found.fingerprint != known.fingerprint {
            if !isConflictTold {
                book.add(
                    .sequenceConflict, at: place,
                    "position \(found.sequence) of \(stream.name) is another record at \(firstPlace)")
            }
            isConflictTold = true
        } else if found.partition != known.partition {
            book.add(
                .sequenceMoved, at: place,
                "position \(found.sequence) of \(stream.name) was delivered before, in another partition: \(firstPlace)"
            )
        } else {
            book.report.counts.repeats += 1
        }
    }

    private func gap(_ stream: FsckPlan.Stream, from expected: Int64, to found: Int64, _ verb: String) {
        guard found > expected else { return }
        if stream.isCompacted {
            book.note(
                "positions of \(stream.name) that compaction may have removed; a gap there proves nothing")
            return
        }
        let missing = found - expected == 1 ? "position \(expected)" : "positions \(expected)..\(found - 1)"
        book.add(
            .sequenceGap, at: "\(stream.name) \(expected)",
            "\(missing) of \(stream.name) (\(stream.topic)) are missing: \(verb) with \(found)")
    }
}
