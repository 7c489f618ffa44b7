import ApprovalSources
import ClawWire
import GrantLedger
import GrantWorker
import IssuanceRules
import Kafka

/// Declares a control event over the control topic, signed, for those without access to the database.
struct TopicDeclaration {
    private let declaration: Declaration
    private let file: ConfigurationFile
    private var options: DeclarationOptions { declaration.options }

    init(_ declaration: Declaration, _ file: ConfigurationFile) {
        self.declaration = declaration
        self.file = file
    }

    func declare() async throws {
        guard let signKey = options.signKey else { throw CommandFailure.usage("--via-topic needs --sign-key") }
        let topic = try Self.topic(file)
        let record = try ControlEmitter(signer: KeyArguments.signer(signKey), source: options.eventSource).record(
            declaration.operation, id: declaration.id, by: options.people, at: declaration.declaredAt,
            reason: options.reason, incident: options.incident, topic: topic)
        try declaration.refuseUseless(file)
        _ = try Self.reading(of: record, signedBy: signKey, file, at: declaration.declaredAt)
        if !options.output.isJSON {
            Console.out(Console.styled(Console.plain(declaration.title), .bold))
            Console.out("what it hits is in the ledger, which is not asked with --via-topic")
        }
        try declaration.confirm()
        let level = options.wait ?? .published
        try await GatewayReader.reading(
            file, isNeeded: declaration.operation.kind == .drill && level == .published, atMost: options.timeout
        ) { gateway in
            try await Self.send(
                record, eventID: declaration.event.id.rawValue, handle: declaration.event.handle, file, until: level,
                atMost: options.timeout, isJSON: options.output.isJSON, measuredBy: gateway)
        }
    }

    /// The control topic that the configuration names.
    static func topic(_ file: ConfigurationFile) throws -> String {
        guard let topic = file.worker.control.topic else {
            throw CommandFailure.usage(
                "the configuration names no control topic: set control.topic, or declare straight to the ledger")
        }
        return topic
    }

    /// The event as the workers will read it. What they obey is theirs to say: where the rules cannot be read here, that
    /// the event can be read is all that is looked at, after a warning.
    ///
    /// - Throws: when they would not obey it as it stands.
    static func reading(
        of record: SourceRecord, signedBy path: String, _ file: ConfigurationFile, at now: Timestamp
    ) throws -> ControlEvent {
        let rules: ControlRules
        do {
            rules = try file.rules().control
        } catch let failure as CommandFailure {
            Console.error(
                "warning: \(failure.message)\nwarning: going on without rules: whether workers obey this key is for them "
                    + "to say")
            let key = try KeyArguments.signer(path).publicKey
            let everything = ControlRules.Signer(key: key, operations: Set(ControlOperation.Kind.allCases))
            rules = ControlRules(signers: [key.kid: everything])
        }
        return try reading(of: record, under: rules, at: now)
    }

    /// The event as the workers will read it under these rules.
    ///
    /// - Throws: when they would not obey it as it stands.
    private static func reading(
        of record: SourceRecord, under rules: ControlRules, at now: Timestamp
    ) throws -> ControlEvent {
        switch ControlSource(rules: rules).read(record, at: now) {
        case .event(let event): return event
        case .quarantined(let fault):
            throw CommandFailure.negative(
                "workers with these rules would not obey the event (\(fault)); nothing was sent",
                remedy: "sign with a key that the rules list under control.signers with this operation and scope")
        case .widened(_, let fault):
            throw CommandFailure.negative(
                "workers could not read the event in full (\(fault)) and would stop more than it says; nothing was sent",
                remedy: "correct it; to stop everything use `clawgrant stop --all`")
        case .tombstone: throw CommandFailure.usage("there is no event")
        }
    }

    /// An answer for people.
    private static func text(_ answer: JSONValue) -> String {
        let position = answer["control_position"]?.integer
        switch answer["result"]?.string ?? "" {
        case "repeated": return "repeated: it holds already since control position \(position ?? 0); nothing changed"
        case "without_effect": return "without effect: nothing holds that it would end"
        case let result:
            return
                "\(result) at control position \(position ?? 0); \(answer["grants_before"]?.integer ?? 0) grants precede "
                + "it"
        }
    }

