import ClawWire
import GrantLedger
import IssuanceRules
import Kafka
import Observability
import ReceiptLog

/// Makes the spans of a worker, with the names and attributes of OpenTelemetry's conventions for messaging and databases.
///
/// | span | kind | from, to |
/// |---|---|---|
/// | `process TOPIC` | consumer | a record read, its outcome committed |
/// | `COMMIT clawgrant` | client | the decide transaction within it |
/// | `seal receipts` | internal | committed, sealed |
/// | `send TOPIC` | producer | made, on the topic |
struct WorkerTracer: Sendable {
    let exporter: SpanExporter
    let group: String
    let database: String
    let clock: @Sendable () -> Timestamp

    /// A batch was committed.
    func decided(_ spans: [PlannedSpan], readAt: Timestamp?, began: Timestamp) {
        let end = clock()
        for planned in spans {
            let topic = planned.found?.origin.topic
            var attributes: [Span.Attribute] = [
                Span.Attribute("clawgrant.request.id", .text(planned.requestID.rawValue)),
                Span.Attribute("clawgrant.job.class", .text(planned.jobClass.rawValue)),
                Span.Attribute("clawgrant.outcome", .text(planned.outcome.rawValue)),
            ]
            if let source = planned.source {
                attributes.append(Span.Attribute("clawgrant.source", .text(source.rawValue)))
            }
            if !planned.reasons.isEmpty {
                attributes.append(Span.Attribute("clawgrant.reasons", .text(planned.reasons.joined(separator: " "))))
            }
            if let origin = planned.found?.origin {
                attributes += [
                    Span.Attribute("messaging.system", "kafka"),
                    Span.Attribute("messaging.operation.name", "process"),
                    Span.Attribute("messaging.operation.type", "process"),
                    Span.Attribute("messaging.destination.name", .text(origin.topic)),
                    Span.Attribute("messaging.destination.partition.id", .text(String(origin.partition))),
                    Span.Attribute("messaging.kafka.offset", .number(origin.offset)),
                    Span.Attribute("messaging.consumer.group.name", .text(group)),
                ]
            }
            exporter.record(
                Span(
                    topic.map { "process \($0)" } ?? "process due", topic == nil ? .internal : .consumer,
                    in: planned.context, under: planned.parent, from: readAt ?? began, to: end, attributes: attributes,
                    links: planned.links))
            exporter.record(
                Span(
                    "COMMIT \(database)", .client, in: planned.context.child(.random()), under: planned.context.spanID,
                    from: began, to: end,
                    attributes: [
                        Span.Attribute("db.system.name", "postgresql"), Span.Attribute("db.namespace", .text(database)),
                        Span.Attribute("db.operation.name", "COMMIT"),
                    ]))
        }
    }

    /// Records of sealed batches are on their topics.
    func published(_ records: [PositionedRecord], sealedAt: [Int64: Timestamp], began: Timestamp) {
        let end = clock()
        for record in records {
            guard let origin = record.origin, let context = origin.trace, context.isSampled else { continue }
            if record.stream == .decisions, let sealed = sealedAt[record.batch] {
                exporter.record(
                    Span(
                        "seal receipts", .internal, in: context.child(.random()), under: context.spanID,
                        from: origin.decidedAt, to: sealed,
                        attributes: [Span.Attribute("clawgrant.batch.number", .number(record.batch))]))
            }
            exporter.record(
                Span(
                    "send \(record.record.topic)", .producer, in: context.child(.random()), under: context.spanID,
                    from: began, to: end,
                    attributes: [
                        Span.Attribute("messaging.system", "kafka"), Span.Attribute("messaging.operation.name", "send"),
                        Span.Attribute("messaging.operation.type", "send"),
                        Span.Attribute("messaging.destination.name", .text(record.record.topic)),
                        Span.Attribute("clawgrant.stream", .text(record.stream.name)),
                        Span.Attribute("clawgrant.stream.sequence", .number(record.sequence)),
                        Span.Attribute("clawgrant.batch.number", .number(record.batch)),
                    ]))
        }
    }
}
