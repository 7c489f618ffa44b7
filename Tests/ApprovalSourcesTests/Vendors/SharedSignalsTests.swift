import ApprovalSources
import ClawWire
import Crypto
import CryptoExtras
import Foundation
import IssuanceRules
import Testing

@Suite("Shared Signals")
struct SharedSignalsTests {
    private typealias Fixtures = VendorFixtures

    /// A key of each algorithm, with what signs by it.
    enum Signer: String, CaseIterable, CustomTestStringConvertible {
        case es256 = "ES256"
        case rs256 = "RS256"
        case edDSA = "EdDSA"

        static let ellipticKey = P256.Signing.PrivateKey()
        static let rsaKey = try? _RSA.Signing.PrivateKey(keySize: .bits2048)
        static let edwardsKey = NativeFixtures.signer(9)

        var testDescription: String { rawValue }
        var kid: String { "idp-\(rawValue)" }

        func jwk() throws -> JSONValue {
            switch self {
            case .es256:
                let point = Array(Self.ellipticKey.publicKey.x963Representation.dropFirst())
                return [
                    "kty": "EC", "crv": "P-256", "kid": .string(kid), "alg": "ES256",
                    "x": .string(Base64URL.encode(point.prefix(32))), "y": .string(Base64URL.encode(point.suffix(32))),
                ]
            case .rs256:
                let numbers = try #require(Self.rsaKey).publicKey
                let primitives = try numbers.getKeyPrimitives()
                return [
                    "kty": "RSA", "kid": .string(kid), "n": .string(Base64URL.encode(Array(primitives.modulus))),
                    "e": .string(Base64URL.encode(Array(primitives.publicExponent))),
                ]
            case .edDSA:
                return [
                    "kty": "OKP", "crv": "Ed25519", "kid": .string(kid),
                    "x": .string(Base64URL.encode(Self.edwardsKey.publicKey.bytes)),
                ]
            }
        }

        func sign(_ bytes: [UInt8]) throws -> [UInt8] {
            switch self {
            case .es256: Array(try Self.ellipticKey.signature(for: bytes).rawRepresentation)
            case .rs256:
                Array(
                    try #require(Self.rsaKey).signature(for: bytes, padding: .insecurePKCS1v1_5).rawRepresentation)
            case .edDSA: try Self.edwardsKey.sign(bytes).bytes
            }
        }
    }

    static let claims: JSONValue = [
        "iss": "https://ssf.harborline.example/", "jti": "set-1", "iat": 1_795_165_260,
        "aud": "https://issuer.harborline.example/ssf", "txn": "t-1",
        "sub_id": [
            "format": "complex",
            "user": [
                "format": "iss_sub", "iss": "https://login.harborline.example/",
                "sub": "A5A38504-8335-5c2a-8ad2-5e374d719355",
            ], "tenant": ["format": "opaque", "id": "harborline"],
        ],
        "events": [
            "https://schemas.openid.net/secevent/caep/event-type/session-revoked": [
                "event_timestamp": 1_795_165_255, "initiating_entity": "admin",
            ]
        ],
    ]

    static func header(_ signer: Signer) -> JSONValue {
        ["typ": "secevent+jwt", "alg": .string(signer.rawValue), "kid": .string(signer.kid)]
    }

    static func compact(
        _ claims: JSONValue = claims, header: JSONValue? = nil, by signer: Signer = .es256
    ) throws -> [UInt8] {
        let header = header ?? Self.header(signer)
        let text = "\(Base64URL.encode(JSONWriter.bytes(header))).\(Base64URL.encode(JSONWriter.bytes(claims)))"
        return Array("\(text).\(Base64URL.encode(try signer.sign(Array(text.utf8))))".utf8)
    }

    static func configuration(_ signers: [Signer] = Signer.allCases) throws -> SourceConfiguration {
        var configuration = SourceConfiguration(
            name: SourceName("signals"), kind: .sharedSignals, authenticity: .signed)
        configuration.vendor.transmitter = VendorRule.Transmitter(
            issuer: "https://ssf.harborline.example/", audience: ["https://issuer.harborline.example/ssf"],
            keys: try signers.map { try PublicJWK(json: $0.jwk()) })
        return configuration
    }

    private static func summary(_ bytes: [UInt8]) throws -> [String] {
        Fixtures.summary(Fixtures.read(bytes, try configuration()))
    }

    private static func summary(_ claims: JSONValue, header: JSONValue? = nil) throws -> [String] {
        try summary(try compact(claims, header: header))
    }

