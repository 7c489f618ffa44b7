/// Where the records of topics come from.
package protocol TopicSource {
    /// The smallest offset of each partition of a topic.
    func beginnings(of topic: String) async throws -> [Int32: Int64]

    /// Hands every record of a topic to `body`, each partition in its order.
    func read(_ topic: String, _ body: (FsckRecord) throws -> Void) async throws
}
