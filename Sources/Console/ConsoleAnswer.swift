import ClawWire
import HTTPService
import IssuerAPI

/// Answers of the console, all with the fields that keep a page from being framed or told on. The router adds `nosniff` to
/// these as to every answer.
enum ConsoleAnswer {
    /// Nothing but our own files, no inline code, no frames, no forms that leave, no markup from strings.
    static let policy = [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
        "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ].joined(separator: "; ")

    private static let guards = [
        HTTPServiceField("content-security-policy", policy), HTTPServiceField("referrer-policy", "no-referrer"),
        HTTPServiceField("x-frame-options", "DENY"),
        HTTPServiceField("cross-origin-opener-policy", "same-origin"),
        HTTPServiceField("cross-origin-resource-policy", "same-origin"),
        HTTPServiceField(
            "permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()"),
    ]

    /// A file of the page.
    static func file(_ body: [UInt8], type: String, caching: String, tag: String? = nil) -> HTTPServiceResponse {
        HTTPServiceResponse(
            status: 200,
            fields: guards + [HTTPServiceField("content-type", type), HTTPServiceField("cache-control", caching)]
                + [tag.map { HTTPServiceField("etag", $0) }].compactMap(\.self), body: body)
    }

    /// An object that no cache keeps.
    static func document(
        _ value: JSONValue, status: Int = 200, fields: [HTTPServiceField] = []
    ) -> HTTPServiceResponse {
        HTTPServiceResponse(
            status: status,
            fields: guards + [
                HTTPServiceField("content-type", "application/json"), HTTPServiceField("cache-control", "no-store"),
            ] + fields, body: JSONWriter.bytes(value))
    }

    /// An object with its tag; nothing but the tag when the asker has it already.
    static func tagged(
        _ value: JSONValue, for request: RouteRequest, fields: [HTTPServiceField] = []
    ) -> HTTPServiceResponse {
        var response = document(value, fields: fields)
        let tag = "\"\(Digest(hashing: response.body).b64u.prefix(22))\""
        response.fields.append(HTTPServiceField("etag", tag))
        let known = (request.http.field("if-none-match") ?? "").split(separator: ",").map {
            $0.drop { $0 == " " }.prefix { $0 != " " }
        }
        guard known.contains(where: { $0 == tag || $0 == "W/\(tag)" }) else { return response }
        response.status = 304
        response.body = []
        response.fields.removeAll { $0.name == "content-type" }
        return response
    }

    /// A refusal that says what happened and what to do.
    static func refusal(_ status: Int, _ code: String, _ message: String) -> HTTPServiceResponse {
        document(["error": ["code": .string(code), "message": .string(message)]], status: status)
    }

    static let notSignedIn = refusal(
        401, "not_signed_in", "nobody is signed in here, or the session is over; sign in again")

    static let foreign = refusal(
        403, "foreign_request",
        "the request does not come from a page of this console; open /console and do it there")
}
