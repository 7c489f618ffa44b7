import ClawWire
import GrantLedger
import GrantWorker
import IssuanceRules
import Kafka
import Primitives

/// Everything that the console shows, read from the ledger. What is asked for by many is read once.
final class ConsoleReader: Sendable {
    /// Rows of a page of a list.
    static let pageRows = 50

    private let ledger: any ConsoleLedger
    private let rules: RuleSet
    private let inputEnds: (any ConsoleInputEnds)?
    private let feed: DecisionFeed
    /// What is known of the control orders, and of which database.
    private let control = Lock<(state: ControlState, incarnation: LedgerIncarnation?)>((.none, nil))
    private let standings: SharedAnswers<(standing: ConsoleStanding, control: ControlState)>
    private let tallies: SharedAnswers<ConsoleTallies>
    private let ends: SharedAnswers<[TopicPartition: Int64]>
    private let pages: SharedAnswers<JSONValue>

    init(ledger: any ConsoleLedger, rules: RuleSet, inputEnds: (any ConsoleInputEnds)?) {
        self.ledger = ledger
        self.rules = rules
        self.inputEnds = inputEnds
        feed = DecisionFeed(ledger)
        // Two sessions of the pool at most, so that looking never keeps the worker from deciding.
        let gate = ReadingGate(width: 2, longestLine: 64)
        standings = SharedAnswers(lifetime: .seconds(1), capacity: 1, gate: gate)
        tallies = SharedAnswers(lifetime: .seconds(5), capacity: 1, gate: gate)
        pages = SharedAnswers(lifetime: .seconds(1), capacity: 64, gate: gate)
        // The broker is asked, not the ledger.
        ends = SharedAnswers(lifetime: .seconds(5), capacity: 1, gate: ReadingGate(width: 1, longestLine: 64))
    }

    // MARK: How things stand

    /// How things stand, and the ledger's clock.
    func overview(
        _ settings: ConsoleView.Settings
    ) async throws -> (document: JSONValue, now: Timestamp) {
        let (standing, control) = try await standing()
        let tallies = await counted()
        let partitions = standing.partitions.map { TopicPartition(topic: $0.topic, partition: $0.number) }
        // A broker that is away must not keep the rest from being seen.
        let ends: [TopicPartition: Int64]? =
            if let inputEnds {
                try? await self.ends.answer("ends") { await inputEnds.ends(of: partitions) }
            } else {
                nil
            }
        let view = ConsoleView(
            standing: standing, control: control, tallies: tallies, ends: ends ?? [:],
            latest: try await decisions(FeedFilter(), before: nil)["decisions"]?.array?.first, rules: rules,
            settings: settings)
        return (view.document, standing.now)
    }

    /// Counts, or `nil` while they cannot be had in time: what is stopped must be seen all the same.
    private func counted() async -> ConsoleTallies? {
        try? await tallies.answer("tallies") { [ledger] in try await ledger.consoleTallies() }
    }

    func standing() async throws -> (standing: ConsoleStanding, control: ControlState) {
        try await standings.answer("standing") { [self] in
            let known = control.withLock { $0 }
            let standing = try await ledger.consoleStanding(ordersAfter: known.state.position)
            guard known.state.position == 0 || standing.incarnation == known.incarnation else {
                // Restored, or a replica that gave positions which are known here to other events.
                let all = try await ledger.consoleStanding(ordersAfter: 0)
                return (all, try remember(ControlState.none, all))
            }
            return (standing, try remember(known.state, standing))
        }
    }

    private func remember(_ known: ControlState, _ standing: ConsoleStanding) throws -> ControlState {
        let orders = try standing.orders.map { row in
            do {
                return try ControlOrder(key: row.key, body: row.body, position: row.position)
            } catch {
                throw LedgerError(.corrupted, "the control order \(row.key) does not read: \(error)")
            }
        }
        var state = known
        state.advance(to: standing.controlPosition, with: orders)
        control.withLock { $0 = (state, standing.incarnation) }
        return state
    }

