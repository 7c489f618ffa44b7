import ClawWire
import Foundation
import GrantLedger
import GrantWorker
import Kafka
import ProofBundles

/// Writes a bundle into a folder for each run that has ended, until it is told to stop.
///
/// The folder is its memory: a run whose file is there is not assembled again, so it may be started anew at any time.
struct RunFollower {
    let file: ConfigurationFile
    let folder: String
    /// How long a run must have ended, so that gateway receipts on their way arrive.
    let settle: Int64
    /// Puts one run together; `nil` when there is nothing to put together.
    let assemble: (JobID) async throws -> [UInt8]?

    func run(until isStopped: () -> Bool) async throws {
        let events = KafkaEvents()
        let topic = file.worker.outputs.name(.receiptBatches)
        var properties = file.worker.kafka
        properties["group.id"] = nil
        properties["isolation.level"] = file.worker.usesTransactions ? "read_committed" : "read_uncommitted"
        do {
            let consumer = try KafkaConsumer(configuration: properties, log: events.take)
            do {
                try await consumer.assign([TopicPartition(topic: topic, partition: 0): KafkaOffset.beginning])
                try await follow(consumer, isStopped)
                await consumer.close(deadline: .seconds(2))
            } catch {
                await consumer.close(deadline: .seconds(2))
                throw error
            }
        } catch let error as KafkaError {
            throw KafkaAccess.failure(error, file, events)
        }
    }

    private func follow(_ consumer: KafkaConsumer, _ isStopped: () -> Bool) async throws {
        var open = OpenRuns()
        var due = ContinuousClock.now + .seconds(1)
        while !isStopped() {
            let batch = try await consumer.nextBatch(
                maximumRecords: 200, maximumBytes: 16 << 20, linger: .zero, timeout: .milliseconds(500))
            for record in batch.records { if let value = record.value { open.take(value) } }
            // A log that never pauses must not keep ended runs waiting. While there is more to read, the time is that of
            // the last batch: what comes later may grant a job another token.
            guard batch.records.isEmpty || ContinuousClock.now >= due else { continue }
            due = ContinuousClock.now + .seconds(1)
            let now = batch.records.isEmpty ? Clock.now : open.sealedAt ?? Timestamp(seconds: 0)
            for run in open.ended(at: now, settle: settle) where !isStopped() { try await emit(run) }
        }
    }

    private func emit(_ run: OpenRuns.Ended) async throws {
        let path = "\(folder)/\(OpenRuns.fileName(run))"
        guard !FileManager.default.fileExists(atPath: path) else { return }
        do {
            guard let bytes = try await assemble(run.jobID) else { return }
            try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
            Console.out(path)
        } catch let error as CancellationError {
            throw error
        } catch {
            // One run that cannot be put together must not keep the others from their evidence.
            let what = (error as? CommandFailure)?.message ?? "\(error)"
            Console.error("clawgrant: \(Console.plain(run.jobID.rawValue)): \(what)")
        }
    }
}
