import ClawWire

/// Accounts for every record of the input topics: a known event, a repeat of one, a dead letter, or none of our business.
struct InputAudit {
    /// What the ledger holds of events: see ``eventKey(_:_:)``.
    let events: Set<Fingerprint>
    /// Requests that the ledger knows.
    let requests: Set<Fingerprint>
    /// Dead letters by origin.
    let deadLetters: [Fingerprint: Fingerprint]
    /// Control events that the ledger knows: by their identifier, and by the name that people give them.
    let controlEvents: Set<String>
    private var seen: Set<Fingerprint> = []

    init(
        events: Set<Fingerprint>, requests: Set<Fingerprint>, deadLetters: [Fingerprint: Fingerprint],
        controlEvents: Set<String> = []
    ) {
        self.controlEvents = controlEvents
        self.events = events
        self.requests = requests
        self.deadLetters = deadLetters
    }

    /// The key of an event: the first 16 bytes of SHA-256 over source name, NUL and event id.
    static func eventKey(_ source: SourceName, _ id: String) -> Fingerprint {
        Fingerprint("\(source.rawValue)\u{0}\(id)")
    }

    mutating func take(_ record: PublishedRecord, of input: CheckPlan.Input, _ report: inout CheckReport) {
        let place = "\(input.topic)/\(record.partition)/\(record.offset)"
        report.counts.inputRecords += 1
        if let digest = deadLetters[Fingerprint(place)] {
            if digest != Fingerprint(Digest(hashing: record.value ?? [])) {
                report.violate(.receipts, "the dead letter of \(place) is of another record")
            }
            // Other entries of the same record may have been taken all the same.
            for entry in Self.entries(record, record.value ?? [], input.form) {
                let key = Self.eventKey(input.source, entry.eventID)
                if events.contains(key) { seen.insert(key) }
            }
            return
        }
        guard let value = record.value else {
            report.counts.inputIgnored += 1
            return
        }
        let entries = Self.entries(record, value, input.form)
        if entries.isEmpty { report.violate(.offsets, "\(place) was passed over and is in no dead letter") }
        for entry in entries {
            let key = Self.eventKey(input.source, entry.eventID)
            if events.contains(key) {
                if !seen.insert(key).inserted { report.counts.inputRepeats += 1 }
                if let request = entry.requestID, !requests.contains(Fingerprint(request)) {
                    report.violate(.oneOutcome, "request \(request) of \(place) is not in the ledger")
                }
            } else if let stop = entry.stop {
                // The same stop under another event id is known by its name alone.
                if !controlEvents.contains("\(input.source.rawValue) \(entry.eventID)"), !controlEvents.contains(stop) {
                    report.violate(.offsets, "\(place) is a stop or a lift that the ledger does not know")
                }
            } else if entry.mayBeIgnored {
                report.counts.inputIgnored += 1
            } else {
                report.violate(.offsets, "\(place) is neither an event of the ledger nor in the dead letters")
            }
        }
    }

    /// Events that the ledger holds and no input record brought.
    var unseenEvents: Int { events.count - seen.count }

    // MARK: Reading identifiers

    struct Entry: Equatable {
        let eventID: String
        var requestID: String?
        var mayBeIgnored = false
        /// The stop that a control event names.
        var stop: String?
    }

    static func entries(_ record: PublishedRecord, _ value: [UInt8], _ form: CheckPlan.InputForm) -> [Entry] {
        switch form {
        case .entraAudit: return entraEntries(value)
        case .vendor(let vendor): return VendorEntries(record, value).entries(vendor)
        case .cloudEvents: return cloudEvent(record, value).map { [$0] } ?? []
        case .requests:
            if let event = cloudEvent(record, value) { return [event] }
            guard let id = (try? JSONReader.parse(value))?["request_id"]?.string else { return [] }
            return [Entry(eventID: id, requestID: id)]
        }
    }

    private static func cloudEvent(_ record: PublishedRecord, _ value: [UInt8]) -> Entry? {
        let isStructured =
            record.headers.contains {
                $0.name.lowercased() == "content-type"
                    && String(decoding: $0.value ?? [], as: UTF8.self).hasPrefix("application/cloudevents")
            }
        let body = try? JSONReader.parse(value)
        let (id, source, type, data): (String?, String?, String?, JSONValue?) =
            isStructured
            ? (body?["id"]?.string, body?["source"]?.string, body?["type"]?.string, body?["data"])
            : (record.header("ce_id"), record.header("ce_source"), record.header("ce_type"), body)
        guard let id, let source else { return nil }
        if let type, type.hasPrefix("com.clawbureau.stop.") {
            return Entry(eventID: "\(source) \(id)", stop: data?["stop_id"]?.string ?? id)
        }
        return Entry(
            eventID: "\(source) \(id)",
            requestID: data?["request"]?["request_id"]?.string ?? data?["request_id"]?.string)
    }

    private static func entraEntries(_ value: [UInt8]) -> [Entry] {
        guard let message = try? JSONReader.parse(value, duplicates: .keepLastValue) else { return [] }
        let records = message.array ?? message["records"]?.array ?? [message]
        // A message of no entries is a heartbeat of the pipeline.
        if records.isEmpty { return [Entry(eventID: "", mayBeIgnored: true)] }
        return records.map { entry in
            let id = entry["properties"]?["id"]?.string ?? "sha256:\(entry.canonicalDigest.b64u)"
            return Entry(eventID: id, mayBeIgnored: !isDecisive(entry))
        }
    }

    /// True for the steps of an activation that must never be passed over.
    private static func isDecisive(_ entry: JSONValue) -> Bool {
        let properties = entry["properties"]
        guard properties?["loggedByService"]?.string == "PIM", properties?["result"]?.string == "success",
            let name = properties?["activityDisplayName"]?.string?.lowercased()
        else { return false }
        return name.hasSuffix("(pim activation)")
            && ["approved", "denied", "completed"].contains { name.contains(" \($0) ") }
    }
}
