import ClawWire

/// Spans as the body of an OTLP/HTTP request in JSON (OpenTelemetry protocol 1.x, ExportTraceServiceRequest).
enum OTLPEncoder {
    static func body(_ spans: [Span], resource: [Span.Attribute], scopeVersion: String) -> [UInt8] {
        JSONWriter.bytes([
            "resourceSpans": [
                [
                    "resource": ["attributes": .array(resource.map(attribute))],
                    "scopeSpans": [
                        [
                            "scope": ["name": "clawgrant", "version": .string(scopeVersion)],
                            "spans": .array(spans.map(span)),
                        ]
                    ],
                ]
            ]
        ])
    }

    private static func span(_ span: Span) -> JSONValue {
        var object: JSONObject = [
            "traceId": .string("\(span.context.traceID)"), "spanId": .string("\(span.context.spanID)"),
        ]
        if !span.context.state.isEmpty { object["traceState"] = .string(span.context.state) }
        if let parent = span.parent { object["parentSpanId"] = .string("\(parent)") }
        object["name"] = .string(span.name)
        object["kind"] = .integer(span.kind.rawValue)
        object["startTimeUnixNano"] = .string(nanoseconds(span.start))
        object["endTimeUnixNano"] = .string(nanoseconds(span.end))
        object["attributes"] = .array(span.attributes.map(attribute))
        if !span.links.isEmpty {
            object["links"] = .array(
                span.links.map { link in
                    ["traceId": .string("\(link.traceID)"), "spanId": .string("\(link.spanID)")]
                })
        }
        object["flags"] = .integer(span.context.isSampled ? 1 : 0)
        if let fault = span.fault {
            object["status"] = ["code": 2, "message": .string(String(fault.prefix(Span.Value.maximumTextLength)))]
        }
        return .object(object)
    }

    private static func attribute(_ attribute: Span.Attribute) -> JSONValue {
        let value: JSONValue =
            switch attribute.value {
            case .text(let text): ["stringValue": .string(String(text.prefix(Span.Value.maximumTextLength)))]
            // 64-bit numbers are texts in the JSON of protocol buffers.
            case .number(let number): ["intValue": .string(String(number))]
            }
        return ["key": .string(attribute.name), "value": value]
    }

    private static func nanoseconds(_ time: Timestamp) -> String { "\(max(0, time.microseconds))000" }
}
