import ClawWire
import Fsck
import GrantLedger
import GrantWorker
import IssuanceRules
import Kafka
import ReceiptLog

/// Whether everything has come to rest, and whether it is as it must be.
extension World {
    /// What is still under way; `nil` when everything is done.
    var unsettled: String? {
        // Every worker refuses: there is nothing to come to rest.
        switch remains {
        case .nothing: break
        case .evident: return refusals == 0 ? "nobody refuses a ledger that is behind its topics" : nil
        case .late: if refusals > 0 { return nil }
        }
        let tables = database.tables
        for (topic, count) in broker.partitionCounts where topic == Cast.approvalsTopic || topic == Cast.requestsTopic {
            for number in 0..<count {
                let end = broker.log(TopicPartition(topic: topic, partition: number))?.end ?? 0
                let next = tables.partitions[InputPartition(topic: topic, partition: number)]?.nextOffset ?? 0
                if next < end { return "\(topic)[\(number)] is read to \(next) of \(end)" }
            }
        }
        let end = broker.log(TopicPartition(topic: Cast.controlTopic, partition: 0))?.end ?? 0
        let next = tables.controlInput[Cast.controlTopic] ?? 0
        if next < end { return "the control topic is read to \(next) of \(end)" }
        if unanswered > 0 { return "\(unanswered) control events are typed and not answered" }
        if !tables.unsealed.isEmpty { return "\(tables.unsealed.count) groups are not sealed" }
        if tables.runs.contains(where: { $0.finishedAt == nil }) { return "a revocation run is not finished" }
        for lane in PublishLane.allCases
        where tables.publishPositions[lane]?.nextBatch ?? 0 < Int64(tables.batches.count) {
            return "the lane \(lane.rawValue) is published to \(tables.publishPositions[lane]?.nextBatch ?? 0) of "
                + "\(tables.batches.count)"
        }
        if !isSpokenFor { return "no head speaks for the last revocations" }
        let now = database.clock
        for row in tables.requests.values where row.request.state == .waiting {
            if let until = row.request.waitUntil, until <= now.adding(seconds: 3) {
                return "request \(row.request.requestID) waits"
            }
        }
        return nil
    }

    func judge(isSettled: Bool) throws {
        if isSettled, remains == .nothing || remains == .late && refusals == 0 { expect() }
        // The checker would say what every worker said, or what readers see: that the ledger lacks what is published.
        guard remains == .nothing else { return }
        var fsck = cast.fsckPlan()
        fsck.isSettled = isSettled
        let result = Box<Result<FsckReport, any Error>?>(nil)
        let (plan, topics, rows) = (fsck, SimulatedTopics(broker: broker), SimulatedRows(tables: database.tables))
        let sources = Box((topics, rows))
        let checker = Node("checker", scheduler)
        checker.start {
            do {
                result.value = .success(try await Fsck.run(plan, sources.value.0, ledger: sources.value.1))
            } catch {
                result.value = .failure(error)
            }
        }
        _ = scheduler.run(until: scheduler.now, maximumSteps: Self.maximumSteps)
        switch result.value {
        case nil: watch.found("simulation", "the checker does not come to an end")
        case .failure(let error)?: watch.found("simulation", "the checker failed: \(error)")
        case .success(let report)?:
            for finding in report.findings {
                if isExpected(finding) { continue }
                watch.found(finding.property.rawValue, "\(finding)")
            }
        }
    }

    /// Holds what arrived against what became of it.
    private func expect() {
        let tables = database.tables
        for id in workload.expectations.requests.sorted() {
            guard let request = tables.requests[id]?.request else {
                watch.found("P1", "request \(id) was delivered and is not known")
                continue
            }
            guard request.state == .waiting else { continue }
            // The end of its wait may be dated by a database clock that was ahead then, and is right now.
            if workload.expectations.mayOnlyExpire.contains(id), request.waitUntil.map({ $0 > settledAt }) ?? false {
                continue
            }
            if !workload.expectations.mayWait.contains(id) {
                if let reference = request.approvalReference, let approval = tables.approvals[reference],
                    approval.outcome == nil
                {
                    watch.found(
                        "P1",
                        "request \(id) waits though approval \(reference) is there: "
                            + String(decoding: approval.state, as: UTF8.self))
                } else if request.approvalReference == nil {
                    watch.found("P1", "request \(id) waits for nothing")
                }
            }
        }
        let stops = Set(tables.controlEvents.values.map(\.event.handle))
        // What was typed and answered may be gone with the commits that a replica lacks; nobody reads it again.
        let lost = lostCommits ? Set(workload.commands.map(\.event.handle)) : []
        for stop in workload.expectations.stops.subtracting(stops).subtracting(lost).sorted() {
            watch.found("P2", "the stop \(stop) was declared and is not known")
        }
        let letters = tables.groups.values.reduce(0) { sum, row in
            sum + row.group.effects.count { effect in effect.outputs.contains { $0.stream == .deadLetters } }
        }
        if letters < workload.expectations.poison {
            watch.found(
                "P9", "\(workload.expectations.poison) records cannot be read and \(letters) dead letters are there")
        }
    }
}
