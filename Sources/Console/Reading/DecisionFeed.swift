import ClawWire
import GrantLedger
import Primitives
import ReceiptLog

/// One line of the list of decisions: a receipt, with what a filter looks at.
struct FeedEntry: Sendable {
    /// Its place, newest first.
    let place: FeedPlace
    let receipt: Receipt
    /// Everything that a text may be found in, in lower case.
    let haystack: String
    let outcome: FeedOutcome
}

/// A receipt's place among the groups of effects.
struct FeedPlace: Sendable, Hashable, Comparable {
    let group: ConsoleGroupPlace
    let index: Int

    static func < (left: FeedPlace, right: FeedPlace) -> Bool {
        left.group == right.group ? left.index < right.index : left.group < right.group
    }

    /// The place in an address.
    var text: String { "\(group.day).\(group.groupID).\(index)" }

    init(group: ConsoleGroupPlace, index: Int) {
        self.group = group
        self.index = index
    }

    init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let day = Int32(parts[0]), let groupID = Int64(parts[1]), let index = Int(parts[2]),
            groupID < .max, index >= 0
        else { return nil }
        self.init(group: ConsoleGroupPlace(day: day, groupID: groupID), index: index)
    }
}

/// What a receipt of the list is about. The raw value is that of the filter.
enum FeedOutcome: String, Sendable, CaseIterable {
    case issued
    case denied
    case expired
    case quarantined
    case revoked
    case control
    case finding

    /// `nil` for receipts that tell of no decision: heartbeats, claims, model calls, ends of revocations, keys, marks of budgets.
    init?(_ content: Receipt.Content) {
        switch content {
        case .grantIssued: self = .issued
        case .decisionDenied: self = .denied
        case .decisionExpired: self = .expired
        case .decisionQuarantined: self = .quarantined
        case .revocation: self = .revoked
        case .stopDeclared, .stopLifted, .stopDrilled, .controlApplied, .controlRepeated: self = .control
        case .findingRaised: self = .finding
        case .grantClaimed, .deadLetterRedriven, .deadLetterDiscarded, .revocationsEnded, .keyChanged,
            .gatewayReceipt, .budgetReached, .heartbeat:
            return nil
        }
    }

    /// What is shown when nothing is chosen: how requests and records ended.
    static let decisions: Set<FeedOutcome> = [.issued, .denied, .expired, .quarantined]
}

/// Which decisions are asked for; what is `nil` does not narrow.
struct FeedFilter: Sendable, Hashable {
    var outcomes = FeedOutcome.decisions
    var jobClass: String?
    var agent: String?
    var approval: String?
    /// Looked for in identifiers, reasons and names, without case.
    var text: String?

    func accepts(_ entry: FeedEntry) -> Bool {
        let subject = entry.receipt.subject
        guard outcomes.contains(entry.outcome) else { return false }
        if let jobClass, subject.jobClass?.rawValue != jobClass { return false }
        if let agent, subject.agentDID?.rawValue != agent { return false }
        if let approval, !subject.approvalIDs.contains(where: { $0.rawValue == approval }) { return false }
        if let text, !entry.haystack.contains(text) { return false }
        return true
    }

    var key: String {
        let parts: [String?] = [
            outcomes.map(\.rawValue).sorted().joined(separator: "+"), jobClass, agent, approval, text,
        ]
        return JSONWriter.text(.array(parts.map { .optional($0) }))
    }
}

/// A part of the list of decisions.
struct FeedPage: Sendable {
    let entries: [FeedEntry]
    /// Where the next part begins; `nil` when there is nothing older.
    let next: FeedPlace?
    /// How far back was looked.
    let searchedTo: Timestamp?
    /// True when looking ended for the sake of its cost, before the page was full.
    let isCutShort: Bool
}

/// Reads decisions from the groups of effects, newest first. Groups never change, so what was read once is kept: following
/// the list costs a look at the newest names.
final class DecisionFeed: Sendable {
    /// Receipts that are kept.
    static let keptReceipts = 6_000
    /// Receipts that are read for one page.
    static let searchedReceipts = 8_000
    /// Groups that are named at a time.
    private static let namedGroups = 100

    private struct Kept {
        let entries: [FeedEntry]
        var usedAt: UInt64
    }

    private struct State {
        var groups: [ConsoleGroupPlace: Kept] = [:]
        var receipts = 0
        var tick: UInt64 = 0
    }

    private let ledger: any ConsoleLedger
    private let state = Lock(State())

    init(_ ledger: any ConsoleLedger) { self.ledger = ledger }

