/// An object of a policy document, read member by member: whatever was not asked for when it is closed is refused.
///
/// A policy restricts. A member that the reader does not know may be a restriction it would then ignore, so it fails
/// closed.
struct ClosedObject {
    let object: JSONObject
    let path: String
    private var known: Set<String> = []

    init(_ value: JSONValue, path: String) throws(WPCError) {
        guard let object = value.object else {
            throw WPCError(.invalidDocument, path: path, "an object was expected, not \(value.typeName)")
        }
        self.object = object
        self.path = path
    }

    func at(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    func invalid(_ key: String, _ detail: String) -> WPCError {
        WPCError(.invalidDocument, path: at(key), detail)
    }

    mutating func value(_ key: String) -> JSONValue? {
        known.insert(key)
        return object[key]
    }

    mutating func object(_ key: String) throws(WPCError) -> ClosedObject? {
        guard let value = value(key) else { return nil }
        return try ClosedObject(value, path: at(key))
    }

    mutating func text(_ key: String, maximum: Int) throws(WPCError) -> String? {
        guard let value = value(key) else { return nil }
        return try Self.text(value, maximum: maximum, at: at(key))
    }

    mutating func requiredText(_ key: String, maximum: Int) throws(WPCError) -> String {
        guard let text = try text(key, maximum: maximum) else { throw invalid(key, "this member is required") }
        return text
    }

    mutating func texts(
        _ key: String, maximumCount: Int, maximum: Int, minimumCount: Int = 0
    ) throws(WPCError) -> [String]? {
        guard let elements = try elements(key, maximumCount: maximumCount) else { return nil }
        guard elements.count >= minimumCount else { throw invalid(key, "the list is empty") }
        var texts: [String] = []
        for (i, element) in elements.enumerated() {
            texts.append(try Self.text(element, maximum: maximum, at: "\(at(key))[\(i)]"))
        }
        return texts
    }

    mutating func elements(_ key: String, maximumCount: Int) throws(WPCError) -> [JSONValue]? {
        guard let value = value(key) else { return nil }
        guard let elements = value.array else { throw invalid(key, "a list was expected, not \(value.typeName)") }
        guard elements.count <= maximumCount else {
            throw invalid(key, "the list has \(elements.count) entries; at most \(maximumCount) are allowed")
        }
        return elements
    }

    mutating func flag(_ key: String) throws(WPCError) -> Bool? {
        guard let value = value(key) else { return nil }
        guard let flag = value.bool else { throw invalid(key, "true or false was expected, not \(value.typeName)") }
        return flag
    }

    mutating func choice(_ key: String, of choices: Set<String>) throws(WPCError) -> String? {
        guard let value = value(key) else { return nil }
        guard let text = value.string, choices.contains(text) else {
            throw invalid(key, "must be one of \(choices.sorted().joined(separator: ", "))")
        }
        return text
    }

    func close() throws(WPCError) {
        if let foreign = object.keys.first(where: { !known.contains($0) }) {
            throw WPCError(
                .invalidDocument, path: at(foreign.cut(toBytes: 64)),
                "this member is not known, and might restrict what is granted")
        }
    }

    private static func text(_ value: JSONValue, maximum: Int, at path: String) throws(WPCError) -> String {
        guard let text = value.string else {
            throw WPCError(.invalidDocument, path: path, "a text was expected, not \(value.typeName)")
        }
        let length = ExactText.length(ExactText.trimmed(text))
        guard length > 0, length <= maximum else {
            throw WPCError(.invalidDocument, path: path, "the text is blank or longer than \(maximum) characters")
        }
        return text
    }
}
