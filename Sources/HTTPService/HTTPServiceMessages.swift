/// One field of a header.
public struct HTTPServiceField: Sendable, Hashable {
    /// Name, as it came.
    public let name: String
    /// Value.
    public let value: String

    /// Makes a field.
    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// A request with its whole body.
public struct HTTPServiceRequest: Sendable, Hashable {
    /// Method, such as `POST`.
    public let method: String
    /// Path without the query, as it came.
    public let path: String
    /// What stands behind the question mark; `nil` without one.
    public let query: String?
    /// Header fields in order, repeats included.
    public let fields: [HTTPServiceField]
    /// Body, byte for byte.
    public let body: [UInt8]
    /// Address of the peer, which may be a proxy's.
    public let peer: String?

    /// Makes a request.
    public init(
        method: String, path: String, query: String? = nil, fields: [HTTPServiceField] = [], body: [UInt8] = [],
        peer: String? = nil
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.fields = fields
        self.body = body
        self.peer = peer
    }

    /// The value of the first field of a name, which compares without case.
    public func field(_ name: String) -> String? {
        let name = name.lowercased()
        return fields.first { $0.name.lowercased() == name }?.value
    }
}

/// An answer with its whole body.
public struct HTTPServiceResponse: Sendable, Hashable {
    /// Status code.
    public var status: Int
    /// Header fields; the length is added.
    public var fields: [HTTPServiceField]
    /// Body.
    public var body: [UInt8]

    /// Makes an answer.
    public init(status: Int, fields: [HTTPServiceField] = [], body: [UInt8] = []) {
        self.status = status
        self.fields = fields
        self.body = body
    }

    /// An answer of one line of text.
    public static func text(_ status: Int, _ line: String, fields: [HTTPServiceField] = []) -> HTTPServiceResponse {
        HTTPServiceResponse(
            status: status, fields: [HTTPServiceField("content-type", "text/plain; charset=utf-8")] + fields,
            body: Array("\(line)\n".utf8))
    }
}
