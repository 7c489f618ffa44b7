import ClawWire
import ReceiptLog
import SecurityEvents

extension FuzzTarget {
    /// What goes to collectors: whatever strangers wrote into a receipt, an event stays one line of its format.
    static let securityEvents = [
        FuzzTarget("security-events") { bytes throws(FuzzFinding) in
            var pieces = Pieces(bytes)
            let event = EventDraft.event(&pieces)
            for format in SecurityEventFormat.allCases {
                let line = format.line(event)
                try require(
                    !line.unicodeScalars.contains { $0.value < 0x20 }, "\(format): a control character in a line")
                try require(TokenMask.masked(line) == line, "\(format): a token in a line")
                switch format {
                case .ocsf: try CollectorDouble.isObject(line, named: ["metadata", "uid"], event)
                case .ecs: try CollectorDouble.isObject(line, named: ["event", "id"], event)
                case .cef: try CollectorDouble.isCEF(line, event)
                case .syslog:
                    try CollectorDouble.isObject(
                        try CollectorDouble.message(line, event), named: ["metadata", "uid"], event)
                case .syslogCEF: try CollectorDouble.isCEF(try CollectorDouble.message(line, event), event)
                }
            }
            for body in [OTLPLogs.body([event, event]), LogsIngestion.bodies([event, event])[0].body] {
                try require((try? JSONReader.parse(body)) != nil, "a body for a collector is no JSON")
            }
            // Splunk's form is an object behind the other: one of them alone is JSON.
            try require((try? JSONReader.parse(SplunkHEC.body([event]))) != nil, "a body for Splunk is no JSON")
            guard let encoded = try? event.receipt.encoded() else { return }
            try require((try? Receipt(parsing: encoded.bytes)) == event.receipt, "a receipt is not read as written")
        },
        FuzzTarget("token-mask") { bytes throws(FuzzFinding) in
            let text = String(decoding: bytes, as: UTF8.self)
            let masked = TokenMask.masked(text)
            try require(TokenMask.masked(masked) == masked, "a text is masked twice")
            try require(!holdsToken(masked), "a token is left in \(masked.debugDescription)")
            // A token between two halves of the input never comes through.
            guard !text.contains(secretPart) else { return }
            let half = text.unicodeScalars.index(
                text.unicodeScalars.startIndex, offsetBy: text.unicodeScalars.count / 2)
            let front = String(text.unicodeScalars[..<half])
            let planted = front + sample + String(text.unicodeScalars[half...])
            try require(!TokenMask.masked(planted).contains(secretPart), "a planted token comes through")
        },
    ]

    private static let secretPart = "c2VjcmV0LXBhcnQ"
    private static let sample = "eyJhbGciOiJFZERTQSJ9.eyJqdGkiOiJmdXp6In0.\(secretPart)"

    /// Three runs of base64url with dots between them, of which the first begins as an object does, told without the
    /// mask's own words.
    private static func holdsToken(_ text: String) -> Bool {
        let runs = text.utf8.split { byte in
            !(Base64URL.isInAlphabet(byte) || byte == UInt8(ascii: "."))
        }
        return runs.contains { run in
            guard run.count >= 20, let run = String(run), let start = run.firstRange(of: "eyJ")?.lowerBound else {
                return false
            }
            return run[start...].count(where: { $0 == "." }) >= 2
        }
    }
}

/// Receipts of texts that strangers wrote.
private enum EventDraft {
    static func event(_ pieces: inout Pieces) -> SecurityEvent {
        let kind = pieces.choice(17)
        let subject = Receipt.Subject(
            requestID: pieces.optionalText().map { RequestID($0) },
            approvalIDs: pieces.optionalText().map { [ApprovalID($0)] } ?? [],
            jobID: pieces.optionalText().map { JobID($0) }, jobClass: pieces.optionalText().map { JobClass($0) },
            agentDID: pieces.optionalText().map { AgentDID($0) })
        let provenance = Receipt.Provenance(
            workerID: WorkerID(pieces.text()), policyHash: Digest(hashing: "wpc"),
            inputs: [
                EvidenceInput(
                    digest: Digest(hashing: "input"), origin: origin(&pieces),
                    source: pieces.optionalText().map { SourceName($0) })
            ], controlPosition: 4)
        let reasons =
            pieces.optionalText().map { [Receipt.Reason(code: $0, detail: pieces.text())] } ?? []
        let receipt = Receipt(
            content: content(kind, &pieces), subject: subject, provenance: provenance, reasons: reasons,
            occurredAt: Fixed.now)
        return SecurityEvent(
            receipt: receipt, sequence: SequenceNumber(7), batch: SequenceNumber(3), sealedAt: Fixed.now,
            producer: EventProducer(
                version: "1.0.0", logID: Fixed.logID, workerID: WorkerID("worker-1"), tenant: pieces.optionalText()))
    }

