import CRdKafka

/// Looks after topics: creates, deletes, enlarges and configures them, and reads the cluster's metadata.
///
/// The calls wait for a broker on a queue of their own, one at a time. One that is let go of without `close` closes
/// itself in the background.
public final class KafkaAdmin: Sendable {
    let client: Client<EventLoop>

    /// Makes an administrative client and starts its thread.
    ///
    /// - Throws: `KafkaError` when a property is unknown or refused.
    public init(configuration: KafkaConfiguration, log: @escaping KafkaLog = { _ in }) throws(KafkaError) {
        client = try Client(RD_KAFKA_PRODUCER, configuration, name: "admin", log: log, makeLoop: EventLoop.init)
    }

    deinit {
        client.requestClose()
    }

    /// Creates topics.
    ///
    /// - Returns: The outcome of each, by name.
    /// - Throws: `KafkaError` when a specification makes no sense or the cluster does not answer.
    public func createTopics(
        _ topics: [TopicSpecification], timeout: Duration = .seconds(30)
    ) async throws(KafkaError) -> [String: TopicOutcome] {
        guard !topics.isEmpty else { return [:] }
        return try await client.callBroker(.createTopics) { handle in
            result { () throws(KafkaError) in
                let request = try AdminRequest(handle, RD_KAFKA_ADMIN_OP_CREATETOPICS, .createTopics, timeout: timeout)
                var objects = try unsafe makeNewTopics(topics)
                // The request copies the objects.
                defer { unsafe rd_kafka_NewTopic_destroy_array(&objects, objects.count) }
                return try unsafe request.run { client, options, queue in
                    unsafe rd_kafka_CreateTopics(client, &objects, objects.count, options, queue)
                } read: { event in
                    var count = 0
                    let answer = unsafe rd_kafka_event_CreateTopics_result(event)
                    let results = unsafe rd_kafka_CreateTopics_result_topics(answer, &count)
                    return unsafe topicOutcomes(results, count, .createTopics)
                }.get()
            }
        }
    }

    /// Deletes topics with all their records.
    ///
    /// - Returns: The outcome of each, by name.
    public func deleteTopics(
        _ names: [String], timeout: Duration = .seconds(30)
    ) async throws(KafkaError) -> [String: TopicOutcome] {
        guard !names.isEmpty else { return [:] }
        return try await client.callBroker(.deleteTopics) { handle in
            result { () throws(KafkaError) in
                let request = try AdminRequest(handle, RD_KAFKA_ADMIN_OP_DELETETOPICS, .deleteTopics, timeout: timeout)
                var objects = unsafe names.map { (name: String) -> OpaquePointer? in
                    unsafe rd_kafka_DeleteTopic_new(name)
                }
                // The request copies the objects.
                defer { unsafe rd_kafka_DeleteTopic_destroy_array(&objects, objects.count) }
                return try unsafe request.run { client, options, queue in
                    unsafe rd_kafka_DeleteTopics(client, &objects, objects.count, options, queue)
                } read: { event in
                    var count = 0
                    let answer = unsafe rd_kafka_event_DeleteTopics_result(event)
                    let results = unsafe rd_kafka_DeleteTopics_result_topics(answer, &count)
                    return unsafe topicOutcomes(results, count, .deleteTopics)
                }.get()
            }
        }
    }

    /// Enlarges topics to the given total numbers of partitions. Keys may fall to other partitions afterwards.
    ///
    /// - Returns: The outcome of each, by name.
    public func createPartitions(
        _ totals: [String: Int], timeout: Duration = .seconds(30)
    ) async throws(KafkaError) -> [String: TopicOutcome] {
        guard !totals.isEmpty else { return [:] }
        return try await client.callBroker(.createPartitions) { handle in
            result { () throws(KafkaError) in
                let request = try AdminRequest(
                    handle, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, .createPartitions, timeout: timeout)
                var objects = try unsafe makeNewPartitions(totals)
                // The request copies the objects.
                defer { unsafe rd_kafka_NewPartitions_destroy_array(&objects, objects.count) }
                return try unsafe request.run { client, options, queue in
                    unsafe rd_kafka_CreatePartitions(client, &objects, objects.count, options, queue)
                } read: { event in
                    var count = 0
                    let answer = unsafe rd_kafka_event_CreatePartitions_result(event)
                    let results = unsafe rd_kafka_CreatePartitions_result_topics(answer, &count)
                    return unsafe topicOutcomes(results, count, .createPartitions)
                }.get()
            }
        }
    }