    @Test("A token of each algorithm invalidates its subject", arguments: Signer.allCases)
    func algorithms(signer: Signer) throws {
        let reading = Fixtures.read(try Self.compact(by: signer), try Self.configuration())
        let fact = try #require(reading.only)
        #expect(fact.content == .subjectInvalidated(reason: "session_revoked"))
        #expect(fact.subject?.id == PersonID("a5a38504-8335-5c2a-8ad2-5e374d719355"))
        #expect(fact.occurredAt == Timestamp(seconds: 1_795_165_255))
        #expect(fact.sourceEventID == SourceEventID("https://ssf.harborline.example/ set-1"))
        #expect(reading.evidence == .vendorSigned(by: KeyID(signer.kid)))
        #expect(reading.evidence?.authenticity == .signed([KeyID(signer.kid)]))
    }

    @Test("A subject told by its principal name voids the approval of whoever has it", arguments: ["email", "account"])
    func principalName(format: String) throws {
        let name = "Avery.Okafor@harborline.example"
        let subject: JSONValue =
            format == "email"
            ? ["format": "email", "email": .string(name)] : ["format": "account", "uri": .string("acct:\(name)")]
        let reading = Fixtures.read(
            try Self.compact(Self.claims.setting("sub_id", to: subject)), try Self.configuration())
        let signal = try #require(reading.only)
        let record = AuditRecordBuilder("Add member to role requested (PIM activation)").with {
            $0.time = "2026-11-20T08:59:00Z"
        }
        let opened = try #require(record.fact())
        func concerns(_ opened: Fact) throws -> Bool {
            var state = ApprovalState(approvalID: try #require(opened.approvalID))
            state.apply(opened, from: SourceName("entra"), authenticity: .topic)
            return state.isConcerned(by: signal)
        }
        #expect(try concerns(opened))
        var other = opened
        other.subject = Actor(id: PersonID(AuditRecordBuilder.subject), upn: "jonas.lindqvist@harborline.example")
        #expect(try concerns(other), "who asked")
        other.requester = other.subject
        #expect(try !concerns(other))
    }

    @Test("Every changed byte of a token is found out", arguments: Signer.allCases)
    func tampering(signer: Signer) throws {
        let token = try Self.compact(by: signer)
        let configuration = try Self.configuration()
        for position in stride(from: 0, to: token.count, by: max(1, token.count / 97)) {
            var changed = token
            changed[position] = changed[position] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            // The last character of a part may carry bits that decode to nothing; then it is refused or the same.
            guard case .facts(let facts, _) = Fixtures.read(changed, configuration) else { continue }
            Issue.record("byte \(position) was changed and \(facts.map(\.kind)) was read")
        }
    }

    @Test("A signature must be by a listed key with the algorithm of that key")
    func signatures() throws {
        let other = try Self.configuration([.rs256])
        #expect(try Fixtures.summary(Fixtures.read(Self.compact(), other)) == ["dead letter unknown_signer"])
        for (header, reason) in [
            (["typ": "secevent+jwt", "alg": "none", "kid": "idp-ES256"], "malformed_signature"),
            (["typ": "secevent+jwt", "alg": "HS256", "kid": "idp-ES256"], "malformed_signature"),
            (["typ": "secevent+jwt", "alg": "RS256", "kid": "idp-ES256"], "malformed_signature"),
            (["typ": "secevent+jwt", "alg": "ES256", "kid": "idp-ES256", "crit": ["b64"]], "malformed_signature"),
            (["typ": "secevent+jwt", "alg": "ES256"], "unknown_signer"),
        ] as [(JSONValue, String)] {
            #expect(try Self.summary(Self.claims, header: header) == ["dead letter \(reason)"])
        }
        let unsigned = try Self.compact().prefix { _ in true }.split(separator: UInt8(ascii: "."))
        let bare = Array(unsigned[0]) + [UInt8(ascii: ".")] + Array(unsigned[1]) + [UInt8(ascii: ".")]
        #expect(try Self.summary(bare) == ["dead letter unsigned"])
        #expect(try Self.summary(Array("a.b".utf8)) == ["dead letter malformed"])
    }

    @Test("An access token that is dressed as a Security Event Token is none")
    func form() throws {
        for claims in [
            Self.claims.setting("sub", to: "x"), Self.claims.setting("exp", to: 1_795_168_860),
            Self.claims.setting("sub_id", to: nil), Self.claims.setting("jti", to: nil),
            Self.claims.setting("iss", to: nil), Self.claims.setting("iat", to: "yesterday"),
            Self.claims.setting("events", to: [:]), Self.claims.setting("events", to: []),
            Self.claims.setting("iat", to: 1_795_167_400),
        ] {
            #expect(try Self.summary(claims) == ["rejected not_a_valid_set"])
        }
        let header: JSONValue = ["typ": "JWT", "alg": "ES256", "kid": "idp-ES256"]
        #expect(try Self.summary(Self.claims, header: header) == ["rejected not_a_valid_set"])
    }

    @Test("It must be of the transmitter and for us")
    func issuerAndAudience() throws {
        #expect(
            try Self.summary(Self.claims.setting("iss", to: "https://ssf.harborline.example")) == [
                "rejected untrusted_source"
            ])
        #expect(
            try Self.summary(Self.claims.setting("aud", to: "https://other.example")) == ["rejected wrong_audience"])
        #expect(try Self.summary(Self.claims.setting("aud", to: nil)) == ["rejected wrong_audience"])
        let several = Self.claims.setting(
            "aud", to: ["https://other.example", "https://issuer.harborline.example/ssf"])
        #expect(try Self.summary(several) == ["subject.invalidated"])
    }

