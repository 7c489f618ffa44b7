public import ClawWire
import IssuanceRules

/// What a verified header proves.
public struct HeaderSignatureProof: Sendable, Hashable {
    /// Name of the secret or key set that verified it.
    public let keyName: String
    /// The content of a JWS that was the whole body; `nil` when the body itself is the content.
    public let payload: [UInt8]?

    /// What the key is called where a key's identifier is kept.
    public var keyID: KeyID { KeyID("header:\(keyName)") }
}

/// Verifies signatures in headers over the raw bytes of a body.
///
/// Codes are compared in constant time, and every secret in force is tried on every code, so that the time taken tells
/// nothing about which of them was nearly right.
public struct HeaderSignatureVerifier: Sendable, Hashable {
    /// Most bytes of a header that has a part in the proof.
    static let maximumHeaderBytes = 8_192
    /// Most codes in one header.
    static let maximumCodes = 16

    private enum Material: Sendable, Hashable {
        case secrets(HeaderSignatureScheme.HMACForm, [HeaderSecret])
        case keys(header: String?, [HeaderKeySet])
    }

    private let material: Material

    /// Verifies codes made with shared secrets.
    public init(_ form: HeaderSignatureScheme.HMACForm, secrets: [HeaderSecret]) {
        material = .secrets(form, secrets)
    }

    /// Verifies JSON Web Signatures.
    ///
    /// - Parameters:
    ///   - header: the header with a detached JWS; `nil` when the body is the JWS.
    ///   - keys: the keys that may sign.
    public init(jwsIn header: String?, keys: [HeaderKeySet]) {
        material = .keys(header: header.map { TextRules.folded($0) }, keys)
    }

    /// The headers that have a part in the proof, in lower case.
    public var headers: [String] {
        switch material {
        case .secrets(let form, _): HeaderSignatureScheme.hmac(form).headers
        case .keys(let header, _): HeaderSignatureScheme.jws(header: header).headers
        }
    }

    /// Verifies a body.
    ///
    /// - Parameters:
    ///   - headers: all headers as they came; names compare without case.
    ///   - body: the body as it came, byte for byte.
    ///   - arrival: when it came, for secrets and timestamps that count for a time.
    /// - Throws: ``SourceFault`` `unsigned`, `malformed_signature`, `unknown_signer`, `signature_invalid` or
    ///   `signature_out_of_time`; it never repeats a value.
    public func verify(
        headers: [SourceRecord.Header], body: [UInt8], at arrival: Timestamp
    ) throws(SourceFault) -> HeaderSignatureProof {
        switch material {
        case .secrets(let form, let secrets):
            return try verify(form, secrets, HeaderFields(headers), body, arrival)
        case .keys(let header, let keys):
            let active = keys.filter { $0.period.contains(arrival) }
            guard let header else {
                let jws = try HeaderJWS(compact: body, field: "body")
                return HeaderSignatureProof(keyName: try jws.signer(among: active), payload: jws.payload)
            }
            guard let value = try HeaderFields(headers).one(header) else {
                throw SourceFault(.unsigned, field: header, "the header is missing")
            }
            let jws = try HeaderJWS(compact: value, detached: body, field: header)
            return HeaderSignatureProof(keyName: try jws.signer(among: active), payload: nil)
        }
    }

    private func verify(
        _ form: HeaderSignatureScheme.HMACForm, _ secrets: [HeaderSecret], _ headers: HeaderFields, _ body: [UInt8],
        _ arrival: Timestamp
    ) throws(SourceFault) -> HeaderSignatureProof {
        guard let value = try headers.one(form.header) else {
            throw SourceFault(.unsigned, field: form.header, "the header is missing")
        }
        let codes = try Self.codes(in: value, form)
        var signed = [body]
        if let time = form.timestamp {
            guard let text = try headers.one(time.header) else {
                throw SourceFault(.unsigned, field: time.header, "the header is missing")
            }
            let seconds = try Self.seconds(text, time.header)
            guard abs(arrival.seconds - seconds) <= time.toleranceSeconds else {
                throw SourceFault(
                    .signatureOutOfTime, field: time.header,
                    "the timestamp is more than \(time.toleranceSeconds) s from the arrival")
            }
            // The digits as they came: the sender signed its own text, not the number.
            signed = [Array(time.version.utf8) + [UInt8(ascii: ":")] + text + [UInt8(ascii: ":")], body]
        }
        let active = secrets.filter { $0.period.contains(arrival) }
        guard !active.isEmpty else {
            throw SourceFault(.unknownSigner, field: form.header, "no secret of the source is in force")
        }
        var match: String?
        for secret in active {
            let expected = secret.code(signed)
            for code in codes where isSameCode(code, expected) { match = match ?? secret.name }
        }
        guard let match else {
            throw SourceFault(
                .signatureInvalid, field: form.header, "no code is that of a secret in force over this body")
        }
        return HeaderSignatureProof(keyName: match, payload: nil)
    }

