import CRdKafka

extension Client {
    /// Reads the cluster's brokers and all its topics.
    func metadata(timeout: Duration) async throws(KafkaError) -> ClusterMetadata {
        try await callBroker(.metadata) { handle in
            var raw: UnsafePointer<rd_kafka_metadata>?
            let code = KafkaError.Code(
                unsafe rd_kafka_metadata(handle.raw, 1, nil, &raw, timeout.wholeMilliseconds))
            guard !code.isError, let metadata = unsafe raw else {
                return .failure(KafkaError(code: code, operation: .metadata))
            }
            // The metadata is ours to free once it is copied.
            defer { unsafe rd_kafka_metadata_destroy(metadata) }
            return .success(unsafe ClusterMetadata(metadata.pointee))
        }
    }
}
