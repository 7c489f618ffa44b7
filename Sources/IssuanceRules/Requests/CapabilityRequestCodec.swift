public import ClawWire

/// The stored form of a request; the wire form is read by the source of requests.
extension CapabilityRequest {
    /// The form in which ledger and facts keep a request: an object with the names of the claims where there is one.
    public var json: JSONValue {
        // The bytes were written by this type, so reading them back cannot fail.
        guard var object = (try? JSONReader.parse(storageBytes))?.object else { return .null }
        object["requested_at"] = .string(RFC3339.text(requestedAt))
        return .object(object)
    }

    /// Reads ``json``.
    ///
    /// - Throws: ``StorageError`` naming the member that is missing or of the wrong type.
    public init(json: JSONValue) throws(StorageError) { try self.init(stored: json) }

    /// ``json`` with its subject in the form in which people are compared.
    static func foldingSubject(of value: JSONValue) -> JSONValue {
        guard var object = value.object, let subject = object["subject"]?.string else { return value }
        object["subject"] = .string(PersonID(folding: subject).rawValue)
        return .object(object)
    }

    var storageBytes: [UInt8] {
        var writer = StorageWriter()
        write(to: &writer)
        return writer.bytes
    }

    func write(to writer: inout StorageWriter) {
        writer.object { writer in
            writer.member("request_id", requestID.rawValue)
            writer.member("job_id", jobID.rawValue)
            writer.member("job_class", jobClass.rawValue)
            writer.member("agent_did", agentDID.rawValue)
            writer.member("subject", subject?.rawValue)
            writer.array("scope", scope) { $0.string($1) }
            writer.array("actions", actions) { $0.string($1) }
            writer.array("tools", tools) { $0.string($1) }
            writer.array("audience", audience) { $0.string($1) }
            writer.member("ttl_seconds", integer: ttlSeconds)
            if let policyHash { writer.member("policy_hash_b64u", policyHash) }
            writer.member("approval_id", approvalID?.rawValue)
            writer.member("ticket", ticketNumber)
            switch delivery {
            case .sealed(let publicKey):
                writer.member("delivery", "sealed")
                writer.key("public_key_b64u")
                writer.base64URL(publicKey)
            case .plain: writer.member("delivery", "plain")
            case .reference(let claimKey):
                writer.member("delivery", "reference")
                if let claimKey { writer.member("jkt", claimKey) }
            }
            writer.member("upgrades_request", upgradesRequest?.rawValue)
            writer.member("reason", reason)
            writer.member("requested_at", requestedAt)
        }
    }

    init(stored value: JSONValue) throws(StorageError) {
        let subject = "capability request"
        let text = value["requested_at"]?.string
        guard let requestedAt = text.flatMap({ Timestamp(rfc3339: $0) }) ?? value.time("requested_at") else {
            throw StorageError(subject: subject, detail: "requested_at is no RFC 3339 time")
        }
        let delivery: Delivery
        switch try value.text("delivery", of: subject) {
        case "sealed":
            guard let key = Base64URL.decode(try value.text("public_key_b64u", of: subject)) else {
                throw StorageError(subject: subject, detail: "public_key_b64u is not base64url")
            }
            delivery = .sealed(publicKey: key)
        case "plain": delivery = .plain
        case "reference":
            let claimKey = value["jkt"]?.string.flatMap { Digest(b64u: $0) }
            guard value["jkt"] == nil || claimKey != nil else {
                throw StorageError(subject: subject, detail: "jkt is no SHA-256 in base64url")
            }
            delivery = .reference(claimKey: claimKey)
        case let other:
            throw StorageError(subject: subject, detail: "delivery \"\(other.cut(toBytes: 32))\" is not known")
        }
        var policyHash: Digest?
        if let text = value["policy_hash_b64u"] {
            policyHash = text.string.flatMap { Digest(b64u: $0) }
            guard policyHash != nil else {
                throw StorageError(subject: subject, detail: "policy_hash_b64u is no SHA-256 in base64url")
            }
        }
        func texts(_ key: String) -> [String] { value.elements(key).compactMap(\.string) }
        self.init(
            requestID: RequestID(try value.text("request_id", of: subject)),
            jobID: JobID(try value.text("job_id", of: subject)),
            jobClass: JobClass(try value.text("job_class", of: subject)),
            agentDID: AgentDID(try value.text("agent_did", of: subject)),
            subject: value["subject"]?.string.map { PersonID($0) }, scope: texts("scope"), actions: texts("actions"),
            tools: texts("tools"), audience: texts("audience"), ttlSeconds: value["ttl_seconds"]?.storedInteger,
            policyHash: policyHash, approvalID: value["approval_id"]?.string.map { ApprovalID($0) },
            ticketNumber: value["ticket"]?.string, delivery: delivery,
            upgradesRequest: value["upgrades_request"]?.string.map { RequestID($0) },
            reason: value["reason"]?.string, requestedAt: requestedAt)
    }
}

/// RFC 3339 text that keeps microseconds where there are any.
enum RFC3339 {
    static func text(_ time: Timestamp) -> String {
        let text = time.iso8601
        let fraction = time.microseconds - time.milliseconds * 1_000
        guard fraction != 0 else { return text }
        let digits = String(fraction)
        return text.dropLast() + String(repeating: "0", count: 3 - digits.utf8.count) + digits + "Z"
    }
}
