/// How far the replies to one pipeline have come. Pure: it is told what libpq returned and says what that means.
///
/// In pipeline mode libpq answers every queued request with one result and an end mark, skips the requests after a
/// failed one, and answers the Sync with a result of its own and no end mark. A deferred constraint may still fail at
/// the Sync.
struct PipelineProgress {
    /// What was queued, in order, before the Sync.
    enum Request {
        /// A statement to prepare on this connection.
        case prepare(PreparedStatement)
        /// BEGIN, COMMIT or another command of ours, whose result nobody reads.
        case control(String)
        /// A step of the caller's.
        case step(PipelineStep)
    }

    /// What libpq returned.
    enum Reply {
        case result(PostgresResult)
        case failure(PostgresError)
        case skipped
        case endMark
        case synchronized
    }

    enum Verdict: Equatable {
        case more
        case complete
        /// The replies do not fit the requests; the connection cannot be trusted any more.
        case violation(String)
    }

    private enum Expectation { case reply, endMark }

    private let requests: [Request]
    private var position = 0
    private var expectation = Expectation.reply

    /// Results of the caller's steps so far.
    private(set) var results: [PostgresResult] = []
    /// The first failure.
    private(set) var failure: PostgresError?
    /// Statements that the server has prepared.
    private(set) var prepared: [PreparedStatement] = []
    /// Whether COMMIT was answered with success.
    private(set) var isCommitted = false

    init(_ requests: [Request]) {
        self.requests = requests
    }

    mutating func receive(_ reply: Reply) -> Verdict {
        switch (expectation, reply) {
        case (.endMark, .endMark):
            expectation = .reply
            position += 1
            return .more
        case (.endMark, .result), (.endMark, .failure), (.endMark, .skipped), (.endMark, .synchronized):
            return .violation("a second reply to one request")
        case (.reply, .synchronized):
            return position == requests.count ? .complete : .violation("the pipeline ended before its last request")
        case (.reply, .failure(let error)):
            fail(error)
        case (.reply, .result(let result)):
            guard position < requests.count else { return .violation("a result without a request") }
            accept(result, for: requests[position])
        case (.reply, .skipped):
            guard failure != nil, position < requests.count else { return .violation("a request was skipped") }
        case (.reply, .endMark):
            // After a failure at the Sync itself libpq may give an end mark before the Sync's own result.
            return position == requests.count && failure != nil ? .more : .violation("an end mark without a reply")
        }
        expectation = position < requests.count ? .endMark : .reply
        return .more
    }

    private mutating func accept(_ result: PostgresResult, for request: Request) {
        switch request {
        case .prepare(let statement): prepared.append(statement)
        case .step: results.append(result)
        case .control("COMMIT"):
            // A failed transaction answers COMMIT with success and the tag ROLLBACK.
            if result.commandTag == "COMMIT" {
                isCommitted = true
            } else {
                fail(
                    PostgresError(
                        .server, "the server rolled the failed transaction back", sqlState: .inFailedTransaction))
            }
        case .control: break
        }
    }

    private mutating func fail(_ error: PostgresError) {
        guard failure == nil else { return }
        guard position < requests.count else {
            failure = error.named("COMMIT")
            return
        }
        switch requests[position] {
        case .prepare(let statement): failure = error.named(statement.name)
        case .control(let command): failure = error.named(PipelineStep.firstWord(command))
        case .step(let step): failure = error.named(step.name)
        }
    }
}