    func page(_ filter: FeedFilter, before place: FeedPlace?, limit: Int) async throws -> FeedPage {
        var found: [FeedEntry] = []
        var budget = Self.searchedReceipts
        var searchedTo: Timestamp?
        // The place's own group is looked at again, for what stands before the place in it.
        var cursor = place.map { ConsoleGroupPlace(day: $0.group.day, groupID: $0.group.groupID + 1) }
        while true {
            let named = try await ledger.consoleGroups(before: cursor, limit: Self.namedGroups)
            guard !named.isEmpty else {
                return FeedPage(entries: found, next: nil, searchedTo: searchedTo, isCutShort: false)
            }
            var rest = named[...]
            while !rest.isEmpty {
                let chunk = Self.chunk(&rest, atMost: max(1, min(budget, 1_000)))
                for entry in try await entries(of: chunk) where place.map({ entry.place < $0 }) ?? true {
                    guard filter.accepts(entry) else { continue }
                    found.append(entry)
                    if found.count > limit {
                        found.removeLast()
                        return FeedPage(
                            entries: found, next: found.last?.place, searchedTo: searchedTo, isCutShort: false)
                    }
                }
                budget -= chunk.reduce(0) { $0 + Int($1.entries) }
                searchedTo = chunk.last?.createdAt ?? searchedTo
                if budget <= 0, let last = chunk.last {
                    return FeedPage(
                        entries: found, next: FeedPlace(group: last.place, index: 0), searchedTo: searchedTo,
                        isCutShort: true)
                }
            }
            cursor = named.last?.place
        }
    }

    /// Takes groups off the front until they hold as many receipts as are wanted.
    private static func chunk(_ groups: inout ArraySlice<ConsoleGroup>, atMost receipts: Int) -> [ConsoleGroup] {
        var taken: [ConsoleGroup] = []
        var count = 0
        while let group = groups.first, taken.isEmpty || count + Int(group.entries) <= receipts {
            taken.append(groups.removeFirst())
            count += Int(group.entries)
        }
        return taken
    }

    /// The lines of groups, newest first.
    private func entries(of groups: [ConsoleGroup]) async throws -> [FeedEntry] {
        var known: [ConsoleGroupPlace: [FeedEntry]] = state.withLock { state in
            state.tick += 1
            var known: [ConsoleGroupPlace: [FeedEntry]] = [:]
            for group in groups {
                guard var kept = state.groups[group.place] else { continue }
                kept.usedAt = state.tick
                state.groups[group.place] = kept
                known[group.place] = kept.entries
            }
            return known
        }
        let missing = groups.map(\.place).filter { known[$0] == nil }
        if !missing.isEmpty {
            for group in try await ledger.consoleReceipts(of: missing) {
                let entries = Self.entries(of: group)
                known[group.place] = entries
                keep(entries, of: group.place)
            }
        }
        return groups.flatMap { known[$0.place] ?? [] }
    }

    private func keep(_ entries: [FeedEntry], of place: ConsoleGroupPlace) {
        state.withLock { state in
            let earlier = state.groups.updateValue(Kept(entries: entries, usedAt: state.tick), forKey: place)
            state.receipts += entries.count - (earlier?.entries.count ?? 0)
            while state.receipts > Self.keptReceipts, state.groups.count > 1,
                let oldest = state.groups.min(by: { $0.value.usedAt < $1.value.usedAt })
            {
                state.receipts -= oldest.value.entries.count
                state.groups[oldest.key] = nil
            }
        }
    }

    /// Receipts that do not read are left out: this list is for looking, `clawgrant fsck` finds them.
    private static func entries(of group: ConsoleGroupReceipts) -> [FeedEntry] {
        group.receipts.enumerated().reversed().compactMap { index, bytes in
            guard let receipt = try? Receipt(parsing: bytes), let outcome = FeedOutcome(receipt.content) else {
                return nil
            }
            return FeedEntry(
                place: FeedPlace(group: group.place, index: index), receipt: receipt,
                haystack: haystack(of: receipt), outcome: outcome)
        }
    }

    private static func haystack(of receipt: Receipt) -> String {
        let subject = receipt.subject
        var words = [
            receipt.id.rawValue, subject.requestID?.rawValue, subject.jobID?.rawValue, subject.jobClass?.rawValue,
            subject.agentDID?.rawValue,
        ].compactMap(\.self)
        words += subject.approvalIDs.map(\.rawValue)
        words += receipt.reasons.flatMap { [$0.code, $0.detail] }
        switch receipt.content {
        case .grantIssued(let grant):
            words += grant.approverIDs.map(\.rawValue) + [grant.token.jti.rawValue, grant.token.tokenHash.hex]
        case .decisionQuarantined(let quarantine): words.append(quarantine.origin.description)
        case .revocation(let revocation):
            words += [revocation.tokenHash.hex, revocation.cause.rawValue, revocation.revokedBy]
        case .stopDeclared(let payload), .stopLifted(let payload), .stopDrilled(let payload),
            .controlApplied(let payload), .controlRepeated(let payload):
            words.append(JSONWriter.text(.object(payload)))
        case .findingRaised(let finding): words += [finding.code, finding.about]
        case .grantClaimed, .decisionDenied, .decisionExpired, .deadLetterRedriven, .deadLetterDiscarded,
            .revocationsEnded, .keyChanged, .gatewayReceipt, .budgetReached, .heartbeat:
            break
        }
        return words.joined(separator: "\n").lowercased()
    }
}
