import ClawWire

/// Proves P2 from the log alone: every grant says after which control event it was decided, and every control event
/// says how many grants precede it.
///
/// Grants are sorted by control position on disk. Control events are kept in memory, some hundred bytes each: they are
/// what people declare, not what jobs ask for.
final class StopAudit {
    private static let scopeCount = 24
    private static let width = 8 + 8 + 8 + 4 + 8 + 1 + 8 + 8 + 1 + 8 * scopeCount

    private let plan: FsckPlan
    private let book: FindingBook
    private let grants: SortedRuns
    /// The log's control events; once finished, by position.
    private(set) var events: [ControlEventText] = []
    private(set) var hasGrants = false

    init(_ plan: FsckPlan, _ book: FindingBook, _ directory: WorkDirectory) {
        self.plan = plan
        self.book = book
        grants = SortedRuns(width: Self.width, memory: plan.sortMemory, in: directory)
    }

    var isEmpty: Bool { events.isEmpty && !hasGrants }

    /// Takes the receipt of a control event.
    func take(event receipt: Members, at place: ReceiptPlace) {
        guard let event = ControlEventText(receipt, at: place) else {
            book.add(
                .controlUnreadable, at: place.text,
                "the payload has no control_position, grants_before, operation and stop_id, or contradicts the receipt")
            return
        }
        events.append(event)
    }

    /// Takes the receipt of a grant.
    func take(grant receipt: Members, controlPosition: Int64, at place: ReceiptPlace) throws {
        hasGrants = true
        let token = receipt.object("token")
        var scopes = [ControlScope("all", nil)]
        func add(_ kind: String, _ value: String?) { if let value { scopes.append(ControlScope(kind, value)) } }
        add("job_class", receipt.string("job_class"))
        add("agent", receipt.string("agent_did"))
        add("request", receipt.string("request_id"))
        add("job", receipt.string("job_id"))
        add("policy_hash", receipt.string("wpc_hash_b64u"))
        add("issuer_key", token?.string("kid"))
        add("token_hash", token?.string("token_hash"))
        add("jti", token?.string("jti"))
        for approval in receipt.strings("approval_ids") ?? [] { add("approval", approval) }
        let isElevated = !(receipt.object("granted")?.strings("actions") ?? []).isEmpty
        // A grant with more scopes than fit an entry takes several.
        for (part, start) in stride(from: 0, to: scopes.count, by: Self.scopeCount).enumerated() {
            let some = scopes[start..<min(start + Self.scopeCount, scopes.count)]
            var entry = EntryWriter(width: Self.width)
            entry.put(controlPosition)
            entry.put(place.position)
            entry.put(place.batch)
            entry.put(Int32(clamping: place.index))
            entry.put(token?.integer("iat") ?? 0)
            entry.put(isElevated ? 1 : 0 as UInt8)
            entry.put(ControlScope("job_class", receipt.string("job_class")).fingerprint)
            entry.put(receipt.string("wpc_hash_b64u").map { Fingerprint($0).high } ?? 0)
            entry.put(part == 0 ? 1 : 0 as UInt8)
            for scope in some { entry.put(scope.fingerprint) }
            for _ in some.count..<Self.scopeCount { entry.put(0 as UInt64) }
            try grants.add(entry.bytes)
        }
    }

