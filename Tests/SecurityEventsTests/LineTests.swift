import ClawWire
import ReceiptLog
import TestSupport
import Testing

@testable import SecurityEvents

/// What strangers write must stay what it is: text inside one field of one line.
@Suite struct LineTests {
    @Test(arguments: SecurityEventFormat.allCases, Events.every + [Events.attack])
    func everyEventIsOneLine(format: SecurityEventFormat, event: SecurityEvent) {
        let line = format.line(event)
        #expect(!line.isEmpty)
        #expect(!line.unicodeScalars.contains(where: SingleLine.isBreak))
    }

    @Test func hostileTextComesBackWholeFromJSON() throws {
        let object = try JSONReader.parse(SecurityEventFormat.ocsf.line(Events.attack))
        #expect(object["status_detail"]?.string == Events.hostile)
        #expect(object["unmapped"]?["claw"]?["request_id"]?.string == "req\n=|]")
        let document = try JSONReader.parse(SecurityEventFormat.ecs.line(Events.attack))
        #expect(document["event"]?["reason"]?.string == "CAPABILITY_DENIED: \(Events.hostile)")
    }

    @Test func severitiesOfCEFAreThoseOfTheTable() throws {
        let events = [
            (Events.event(Samples.grant()), "3"), (Events.event(Samples.denial()), "5"),
            (Events.event(Samples.revocation()), "5"), (Events.stop, "10"),
        ]
        for (event, severity) in events { #expect(try CEFReader.read(CEF.line(event)).header[6] == severity) }
    }

    @Test(arguments: SecurityEventFormat.allCases) func everyFormatSaysWhoDeclaredAStop(format: SecurityEventFormat) {
        #expect(format.line(Events.stop).contains("jonas.lindqvist@harborline.example"))
    }

    @Test func whoStandsBehindAnEventHasAFieldOfItsOwn() throws {
        let (declarer, approver) = ("jonas.lindqvist@harborline.example", "5d0c0b1e-approver")
        let grant = Events.event(Samples.grant())
        #expect(try CEFReader.read(CEF.line(Events.stop)).fields["suser"] == declarer)
        #expect(try CEFReader.read(CEF.line(grant)).fields["suser"] == approver)
        #expect(ECS.object(Events.stop)["user"]?["name"]?.string == declarer)
        #expect(ECS.object(grant)["user"]?["name"]?.string == grant.receipt.subject.agentDID?.rawValue)
        #expect(LogsIngestion.row(Events.stop)["Approver"]?.string == declarer)
        #expect(LogsIngestion.row(grant)["Approver"]?.string == approver)
        let telemetry = String(decoding: OTLPLogs.recordBytes(Events.stop), as: UTF8.self)
        #expect(telemetry.contains("claw.declared_by") && telemetry.contains(declarer))
        #expect(String(decoding: SplunkHEC.body([Events.stop]), as: UTF8.self).contains(declarer))
    }

    @Test func aLineOfCEFHasSevenBarsAndFieldsOfItsOwnAlone() throws {
        let line = CEF.line(Events.attack)
        let (header, fields) = try CEFReader.read(line)
        #expect(header.prefix(3) == ["CEF:0", "Claw Bureau", "clawgrant"])
        #expect(header.count == 7)
        #expect(fields["cs1"] == "class\\")
        #expect(fields["cs2"] == "a=b|c")
        #expect(fields["cn1"] == "7")
        let reason = try #require(fields["reason"])
        #expect(reason.contains("c=d|e\\f]g\"h"))
        #expect(reason.contains("a\nCEF:0|x"))
        #expect(!reason.contains("\u{1B}"))
        #expect(fields["forged"] == nil)
    }

    @Test func structuredDataComesBackFromSyslog() throws {
        for body in SyslogMessage.Body.allCases {
            let text = SyslogMessage.text(Events.attack, body: body)
            let message = try SyslogReader.read(text)
            #expect(message.priority == 16 * 8 + 4)
            #expect(message.parameters["requestId"] == "req =|]")
            #expect(message.parameters["jobId"] == "job\"]")
            #expect(message.parameters["jobClass"] == "class\\")
            #expect(message.parameters["sequence"] == "7")
            switch body {
            case .ocsf: #expect(try JSONReader.parse(message.body)["class_uid"]?.integer == 3_003)
            case .cef: #expect(message.body.hasPrefix("CEF:0|"))
            }
        }
    }

    @Test func aStopIsOfTheSeverityOfAStop() {
        #expect(
            SyslogMessage.text(Events.stop, body: .ocsf).hasPrefix(
                "<130>1 2026-03-01T12:00:00.000Z worker-0 clawgrant - STOP_DECLARED [claw@32473 "))
        #expect(SyslogMessage.text(Events.event(Samples.grant()), body: .cef).hasPrefix("<134>1 "))
    }