    /// Reads the settings of topics, defaults included.
    ///
    /// - Returns: For each topic its settings by name. Settings whose value the broker keeps secret are left out.
    /// - Throws: `KafkaError` with the topic, when one does not exist or may not be read.
    public func describeTopicConfiguration(
        _ names: [String], timeout: Duration = .seconds(30)
    ) async throws(KafkaError) -> [String: [String: String]] {
        let settings = try await client.callBroker(.describeTopicConfiguration) { handle in
            describe(handle, names, timeout: timeout)
        }
        return settings.mapValues { settings in settings.mapValues(\.value) }
    }

    /// Changes settings of topics; the settings not named stay as they are.
    ///
    /// The Kafka request behind this replaces all of a topic's settings, so its own settings are read first and sent
    /// again. Two callers at the same time may undo each other's change.
    ///
    /// - Parameter changes: For each topic the new values by name; nil returns a setting to its default.
    /// - Returns: The outcome of each topic, by name.
    /// - Throws: `KafkaError` with the topic, when one does not exist or may not be read; nothing is changed then.
    public func alterConfiguration(
        _ changes: [String: [String: String?]], timeout: Duration = .seconds(30)
    ) async throws(KafkaError) -> [String: TopicOutcome] {
        guard !changes.isEmpty else { return [:] }
        return try await client.callBroker(.alterConfiguration) { handle in
            describe(handle, changes.keys.sorted(), timeout: timeout).flatMap { present in
                var wanted: [String: [String: String]] = [:]
                for (topic, settings) in present {
                    var own = settings.filter(\.value.isOwn).mapValues(\.value)
                    for (name, value) in changes[topic] ?? [:] { own[name] = value }
                    wanted[topic] = own
                }
                return alter(handle, wanted, timeout: timeout)
            }
        }
    }

    /// Reads the cluster's brokers and all its topics.
    public func metadata(timeout: Duration = .seconds(10)) async throws(KafkaError) -> ClusterMetadata {
        try await client.metadata(timeout: timeout)
    }

    /// Closes the client.
    ///
    /// - Parameter deadline: How long to wait. What is left then goes on closing in the background.
    /// - Returns: Whether the client was gone before the deadline.
    @discardableResult
    public func close(deadline: Duration) async -> Bool {
        await client.close(deadline: deadline)
    }
}

/// The poll thread's work when there is nothing but events to serve.
final class EventLoop: PollLoop {
    private let client: Client<EventLoop>

    init(_ client: Client<EventLoop>) { self.client = client }

    func turn() { client.serveMain(self, timeout: .milliseconds(100)) }
    func serve(_ event: borrowing ClientEvent) {}
    func finish() {}
}

/// Turns what a function throws into a result.
private func result<Value>(_ body: () throws(KafkaError) -> Value) -> Result<Value, KafkaError> {
    do throws(KafkaError) { return .success(try body()) } catch { return .failure(error) }
}

/// Makes the objects of a request to create topics. The caller frees them; on failure they are freed here.
private func makeNewTopics(_ topics: [TopicSpecification]) throws(KafkaError) -> [OpaquePointer?] {
    var objects: [OpaquePointer?] = unsafe []
    for topic in topics {
        guard topic.partitions > 0 || topic.partitions == -1 else {
            unsafe rd_kafka_NewTopic_destroy_array(&objects, objects.count)
            throw KafkaError(
                code: .invalidArgument, operation: .createTopics,
                detail: "\(topic.partitions) partitions were asked for; at least 1 is needed", topic: topic.name)
        }
        let (object, text) = unsafe withErrorText { buffer, size in
            unsafe rd_kafka_NewTopic_new(topic.name, topic.partitions, topic.replicationFactor, buffer, size)
        }
        guard let object = unsafe object else {
            unsafe rd_kafka_NewTopic_destroy_array(&objects, objects.count)
            throw KafkaError(code: .invalidArgument, operation: .createTopics, detail: text, topic: topic.name)
        }
        unsafe objects.append(object)
        for (name, value) in topic.configuration.sorted(by: { $0.key < $1.key }) {
            unsafe rd_kafka_NewTopic_set_config(object, name, value)
        }
    }
    return unsafe objects
}

/// Makes the objects of a request to create partitions. The caller frees them; on failure they are freed here.
private func makeNewPartitions(_ totals: [String: Int]) throws(KafkaError) -> [OpaquePointer?] {
    var objects: [OpaquePointer?] = unsafe []
    for (topic, total) in totals.sorted(by: { $0.key < $1.key }) {
        let (object, text) = unsafe withErrorText { buffer, size in
            unsafe rd_kafka_NewPartitions_new(topic, max(0, total), buffer, size)
        }
        guard let object = unsafe object else {
            unsafe rd_kafka_NewPartitions_destroy_array(&objects, objects.count)
            throw KafkaError(code: .invalidArgument, operation: .createPartitions, detail: text, topic: topic)
        }
        unsafe objects.append(object)
    }
    return unsafe objects
}