    /// Holds every grant against the control events that it came after.
    func finish(isWhole: Bool) throws {
        events.sort { ($0.position, $0.place.position) < ($1.position, $1.place.position) }
        checkPositions(isWhole: isWhole)
        var line = ControlLine()
        var next = 0
        var count: Int64 = 0
        var newest = Int64.min
        try grants.forEach { bytes in
            var entry = EntryReader(bytes)
            let controlPosition = entry.int64()
            let position = entry.int64()
            let place = Place.receipt(batch: entry.int64(), index: Int64(entry.int32()), position: position)
            let issuedAt = entry.int64()
            let isElevated = entry.byte() == 1
            let jobClass = entry.uint64()
            let policy = entry.uint64()
            let isFirst = entry.byte() == 1
            while next < events.count, events[next].position <= controlPosition {
                apply(events[next], to: &line, after: count, newest, isWhole: isWhole)
                next += 1
            }
            if isWhole, isFirst, controlPosition > events.last?.position ?? 0 {
                book.add(
                    .controlPositionGap, at: place,
                    "the grant came after control event \(controlPosition), which the log does not have")
            }
            for _ in 0..<Self.scopeCount {
                let scope = entry.uint64()
                if scope != 0, let stop = line.stops[scope]?.first {
                    book.add(
                        .stopCrossed, at: place,
                        "a token of the scope \(Place.quoted(stop.scope)) was issued at control position "
                            + "\(controlPosition), past \(Place.quoted(stop.handle)) at \(stop.position)")
                }
            }
            if isFirst {
                count += 1
                newest = max(newest, issuedAt)
                if isElevated, let since = line.elevation[0] ?? line.elevation[jobClass] {
                    book.add(
                        .stopElevation, at: place,
                        "an elevated action was granted at control position \(controlPosition), disabled since \(since)"
                    )
                }
                if let rotation = line.rotation(of: jobClass, forbidding: policy) {
                    book.add(
                        .stopRotation, at: place,
                        "the WPC was rotated away at control position \(rotation.position), the grant came after "
                            + "\(controlPosition)")
                }
            }
        }
        for event in events[next...] { apply(event, to: &line, after: count, newest, isWhole: isWhole) }
        if line.hasInvisibleScope {
            book.note(
                "stops of subjects, entitlements, sources and WPC identifiers, and required proxies: receipts do not "
                    + "say whether a grant is concerned")
        }
    }

    private func checkPositions(isWhole: Bool) {
        var expected: Int64? = isWhole ? 1 : nil
        for (index, event) in events.enumerated() {
            if index > 0, events[index - 1].position == event.position {
                book.add(
                    .controlPositionRepeated, at: event.place.text,
                    "control position \(event.position) is taken by \(events[index - 1].place.text)")
                continue
            }
            if let expected, event.position > expected {
                book.add(
                    .controlPositionGap, at: event.place.text,
                    "control position \(expected) was expected, found \(event.position)")
            }
            expected = event.position + 1
        }
    }

    private func apply(
        _ event: ControlEventText, to line: inout ControlLine, after count: Int64, _ newest: Int64, isWhole: Bool
    ) {
        if isWhole, count > event.grantsBefore || plan.isSettled && count < event.grantsBefore {
            book.add(
                .stopGrantsBefore, at: event.place.text,
                "the event says that \(event.grantsBefore) grants precede it, the log has \(count)")
        }
        if let cutoff = event.earliestCutoff, newest != .min, cutoff <= newest {
            book.add(
                .stopCutoffEarly, at: event.place.text,
                "tokens issued before \(cutoff) are void, and a grant before the event was issued at \(newest)")
        }
        line.apply(event)
    }
}

/// What a control event's receipt says.
struct ControlEventText {
    let place: ReceiptPlace
    let position: Int64
    let grantsBefore: Int64
    let operation: String
    let handle: String
    let declaredAt: Timestamp
    let payload: Members
    let data: Members
    /// True for a stop that was lifted as it came, and for a lift that waits for its stop.
    let isWithoutForce: Bool
    /// The smallest `not_issued_before` of its cut-offs.
    let earliestCutoff: Int64?
    private let isDatedInFuture: Bool

    init?(_ receipt: Members, at place: ReceiptPlace) {
        // A copy of what is kept: the receipt's text is the whole record of its batch.
        guard let payload = receipt.raw("payload").flatMap({ try? Members(Array($0)) }),
            let position = payload.count("control_position"),
            receipt.count("control_position").map({ $0 == position }) ?? true,
            let grants = payload.count("grants_before"), let operation = payload.string("operation"),
            let handle = payload.string("stop_id"), let data = payload.object("data"),
            let at = payload.string("at").flatMap({ Timestamp(rfc3339: $0) }),
            let declared = payload.string("declared_at").flatMap({ Timestamp(rfc3339: $0) })
        else { return nil }
        self.place = place
        self.position = position
        grantsBefore = grants
        self.operation = operation
        self.handle = handle
        self.payload = payload
        self.data = data
        declaredAt = min(declared, at)
        isDatedInFuture = declared > at.adding(seconds: 300)
        isWithoutForce = payload.has("lifted_by_event") || payload.has("pending")
        earliestCutoff = (payload.objects("cutoffs") ?? []).compactMap { $0.integer("not_issued_before") }.min()
    }

