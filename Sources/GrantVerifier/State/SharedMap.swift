/// A map whose copies share their parts: a copy costs nothing, and a change after it copies a few small arrays.
///
/// The follower publishes a copy of the state after every batch. With a dictionary, each batch would then copy the
/// records of every revoked token.
struct SharedMap<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Entry: Sendable {
        let key: Key
        var value: Value
    }

    private enum Node: Sendable {
        case leaf([Entry])
        case branch([Node])

        static var empty: Node { .leaf([]) }
    }

    /// Entries of a leaf before it is split.
    private static var leafSize: Int { 16 }
    /// Bits of the hash that choose a child.
    private static var bits: Int { 4 }
    private static var deepest: Int { UInt.bitWidth / bits }

    private var root = Node.empty
    /// Number of entries.
    private(set) var count = 0

    /// The value of a key; setting `nil` removes it.
    subscript(key: Key) -> Value? {
        get {
            var node = root
            var hash = UInt(bitPattern: key.hashValue)
            while case .branch(let children) = node {
                node = children[Self.child(hash)]
                hash >>= Self.bits
            }
            guard case .leaf(let entries) = node else { return nil }
            return entries.first { $0.key == key }?.value
        }
        set { count += Self.update(&root, key, UInt(bitPattern: key.hashValue), 0, newValue) }
    }

    /// Calls `body` with every entry, in no order.
    func forEach<Failure: Error>(_ body: (Key, Value) throws(Failure) -> Void) throws(Failure) {
        try Self.visit(root, body)
    }

    private static func child(_ hash: UInt) -> Int { Int(hash & (1 << bits - 1)) }

    /// Returns by how much the number of entries changes.
    private static func update(
        _ node: inout Node, _ key: Key, _ hash: UInt, _ depth: Int, _ value: Value?
    ) -> Int {
        switch node {
        case .leaf(var entries):
            // Lets go of the node's own reference, so that an array that no copy shares is changed in place.
            node = .empty
            defer { node = entries.count > leafSize && depth < deepest ? split(entries, depth) : .leaf(entries) }
            guard let index = entries.firstIndex(where: { $0.key == key }) else {
                guard let value else { return 0 }
                entries.append(Entry(key: key, value: value))
                return 1
            }
            guard let value else {
                entries.swapAt(index, entries.count - 1)
                entries.removeLast()
                return -1
            }
            entries[index].value = value
            return 0
        case .branch(var children):
            node = .empty
            let change = update(&children[child(hash)], key, hash >> bits, depth + 1, value)
            node = .branch(children)
            return change
        }
    }

    private static func split(_ entries: [Entry], _ depth: Int) -> Node {
        var children = [[Entry]](repeating: [], count: 1 << bits)
        for entry in entries {
            children[child(UInt(bitPattern: entry.key.hashValue) >> (bits * depth))].append(entry)
        }
        return .branch(children.map { .leaf($0) })
    }

    private static func visit<Failure: Error>(
        _ node: Node, _ body: (Key, Value) throws(Failure) -> Void
    ) throws(Failure) {
        switch node {
        case .leaf(let entries): for entry in entries { try body(entry.key, entry.value) }
        case .branch(let children): for child in children { try visit(child, body) }
        }
    }
}

extension SharedMap: Equatable where Value: Equatable {
    static func == (left: SharedMap, right: SharedMap) -> Bool {
        guard left.count == right.count else { return false }
        var isEqual = true
        left.forEach { key, value in isEqual = isEqual && right[key] == value }
        return isEqual
    }
}