    // MARK: Lists

    func decisions(_ filter: FeedFilter, before place: FeedPlace?) async throws -> JSONValue {
        try await pages.answer("decisions \(place?.text ?? "") \(filter.key)") { [feed] in
            let page = try await feed.page(filter, before: place, limit: Self.pageRows)
            return [
                "decisions": .array(page.entries.map(\.document)), "next": .optional(page.next?.text),
                "searched_to": .optional(page.searchedTo?.iso8601), "is_cut_short": .bool(page.isCutShort),
            ]
        }
    }

    func waiting(after place: ConsolePlace?) async throws -> JSONValue {
        let control = try await standing().control
        return try await pages.answer("waiting \(place.map { ListPlace.text($0) } ?? "")") { [ledger, rules] in
            let waiting = try await ledger.consoleWaiting(after: place, limit: Self.pageRows)
            let reasons = WaitingReasons(waiting, rules, control)
            let last = waiting.requests.last.flatMap { request in
                request.waitUntil.map { ConsolePlace(time: $0, requestID: request.requestID) }
            }
            return [
                "requests": .array(
                    waiting.requests.map { request in
                        WaitingRow(
                            request, reasons.decision(on: request), waiting.confirmations, rules
                        ).document
                    }),
                "next": waiting.requests.count < Self.pageRows ? .null : .optional(last.map { ListPlace.text($0) }),
            ]
        }
    }

    func liveTokens(of jobClass: JobClass?, after place: ConsolePlace?) async throws -> JSONValue {
        let key = JSONWriter.text([.optional(jobClass?.rawValue), .optional(place.map { ListPlace.text($0) })])
        return try await pages.answer("live \(key)") { [ledger] in
            let requests = try await ledger.consoleLiveTokens(of: jobClass, after: place, limit: Self.pageRows)
            let last = requests.last.flatMap { request in
                request.token.map { ConsolePlace(time: $0.expiresAt, requestID: request.requestID) }
            }
            return [
                "tokens": .array(requests.compactMap(ListRow.liveToken)),
                "next": requests.count < Self.pageRows ? .null : .optional(last.map { ListPlace.text($0) }),
            ]
        }
    }

    func find(_ text: String) async throws -> JSONValue {
        try await pages.answer("find \(text)") { [ledger] in
            let matches = try await ledger.consoleFind(text)
            return [
                "matches": .array(
                    matches.map { ["by": .string($0.name.rawValue), "request_id": .string($0.requestID.rawValue)] })
            ]
        }
    }

    /// A request's story; `nil` when the ledger has no such request.
    func request(_ id: RequestID) async throws -> JSONValue? {
        let (standing, control) = try await standing()
        let document = try await pages.answer("request \(id)") { [ledger, rules] in
            guard let found = try await ledger.consoleRequest(id) else { return .null }
            return RequestDocument(found, rules, control, at: standing.now).document
        }
        // Not `nil`, which would be read as a JSON null.
        return document.isNull ? Optional.none : .some(document)
    }
}

/// A place of a list in an address.
enum ListPlace {
    /// From 1970 to 2100, in microseconds.
    private static let times: Range<Int64> = 0..<4_102_444_800_000_000

    static func text(_ place: ConsolePlace) -> String {
        "\(place.time.microseconds).\(Base64URL.encode(Array(place.requestID.rawValue.utf8)))"
    }

    static func place(_ text: String) -> ConsolePlace? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard text.utf8.count <= 2_048, parts.count == 2, let time = Int64(parts[0]), times.contains(time),
            let id = Base64URL.decode(parts[1]).flatMap({ String(validating: $0, as: UTF8.self) })
        else { return nil }
        return ConsolePlace(time: Timestamp(microseconds: time), requestID: RequestID(id))
    }
}
