import ClawWire

/// A `requestSchedule` or `entitlementManagementSchedule` of Microsoft Graph: a start, and an end in one of three
/// forms.
enum VendorSchedule {
    /// The window that a schedule states.
    ///
    /// - Returns: `nil` when a member is there and does not read. An end that is not stated is `nil` within.
    static func window(_ schedule: JSONValue?) -> (notBefore: Timestamp?, notAfter: Timestamp?)? {
        guard let schedule, schedule.object != nil else { return (nil, nil) }
        guard let start = VendorRecord.time(EntraAuditRecord.member(schedule, "startDateTime")) else { return nil }
        guard let expiration = EntraAuditRecord.member(schedule, "expiration"), expiration.object != nil else {
            return (start, nil)
        }
        guard let end = VendorRecord.time(EntraAuditRecord.member(expiration, "endDateTime")) else { return nil }
        switch VendorRecord.word(EntraAuditRecord.member(expiration, "type")) {
        case "afterdatetime": return (start, end)
        case "afterduration":
            // Some answers carry the reckoned end beside the duration; the earlier of the two holds.
            let stated = EntraAuditRecord.member(expiration, "duration")?.string
            guard let stated, !stated.isEmpty else { return (start, end) }
            guard let seconds = seconds(stated) else { return nil }
            let reckoned = start?.adding(seconds: seconds)
            return (start, [end, reckoned].compactMap(\.self).min())
        case "noexpiration", "notspecified", nil: return (start, nil)
        case .some: return (start, nil)
        }
    }

    /// The seconds of an ISO 8601 duration in weeks, days, hours, minutes and seconds; fractions of a second are left
    /// out. Years and months have no fixed length, so they do not read.
    static func seconds(_ text: String) -> Int64? {
        let bytes = Array(text.utf8)
        guard (3...64).contains(bytes.count), bytes[0] | 0x20 == UInt8(ascii: "p") else { return nil }
        var total: Int64 = 0
        var position = 1
        var isTime = false
        var last = -1
        var parts = 0
        while position < bytes.count {
            if bytes[position] | 0x20 == UInt8(ascii: "t") {
                guard !isTime else { return nil }
                isTime = true
                position += 1
                continue
            }
            var value: Int64 = 0
            let start = position
            while position < bytes.count, isDigit(bytes[position]), position - start < 9 {
                value = value * 10 + Int64(bytes[position] - 0x30)
                position += 1
            }
            guard position > start else { return nil }
            var hasFraction = false
            if position < bytes.count, bytes[position] == UInt8(ascii: ".") || bytes[position] == UInt8(ascii: ",") {
                hasFraction = true
                position += 1
                let begin = position
                while position < bytes.count, isDigit(bytes[position]) { position += 1 }
                guard position > begin else { return nil }
            }
            guard position < bytes.count, let unit = unit(bytes[position], isTime: isTime), unit.order > last,
                !hasFraction || unit.seconds == 1
            else { return nil }
            last = unit.order
            total += value * unit.seconds
            parts += 1
            position += 1
        }
        return parts > 0 && total > 0 ? total : nil
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    private static func unit(_ byte: UInt8, isTime: Bool) -> (order: Int, seconds: Int64)? {
        switch (byte | 0x20, isTime) {
        case (UInt8(ascii: "w"), false): (0, 604_800)
        case (UInt8(ascii: "d"), false): (1, 86_400)
        case (UInt8(ascii: "h"), true): (2, 3_600)
        case (UInt8(ascii: "m"), true): (3, 60)
        case (UInt8(ascii: "s"), true): (4, 1)
        default: nil
        }
    }
}
