package import ClawWire
import Postgres
package import ReceiptLog

extension PostgresLedger {
    /// What a decide transaction sends before it reads, as parameters of statements, without a database.
    ///
    /// - Returns: the bytes of all parameters.
    package static func rehearse(_ read: DecideRead) -> Int { bytes(of: PreparedRead(read, wantsGroupIDs: true).steps) }

    /// What a decide transaction writes, as parameters of statements, and what the sealer reads back of it, without a
    /// database.
    ///
    /// - Parameter nextGroup: the first identifier for the groups of effects.
    /// - Throws: ``LedgerError`` when what was written does not read.
    package static func rehearse(
        _ write: DecideWrite, by worker: WorkerID, at now: Timestamp, nextGroup: Int64
    ) throws -> (bytes: Int, groups: [EffectGroup]) {
        let ranges = EffectCodec.groups(write.effects)
        let ids = ranges.indices.map { nextGroup + Int64($0) }
        let steps = writeSteps(write, ranges, ids, worker: worker, now: now)
        var groups: [EffectGroup] = []
        for (id, range) in zip(ids, ranges) {
            do {
                var effects = try EffectCodec.decode(EffectCodec.encode(write.effects[range]))
                if let origins = OriginCodec.encode(write.effects[range]) {
                    OriginCodec.decode(origins, into: &effects)
                }
                groups.append(EffectGroup(groupID: id, day: now.day, effects: effects))
            } catch {
                throw corrupted("effect group \(id)")
            }
        }
        return (bytes(of: steps), groups)
    }

    private static func bytes(of steps: [PipelineStep]) -> Int {
        steps.reduce(0) { sum, step in
            if case .execute(_, let parameters) = step { sum + parameters.byteCount } else { sum }
        }
    }
}
