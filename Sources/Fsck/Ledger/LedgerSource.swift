/// Where the rows of the ledger come from.
package protocol LedgerSource {
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
package struct LedgerGroupKey: Hashable {
    package let day: Int32
    package let group: Int64

    package init(day: Int32, group: Int64) {
        self.day = day
        self.group = group
    }
}

/// A row of `receipt_batch`.
package struct LedgerBatch {
    package let number: Int64
    package let firstPosition: Int64
    package let lastPosition: Int64
    package let headerHash: [UInt8]
    package let header: [UInt8]
    package let signature: [UInt8]
    package let checkpoint: String
    package let groups: [LedgerGroupKey]

    package init(
        number: Int64, firstPosition: Int64, lastPosition: Int64, headerHash: [UInt8], header: [UInt8],
        signature: [UInt8], checkpoint: String, groups: [LedgerGroupKey]
    ) {
        self.number = number
        self.firstPosition = firstPosition
        self.lastPosition = lastPosition
        self.headerHash = headerHash
        self.header = header
        self.signature = signature
        self.checkpoint = checkpoint
        self.groups = groups
    }
}

/// A row of `effect_group`.
package struct LedgerGroup {
    package let key: LedgerGroupKey
    package let body: [UInt8]

    package init(key: LedgerGroupKey, body: [UInt8]) {
        self.key = key
        self.body = body
    }
}

/// A row of `request`.
package struct LedgerRequest {
    package let id: String
    /// 0 waits, 1 issued, 2 denied, 3 expired.
    package let state: Int16
    package let tokenHash: [UInt8]?

    package init(id: String, state: Int16, tokenHash: [UInt8]?) {
        self.id = id
        self.state = state
        self.tokenHash = tokenHash
    }
}

/// A row of `approval`.
package struct LedgerApproval {
    package let id: String
    /// Requests that it has given a token.
    package let usedBy: [String]

    package init(id: String, usedBy: [String]) {
        self.id = id
        self.usedBy = usedBy
    }
}

/// A row of `control_event`.
package struct LedgerControlEvent {
    package let id: String
    package let position: Int64?
    package let operation: String
    package let handle: String
    package let result: String
    package let digest: [UInt8]
    package let body: [UInt8]

    package init(
        id: String, position: Int64?, operation: String, handle: String, result: String, digest: [UInt8], body: [UInt8]
    ) {
        self.id = id
        self.position = position
        self.operation = operation
        self.handle = handle
        self.result = result
        self.digest = digest
        self.body = body
    }
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
