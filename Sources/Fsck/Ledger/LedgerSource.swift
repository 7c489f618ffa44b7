/// Where the rows of the ledger come from.
protocol LedgerSource {
    /// Sealed batches from a number on, in order.
    func batches(from number: Int64, limit: Int) async throws -> [LedgerBatch]
    /// Groups by day and identifier, in the order given; those that are not there are left out.
    func groups(_ keys: [LedgerGroupKey]) async throws -> [LedgerGroup]
    /// Keys of all groups after one, in order.
    func groupKeys(after key: LedgerGroupKey, limit: Int) async throws -> [LedgerGroupKey]
    /// Identifiers of groups that are not sealed, after one, in order.
    func unsealed(after group: Int64, limit: Int) async throws -> [Int64]
    /// Requests after one, archived ones included, in the order of their identifiers.
    func requests(after request: String, limit: Int) async throws -> [LedgerRequest]
    /// Approvals after one, archived ones included, in the order of their identifiers.
    func approvals(after approval: String, limit: Int) async throws -> [LedgerApproval]
    /// Control events after one, in the order of their identifiers.
    func controlEvents(after event: String, limit: Int) async throws -> [LedgerControlEvent]
    /// The control position under which decisions are taken, and the greatest one of a control event, at one instant.
    func controlPosition() async throws -> (position: Int64, lastEvent: Int64)
}

/// Names a group of effects; ordered by day, then by number.
struct LedgerGroupKey: Hashable {
    let day: Int32
    let group: Int64
}

/// A row of `receipt_batch`.
struct LedgerBatch {
    let number: Int64
    let firstPosition: Int64
    let lastPosition: Int64
    let headerHash: [UInt8]
    let header: [UInt8]
    let signature: [UInt8]
    let checkpoint: String
    let groups: [LedgerGroupKey]
}

/// A row of `effect_group`.
struct LedgerGroup {
    let key: LedgerGroupKey
    let body: [UInt8]
}

/// A row of `request`.
struct LedgerRequest {
    let id: String
    /// 0 waits, 1 issued, 2 denied, 3 expired.
    let state: Int16
    let tokenHash: [UInt8]?
}

/// A row of `approval`.
struct LedgerApproval {
    let id: String
    /// Requests that it has given a token.
    let usedBy: [String]
}

/// A row of `control_event`.
struct LedgerControlEvent {
    let id: String
    let position: Int64?
    let operation: String
    let handle: String
    let result: String
    let digest: [UInt8]
    let body: [UInt8]
}

/// One effect of a group, as the ledger stores it.
struct LedgerEffect {
    struct Grant {
        let claims: [UInt8]
        let kid: String
        let tokenHash: [UInt8]
        /// The stored grant record.
        let record: [UInt8]
    }

    let receipt: [UInt8]
    let grants: [Grant]

    /// Reads a group's body: a version byte, a count, and fields behind their lengths, big-endian.
    ///
    /// - Returns: `nil` when the body does not read.
    static func read(_ body: [UInt8]) -> [LedgerEffect]? {
        var position = 0
        func byte() -> UInt8? {
            guard position < body.count else { return nil }
            defer { position += 1 }
            return body[position]
        }
        func number() -> Int? {
            guard body.count - position >= 4 else { return nil }
            defer { position += 4 }
            return body[position..<(position + 4)].reduce(0) { $0 << 8 | Int($1) }
        }
        func field() -> [UInt8]? {
            guard let count = number(), count <= body.count - position else { return nil }
            defer { position += count }
            return Array(body[position..<(position + count)])
        }
        guard byte() == 1, let count = number(), count <= body.count else { return nil }
        var effects: [LedgerEffect] = []
        for _ in 0..<count {
            guard let receipt = field(), field() != nil, let outputs = byte() else { return nil }
            var grants: [Grant] = []
            for _ in 0..<outputs {
                guard byte() != nil, field() != nil, let record = field(), let delivery = byte() else { return nil }
                guard delivery != 0 else { continue }
                guard let claims = field(), let kid = field(), let hash = field(), field() != nil else { return nil }
                grants.append(
                    Grant(
                        claims: claims, kid: String(decoding: kid, as: UTF8.self), tokenHash: hash, record: record))
            }
            effects.append(LedgerEffect(receipt: receipt, grants: grants))
        }
        return position == body.count ? effects : nil
    }
}
