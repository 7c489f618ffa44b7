import ClawWire
import GrantLedger
import HTTPService
import IssuerAPI
import Logging

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
        var filter = FeedFilter()
        if let names = text("outcome", request), names != "decisions" {
            let chosen = names.split(separator: ",").map { FeedOutcome(rawValue: String($0)) }
            guard names == "all" || !chosen.contains(nil) else {
                return Self.unreadable(
                    "outcome", "all, decisions, or some of " + FeedOutcome.allCases.map(\.rawValue).joined(separator: ", "))
            }
            filter.outcomes = names == "all" ? Set(FeedOutcome.allCases) : Set(chosen.compactMap(\.self))
        }
        filter.jobClass = text("class", request)
        filter.agent = text("agent", request)
        filter.approval = text("approval", request)
        filter.text = text("text", request)?.lowercased()
        var before: FeedPlace?
        if let place = text("before", request) {
            guard let place = FeedPlace(place) else { return Self.unreadable("before", "a place from `next`") }
            before = place
        }
        return await answer("decisions") {
            ConsoleAnswer.tagged(try await reader.decisions(filter, before: before), for: request)
        }
    }

    func waiting(_ request: RouteRequest) async -> HTTPServiceResponse {
        guard let place = Self.place(text("after", request)) else {
            return Self.unreadable("after", "a place from `next`")
        }
        return await answer("waiting") {
            ConsoleAnswer.tagged(try await reader.waiting(after: place.value), for: request)
        }
    }

    func liveTokens(_ request: RouteRequest) async -> HTTPServiceResponse {
        guard let place = Self.place(text("after", request)) else {
            return Self.unreadable("after", "a place from `next`")
        }
        let jobClass = text("class", request).map { JobClass($0) }
        return await answer("live tokens") {
            ConsoleAnswer.tagged(try await reader.liveTokens(of: jobClass, after: place.value), for: request)
        }
    }

    func find(_ request: RouteRequest) async -> HTTPServiceResponse {
        guard let name = text("q", request) else {
            return Self.unreadable("q", "an identifier of 1 to \(Self.longestText) bytes")
        }
        return await answer("a name") { ConsoleAnswer.tagged(try await reader.find(name), for: request) }
    }

    func request(_ request: RouteRequest) async -> HTTPServiceResponse {
        guard let id = text("id", request) else {
            return Self.unreadable("id", "a request's identifier of 1 to \(Self.longestText) bytes")
        }
        return await answer("a request") {
            guard let document = try await reader.request(RequestID(id)) else {
                return ConsoleAnswer.refusal(
                    404, "no_such_request",
                    "the ledger has no such request; check its id, whether a worker has read it, and whether it went to "
                        + "the dead letters")
            }
            return ConsoleAnswer.tagged(document, for: request)
        }
    }

    // MARK: Arguments

    /// A text of the query that is not empty and can stand in the database.
    private func text(_ name: String, _ request: RouteRequest) -> String? {
        guard let text = request.query(name), !text.isEmpty, text.utf8.count <= Self.longestText,
            !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F })
        else { return nil }
        return text
    }

    /// A place that was given and reads, or none; `nil` for one that does not read.
    private static func place(_ text: String?) -> (value: ConsolePlace?, Void)? {
        guard let text else { return (nil, ()) }
        return ListPlace.place(text).map { ($0, ()) }
    }

    private static func unreadable(_ name: String, _ expected: String) -> HTTPServiceResponse {
        ConsoleAnswer.refusal(400, "argument", "the argument \(name) does not read; expected is \(expected)")
    }

    /// Answers, or says why it cannot. What the database said is for the log, not for the page.
    private func answer(
        _ what: String, _ make: () async throws -> HTTPServiceResponse
    ) async -> HTTPServiceResponse {
        do {
            return try await make()
        } catch is ReadingGate.Busy {
            return ConsoleAnswer.refusal(503, "busy", "too many consoles ask at once; this one asks again by itself")
        } catch is CancellationError {
            return ConsoleAnswer.refusal(503, "stopping", "this worker is leaving; ask another one")
        } catch {
            logger.warning("the console could not be answered", metadata: ["what": "\(what)", "reason": "\(error)"])
            return ConsoleAnswer.refusal(
                503, "ledger_unavailable",
                "the ledger does not answer; what is shown is older, and no worker that cannot reach it issues anything")
        }
    }
}