    private static func origin(_ pieces: inout Pieces) -> RecordOrigin {
        RecordOrigin(topic: pieces.text(), partition: 1, offset: 17)
    }

    private static func extent(_ pieces: inout Pieces) -> AuthorityExtent {
        AuthorityExtent(scope: [pieces.text()], actions: [pieces.text()], audience: [pieces.text()], ttlSeconds: 600)
    }

    private static func content(_ kind: Int, _ pieces: inout Pieces) -> Receipt.Content {
        let digest = Digest(hashing: "token")
        switch kind {
        case 0:
            return .grantIssued(
                Receipt.Grant(
                    asked: extent(&pieces), granted: extent(&pieces),
                    token: TokenReference(
                        tokenHash: digest, jti: TokenID(pieces.text()), scopeHash: digest, kid: KeyID(pieces.text()),
                        issuedAt: Fixed.now, expiresAt: Fixed.now.adding(seconds: 600)),
                    delivery: .plain, approverIDs: [PersonID(pieces.text()), PersonID(pieces.text())],
                    replaces: pieces.optionalText().map { RequestID($0) }, rule: pieces.text()))
        case 1:
            return .grantClaimed(
                Receipt.Claim(tokenHash: digest, jti: TokenID(pieces.text()), key: digest, sealedTo: digest))
        case 2: return .decisionDenied(refusal(&pieces))
        case 3: return .decisionExpired(refusal(&pieces))
        case 4:
            return .decisionQuarantined(
                Receipt.Quarantine(origin: origin(&pieces), valueDigest: digest, valueBytes: 3))
        case 5, 6:
            let action = Receipt.DeadLetterAction(
                origin: origin(&pieces), valueDigest: digest, hops: 1, outcome: kind == 5 ? .refused : .discarded,
                requestedBy: pieces.text())
            return kind == 5 ? .deadLetterRedriven(action) : .deadLetterDiscarded(action)
        case 7:
            return .revocation(
                Receipt.Revocation(
                    tokenHash: digest, jti: pieces.optionalText().map { TokenID($0) }, cause: .requested,
                    revokedBy: pieces.text()))
        case 8:
            return .keyChanged(
                Receipt.KeyChange(
                    publicKey: Fixed.signer.publicKey, purpose: .token, change: .compromised, effectiveAt: Fixed.now))
        case 9: return .stopDeclared(payload(&pieces))
        case 10: return .stopLifted(payload(&pieces))
        case 11: return .controlApplied(payload(&pieces))
        case 12: return .controlRepeated(payload(&pieces))
        case 13:
            return .gatewayReceipt(
                Receipt.GatewayCall(
                    signerDID: pieces.text(), receiptID: pieces.text(), payloadHash: digest, calledAt: Fixed.now,
                    provider: pieces.text(), model: pieces.text(), inputTokens: 1, outputTokens: 2,
                    scopeHash: pieces.optionalText(), policyHash: pieces.optionalText(), runID: pieces.optionalText()))
        case 14:
            return .findingRaised(
                Receipt.Finding(code: pieces.text(), severity: .critical, about: pieces.text(), evidence: [digest]))
        case 15:
            return .budgetReached(
                Receipt.BudgetMark(
                    dimension: .cost, percent: 80, limit: 100, used: 80, currency: pieces.optionalText()))
        default: return .heartbeat
        }
    }

    private static func refusal(_ pieces: inout Pieces) -> Receipt.Refusal {
        Receipt.Refusal(asked: extent(&pieces), needed: [pieces.text()], rule: pieces.text())
    }

    /// A control event's payload: the input's own object, or one of its texts. Its members stand as in the receipt's
    /// canonical form, since objects with members in another order are not equal.
    private static func payload(_ pieces: inout Pieces) -> JSONObject {
        let drafted = JSONValue.object(draftedPayload(&pieces))
        return (try? JSONReader.parse(JSONWriter.bytes(drafted, order: .canonical)))?.object ?? [:]
    }

    private static func draftedPayload(_ pieces: inout Pieces) -> JSONObject {
        let bytes = pieces.bytes()
        if let object = (try? JSONReader.parse(bytes, limits: .token))?.object { return object }
        var rest = Pieces(bytes)
        return [
            "stop_id": .string(rest.text()), "operation": .string(pieces.text()), "incident": .string(pieces.text()),
            "declared_by": [.string(pieces.text())],
            "data": ["scope": ["kind": "job_class", "value": .string(pieces.text())]],
        ]
    }
}

