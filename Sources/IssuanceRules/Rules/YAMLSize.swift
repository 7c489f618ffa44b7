// The parser under Yams: what it says is counted before Yams makes values of it.
internal import CYaml

/// How much a YAML document comes to once its aliases are followed: a few lines of aliases of aliases stand for billions of
/// values, and whoever walks them all does not come back.
///
/// Yams walks them itself, since it compares the keys of a mapping, which may be aliases. So a text is counted before Yams reads
/// it.
package enum YAMLSize {
    /// Most values of a document, aliases followed.
    package static let maximumNodes = 200_000

    /// True when the text has at most ``maximumNodes`` values, or is no YAML from some point on. Takes time in proportion to
    /// the text.
    package static func isBounded(_ text: String) -> Bool {
        var parser = unsafe yaml_parser_t()
        guard unsafe yaml_parser_initialize(&parser) == 1 else { return false }
        defer { unsafe yaml_parser_delete(&parser) }
        unsafe yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING)
        let bytes = Array(text.utf8)
        return unsafe bytes.withUnsafeBufferPointer { buffer in
            unsafe yaml_parser_set_input_string(&parser, buffer.baseAddress, buffer.count)
            var count = NodeCount()
            while true {
                var event = unsafe yaml_event_t()
                // What is no YAML is for Yams to refuse, which reads no further than here.
                guard unsafe yaml_parser_parse(&parser, &event) == 1 else { return true }
                defer { unsafe yaml_event_delete(&event) }
                if unsafe event.type == YAML_STREAM_END_EVENT { return true }
                guard unsafe count.takes(event) else { return false }
            }
        }
    }

    /// The values so far, and what each anchor stands for.
    private struct NodeCount {
        private var total = 0
        private var sizes: [String: Int] = [:]
        /// The sequences and mappings that have begun: their anchors, and the values before them.
        private var open: [(anchor: String?, before: Int)] = []

        /// Counts an event; `false` once there are too many values.
        mutating func takes(_ event: yaml_event_t) -> Bool {
            switch unsafe event.type {
            case YAML_ALIAS_EVENT:
                // An anchor that is not known, or not closed yet, is for Yams to refuse.
                total += unsafe name(event.data.alias.anchor).flatMap { sizes[$0] } ?? 1
            case YAML_SCALAR_EVENT:
                total += 1
                if let anchor = unsafe name(event.data.scalar.anchor) { sizes[anchor] = 1 }
            case YAML_SEQUENCE_START_EVENT:
                unsafe open.append((name(event.data.sequence_start.anchor), total))
                total += 1
            case YAML_MAPPING_START_EVENT:
                unsafe open.append((name(event.data.mapping_start.anchor), total))
                total += 1
            case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT:
                if let (anchor, before) = open.popLast(), let anchor { sizes[anchor] = total - before }
            default: break
            }
            return total <= maximumNodes
        }

        private func name(_ anchor: UnsafePointer<yaml_char_t>?) -> String? {
            unsafe anchor.map { unsafe String(cString: $0) }
        }
    }
}
