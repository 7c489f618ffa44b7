public import ClawWire
public import HTTPService

extension HTTPServiceField {
    /// `cache-control: no-store`.
    public static let noStore = HTTPServiceField("cache-control", "no-store")
}

extension HTTPServiceResponse {
    /// An answer in JSON, members in the order given.
    public static func json(
        _ status: Int = 200, _ value: JSONValue, fields: [HTTPServiceField] = []
    ) -> HTTPServiceResponse {
        HTTPServiceResponse(
            status: status, fields: [HTTPServiceField("content-type", "application/json")] + fields,
            body: JSONWriter.bytes(value, order: .asGiven))
    }

    /// A public document that caches may keep, with its entity tag; 304 without a body for whoever has it already
    /// (RFC 9110 section 13.1.2).
    ///
    /// - Parameters:
    ///   - body: the document.
    ///   - mediaType: its media type.
    ///   - maximumAge: for how many seconds it may be kept.
    ///   - request: the request.
    public static func document(
        _ body: [UInt8], mediaType: String = "application/json", maximumAge: Int64, to request: HTTPServiceRequest
    ) -> HTTPServiceResponse {
        let tag = "\"\(Digest(hashing: body).b64u)\""
        let fields = [
            HTTPServiceField("etag", tag),
            HTTPServiceField("cache-control", "public, max-age=\(max(0, maximumAge))"),
        ]
        let known = request.values("if-none-match").flatMap { $0.split(separator: ",") }.map { text in
            let text = text.trimmingPrefix { $0 == " " }
            return String(text.hasPrefix("W/") ? text.dropFirst(2) : text).trimmingSuffix(" ")
        }
        guard !known.contains(tag), !known.contains("*") else {
            return HTTPServiceResponse(status: 304, fields: fields)
        }
        return HTTPServiceResponse(
            status: 200, fields: [HTTPServiceField("content-type", mediaType)] + fields, body: body)
    }
}

extension String {
    fileprivate func trimmingSuffix(_ character: Character) -> String {
        var text = self[...]
        while text.last == character { text.removeLast() }
        return String(text)
    }
}

/// Why a request is not answered with what it asked for.
public struct APIFailure: Error, Sendable, Hashable {
    /// What is wrong; each has one status.
    public enum Kind: Int, Sendable, Hashable, CaseIterable {
        /// The request is not what the route takes.
        case malformed = 400
        /// Nobody is named, or wrongly.
        case unauthenticated = 401
        /// Who asks may not.
        case forbidden = 403
        /// There is nothing here.
        case notFound = 404
        /// The path does not know the method.
        case methodNotAllowed = 405
        /// What is asked for was there and is not any more.
        case gone = 410
        /// The body is too large.
        case tooLarge = 413
        /// The body is of another media type.
        case unsupportedMediaType = 415
        /// Too much was asked.
        case rateLimited = 429
        /// The header is too large.
        case headerTooLarge = 431
        /// Something went wrong that should not have.
        case failed = 500
        /// An option of the specification that is not offered.
        case notImplemented = 501
        /// The answer is not known now.
        case unavailable = 503
    }

    /// What is wrong.
    public let kind: Kind
    /// The machine code of the reference's shape, such as `INVALID_REQUEST`.
    public let code: String
    /// A sentence for people: what happened and what to do. It never holds a secret.
    public let detail: String
    /// Seconds after which asking again may help.
    public let retryAfter: Int?

    /// Makes a failure; `nil` for the kind's own code.
    public init(_ kind: Kind, code: String? = nil, _ detail: String, retryAfter: Int? = nil) {
        self.kind = kind
        self.code = code ?? kind.code
        self.detail = detail
        self.retryAfter = retryAfter
    }

    /// The answer in a shape.
    public func response(_ shape: RouteErrors = .problem) -> HTTPServiceResponse {
        var fields = [HTTPServiceField.noStore]
        if let retryAfter { fields.append(HTTPServiceField("retry-after", String(retryAfter))) }
        switch shape {
        case .problem:
            let body: JSONValue = [
                "type": "about:blank", "title": .string(kind.title), "status": .integer(Int64(kind.rawValue)),
                "detail": .string(detail), "code": .string(code),
            ]
            fields.insert(HTTPServiceField("content-type", "application/problem+json"), at: 0)
            return HTTPServiceResponse(
                status: kind.rawValue, fields: fields, body: JSONWriter.bytes(body, order: .asGiven))
        case .reference:
            return .json(kind.rawValue, ["error": .string(code), "message": .string(detail)], fields: fields)
        case .oauth:
            return .json(
                kind.rawValue, ["error": .string(kind.oauthCode), "error_description": .string(detail)], fields: fields)
        }
    }
}

extension APIFailure.Kind {
    /// The code of the reference's shape; the reference's own where it has one (WIRE section 16).
    var code: String {
        switch self {
        case .malformed: "INVALID_REQUEST"
        case .unauthenticated: "TOKEN_REQUIRED"
        case .forbidden: "TOKEN_INSUFFICIENT_SCOPE"
        case .notFound: "NOT_FOUND"
        case .methodNotAllowed: "METHOD_NOT_ALLOWED"
        case .gone: "NO_LONGER_AVAILABLE"
        case .tooLarge: "PAYLOAD_TOO_LARGE"
        case .unsupportedMediaType: "UNSUPPORTED_MEDIA_TYPE"
        case .rateLimited: "RATE_LIMITED"
        case .headerTooLarge: "HEADER_TOO_LARGE"
        case .failed: "INTERNAL_ERROR"
        case .notImplemented: "NOT_IMPLEMENTED"
        case .unavailable: "TEMPORARILY_UNAVAILABLE"
        }
    }

    /// RFC 9110's words.
    var title: String {
        switch self {
        case .malformed: "Bad Request"
        case .unauthenticated: "Unauthorized"
        case .forbidden: "Forbidden"
        case .notFound: "Not Found"
        case .methodNotAllowed: "Method Not Allowed"
        case .gone: "Gone"
        case .tooLarge: "Content Too Large"
        case .unsupportedMediaType: "Unsupported Media Type"
        case .rateLimited: "Too Many Requests"
        case .headerTooLarge: "Request Header Fields Too Large"
        case .failed: "Internal Server Error"
        case .notImplemented: "Not Implemented"
        case .unavailable: "Service Unavailable"
        }
    }

    /// RFC 6749 section 5.2, RFC 6750 section 3.1 and RFC 6749 section 4.1.2.1 for what is not there.
    var oauthCode: String {
        switch self {
        case .unauthenticated: "invalid_token"
        case .forbidden: "insufficient_scope"
        case .rateLimited, .unavailable: "temporarily_unavailable"
        case .failed: "server_error"
        case .malformed, .notFound, .methodNotAllowed, .gone, .tooLarge, .unsupportedMediaType, .headerTooLarge,
            .notImplemented:
            "invalid_request"
        }
    }
}
