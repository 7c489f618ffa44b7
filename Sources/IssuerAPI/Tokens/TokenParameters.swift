import ClawWire
import HTTPService

/// The parameters of introspection and revocation.
struct TokenParameters: Sendable {
    /// The token.
    let token: String

    /// Reads a form (RFC 7662 section 2.1, RFC 7009 section 2.1). `token_type_hint` and parameters that are not known are
    /// ignored, as both ask; one that stands twice is refused (RFC 6749 section 3.2).
    init(form request: HTTPServiceRequest) throws(APIFailure) {
        guard Self.mediaType(request) == "application/x-www-form-urlencoded" else {
            throw APIFailure(
                .unsupportedMediaType, "the body is a form: send it as application/x-www-form-urlencoded")
        }
        guard let pairs = FormText.pairs(request.body) else {
            throw APIFailure(.malformed, "the form does not decode")
        }
        guard Set(pairs.map(\.name)).count == pairs.count else {
            throw APIFailure(.malformed, "a parameter of the form stands twice")
        }
        guard let token = pairs.first(where: { $0.name == "token" })?.value, !token.isEmpty else {
            throw APIFailure(.malformed, "the parameter token is missing")
        }
        self.token = token
    }

    /// Reads a JSON object, as the reference's routes take it.
    static func json(_ request: HTTPServiceRequest) throws(APIFailure) -> JSONObject {
        guard mediaType(request) == "application/json" else {
            throw APIFailure(
                .unsupportedMediaType, "the body is JSON: send it as application/json")
        }
        let value: JSONValue
        do {
            value = try JSONReader.parse(
                request.body,
                limits: JSONLimits(
                    maximumBytes: request.body.count, maximumDepth: 8, maximumStringBytes: request.body.count))
        } catch {
            throw APIFailure(.malformed, code: "INVALID_JSON", "the body is no JSON: \(error.description)")
        }
        guard let object = value.object else { throw APIFailure(.malformed, "the body is no object") }
        return object
    }

    private static func mediaType(_ request: HTTPServiceRequest) -> String? {
        request.field("content-type")?.split(separator: ";").first.map { ExactText.trimmed(String($0)).lowercased() }
    }
}
