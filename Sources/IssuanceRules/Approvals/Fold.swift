import ClawWire

/// A value with a join that is commutative, associative and idempotent: the order and the number of deliveries of its
/// parts leave no trace in the result.
protocol Joinable: Sendable, Hashable {
    mutating func join(_ other: Self)
}

extension Optional where Wrapped: Joinable {
    mutating func join(_ other: Wrapped) {
        if self?.join(other) == nil { self = other }
    }
}

/// A map that keeps the entries of its smallest keys.
///
/// The keys that remain at the end never left: a key leaves only when enough smaller ones are there, and those stay.
/// So every remaining value is the join of all that was ever stated under its key, and the bound breaks no law.
struct BoundedMap<Key: Comparable & Hashable & Sendable, Value: Joinable>: Sendable, Hashable {
    struct Entry: Sendable, Hashable {
        let key: Key
        var value: Value
    }

    var entries: [Entry] = []
    /// True once a key was left out.
    var hasLost = false

    mutating func join(_ value: Value, at key: Key, limit: Int) {
        var position = 0
        while position < entries.count, entries[position].key < key { position += 1 }
        if position < entries.count, entries[position].key == key {
            entries[position].value.join(value)
            return
        }
        if position >= limit {
            hasLost = true
            return
        }
        entries.insert(Entry(key: key, value: value), at: position)
        if entries.count > limit {
            entries.removeLast()
            hasLost = true
        }
    }
}

/// The value of a map that is only a set.
struct Present: Joinable {
    mutating func join(_ other: Present) {}
}

/// When something happened first; a known time is preferred to none.
struct Moment: Joinable {
    var at: Timestamp?

    mutating func join(_ other: Moment) {
        if Moment.isEarlier(other.at, at) { at = other.at }
    }

    /// Orders times with the unknown last.
    static func isEarlier(_ left: Timestamp?, _ right: Timestamp?) -> Bool {
        switch (left, right) {
        case (let left?, let right?): left < right
        case (_?, nil): true
        case (nil, _): false
        }
    }
}

/// The earliest of several statements, by time and then by content.
struct Earliest<Value: Comparable & Hashable & Sendable>: Joinable {
    var at: Timestamp?
    var value: Value

    mutating func join(_ other: Earliest) {
        if precedes(other, self) { self = other }
    }

    private func precedes(_ left: Earliest, _ right: Earliest) -> Bool {
        left.at == right.at ? left.value < right.value : Moment.isEarlier(left.at, right.at)
    }
}

/// What is known of a person besides the identifier.
struct ActorRecord: Joinable {
    var at: Timestamp?
    var name: String?
    var upn: String?
    var kind: Actor.Kind

    mutating func join(_ other: ActorRecord) {
        if Moment.isEarlier(other.at, at) { at = other.at }
        name = Self.smaller(name, other.name)
        upn = Self.smaller(upn, other.upn)
        // Whoever is called a system anywhere counts for nobody.
        if other.kind == .system { kind = .system }
    }

    private static func smaller(_ left: String?, _ right: String?) -> String? {
        guard let left, let right else { return left ?? right }
        return min(left, right)
    }
}

/// One edge of a window: the newest statement holds, the narrower one when two are equally new.
struct WindowEdge: Sendable, Hashable {
    var at: Timestamp?
    var value: Timestamp

    mutating func join(_ other: WindowEdge, narrower: (Timestamp, Timestamp) -> Timestamp) {
        if other.at == at {
            value = narrower(value, other.value)
        } else if at == nil || Moment.isEarlier(at, other.at) && other.at != nil {
            self = other
        }
    }
}

/// What one attestation says of the approved window.
struct WindowRecord: Joinable {
    var started: Moment?
    var changed: Moment?
    var notBefore: WindowEdge?
    var notAfter: WindowEdge?

    mutating func join(_ other: WindowRecord) {
        if let moment = other.started { started.join(moment) }
        if let moment = other.changed { changed.join(moment) }
        if let edge = other.notBefore {
            if notBefore == nil { notBefore = edge } else { notBefore?.join(edge, narrower: max) }
        }
        if let edge = other.notAfter {
            if notAfter == nil { notAfter = edge } else { notAfter?.join(edge, narrower: min) }
        }
    }
}

/// An assignment that nobody approved.
struct DirectRecord: Joinable {
    var first: Moment
    var outsidePIM: Bool
    var window: WindowRecord

    mutating func join(_ other: DirectRecord) {
        first.join(other.first)
        outsidePIM = outsidePIM || other.outsidePIM
        window.join(other.window)
    }
}

/// The request that the approval carries; two different ones are a contradiction that stays.
struct ContainedRequest: Joinable {
    var request: CapabilityRequest
    var isContradicted = false

    mutating func join(_ other: ContainedRequest) {
        if other.isContradicted { isContradicted = true }
        guard other.request != request else { return }
        isContradicted = true
        if other.request.storageBytes.lexicographicallyPrecedes(request.storageBytes) { request = other.request }
    }
}

/// The requester's text that was stated first.
struct JustificationRecord: Joinable {
    var at: Timestamp?
    var text: Justification

    mutating func join(_ other: JustificationRecord) {
        if other.at == at ? other.text.digest < text.digest : Moment.isEarlier(other.at, at) { self = other }
    }
}

extension Ticket: Comparable {
    /// Orders by system, then by number; the absent first.
    public static func < (left: Ticket, right: Ticket) -> Bool {
        (left.system ?? "", left.number ?? "") < (right.system ?? "", right.number ?? "")
    }
}
