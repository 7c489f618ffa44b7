import AsyncHTTPClient
import HTTPAnswers
import NIOCore
import NIOHTTP1

/// One question over HTTP and its answer, with bounds on time and size. Redirects are not followed: a token goes where it
/// was meant to go.
struct HTTPTransport: Sendable {
    /// What is asked.
    enum Question: Sendable {
        case get(String, token: AccessToken, requestID: String)
        case post(String, form: [UInt8])
    }

    /// What came back.
    struct Answer: Sendable {
        let status: Int
        let body: [UInt8]
        let requestID: String?
        let retryAfter: Duration?
    }

    let client: HTTPClient
    let settings: GraphSettings

    init(_ settings: GraphSettings) {
        self.settings = settings
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.timeout.connect = Self.amount(settings.connectTimeout)
        configuration.timeout.read = Self.amount(settings.answerTimeout)
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    private static func amount(_ duration: Duration) -> TimeAmount {
        .milliseconds(Int64(duration / .milliseconds(1)))
    }

    func send(_ question: Question, what: String) async throws(GraphError) -> Answer {
        var request: HTTPClientRequest
        switch question {
        case .get(let address, let token, let requestID):
            request = HTTPClientRequest(url: address)
            request.headers.add(name: "authorization", value: "Bearer \(token.text)")
            request.headers.add(name: "client-request-id", value: requestID)
        case .post(let address, let form):
            request = HTTPClientRequest(url: address)
            request.method = .POST
            request.headers.add(name: "content-type", value: "application/x-www-form-urlencoded")
            request.body = .bytes(form)
        }
        request.headers.add(name: "accept", value: "application/json")
        request.headers.add(name: "user-agent", value: "clawgrant")
        let deadline = ContinuousClock.now + settings.answerTimeout
        do {
            let response = try await client.execute(request, timeout: Self.amount(settings.answerTimeout))
            let body = try await response.bytes(upTo: settings.maximumAnswerBytes, by: deadline)
            return Answer(
                status: Int(response.status.code), body: body,
                requestID: Self.identifier(response.headers.first(name: "request-id")),
                retryAfter: Self.seconds(response.headers.first(name: "retry-after")))
        } catch is CancellationError {
            throw GraphError(.unavailable, "\(what) was cut short")
        } catch is NIOTooManyBytesError {
            throw GraphError(.malformed, "\(what): the answer is larger than \(settings.maximumAnswerBytes) bytes")
        } catch let error as HTTPClientError {
            let late: [HTTPClientError] = [
                .connectTimeout, .readTimeout, .deadlineExceeded, .getConnectionFromPoolTimeout,
            ]
            throw GraphError(late.contains(error) ? .timeout : .unavailable, "\(what): \(error.shortDescription)")
        } catch {
            throw GraphError(.unavailable, "\(what): no connection (\(type(of: error)))")
        }
    }

    /// The service's name for a request, when it is one: it goes into logs and the ledger.
    private static func identifier(_ text: String?) -> String? {
        guard let text, (1...64).contains(text.utf8.count),
            text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") })
        else { return nil }
        return text
    }

    /// `Retry-After` in seconds; a date is taken for a minute.
    private static func seconds(_ text: String?) -> Duration? {
        guard let text, !text.isEmpty else { return nil }
        guard let seconds = Int64(text) else { return .seconds(60) }
        return .seconds(min(max(seconds, 0), 3_600))
    }

    /// Closes without waiting; nothing happens to a client that is closed.
    func abandon() { client.shutdown { _ in } }

    func close() async { try? await client.shutdown() }
}
