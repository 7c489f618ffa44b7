import ClawWire
import HTTPService
import ReceiptLog

/// Answers of the routes for evidence, claims, preflights and health, in their common forms.
enum JSONReply {
    /// An answer as RFC 8785 text: the same value gives the same bytes.
    static func ok(_ value: JSONValue, fields: [HTTPServiceField] = []) -> HTTPServiceResponse {
        body(200, value, fields: fields)
    }

    static func body(_ status: Int, _ value: JSONValue, fields: [HTTPServiceField] = []) -> HTTPServiceResponse {
        HTTPServiceResponse(
            status: status, fields: [HTTPServiceField("content-type", "application/json")] + fields,
            body: JSONWriter.bytes(value, order: .canonical))
    }

    /// A refusal in the form of RFC 6749 section 5.2: a code for programs, a sentence for people.
    static func refusal(
        _ status: Int, _ code: String, _ sentence: String, fields: [HTTPServiceField] = []
    ) -> HTTPServiceResponse {
        body(
            status, ["error": .string(code), "error_description": .string(sentence)], fields: [.noStore] + fields)
    }

    // MARK: Caching

    /// An answer that never changes: kept for a year, known by the digest of its body.
    static func immutable(_ response: HTTPServiceResponse, for request: HTTPServiceRequest) -> HTTPServiceResponse {
        cached(response, for: request, control: "public, max-age=31536000, immutable")
    }

    /// An answer that changes: asked for again each time, and not sent again when it is the same.
    static func revalidated(_ response: HTTPServiceResponse, for request: HTTPServiceRequest) -> HTTPServiceResponse {
        cached(response, for: request, control: "public, no-cache")
    }

    private static func cached(
        _ response: HTTPServiceResponse, for request: HTTPServiceRequest, control: String
    ) -> HTTPServiceResponse {
        let tag = "\"\(Digest(hashing: response.body).b64u)\""
        let fields = [HTTPServiceField("cache-control", control), HTTPServiceField("etag", tag)]
        if names(tag, in: request.field("if-none-match")) { return HTTPServiceResponse(status: 304, fields: fields) }
        var response = response
        response.fields += fields
        return response
    }

    /// Whether a field `If-None-Match` (RFC 9110 section 13.1.2) names a tag; the comparison is weak.
    private static func names(_ tag: String, in field: String?) -> Bool {
        guard let field, field.utf8.count <= 4_096 else { return false }
        return field.split(separator: ",").contains { part in
            var part = part.drop { $0 == " " || $0 == "\t" }
            while part.last == " " || part.last == "\t" { part.removeLast() }
            if part.hasPrefix("W/") { part = part.dropFirst(2) }
            return part == "*" || part == tag
        }
    }
}
