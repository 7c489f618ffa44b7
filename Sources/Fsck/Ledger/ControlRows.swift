import ClawWire

/// Holds the ledger's control events, and the position under which decisions are taken, against the receipts of control
/// events: what the ledger does not know stops nothing.
struct ControlRows {
    private static let page = 1_000
    /// Members of an event that its receipt repeats to the letter.
    private static let repeated = [
        "data", "declared_at", "incident", "operation", "origin", "reason", "record_sha256_b64u",
    ]

    private let plan: FsckPlan
    private let book: FindingBook
    private let source: any LedgerSource
    private let events: [Int64: ControlEventText]
    private let last: Int64
    private let isWhole: Bool

    /// Takes what the log says.
    ///
    /// - Parameters:
    ///   - events: the control events of the log that were looked at.
    ///   - isWhole: true when everything from the first receipt of the log on was looked at.
    init(
        _ plan: FsckPlan, _ book: FindingBook, _ source: any LedgerSource, events: [ControlEventText], isWhole: Bool
    ) {
        self.plan = plan
        self.book = book
        self.source = source
        self.isWhole = isWhole
        // Two events in one position are told elsewhere.
        self.events = Dictionary(events.map { ($0.position, $0) }) { first, _ in first }
        last = events.map(\.position).max() ?? 0
    }

    func run() async throws {
        let state = try await source.controlPosition()
        if state.position != state.lastEvent {
            book.add(
                .ledgerControlPosition, at: "clawgrant.control_state",
                "control_position is \(state.position), the last control event of the ledger has \(state.lastEvent)")
        }
        var found: Set<Int64> = []
        var after = ""
        while true {
            let page = try await source.controlEvents(after: after, limit: Self.page)
            for row in page {
                check(row)
                if let position = row.position { found.insert(position) }
            }
            guard let end = page.last, page.count == Self.page else { break }
            after = end.id
        }
        for (position, event) in events.sorted(by: { $0.key < $1.key }) where !found.contains(position) {
            book.add(
                .ledgerControlMissing, at: event.place.text,
                "the ledger has no control event in position \(position): \(event.operation) of "
                    + "\(Place.quoted(event.handle)) holds nothing there")
        }
    }

    private func check(_ row: LedgerControlEvent) {
        let place = "clawgrant.control_event \(Place.quoted(row.id))"
        for secret in SecretScan.secrets(in: row.body) { SecretAudit.report(secret, book, at: place) }
        guard let position = row.position else {
            book.add(.ledgerControlDiffers, at: place, "position is not there")
            return
        }
        guard let event = events[position] else {
            // Behind the last receipt it may be on its way.
            if isWhole, plan.isSettled || position <= last {
                book.add(
                    .ledgerControlWithoutReceipt, at: place,
                    "the ledger has it in control position \(position), and the log has no receipt of it")
            }
            return
        }
        let strangers = differences(row, event)
        if !strangers.isEmpty {
            book.add(
                .ledgerControlDiffers, at: place,
                "\(strangers.joined(separator: ", ")) differ from \(event.place.text)")
        }
    }

    private func differences(_ row: LedgerControlEvent, _ event: ControlEventText) -> [String] {
        var names: [String] = []
        let payload = event.payload
        let id = payload.string("event_id") ?? ""
        // An identifier that was used before for another event stands with a mark behind it.
        if row.id != id, !row.id.hasPrefix("\(id)#") { names.append("event_id") }
        if row.operation != event.operation { names.append("operation") }
        if row.handle != event.handle { names.append("handle") }
        if row.result != payload.string("result") { names.append("result") }
        if Digest(hashing: row.body).bytes != row.digest { names.append("event_digest") }
        guard let body = try? Members(row.body) else { return names + ["body"] }
        if body.string("event_id") != id { names.append("body.event_id") }
        for name in Self.repeated where body.raw(name) != payload.raw(name) { names.append("body.\(name)") }
        if Self.declarers(body) != Set(payload.strings("declared_by") ?? []) { names.append("body.declared_by") }
        return names
    }

    /// Who declared an event, as its receipt names them: without case, and whoever was at the ledger where nobody is
    /// named.
    private static func declarers(_ body: Members) -> Set<String> {
        let people = (body.objects("declared_by") ?? []).compactMap { $0.string("id")?.lowercased() }
        guard people.isEmpty, let person = body.object("origin")?.string("by") else { return Set(people) }
        return [person.lowercased()]
    }
}
