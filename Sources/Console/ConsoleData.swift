import ClawWire
import GrantLedger
import HTTPService
import IssuerAPI
import Logging
import Observability

/// The data of the console's pages.
struct ConsoleData: Sendable {
    let reader: ConsoleReader
    let settings: ConsoleView.Settings
    let logger: Logger

    /// Longest text that is looked for.
    private static let longestText = 512

    func overview(_ request: RouteRequest) async -> HTTPServiceResponse {
        await answer("overview") {
            let (document, now) = try await reader.overview(settings)
            return ConsoleAnswer.tagged(
                document, for: request, fields: [HTTPServiceField("x-console-as-of", now.iso8601)])
        }
    }

    func decisions(_ request: RouteRequest) async -> HTTPServiceResponse {
        await answer("decisions") {
            var filter = FeedFilter()
            filter.outcomes = try outcomes(request)
            filter.jobClass = try text("class", request)
            filter.agent = try text("agent", request)
            filter.approval = try text("approval", request)
            filter.text = try text("text", request)?.lowercased()
            let before = try text("before", request).map { text throws(Unreadable) in
                guard let place = FeedPlace(text) else { throw Unreadable("before", Self.place) }
                return place
            }
            return ConsoleAnswer.tagged(try await reader.decisions(filter, before: before), for: request)
        }
    }

    private func outcomes(_ request: RouteRequest) throws(Unreadable) -> Set<FeedOutcome> {
        switch try text("outcome", request) {
        case nil, "decisions": return FeedOutcome.decisions
        case "all": return Set(FeedOutcome.allCases)
        case let names?:
            var outcomes: Set<FeedOutcome> = []
            for name in names.split(separator: ",") {
                guard let outcome = FeedOutcome(rawValue: String(name)) else {
                    let known = FeedOutcome.allCases.map(\.rawValue).joined(separator: ", ")
                    throw Unreadable("outcome", "all, decisions, or some of \(known)")
                }
                outcomes.insert(outcome)
            }
            return outcomes
        }
    }

    func waiting(_ request: RouteRequest) async -> HTTPServiceResponse {
        await answer("waiting") {
            ConsoleAnswer.tagged(try await reader.waiting(after: try after(request)), for: request)
        }
    }

    func liveTokens(_ request: RouteRequest) async -> HTTPServiceResponse {
        await answer("live tokens") {
            let jobClass = try text("class", request).map { JobClass($0) }
            return ConsoleAnswer.tagged(
                try await reader.liveTokens(of: jobClass, after: try after(request)), for: request)
        }
    }

    func find(_ request: RouteRequest) async -> HTTPServiceResponse {
        await answer("a name") {
            ConsoleAnswer.tagged(try await reader.find(try required("q", request)), for: request)
        }
    }

    func request(_ request: RouteRequest) async -> HTTPServiceResponse {
        await answer("a request") {
            guard let document = try await reader.request(RequestID(try required("id", request))) else {
                return ConsoleAnswer.refusal(
                    404, "no_such_request",
                    "the ledger has no such request; check its id, whether a worker has read it, and whether it went to "
                        + "the dead letters")
            }
            return ConsoleAnswer.tagged(document, for: request)
        }
    }

    // MARK: Arguments

    /// An argument that says nothing; what is not understood is never passed over.
    private struct Unreadable: Error {
        let name: String
        let expected: String

        init(_ name: String, _ expected: String) {
            self.name = name
            self.expected = expected
        }
    }

    private static let place = "a place from `next`"

    /// A text of the query that can stand in the database; `nil` when it is absent or empty.
    private func text(_ name: String, _ request: RouteRequest) throws(Unreadable) -> String? {
        let values = request.query.filter { $0.name == name }.map(\.value)
        guard let text = values.first, values.count == 1, text.utf8.count <= Self.longestText,
            !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F })
        else {
            if values.isEmpty { return nil }
            throw Unreadable(name, "one text of at most \(Self.longestText) bytes on one line")
        }
        return text.isEmpty ? nil : text
    }

    private func required(_ name: String, _ request: RouteRequest) throws(Unreadable) -> String {
        guard let text = try text(name, request) else { throw Unreadable(name, "an identifier") }
        return text
    }

    private func after(_ request: RouteRequest) throws(Unreadable) -> ConsolePlace? {
        guard let text = try text("after", request) else { return nil }
        guard let place = ListPlace.place(text) else { throw Unreadable("after", Self.place) }
        return place
    }

    /// Answers, or says why it cannot. What the database said is for the log, not for the page.
    private func answer(
        _ what: String, _ make: () async throws -> HTTPServiceResponse
    ) async -> HTTPServiceResponse {
        do {
            return try await make()
        } catch let error as Unreadable {
            return ConsoleAnswer.refusal(
                400, "argument", "the argument \(error.name) does not read; expected is \(error.expected)")
        } catch is ReadingGate.Busy {
            return ConsoleAnswer.refusal(503, "busy", "too many consoles ask at once; this one asks again by itself")
        } catch is CancellationError {
            return ConsoleAnswer.refusal(503, "stopping", "this worker is leaving; ask another one")
        } catch {
            logger.log(.consoleUnanswered, metadata: ["what": "\(what)", "reason": "\(error)"])
            return ConsoleAnswer.refusal(
                503, "ledger_unavailable",
                "the ledger does not answer; what is shown is older, and no worker that cannot reach it issues anything"
            )
        }
    }
}