    @Test func framesCountBytes() {
        #expect(SyslogMessage.frame("é") == Array("2 é".utf8))
    }

    @Test(arguments: Events.every) func documentsOfECSHaveWhatTheSchemaDemands(event: SecurityEvent) throws {
        let object = ECS.object(event)
        let about = try #require(object["event"]?.object)
        #expect(["event", "alert"].contains(about["kind"]?.string))
        let categories: Set = ["api", "configuration", "iam", "intrusion_detection", "session"]
        let types: Set = ["allowed", "change", "creation", "deletion", "denied", "end", "info"]
        let category = try #require(about["category"]?.array).compactMap(\.string)
        let type = try #require(about["type"]?.array).compactMap(\.string)
        #expect(!category.isEmpty && categories.isSuperset(of: category))
        #expect(!type.isEmpty && types.isSuperset(of: type))
        #expect(["success", "failure"].contains(about["outcome"]?.string))
        #expect(about["sequence"]?.integer == event.sequence.value)
        #expect(object["@timestamp"]?.string == event.receipt.occurredAt.iso8601)
    }
}

/// Reads lines of CEF as a collector does: the escapes undone.
enum CEFReader {
    struct Fault: Error {}

    static func read(_ line: String) throws -> (header: [String], fields: [String: String]) {
        var header: [String] = []
        var part = ""
        var rest = Substring(line)
        while header.count < 7, let character = rest.popFirst() {
            switch character {
            case "\\":
                guard let next = rest.popFirst(), next == "\\" || next == "|" else { throw Fault() }
                part.append(next)
            case "|":
                header.append(part)
                part = ""
            default: part.append(character)
            }
        }
        // A key is the last word before a "=" that is not escaped.
        var fields: [String: String] = [:]
        var key: String?
        var value = ""
        while let character = rest.popFirst() {
            switch character {
            case "\\":
                guard let next = rest.popFirst() else { throw Fault() }
                switch next {
                case "n": value.append("\n")
                case "r": value.append("\r")
                case "=", "\\": value.append(next)
                default: throw Fault()
                }
            case "=":
                let words = value.split(separator: " ", omittingEmptySubsequences: false)
                guard let name = words.last else { throw Fault() }
                if let key { fields[key] = words.dropLast().joined(separator: " ") }
                key = String(name)
                value = ""
            default: value.append(character)
            }
        }
        if let key { fields[key] = value }
        return (header, fields)
    }
}

/// Reads a message of RFC 5424 with one element of structured data.
enum SyslogReader {
    struct Fault: Error {}

    struct Message {
        var priority = 0
        var parameters: [String: String] = [:]
        var body = ""
    }

    static func read(_ text: String) throws -> Message {
        var message = Message()
        let parts = text.split(separator: " ", maxSplits: 6, omittingEmptySubsequences: false)
        guard parts.count == 7, parts[0].hasPrefix("<"), parts[0].hasSuffix(">1"),
            let priority = Int(parts[0].dropFirst().dropLast(2)), parts[6].hasPrefix("[")
        else { throw Fault() }
        message.priority = priority
        var rest = parts[6].dropFirst()
        guard let space = rest.firstIndex(of: " ") else { throw Fault() }
        rest = rest[rest.index(after: space)...]
        while rest.first != "]" {
            guard let equals = rest.firstIndex(of: "=") else { throw Fault() }
            let name = rest[..<equals].drop { $0 == " " }
            rest = rest[rest.index(after: equals)...]
            guard rest.popFirst() == "\"" else { throw Fault() }
            var value = ""
            while let character = rest.popFirst(), character != "\"" {
                guard character == "\\" else {
                    value.append(character)
                    continue
                }
                guard let next = rest.popFirst() else { throw Fault() }
                value.append(next)
            }
            message.parameters[String(name)] = value
        }
        rest = rest.dropFirst()
        guard rest.popFirst() == " " else { throw Fault() }
        message.body = String(rest)
        return message
    }
}
