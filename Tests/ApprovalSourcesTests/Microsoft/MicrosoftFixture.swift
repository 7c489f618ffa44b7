import ApprovalSources
import ClawWire
import Foundation
import IssuanceRules
import Testing

/// The examples of a source's published schema, and what is made of them by changing one member.
struct MicrosoftFixture {
    static let tenant = AuditRecordBuilder.tenant
    static let request = AuditRecordBuilder.request
    static let approval = ApprovalID("entra-pim/\(tenant)/\(request)")
    static let avery = PersonID(AuditRecordBuilder.subject)
    static let mina = PersonID(AuditRecordBuilder.approver)
    static let now = AuditRecordBuilder.now

    let kind: SourceConfiguration.Kind
    let schema: String

    static let azure = MicrosoftFixture(kind: .azureActivity, schema: "source.azure-activity.v1")
    static let graph = MicrosoftFixture(kind: .graph, schema: "source.graph.v1")
    static let packages = MicrosoftFixture(kind: .entitlementManagement, schema: "source.entitlement-management.v1")
    static let all = [azure, graph, packages]

    var examples: [JSONValue] {
        get throws {
            let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().deletingLastPathComponent()
            let bytes = try Data(contentsOf: root.appending(path: "topics/schemas/\(schema).json"))
            let document = try JSONReader.parse(Array(bytes))
            #expect(document["$schema"]?.string == "https://json-schema.org/draft/2020-12/schema")
            return try #require(document["examples"]?.array)
        }
    }

    func example(_ index: Int) throws -> JSONValue {
        let examples = try examples
        return try #require(examples.indices.contains(index) ? examples[index] : nil)
    }

    func configuration(_ authenticity: SourceConfiguration.Authenticity = .topic) -> SourceConfiguration {
        var configuration = SourceConfiguration(
            name: SourceName(kind.rawValue), kind: kind, authenticity: authenticity)
        configuration.tenants = [Self.tenant]
        return configuration
    }

    func reading(_ value: JSONValue, _ configuration: SourceConfiguration? = nil) -> SourceReading {
        reading(JSONWriter.bytes(value), configuration)
    }

    func reading(_ bytes: [UInt8], _ configuration: SourceConfiguration? = nil) -> SourceReading {
        AnySource.facts(
            from: SourceRecord(topic: "t", value: bytes), configuration: configuration ?? self.configuration(),
            at: Self.now)
    }

    func facts(_ value: JSONValue) -> [Fact] { reading(value).facts }

    func kinds(_ value: JSONValue) -> [String] { facts(value).map(\.kind) }

    /// `kind`, and behind a colon the code of an ignored or a rejected fact or the reason of an end.
    func what(_ value: JSONValue) -> [String] {
        facts(value).map { fact in
            switch fact.content {
            case .ignored(let why), .rejected(let why): "\(fact.kind):\(why)"
            case .grantEnded(let reason): "\(fact.kind):\(reason.rawValue)"
            default: fact.kind
            }
        }
    }
}

extension JSONValue {
    /// The value with another one at the end of a path of members and positions.
    func setting(_ path: String, _ value: JSONValue?) -> JSONValue {
        // The one member name with a dot.
        let path = path.replacing("@odata.type", with: "@odata\u{0}type")
        return setting(path.split(separator: ".").map { String($0).replacing("\u{0}", with: ".") }[...], value)
    }

    private func setting(_ path: ArraySlice<String>, _ value: JSONValue?) -> JSONValue {
        guard let key = path.first else { return value ?? .null }
        let rest = path.dropFirst()
        if var elements = array, let index = Int(key), elements.indices.contains(index) {
            elements[index] = elements[index].setting(rest, value)
            return .array(elements)
        }
        guard var object else { return self }
        object[key] = rest.isEmpty ? value : (object[key] ?? .null).setting(rest, value)
        return .object(object)
    }

    /// Every member name changed.
    func renamingKeys(_ change: (String) -> String) -> JSONValue {
        switch self {
        case .object(let object):
            .object(JSONObject(object.members.map { (change($0.key), $0.value.renamingKeys(change)) }))
        case .array(let elements): .array(elements.map { $0.renamingKeys(change) })
        case .null, .bool, .number, .string: self
        }
    }
}
