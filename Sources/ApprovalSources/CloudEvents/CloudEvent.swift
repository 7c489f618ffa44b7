public import ClawWire

/// A CloudEvent 1.0 (CloudEvents specification 1.0.2), whichever mode it travelled in.
public struct CloudEvent: Sendable, Hashable {
    /// A context attribute's value. In binary mode every attribute is text.
    public enum Attribute: Sendable, Hashable {
        /// Text, and the canonical text of URIs, times and binary values.
        case string(String)
        /// A whole number of 32 bits.
        case integer(Int32)
        /// A boolean.
        case boolean(Bool)

        /// The canonical text, as it stands in a Kafka header.
        public var text: String {
            switch self {
            case .string(let value): value
            case .integer(let value): String(value)
            case .boolean(let value): value ? "true" : "false"
            }
        }
    }

    /// What the event carries.
    public enum Payload: Sendable, Hashable {
        /// No data.
        case none
        /// JSON data.
        case json(JSONValue)
        /// Other data.
        case bytes([UInt8])
    }

    /// Attribute `id`, unique within ``source``.
    public var id: String
    /// Attribute `source`, a URI reference that names the emitter.
    public var source: String
    /// Attribute `type`.
    public var type: String
    /// Attribute `subject`.
    public var subject: String?
    /// Attribute `time` as it was written; see ``occurredAt``.
    public var time: String?
    /// Attribute `datacontenttype`; `nil` stands for `application/json`.
    public var dataContentType: String?
    /// Attribute `dataschema`.
    public var dataSchema: String?
    /// Extension attributes by name.
    public var extensions: [String: Attribute]
    /// The data.
    public var data: Payload

    /// Makes an event.
    public init(
        id: String, source: String, type: String, subject: String? = nil, time: Timestamp? = nil,
        dataContentType: String? = "application/json", dataSchema: String? = nil,
        extensions: [String: Attribute] = [:], data: Payload
    ) {
        self.id = id
        self.source = source
        self.type = type
        self.subject = subject
        self.time = time?.iso8601
        self.dataContentType = dataContentType
        self.dataSchema = dataSchema
        self.extensions = extensions
        self.data = data
    }

    /// The instant of ``time``; `nil` when the event has none or it does not parse.
    public var occurredAt: Timestamp? { time.flatMap { Timestamp(rfc3339: $0) } }

    /// The data when it is JSON.
    public var json: JSONValue? { if case .json(let value) = data { value } else { nil } }

    /// True when data of this content type is JSON: `application/json`, `text/json` or a `+json` suffix.
    static func isJSON(_ contentType: String?) -> Bool {
        guard let contentType, contentType != "application/json" else { return true }
        let type = contentType.prefix { $0 != ";" }.filter { $0 != " " }.lowercased()
        return type == "application/json" || type == "text/json" || type.hasSuffix("+json")
    }

    /// True for the attributes that have members of their own here.
    static func isCoreAttribute(_ name: String) -> Bool {
        switch name {
        case "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema": true
        default: false
        }
    }

    /// True for a name that CloudEvents allows: 1 to 64 lower-case ASCII letters and digits.
    static func isAttributeName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 64
            && name.utf8.allSatisfy { ($0 >= 0x61 && $0 <= 0x7A) || ($0 >= 0x30 && $0 <= 0x39) }
    }
}

/// The event types of this project.
public enum EventType {
    /// A decision on an approval.
    public static let decision = "com.clawbureau.approval.decision.v1"
    /// A human approval receipt, with the request it binds or without.
    public static let receipt = "com.clawbureau.approval.receipt.v1"
    /// A stop.
    public static let stopDeclared = "com.clawbureau.stop.declared.v1"
    /// A lift.
    public static let stopLifted = "com.clawbureau.stop.lifted.v1"
    /// A capability request.
    public static let capabilityRequest = "com.clawbureau.capability.request.v1"
}
