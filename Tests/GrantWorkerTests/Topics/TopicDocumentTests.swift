import Foundation
import GrantWorker
import Kafka
import Testing
import Yams

/// `topics/asyncapi.yaml` is the truth; what the program has of it is the same.
@Suite("The AsyncAPI document and the program's catalog")
struct TopicDocumentTests {
    /// The channels of the document by address.
    static func channels() throws -> [String: Node] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(contentsOf: root.appendingPathComponent("topics/asyncapi.yaml"), encoding: .utf8)
        let document = try #require(try compose(yaml: text))
        let channels = try #require(document["channels"]?.mapping)
        return Dictionary(
            channels.compactMap { channel in
                // Topics of vendors have the names that rules give them: no address.
                guard let address = channel.value["address"], address.null == nil else { return nil }
                return address.string.map { ($0, channel.value) }
            }, uniquingKeysWith: { $1 })
    }

    private static func settings(_ channel: Node) throws -> [String: String] {
        let configuration = try #require(channel["bindings"]?["kafka"]?["topicConfiguration"]?.mapping)
        return Dictionary(
            uniqueKeysWithValues: configuration.map { key, value in
                let text = value.sequence?.compactMap(\.string).joined(separator: ",") ?? value.scalar?.string
                return (key.string ?? "", text ?? "")
            })
    }

    @Test("Every topic is in both, with its key, partitions, copies, settings and purpose")
    func topics() throws {
        let channels = try Self.channels()
        let catalog = TopicCatalog.standard
        #expect(Set(channels.keys) == Set(catalog.entries.map(\.name)))
        #expect(catalog.entries.count == channels.count)
        for entry in catalog.entries {
            let channel = try #require(channels[entry.name])
            let binding = try #require(channel["bindings"]?["kafka"])
            #expect(channel["summary"]?.string == entry.purpose, "\(entry.name)")
            #expect(channel["x-key"]?.string == entry.key, "\(entry.name)")
            #expect(channel["x-partitions-fixed"]?.bool == entry.isPartitionCountFixed, "\(entry.name)")
            #expect((channel["x-vendor"]?.bool ?? false) == !entry.isOurs, "\(entry.name)")
            #expect(binding["partitions"]?.int == Int(entry.partitions), "\(entry.name)")
            let replicas = binding["replicas"]?.int
            #expect(replicas == (entry.isOurs ? TopicCatalog.replicas : nil), "\(entry.name)")
            #expect(try Self.settings(channel) == entry.settings(replicas: replicas ?? 0), "\(entry.name)")
        }
    }

    @Test("Every role may do in both the same with each topic")
    func access() throws {
        let channels = try Self.channels()
        for entry in TopicCatalog.standard.entries {
            let access = try #require(channels[entry.name]?["x-access"]?.mapping)
            let described = Dictionary(
                uniqueKeysWithValues: access.map {
                    ($0.key.string ?? "", $0.value.sequence?.compactMap(\.string) ?? [])
                })
            let coded = AccessRole.allCases.map { role in
                (role.rawValue, AccessPlan.operations(of: role, on: entry).map(\.rawValue))
            }.filter { !$0.1.isEmpty }
            #expect(described == Dictionary(uniqueKeysWithValues: coded), "\(entry.name)")
        }
    }

    @Test("A configuration with the standard names has the standard catalog")
    func standard() throws {
        let configured = try ConfigurationTopicTests.catalog()
        #expect(configured.entries.map(\.name) == TopicCatalog.standard.entries.map(\.name))
        for (left, right) in zip(configured.entries, TopicCatalog.standard.entries) {
            #expect(left.settings == right.settings && left.partitions == right.partitions && left.key == right.key)
        }
    }
}