    @Test(
        "Which events invalidate",
        arguments: [
            ("caep/event-type/session-revoked", "session_revoked"),
            ("caep/event-type/credential-change", "credential_change"),
            ("risc/event-type/account-disabled", "account_disabled"),
            ("risc/event-type/account-purged", "account_purged"),
            ("risc/event-type/credential-compromise", "credential_compromised"),
            ("caep/event-type/session-established", nil), ("ssf/event-type/verification", nil),
        ] as [(String, String?)])
    func events(name: String, reason: String?) throws {
        let events: JSONValue = .object(
            JSONObject([("https://schemas.openid.net/secevent/\(name)", .object(JSONObject()))]))
        let reading = Fixtures.read(
            try Self.compact(Self.claims.setting("events", to: events)), try Self.configuration())
        #expect(
            reading.only?.content == reason.map { .subjectInvalidated(reason: $0) }
                ?? .ignored(why: "not_a_decision"))
    }

    @Test(
        "Whom an event is about",
        arguments: [
            (["format": "iss_sub", "iss": "x", "sub": "U-1"], ["u-1"]),
            (["format": "opaque", "id": "U-1"], ["u-1"]),
            (["format": "email", "email": "Avery@harborline.example"], ["avery@harborline.example"]),
            (["format": "account", "uri": "acct:avery@harborline.example"], ["avery@harborline.example"]),
            (
                [
                    "format": "aliases",
                    "identifiers": [["format": "opaque", "id": "a"], ["format": "email", "email": "b@c.example"]],
                ], ["a", "b@c.example"]
            ),
            (["format": "complex", "session": ["format": "opaque", "id": "s"]], []),
            (["format": "phone_number", "phone_number": "+123"], []), (["sub": "u"], []),
        ] as [(JSONValue, [String])])
    func subjects(subject: JSONValue, people: [String]) throws {
        let reading = Fixtures.read(
            try Self.compact(Self.claims.setting("sub_id", to: subject)), try Self.configuration())
        #expect(reading.facts.compactMap(\.subject?.id.rawValue) == people)
        if people.isEmpty { #expect(Fixtures.summary(reading) == ["rejected no_subject"]) }
    }

    @Test("A token travels as a value or in a structured CloudEvent")
    func transports() throws {
        let token = try Self.compact()
        let configuration = try Self.configuration()
        let text = String(decoding: token, as: UTF8.self)
        #expect(Fixtures.summary(Fixtures.read(Array(" \(text)\r\n".utf8), configuration)) == ["subject.invalidated"])
        var event = CloudEvent(id: "1", source: "/ssf", type: "com.harborline.set", data: .json(.string(text)))
        event.dataContentType = "application/secevent+jwt"
        let record = event.record(.structured, topic: "signals")
        let reading = AnySource.facts(from: record, configuration: configuration, at: Fixtures.now)
        #expect(Fixtures.summary(reading) == ["subject.invalidated"])
    }

    @Test("Keys that are none are refused")
    func keys() throws {
        let good = try Signer.rs256.jwk()
        #expect(try PublicJWK(json: good).algorithm == .rs256)
        for signer in Signer.allCases {
            let key = try PublicJWK(json: signer.jwk())
            #expect(try PublicJWK(json: key.json) == key)
        }
        for broken in [
            good.setting("kid", to: nil), good.setting("alg", to: "ES256"), good.setting("use", to: "enc"),
            good.setting("d", to: "AQAB"), good.setting("n", to: "AQAB"), good.setting("kty", to: "oct"),
            try Signer.es256.jwk().setting("crv", to: "P-384"),
            try Signer.es256.jwk().setting("x", to: .string(Base64URL.encode([UInt8](repeating: 1, count: 32)))),
            try Signer.edDSA.jwk().setting("x", to: "AQAB"), "key",
        ] {
            #expect(throws: KeyDocumentError.self) { try PublicJWK(json: broken) }
        }
    }
}