    /// Writes a record to the control topic, and waits until its answer can be read.
    static func send(
        _ record: SourceRecord, eventID: String, handle: String, _ file: ConfigurationFile, until level: WaitLevel,
        atMost seconds: Int64, isJSON: Bool, measuredBy gateway: GatewayReader? = nil
    ) async throws {
        let message = ProducerRecord(
            topic: record.topic, partition: 0, key: record.key, value: record.value,
            headers: record.headers.map { KafkaHeader(name: $0.name, value: $0.value) })
        func tell(_ step: String, _ stopwatch: Stopwatch, _ text: String, _ members: JSONObject) {
            guard !isJSON else {
                var object: JSONObject = ["step": .string(step), "ms": .number(stopwatch.milliseconds)]
                for member in members.members { object[member.key] = member.value }
                Console.out(.object(object))
                return
            }
            let name = step + String(repeating: " ", count: max(0, 13 - step.count))
            Console.out("\(name)  \(stopwatch.milliseconds) ms  \(Console.plain(text))")
        }
        try await ControlResultReader.reading(file, isNeeded: level > .none) { reader in
            let stopwatch = Stopwatch()
            let sent = try await RecordPublishing.publish(message, file)
            let offset = sent.offset.map { " at offset \($0)" } ?? ""
            tell(
                "sent", stopwatch, "\(handle) is on \(sent.topicPartition)\(offset)",
                [
                    "event_id": .string(eventID), "id": .string(handle),
                    "offset": sent.offset.map { .integer($0) } ?? .null,
                ])
            guard let reader else { return }
            guard let answer = try await reader.answer(to: eventID, within: .seconds(seconds)) else {
                throw CommandFailure.negative(
                    "no answer to \(handle) was published within \(seconds) s",
                    remedy: "what is not obeyed goes to "
                        + "\(file.worker.outputs.name(.deadLetters)); ask `clawgrant stop status` where the database is"
                )
            }
            // That it was in force before is learned with its publication.
            if let position = answer["control_position"]?.integer, let time = answer["effective_ms"]?.integer {
                tell(
                    "acknowledged", stopwatch, "control position \(position); \(time) ms after a worker had read it",
                    ["control_position": .integer(position), "effective_ms": .integer(time)])
            }
            tell("published", stopwatch, Self.text(answer), ["answer": answer])
            if let gateway, let position = answer["control_position"]?.integer {
                let asOf = try await gateway.head(of: position, within: .seconds(seconds))
                tell(
                    "seen", stopwatch,
                    "a reader of \(file.worker.outputs.name(.revocations)) has it: a gateway would refuse",
                    ["control_position": .integer(position), "as_of": .string(asOf.iso8601)])
            }
        }
    }
}

/// Reads the control results as they are published.
struct ControlResultReader {
    private let consumer: KafkaConsumer

    /// Opens a reader at the end of the control results, runs `body`, closes it.
    ///
    /// - Parameter isNeeded: false runs `body` without a reader.
    static func reading<Result>(
        _ file: ConfigurationFile, isNeeded: Bool = true, _ body: (ControlResultReader?) async throws -> Result
    ) async throws -> Result {
        guard isNeeded else { return try await body(nil) }
        let events = KafkaEvents()
        var properties = file.worker.kafka
        properties["group.id"] = nil
        properties["isolation.level"] = file.worker.usesTransactions ? "read_committed" : "read_uncommitted"
        properties["fetch.wait.max.ms"] = "10"
        do {
            let consumer = try KafkaConsumer(configuration: properties, log: events.take)
            do {
                let partition = TopicPartition(topic: file.worker.outputs.name(.controlResults), partition: 0)
                let end = try await consumer.watermarks(partition, timeout: .seconds(5)).high
                try await consumer.assign([partition: end])
                let result = try await body(ControlResultReader(consumer: consumer))
                await consumer.close(deadline: .seconds(2))
                return result
            } catch {
                await consumer.close(deadline: .seconds(2))
                throw error
            }
        } catch let error as KafkaError {
            throw KafkaAccess.failure(error, file, events)
        }
    }

    /// The answer to an event, `nil` when none comes in time.
    func answer(to eventID: String, within limit: Duration) async throws -> JSONValue? {
        let end = ContinuousClock.now + limit
        while ContinuousClock.now < end {
            let batch = try await consumer.nextBatch(
                maximumRecords: 1_000, maximumBytes: 4 << 20, linger: .zero, timeout: .milliseconds(200))
            for record in batch.records {
                guard let value = record.value, let answer = try? JSONReader.parse(value) else { continue }
                if answer["event_id"]?.string == eventID { return answer }
            }
        }
        return nil
    }
}
