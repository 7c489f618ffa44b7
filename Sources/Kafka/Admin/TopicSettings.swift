import CRdKafka

/// A setting of a topic. `isOwn` says that it was given for this topic and is not a default.
struct TopicSetting: Sendable {
    let value: String
    let isOwn: Bool
}

/// Reads the settings of topics. Waits for a broker.
func describe(
    _ handle: ClientHandle, _ topics: [String], timeout: Duration
) -> Result<[String: [String: TopicSetting]], KafkaError> {
    guard !topics.isEmpty else { return .success([:]) }
    let request: AdminRequest
    do throws(KafkaError) {
        request = try AdminRequest(
            handle, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, .describeTopicConfiguration, timeout: timeout)
    } catch {
        return .failure(error)
    }
    var objects = unsafe topics.map { (name: String) -> OpaquePointer? in
        unsafe rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name)
    }
    // The request copies the objects.
    defer { unsafe rd_kafka_ConfigResource_destroy_array(&objects, objects.count) }
    return unsafe request.run { client, options, queue in
        unsafe rd_kafka_DescribeConfigs(client, &objects, objects.count, options, queue)
    } read: { event -> Result<[String: [String: TopicSetting]], KafkaError> in
        var count = 0
        let answer = unsafe rd_kafka_event_DescribeConfigs_result(event)
        let resources = unsafe rd_kafka_DescribeConfigs_result_resources(answer, &count)
        var settings: [String: [String: TopicSetting]] = [:]
        for index in 0..<count {
            guard let resource = unsafe resources?[index] else { continue }
            let (topic, code, text) = unsafe identify(resource)
            guard !code.isError else {
                return .failure(
                    KafkaError(code: code, operation: .describeTopicConfiguration, detail: text, topic: topic))
            }
            settings[topic] = unsafe readSettings(resource)
        }
        return .success(settings)
    }.flatMap { $0 }
}

/// Replaces all settings of topics. Waits for a broker.
func alter(
    _ handle: ClientHandle, _ topics: [String: [String: String]], timeout: Duration
) -> Result<[String: TopicOutcome], KafkaError> {
    let request: AdminRequest
    do throws(KafkaError) {
        request = try AdminRequest(handle, RD_KAFKA_ADMIN_OP_ALTERCONFIGS, .alterConfiguration, timeout: timeout)
    } catch {
        return .failure(error)
    }
    var objects: [OpaquePointer?] = unsafe []
    // The request copies the objects.
    defer { unsafe rd_kafka_ConfigResource_destroy_array(&objects, objects.count) }
    for (topic, settings) in topics.sorted(by: { $0.key < $1.key }) {
        guard let object = unsafe rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic) else { continue }
        unsafe objects.append(object)
        for (name, value) in settings.sorted(by: { $0.key < $1.key }) {
            unsafe rd_kafka_ConfigResource_set_config(object, name, value)
        }
    }
    return unsafe request.run { client, options, queue in
        unsafe rd_kafka_AlterConfigs(client, &objects, objects.count, options, queue)
    } read: { event in
        var count = 0
        let answer = unsafe rd_kafka_event_AlterConfigs_result(event)
        let resources = unsafe rd_kafka_AlterConfigs_result_resources(answer, &count)
        var outcomes: [String: TopicOutcome] = [:]
        for index in 0..<count {
            guard let resource = unsafe resources?[index] else { continue }
            let (topic, code, text) = unsafe identify(resource)
            outcomes[topic] =
                switch code {
                case .none: .done
                case .unknownTopicOrPartition: .unknownTopic
                default: .failed(KafkaError(code: code, operation: .alterConfiguration, detail: text, topic: topic))
                }
        }
        return outcomes
    }
}

private func identify(_ resource: OpaquePointer) -> (topic: String, code: KafkaError.Code, text: String?) {
    (
        unsafe rd_kafka_ConfigResource_name(resource).map { unsafe String(cString: $0) } ?? "",
        KafkaError.Code(unsafe rd_kafka_ConfigResource_error(resource)),
        unsafe rd_kafka_ConfigResource_error_string(resource).map { unsafe String(cString: $0) }
    )
}

private func readSettings(_ resource: OpaquePointer) -> [String: TopicSetting] {
    var count = 0
    let entries = unsafe rd_kafka_ConfigResource_configs(resource, &count)
    var settings: [String: TopicSetting] = [:]
    for index in 0..<count {
        guard let entry = unsafe entries?[index], let name = unsafe rd_kafka_ConfigEntry_name(entry),
            let value = unsafe rd_kafka_ConfigEntry_value(entry)
        else { continue }
        let source = unsafe rd_kafka_ConfigEntry_source(entry)
        // Old brokers tell no source, only whether the value is a default.
        let isOwn =
            source == RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG
            || (source == RD_KAFKA_CONFIG_SOURCE_UNKNOWN_CONFIG && (unsafe rd_kafka_ConfigEntry_is_default(entry)) == 0)
        settings[unsafe String(cString: name)] = TopicSetting(value: unsafe String(cString: value), isOwn: isOwn)
    }
    return settings
}

extension ClusterMetadata {
    /// Copies what librdkafka lends.
    init(_ raw: rd_kafka_metadata) {
        brokers = unsafe UnsafeBufferPointer(start: raw.brokers, count: Int(raw.broker_cnt)).map {
            (broker: rd_kafka_metadata_broker) -> Broker in
            unsafe Broker(id: broker.id, host: String(cString: broker.host), port: Int32(broker.port))
        }.sorted { $0.id < $1.id }
        let topics = unsafe UnsafeBufferPointer(start: raw.topics, count: Int(raw.topic_cnt)).map {
            (topic: rd_kafka_metadata_topic) -> Topic in unsafe Topic(topic)
        }
        self.topics = Dictionary(topics.map { ($0.name, $0) }) { first, _ in first }
    }
}

extension ClusterMetadata.Topic {
    fileprivate init(_ raw: rd_kafka_metadata_topic) {
        let name = unsafe String(cString: raw.topic)
        self.name = name
        partitions = unsafe UnsafeBufferPointer(start: raw.partitions, count: Int(raw.partition_cnt)).map {
            (partition: rd_kafka_metadata_partition) -> ClusterMetadata.Partition in
            unsafe ClusterMetadata.Partition(partition, topic: name)
        }.sorted { $0.id < $1.id }
        let code = KafkaError.Code(unsafe raw.err)
        error = code.isError ? KafkaError(code: code, operation: .metadata, topic: name) : nil
    }
}

extension ClusterMetadata.Partition {
    fileprivate init(_ raw: rd_kafka_metadata_partition, topic: String) {
        unsafe id = raw.id
        leader = unsafe raw.leader >= 0 ? raw.leader : nil
        replicas = unsafe Array(UnsafeBufferPointer(start: raw.replicas, count: Int(raw.replica_cnt)))
        inSyncReplicas = unsafe Array(UnsafeBufferPointer(start: raw.isrs, count: Int(raw.isr_cnt)))
        let code = KafkaError.Code(unsafe raw.err)
        error =
            code.isError
            ? KafkaError(code: code, operation: .metadata, topic: topic, partition: unsafe raw.id) : nil
    }
}