/// Readers as collectors have them, each by the format's own document.
private enum CollectorDouble {
    /// An object with the receipt's identifier at a path.
    static func isObject(_ line: String, named path: [String], _ event: SecurityEvent) throws(FuzzFinding) {
        guard let value = try? JSONReader.parse(Array(line.utf8)) else {
            return try require(false, "a line is no JSON: \(line.debugDescription)")
        }
        let found = path.reduce(value as JSONValue?) { $0?[$1] }
        try require(found?.string == event.receipt.id.rawValue, "a line does not name its receipt")
    }

    /// A CEF line: seven fields with bars between them, then keys and values in which a sign of equality is escaped.
    static func isCEF(_ line: String, _ event: SecurityEvent) throws(FuzzFinding) {
        var header: [String] = [""]
        var scalars = line.unicodeScalars[...]
        while header.count < 8, let scalar = scalars.popFirst() {
            switch scalar {
            case "\\": if let next = scalars.popFirst() { header[header.count - 1].unicodeScalars.append(next) }
            case "|": header.append("")
            default: header[header.count - 1].unicodeScalars.append(scalar)
            }
        }
        try require(header.count == 8 && header[0] == "CEF:0", "a line has not the seven fields of CEF")
        try require(header[4] == event.code, "a line of CEF names another kind of event")
        var values: [String: String] = [:]
        var names: [String] = []
        for word in String(scalars).split(separator: " ", omittingEmptySubsequences: false) {
            if let equals = unescapedEquals(word),
                word[..<equals].allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber) })
            {
                names.append(String(word[..<equals]))
                values[String(word[..<equals])] = String(word[word.index(after: equals)...])
            } else {
                try require(unescapedEquals(word) == nil, "a sign of equality in a value of CEF")
            }
        }
        try require(Set(names).count == names.count, "a key of CEF stands twice: \(names)")
        try require(Set(names).isSubset(of: known), "a key of CEF that is not ours: \(names)")
        try require(values["externalId"] == event.receipt.id.rawValue, "a line of CEF names another receipt")
        try require(values["cn1"] == "7" && values["cn2"] == "3", "a line of CEF has another place in the log")
        try require(
            !line.unicodeScalars.contains { (0x7F..<0xA0).contains($0.value) || (0x2028...0x2029).contains($0.value) },
            "a line of CEF with a line end of Unicode")
    }

    private static let known: Set<String> = Set(
        [
            "rt", "externalId", "act", "outcome", "dvchost", "msg", "suser", "duser", "reason", "cn1", "cn1Label",
            "cn2",
            "cn2Label",
        ]
            + (1...6).flatMap { ["cs\($0)", "cs\($0)Label"] })

    private static func unescapedEquals(_ word: Substring) -> Substring.Index? {
        var isEscaped = false
        for index in word.unicodeScalars.indices {
            let scalar = word.unicodeScalars[index]
            if isEscaped {
                isEscaped = false
            } else if scalar == "\\" {
                isEscaped = true
            } else if scalar == "=" {
                return index
            }
        }
        return nil
    }

    /// The message of a syslog line (RFC 5424): header, structured data of one element, message.
    static func message(_ line: String, _ event: SecurityEvent) throws(FuzzFinding) -> String {
        let fields = line.split(separator: " ", maxSplits: 6, omittingEmptySubsequences: false).map(String.init)
        guard fields.count == 7 else {
            try require(false, "a syslog line has no header")
            return ""
        }
        try require(
            fields[0].hasPrefix("<") && fields[0].hasSuffix(">1") && fields[3] == "clawgrant" && fields[4] == "-",
            "a syslog line with another header: \(fields.prefix(6))")
        for field in fields[1...5] {
            try require(
                !field.isEmpty && field.utf8.allSatisfy { (33...126).contains($0) }, "a syslog header with \(field)")
        }
        var rest = fields[6].unicodeScalars[...]
        try require(String(rest).hasPrefix("[claw@32473 "), "a syslog line without our structured data")
        var isQuoted = false
        while let scalar = rest.popFirst() {
            if isQuoted, scalar == "\\" {
                _ = rest.popFirst()
            } else if scalar == "\"" {
                isQuoted.toggle()
            } else if scalar == "]" {
                try require(!isQuoted, "a bracket in a value of structured data")
                break
            }
        }
        try require(!isQuoted && rest.first == " ", "structured data that does not end")
        let frame = SyslogMessage.frame(line)
        try require(frame.starts(with: Array("\(line.utf8.count) ".utf8)), "a frame of another length")
        return String(rest.dropFirst())
    }
}