    var scope: ControlScope? {
        guard let scope = data.object("scope"), let kind = scope.string("kind") else { return nil }
        return ControlScope(kind, scope.string("value"))
    }

    /// True when what it gives back counts: nobody gives back ahead of time.
    var mayGiveBack: Bool { !isDatedInFuture }
}

/// What holds at one control position.
struct ControlLine {
    struct Stop {
        let handle: String
        let scope: String
        let position: Int64
    }
    struct Rotation {
        /// `nil` takes every WPC but `to`.
        let from: UInt64?
        var to: UInt64
        var declaredAt: Timestamp
        var isActive: Bool
        let position: Int64
    }

    private(set) var stops: [UInt64: [Stop]] = [:]
    /// Position since when elevated actions are disabled, by class; 0 stands for every class.
    private(set) var elevation: [UInt64: Int64] = [:]
    private var rotations: [UInt64: [Rotation]] = [:]
    private(set) var hasInvisibleScope = false

    private static let invisible: Set<String> = ["subject", "entitlement", "source", "policy_id"]
    private static let forGood: Set<String> = ["token_hash", "jti", "job", "request", "approval"]

    mutating func apply(_ event: ControlEventText) {
        switch event.operation {
        case "stop":
            if !event.isWithoutForce { stop(event) }
        case "revoke":
            let isForGood = event.scope.map { Self.forGood.contains($0.kind) } ?? false
            let permits = event.data.raw("permits_reapproval").map { $0.elementsEqual("true".utf8) } ?? false
            if isForGood || !permits, !event.isWithoutForce { stop(event) }
        case "suspect-key":
            if let kid = event.data.string("kid") { put(ControlScope("issuer_key", kid), event) }
        case "lift":
            guard !event.isWithoutForce else { return }
            let named = event.data.string("stop_id") ?? event.handle
            for scope in stops.keys { stops[scope]?.removeAll { $0.handle == named } }
        case "disable-elevated": elevation[reach(event)] = event.position
        case "enable-elevated": elevation[reach(event)] = nil
        case "rotate-policy": rotate(event)
        case "require-proxy": hasInvisibleScope = true
        default: break
        }
    }

    private mutating func stop(_ event: ControlEventText) {
        guard let scope = event.scope else { return }
        if Self.invisible.contains(scope.kind) { hasInvisibleScope = true }
        put(scope, event)
    }

    private mutating func put(_ scope: ControlScope, _ event: ControlEventText) {
        stops[scope.fingerprint, default: []].append(
            Stop(handle: event.handle, scope: scope.text, position: event.position))
    }

    private func reach(_ event: ControlEventText) -> UInt64 {
        guard let scope = event.scope, scope.kind != "all" else { return 0 }
        return scope.fingerprint
    }

    private mutating func rotate(_ event: ControlEventText) {
        guard let name = event.data.string("job_class"), let to = event.data.string("to_wpc_hash") else { return }
        let jobClass = ControlScope("job_class", name).fingerprint
        let from = event.data.string("from_wpc_hash").map { Fingerprint($0).high }
        let target = Fingerprint(to).high
        var rows = rotations[jobClass] ?? []
        for index in rows.indices
        where rows[index].isActive && event.declaredAt > rows[index].declaredAt && event.mayGiveBack {
            if let away = rows[index].from {
                if away == target { rows[index].isActive = false }
            } else if let from, rows[index].to == from {
                rows[index].to = target
                rows[index].declaredAt = event.declaredAt
            }
        }
        rows.removeAll { $0.from == from }
        rows.append(
            Rotation(from: from, to: target, declaredAt: event.declaredAt, isActive: true, position: event.position))
        rotations[jobClass] = rows
    }

    /// The rotation that takes a WPC, or none at all, from a class.
    func rotation(of jobClass: UInt64, forbidding policy: UInt64) -> Rotation? {
        rotations[jobClass]?.first { row in
            guard row.isActive else { return false }
            return policy == 0 ? true : row.from.map { $0 == policy } ?? (row.to != policy)
        }
    }
}
