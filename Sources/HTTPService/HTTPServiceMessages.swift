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

    /// Whether it has a name, which compares without case.
    func isNamed(_ other: String) -> Bool {
        let (left, right) = (name.utf8, other.utf8)
        return left.count == right.count && zip(left, right).allSatisfy { Self.lowercased($0) == Self.lowercased($1) }
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}

/// The certificate that a client has shown and proven, of an authority that is let in.
public struct HTTPClientCertificate: Sendable, Hashable {
    /// SHA-256 of its DER form, base64url: `x5t#S256` of RFC 8705 section 3.1.
    public let thumbprint: String
    /// Its alternative names: `dns:` and `uri:` with the name behind it.
    public let names: [String]

    /// Makes a certificate.
    public init(thumbprint: String, names: [String] = []) {
        self.thumbprint = thumbprint
        self.names = names
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
    /// The certificate of the connection's client; `nil` where none was asked for or shown.
    public let client: HTTPClientCertificate?

    /// Makes a request.
    public init(
        method: String, path: String, query: String? = nil, fields: [HTTPServiceField] = [], body: [UInt8] = [],
        peer: String? = nil, client: HTTPClientCertificate? = nil
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.fields = fields
        self.body = body
        self.peer = peer
        self.client = client
    }

    /// The value of the first field of a name, which compares without case.
    public func field(_ name: String) -> String? { fields.first { $0.isNamed(name) }?.value }

    /// The values of all fields of a name, in order.
    public func values(_ name: String) -> [String] { fields.filter { $0.isNamed(name) }.map(\.value) }
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
