import ApprovalSources
import ClawWire
import Crypto
import CryptoExtras
import Foundation
import IssuanceRules
import Testing

@Suite struct HeaderSignatureTests {
    static let now = Timestamp(seconds: 1_795_000_000)
    static let text = "It's a Secret to Everybody"
    static let secret = Array(text.utf8)
    static let body = Array("Hello, World!".utf8)

    static func named(_ name: String, _ bytes: [UInt8] = secret, _ period: HeaderKeyPeriod = .always) throws
        -> HeaderSecret
    {
        try #require(HeaderSecret(name: name, bytes: bytes, period: period))
    }

    static func code(_ body: [UInt8], _ secret: [UInt8] = secret) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: body, using: SymmetricKey(data: secret)))
    }

    static func verifier(_ scheme: HeaderSignatureScheme, _ secrets: [HeaderSecret]) throws -> HeaderSignatureVerifier {
        guard case .hmac(let form) = scheme else { throw Failure() }
        return HeaderSignatureVerifier(form, secrets: secrets)
    }

    struct Failure: Error {}

    static func reason(
        _ verifier: HeaderSignatureVerifier, _ headers: [SourceRecord.Header], _ body: [UInt8] = body,
        at now: Timestamp = now
    ) -> DeadLetterReason? {
        do throws(SourceFault) {
            _ = try verifier.verify(headers: headers, body: body, at: now)
            return nil
        } catch {
            return error.reason
        }
    }

    // MARK: GitHub and Atlassian

    /// The vector of GitHub's documentation on validating deliveries.
    @Test func gitHubsOwnVectorVerifies() throws {
        let verifier = try Self.verifier(.github, [Self.named("a")])
        let proof = try verifier.verify(
            headers: [
                .init(
                    "X-Hub-Signature-256",
                    "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")
            ], body: Self.body, at: Self.now)
        #expect(proof.keyName == "a")
        #expect(proof.keyID.rawValue == "header:a")
        #expect(proof.payload == nil)
    }

    @Test func everyBitOfBodyAndCodeCounts() throws {
        let verifier = try Self.verifier(.github, [Self.named("a")])
        let code = Self.code(Self.body)
        for i in code.indices {
            for bit in 0..<8 {
                var other = code
                other[i] ^= 1 << UInt8(bit)
                let header = SourceRecord.Header("x-hub-signature-256", "sha256=\(Hex.encode(other))")
                #expect(Self.reason(verifier, [header]) == .signatureInvalid)
            }
        }
        let header = SourceRecord.Header("x-hub-signature-256", "sha256=\(Hex.encode(code))")
        for i in Self.body.indices {
            var other = Self.body
            other[i] ^= 1
            #expect(Self.reason(verifier, [header], other) == .signatureInvalid)
        }
        #expect(Self.reason(verifier, [header], []) == .signatureInvalid)
        #expect(Self.reason(verifier, [header], Self.body + [0]) == .signatureInvalid)
        #expect(Self.reason(verifier, [header]) == nil)
    }

    @Test(arguments: [
        "", "sha256=", "sha256=zz", "sha1=757107ea0eb2509fc211221cce984b8a37570b6d", "sha256",
        "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        "SHA256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        " sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e1",
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17 ",
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e1700",
    ])
    func brokenFormsAreMalformed(_ value: String) throws {
        let verifier = try Self.verifier(.github, [Self.named("a")])
        #expect(Self.reason(verifier, [.init("X-Hub-Signature-256", value)]) == .malformedSignature)
    }

    @Test func missingRepeatedAndOversizedHeadersAreRefused() throws {
        let verifier = try Self.verifier(.github, [Self.named("a")])
        let good = SourceRecord.Header("X-Hub-Signature-256", "sha256=\(Hex.encode(Self.code(Self.body)))")
        #expect(Self.reason(verifier, []) == .unsigned)
        #expect(Self.reason(verifier, [.init("X-Hub-Signature-256", nil as [UInt8]?)]) == .unsigned)
        #expect(Self.reason(verifier, [good, .init("x-HUB-signature-256", "sha256=00")]) == .malformedSignature)
        #expect(
            Self.reason(verifier, [.init("X-Hub-Signature-256", [UInt8](repeating: 0x61, count: 9_000))])
                == .malformedSignature)
        #expect(Self.reason(verifier, [good]) == nil)
    }

    @Test func theHeaderOfAnotherSchemeProvesNothing() throws {
        let header = SourceRecord.Header("X-Hub-Signature-256", "sha256=\(Hex.encode(Self.code(Self.body)))")
        #expect(Self.reason(try Self.verifier(.atlassian, [Self.named("a")]), [header]) == .unsigned)
        let own = SourceRecord.Header("X-Hub-Signature", "sha256=\(Hex.encode(Self.code(Self.body)))")
        #expect(Self.reason(try Self.verifier(.atlassian, [Self.named("a")]), [own]) == nil)
        let old = SourceRecord.Header("X-Hub-Signature", "sha1=757107ea0eb2509fc211221cce984b8a37570b6d")
        #expect(Self.reason(try Self.verifier(.atlassian, [Self.named("a")]), [old]) == .malformedSignature)
    }

    // MARK: Rotation

    @Test func severalSecretsCountEachInItsTime() throws {
        let old = Array("the secret of before".utf8)
        let new = Array("the secret of from now".utf8)
        let change = Self.now
        let verifier = try Self.verifier(
            .github,
            [
                Self.named("old", old, HeaderKeyPeriod(notAfter: change.adding(seconds: 60))),
                Self.named("new", new, HeaderKeyPeriod(notBefore: change)),
            ])
        func proof(_ secret: [UInt8], at time: Timestamp) -> String? {
            let header = SourceRecord.Header(
                "X-Hub-Signature-256", "sha256=\(Hex.encode(Self.code(Self.body, secret)))")
            return try? verifier.verify(headers: [header], body: Self.body, at: time).keyName
        }
        #expect(proof(old, at: change.adding(seconds: -1)) == "old")
        #expect(proof(new, at: change.adding(seconds: -1)) == nil)
        #expect(proof(old, at: change) == "old")
        #expect(proof(new, at: change) == "new")
        #expect(proof(old, at: change.adding(seconds: 59)) == "old")
        #expect(proof(old, at: change.adding(seconds: 60)) == nil)
        #expect(proof(new, at: change.adding(seconds: 60)) == "new")
    }

    @Test func noSecretInForceIsTold() throws {
        let verifier = try Self.verifier(
            .github, [Self.named("a", Self.secret, HeaderKeyPeriod(notAfter: Self.now))])
        let header = SourceRecord.Header("X-Hub-Signature-256", "sha256=\(Hex.encode(Self.code(Self.body)))")
        #expect(Self.reason(verifier, [header]) == .unknownSigner)
    }

    @Test func pagerDutysListCarriesTheCodesOfBothSecrets() throws {
        let other = Array("some other secret of theirs".utf8)
        let verifier = try Self.verifier(.pagerDuty, [Self.named("a")])
        let mine = "v1=\(Hex.encode(Self.code(Self.body)))"
        let theirs = "v1=\(Hex.encode(Self.code(Self.body, other)))"
        func reason(_ value: String) -> DeadLetterReason? {
            Self.reason(verifier, [.init("X-PagerDuty-Signature", value)])
        }
        #expect(reason(mine) == nil)
        #expect(reason("\(theirs),\(mine)") == nil)
        #expect(reason("\(theirs), \(mine)") == nil)
        #expect(reason("v2=something-new,\(mine)") == nil)
        #expect(reason(theirs) == .signatureInvalid)
        #expect(reason("v2=something-new") == .malformedSignature)
        #expect(reason("\(mine),v1=zz") == .malformedSignature)
        #expect(reason(Array(repeating: mine, count: 17).joined(separator: ",")) == .malformedSignature)
        #expect(reason(",") == .malformedSignature)
    }

    // MARK: Slack

    /// The vector of Slack's documentation on verifying requests.
    @Test func slacksOwnVectorVerifiesWithinFiveMinutes() throws {
        let verifier = try Self.verifier(
            .slack, [Self.named("a", Array("8f742231b10e8888abcd99yyyzzz85a5".utf8))])
        let body = Array(
            ("token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
                + "&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
                + "&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
                + "%2F96rGlfmibIGlgcZRskXaIFfN"
                + "&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c").utf8)
        let sent = Timestamp(seconds: 1_531_420_618)
        let headers: [SourceRecord.Header] = [
            .init("X-Slack-Request-Timestamp", "1531420618"),
            .init(
                "X-Slack-Signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
        ]
        for seconds: Int64 in [-300, 0, 300] {
            #expect(Self.reason(verifier, headers, body, at: sent.adding(seconds: seconds)) == nil)
        }
        for seconds: Int64 in [-301, 301, 86_400] {
            #expect(
                Self.reason(verifier, headers, body, at: sent.adding(seconds: seconds)) == .signatureOutOfTime)
        }
        let later: [SourceRecord.Header] = [.init("X-Slack-Request-Timestamp", "1531420619"), headers[1]]
        #expect(Self.reason(verifier, later, body, at: sent) == .signatureInvalid)
        let padded: [SourceRecord.Header] = [.init("X-Slack-Request-Timestamp", "01531420618"), headers[1]]
        #expect(Self.reason(verifier, padded, body, at: sent) == .signatureInvalid)
        #expect(Self.reason(verifier, [headers[1]], body, at: sent) == .unsigned)
        for text in ["", "-1", "1e9", "1531420618.0", "99999999999999999999"] {
            let broken: [SourceRecord.Header] = [.init("X-Slack-Request-Timestamp", text), headers[1]]
            #expect(Self.reason(verifier, broken, body, at: sent) == .malformedSignature)
        }
    }

    // MARK: Any HMAC

    @Test(arguments: HeaderSignatureRule.Encoding.allCases)
    func aGenericHeaderIsReadInEveryEncoding(_ encoding: HeaderSignatureRule.Encoding) throws {
        let code = Self.code(Self.body)
        let text =
            switch encoding {
            case .hex: Hex.encode(code).uppercased()
            case .base64: Data(code).base64EncodedString()
            case .base64url: Base64URL.encode(code)
            }
        let rule = HeaderSignatureRule(
            scheme: .hmacSHA256, header: "X-Acme-Signature", prefix: "sig:", encoding: encoding,
            keys: [.init(name: "a", file: "a")])
        let verifier = try Self.verifier(HeaderSignatureScheme(rule), [Self.named("a")])
        #expect(verifier.headers == ["x-acme-signature"])
        #expect(Self.reason(verifier, [.init("x-acme-signature", "sig:\(text)")]) == nil)
        #expect(Self.reason(verifier, [.init("x-acme-signature", text)]) == .malformedSignature)
        #expect(Self.reason(verifier, [.init("x-acme-signature", "sig:\(text)=")]) == .malformedSignature)
    }

    // MARK: Secrets

    @Test func aSecretIsNeverPrintedAndNeverShort() throws {
        #expect(HeaderSecret(name: "a", bytes: [UInt8](repeating: 1, count: 15)) == nil)
        #expect(HeaderSecret(name: "a", bytes: [UInt8](repeating: 1, count: 1_025)) == nil)
        let secret = try Self.named("a")
        var text = "\(secret) \(String(reflecting: secret))"
        dump(secret, to: &text)
        dump(try Self.verifier(.github, [secret]), to: &text)
        #expect(!text.contains(Self.text))
        #expect(text.contains("(secret a)"))
        #expect(secret == (try Self.named("a")))
        #expect(secret != (try Self.named("a", Array("another secret of 16".utf8))))
    }

    // MARK: As a source

    @Test func aSourceOfAnyKindCanBeProvenByItsHeader() throws {
        let decision = NativeDecision(
            approvalID: ApprovalID("chg-1"), verdict: .approved, requester: Actor(id: PersonID("u-1")),
            answers: [.init(approver: Actor(id: PersonID("u-2")))])
        let event = decision.event(id: "evt-1", source: "/acme", at: Self.now)
        let message = event.message(.structured)
        let value = try #require(message.value)
        var configuration = SourceConfiguration(name: SourceName("acme"), kind: .native, authenticity: .signed)
        configuration.headerSignature = try Self.verifier(.github, [Self.named("a")])
        func reading(_ header: SourceRecord.Header?, at time: Timestamp? = Self.now) -> SourceReading {
            let record = SourceRecord(
                topic: "t", headers: message.headers + (header.map { [$0] } ?? []), value: value, timestamp: time)
            return AnySource.facts(from: record, configuration: configuration, at: Self.now)
        }
        let good = SourceRecord.Header("X-Hub-Signature-256", "sha256=\(Hex.encode(Self.code(value)))")
        guard case .facts(let facts, let evidence) = reading(good) else {
            Issue.record("the record was refused")
            return
        }
        #expect(facts.count == 1)
        #expect(evidence == .headerSigned(by: KeyID("header:a")))
        #expect(evidence.authenticity == .signed([KeyID("header:a")]))
        func fault(_ reading: SourceReading) -> DeadLetterReason? {
            if case .deadLetter(let fault) = reading { fault.reason } else { nil }
        }
        #expect(fault(reading(nil)) == .unsigned)
        #expect(fault(reading(good, at: nil)) == .unsigned)
        let bad = SourceRecord.Header("X-Hub-Signature-256", "sha256=\(String(repeating: "0", count: 64))")
        #expect(fault(reading(bad)) == .signatureInvalid)
        configuration.headerSignature = nil
        #expect(fault(reading(good)) == .unsigned)
    }
}
