import ClawWire
import Foundation

/// Checks a value against a JSON Schema of ours: the part of the 2020-12 vocabulary that our schemas use.
enum Schema {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("topics/schemas")

    /// A keyword that the checker does not know must not pass in silence.
    private static let annotations: Set = ["$schema", "$id", "$defs", "title", "description", "examples", "$comment"]

    static func faults(_ value: JSONValue, in name: String) throws -> [String] {
        let document = try load(name)
        return try check(value, document, "$", in: document)
    }

    private static func load(_ name: String) throws -> JSONObject {
        let data = try Data(contentsOf: folder.appendingPathComponent(name))
        guard let object = try JSONReader.parse(Array(data)).object else { throw CocoaError(.fileReadCorruptFile) }
        return object
    }

    private static func check(
        _ value: JSONValue, _ schema: JSONObject, _ path: String, in document: JSONObject
    ) throws -> [String] {
        var faults: [String] = []
        for member in schema.members where !annotations.contains(member.key) {
            switch member.key {
            case "$ref": faults += try follow(member.value.string ?? "", value, path, document)
            case "type":
                let names = member.value.array?.compactMap(\.string) ?? [member.value.string ?? ""]
                if !names.contains(where: { matches(value, $0) }) { faults.append("\(path): no \(names)") }
            case "const": if value != member.value { faults.append("\(path): not the constant") }
            case "enum":
                if member.value.array?.contains(value) != true { faults.append("\(path): not in the enumeration") }
            case "required":
                for key in member.value.array?.compactMap(\.string) ?? [] where value[key] == nil {
                    faults.append("\(path).\(key): missing")
                }
            case "properties":
                for property in member.value.object?.members ?? [] {
                    guard let part = value[property.key], let schema = property.value.object else { continue }
                    faults += try check(part, schema, "\(path).\(property.key)", in: document)
                }
            case "additionalProperties":
                let known = Set(schema["properties"]?.object?.keys ?? [])
                for part in value.object?.members ?? [] where !known.contains(part.key) {
                    if let schema = member.value.object {
                        faults += try check(part.value, schema, "\(path).\(part.key)", in: document)
                    } else if member.value == false {
                        faults.append("\(path).\(part.key): not allowed")
                    }
                }
            case "propertyNames":
                for key in value.object?.keys ?? [] {
                    faults += try check(
                        .string(key), member.value.object ?? JSONObject(), "\(path) name", in: document)
                }
            case "items":
                for (i, element) in (value.array ?? []).enumerated() {
                    faults += try check(element, member.value.object ?? JSONObject(), "\(path)[\(i)]", in: document)
                }
            case "minItems":
                if let n = value.array?.count, n < member.value.integer ?? 0 { faults.append("\(path): few") }
            case "maxItems":
                if let n = value.array?.count, n > member.value.integer ?? 0 { faults.append("\(path): many") }
            case "minLength":
                if let text = value.string, text.unicodeScalars.count < member.value.integer ?? 0 {
                    faults.append("\(path): short")
                }
            case "maxLength":
                if let text = value.string, text.unicodeScalars.count > member.value.integer ?? 0 {
                    faults.append("\(path): long")
                }
            case "minimum": if let n = value.number, n < member.value.number ?? 0 { faults.append("\(path): small") }
            case "maximum": if let n = value.number, n > member.value.number ?? 0 { faults.append("\(path): large") }
            case "pattern":
                if let text = value.string, let pattern = member.value.string,
                    try Regex(pattern).firstMatch(in: text) == nil
                {
                    faults.append("\(path): \"\(text)\" does not match \(pattern)")
                }
            case "oneOf", "anyOf":
                let fitting = try (member.value.array ?? []).filter {
                    try check(value, $0.object ?? JSONObject(), path, in: document).isEmpty
                }
                if member.key == "oneOf" ? fitting.count != 1 : fitting.isEmpty {
                    faults.append("\(path): fits \(fitting.count) alternatives of \(member.key)")
                }
            case "allOf":
                for part in member.value.array ?? [] {
                    faults += try check(value, part.object ?? JSONObject(), path, in: document)
                }
            case "if":
                let holds = try check(value, member.value.object ?? JSONObject(), path, in: document).isEmpty
                if holds, let then = schema["then"]?.object {
                    faults += try check(value, then, path, in: document)
                }
            case "then": break
            default: faults.append("\(path): unknown keyword \(member.key)")
            }
        }
        return faults
    }

    private static func follow(
        _ reference: String, _ value: JSONValue, _ path: String, _ document: JSONObject
    ) throws -> [String] {
        let parts = reference.split(separator: "#", omittingEmptySubsequences: false)
        let target = parts[0].isEmpty ? document : try load(String(parts[0]))
        guard parts.count == 2 else { return try check(value, target, path, in: target) }
        let name = parts[1].split(separator: "/").last.map { String($0) } ?? ""
        guard let definition = target["$defs"]?[name]?.object else { return ["\(path): no definition \(reference)"] }
        return try check(value, definition, path, in: target)
    }

    private static func matches(_ value: JSONValue, _ type: String) -> Bool {
        switch type {
        case "object": value.object != nil
        case "array": value.array != nil
        case "string": value.string != nil
        case "boolean": value.bool != nil
        case "integer": value.integer != nil
        case "number": value.number != nil
        case "null": value.isNull
        default: false
        }
    }
}
