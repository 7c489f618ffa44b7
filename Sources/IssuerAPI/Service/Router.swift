/// Why routes cannot be served together.
public struct RouterError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A sentence for people.
    public let description: String

    init(_ description: String) { self.description = description }
}

/// Finds the route of a path: templates without variables in a dictionary, the others in a tree of segments, where a
/// segment that is spelt out goes before a variable.
struct Router: Sendable {
    /// What serves a path.
    struct Found: Sendable {
        /// Routes by method.
        let methods: [String: ServedRoute]
        /// Values of the path's variables.
        let parameters: [String: String]

        /// The route of a method; `GET` answers `HEAD` as well.
        func route(_ method: String) -> ServedRoute? {
            methods[method] ?? (method == "HEAD" ? methods["GET"] : nil)
        }

        /// The value of the field `allow`.
        var allowed: String {
            var names = Set(methods.keys)
            if names.contains("GET") { names.insert("HEAD") }
            names.insert("OPTIONS")
            return names.sorted().joined(separator: ", ")
        }
    }

    private struct Node: Sendable {
        var literals: [String: Node] = [:]
        /// At most one.
        var variable: [Node] = []
        /// What ends here: the variables' names in order, and the routes by method.
        var names: [String] = []
        var methods: [String: ServedRoute] = [:]
    }

    private var exact: [String: [String: ServedRoute]] = [:]
    private var root = Node()

    /// Puts routes together.
    ///
    /// - Throws: ``RouterError`` for a template that is none, and for two routes of one method and path.
    init(_ routes: [Route]) throws(RouterError) {
        for route in routes { try add(route) }
    }

    private mutating func add(_ route: Route) throws(RouterError) {
        guard route.template.hasPrefix("/"), !route.template.contains(where: { "?#%".contains($0) }) else {
            throw RouterError("\"\(route.template)\" is no path")
        }
        let segments = route.template.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        var names: [String] = []
        for segment in segments where segment.contains("{") || segment.contains("}") {
            guard segment.hasPrefix("{"), segment.hasSuffix("}"), segment.count > 2,
                !segment.dropFirst().dropLast().contains(where: { "{}".contains($0) })
            else { throw RouterError("\(route.template): \"\(segment)\" is no variable") }
            names.append(String(segment.dropFirst().dropLast()))
        }
        guard Set(names).count == names.count else {
            throw RouterError("\(route.template) names a variable twice")
        }
        let isNew =
            names.isEmpty
            ? Self.put(ServedRoute(route), &exact[route.template, default: [:]])
            : Self.add(ServedRoute(route), segments[...], names, &root)
        guard isNew else { throw RouterError("\(route.method) \(route.template) is served twice") }
    }

    private static func put(_ route: ServedRoute, _ methods: inout [String: ServedRoute]) -> Bool {
        guard methods[route.route.method] == nil else { return false }
        methods[route.route.method] = route
        return true
    }

    private static func add(
        _ route: ServedRoute, _ segments: ArraySlice<Substring>, _ names: [String], _ node: inout Node
    ) -> Bool {
        guard let first = segments.first else {
            // Two spellings of one path: the first one's names would be lost.
            guard node.methods.isEmpty || node.names == names else { return false }
            node.names = names
            return put(route, &node.methods)
        }
        guard first.hasPrefix("{") else {
            return add(route, segments.dropFirst(), names, &node.literals[String(first), default: Node()])
        }
        if node.variable.isEmpty { node.variable.append(Node()) }
        return add(route, segments.dropFirst(), names, &node.variable[0])
    }

    /// What serves a path; `nil` when nothing does, or when a variable's value does not decode.
    func find(_ path: String) -> Found? {
        if let methods = exact[path] { return Found(methods: methods, parameters: [:]) }
        guard path.hasPrefix("/") else { return nil }
        let segments = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        guard segments.count <= 16, let (node, values) = Self.find(segments[...], root) else { return nil }
        var parameters: [String: String] = [:]
        for (name, value) in zip(node.names, values) {
            guard let text = FormText.text(value.utf8, plusIsSpace: false), !text.isEmpty else { return nil }
            parameters[name] = text
        }
        return Found(methods: node.methods, parameters: parameters)
    }

    private static func find(_ segments: ArraySlice<Substring>, _ node: Node) -> (Node, [Substring])? {
        guard let first = segments.first else { return node.methods.isEmpty ? nil : (node, []) }
        if let next = node.literals[String(first)], let found = find(segments.dropFirst(), next) { return found }
        guard let next = node.variable.first, let (end, values) = find(segments.dropFirst(), next) else { return nil }
        return (end, [first] + values)
    }
}
