/// A record as it stands on a topic.
struct PublishedRecord {
    let partition: Int32
    let offset: Int64
    let key: [UInt8]?
    let value: [UInt8]?
    let headers: [(name: String, value: [UInt8]?)]

    /// The text of the one header of a name; `nil` when there is none, or several, or no text.
    func header(_ name: String) -> String? {
        let all = headers.filter { $0.name == name }
        guard all.count == 1 else { return nil }
        return all[0].value.flatMap { String(validating: $0, as: UTF8.self) }
    }

    /// A whole number of digits alone.
    func number(_ name: String) -> Int? {
        guard let text = header(name), let number = Int(text), number >= 0, String(number) == text else { return nil }
        return number
    }

    /// Everything of the record but its place, unambiguously.
    var bytes: [UInt8] {
        var all: [UInt8] = []
        func add(_ part: [UInt8]?) {
            all.append(contentsOf: "\(part?.count ?? -1):".utf8)
            all.append(contentsOf: part ?? [])
        }
        add(key)
        add(value)
        for header in headers {
            add(Array(header.name.utf8))
            add(header.value)
        }
        return all
    }
}