    private static func codes(
        in value: [UInt8], _ form: HeaderSignatureScheme.HMACForm
    ) throws(SourceFault) -> [[UInt8]] {
        var codes: [[UInt8]] = []
        let prefix = Array(form.prefix.utf8)
        let values =
            form.isList ? value.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) : [value[...]]
        guard values.count <= maximumCodes else {
            throw SourceFault(.malformedSignature, field: form.header, "more than \(maximumCodes) codes")
        }
        for part in values {
            let trimmed = form.isList ? part.trimmingSpaces() : part
            guard trimmed.starts(with: prefix) else {
                // A version to come stands beside the one that is known.
                if form.isList { continue }
                throw SourceFault(
                    .malformedSignature, field: form.header, "the value does not begin as the scheme says")
            }
            guard let code = form.encoding.decode(trimmed.dropFirst(prefix.count)), code.count == 32 else {
                throw SourceFault(
                    .malformedSignature, field: form.header, "32 bytes in \(form.encoding.rawValue) were expected")
            }
            codes.append(code)
        }
        guard !codes.isEmpty else {
            throw SourceFault(.malformedSignature, field: form.header, "no code of a version that is known")
        }
        return codes
    }

    private static func seconds(_ text: [UInt8], _ header: String) throws(SourceFault) -> Int64 {
        guard (1...12).contains(text.count), text.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
            let seconds = Int64(String(decoding: text, as: UTF8.self))
        else { throw SourceFault(.malformedSignature, field: header, "whole seconds since 1970 were expected") }
        return seconds
    }
}

/// Headers of a webhook by name.
struct HeaderFields {
    private let headers: [SourceRecord.Header]

    init(_ headers: [SourceRecord.Header]) { self.headers = headers }

    /// The one value of a header; `nil` when it is absent.
    ///
    /// - Throws: ``SourceFault`` `malformed_signature` for a header that is there twice: which of the two a proxy
    ///   before us looked at cannot be known.
    func one(_ name: String) throws(SourceFault) -> [UInt8]? {
        let found = headers.filter { TextRules.isFolded($0.name, name) }
        guard found.count < 2 else { throw SourceFault(.malformedSignature, field: name, "the header is repeated") }
        guard let value = found.first?.value else { return nil }
        guard value.count <= HeaderSignatureVerifier.maximumHeaderBytes else {
            throw SourceFault(
                .malformedSignature, field: name, "more than \(HeaderSignatureVerifier.maximumHeaderBytes) bytes")
        }
        return value
    }
}

extension HeaderSignatureRule.Encoding {
    func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        guard text.count <= 128 else { return nil }
        let text = String(decoding: text, as: UTF8.self)
        return switch self {
        case .hex: Hex.decode(TextRules.folded(text))
        case .base64: Base64.decode(text)
        case .base64url: Base64URL.decode(text)
        }
    }
}

extension ArraySlice<UInt8> {
    fileprivate func trimmingSpaces() -> ArraySlice<UInt8> {
        var slice = self
        while slice.first == 0x20 { slice.removeFirst() }
        while slice.last == 0x20 { slice.removeLast() }
        return slice
    }
}

/// Reads the records of a source that proves itself by headers, whatever its kind.
enum HeaderSigned {
    static func facts(
        from record: SourceRecord, verifier: HeaderSignatureVerifier, configuration: SourceConfiguration,
        read: (SourceRecord, SourceConfiguration) -> SourceReading
    ) -> SourceReading {
        // What is proven already is read as trusted; a proof of the event itself is not asked for on top.
        var trusted = configuration
        trusted.authenticity = .topic
        trusted.headerSignature = nil
        guard let value = record.value else { return read(record, trusted) }
        // The record's own time tells when it came, however long it waited to be read.
        guard let arrival = record.timestamp else {
            return .deadLetter(
                SourceFault(.unsigned, field: "timestamp", "the record has no time, so no secret's time can be told"))
        }
        do throws(SourceFault) {
            let proof = try verifier.verify(headers: record.headers, body: value, at: arrival)
            var record = record
            if let payload = proof.payload { record.value = payload }
            switch read(record, trusted) {
            case .facts(let facts, _): return .facts(facts, .headerSigned(by: proof.keyID))
            case .deadLetter(let fault): return .deadLetter(fault)
            }
        } catch {
            return .deadLetter(error)
        }
    }
}
