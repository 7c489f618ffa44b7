import ClawWire

/// The checks of `event_chain`: links first, then hashes.
enum EventChainCheck {
    static func check(_ context: inout ReferenceContext) throws(ReferenceRefusal) {
        let chain = context.entries("event_chain")
        guard !chain.isEmpty else { return }
        let events = chain.map { $0.object ?? [:] }
        try checkLinks(events)
        for (index, event) in events.enumerated() {
            guard hash(of: event) == event["event_hash_b64u"]?.string else {
                throw ReferenceRefusal(
                    "HASH_MISMATCH", "payload.event_chain[\(index)].event_hash_b64u", "the event has another hash")
            }
        }
        context.events = events
        context.runID = events.first?["run_id"]?.string
        context.chainRoot = events.first?["event_hash_b64u"]?.string
        context.eventHashes = Set(events.compactMap { $0["event_hash_b64u"]?.string })
        context.components["event_chain_valid"] = true
        context.components["chain_root_hash"] = .optional(context.chainRoot)
    }

    /// The document-order hash of an event's header, rebuilt in the one order whatever the document's is.
    static func hash(of event: JSONObject) -> String {
        var header = JSONObject()
        for key in ["event_id", "run_id", "event_type", "timestamp", "payload_hash_b64u"] {
            // A member that is missing is left out, as the reference's printer does.
            if let value = event[key] { header[key] = value }
        }
        header["prev_hash_b64u"] = event["prev_hash_b64u"] ?? .null
        return JSONValue.object(header).documentDigest.b64u
    }

    private static func checkLinks(_ events: [JSONObject]) throws(ReferenceRefusal) {
        func refusal(_ detail: String) -> ReferenceRefusal {
            ReferenceRefusal("MALFORMED_ENVELOPE", "payload.event_chain", detail)
        }
        func hash(_ event: JSONObject, _ key: String) -> String? {
            event[key]?.string.flatMap { $0.utf8.count >= 8 && ReferenceText.isBase64URL($0) ? $0 : nil }
        }
        var previous: String?
        let runID = events.first?["run_id"]?.string ?? ""
        for (index, event) in events.enumerated() {
            for key in ["event_id", "run_id", "event_type"] {
                guard event[key]?.string?.isEmpty == false else { throw refusal("event \(index) has no \(key)") }
            }
            guard ReferenceDate.milliseconds(event["timestamp"]) != nil else {
                throw refusal("event \(index) has no date")
            }
            guard hash(event, "payload_hash_b64u") != nil, let own = hash(event, "event_hash_b64u") else {
                throw refusal("event \(index) has no hash")
            }
            guard let run = event["run_id"]?.string, ExactText.equal(run, runID) else {
                throw refusal("event \(index) is of another run")
            }
            if let previous {
                guard hash(event, "prev_hash_b64u") == previous else { throw refusal("event \(index) has no link") }
            } else {
                guard event["prev_hash_b64u"] == .null || event["prev_hash_b64u"] == "" else {
                    throw refusal("the first event follows another")
                }
            }
            previous = own
        }
    }
}
