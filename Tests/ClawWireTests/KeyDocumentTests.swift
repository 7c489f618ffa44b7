import ClawWire
import TestSupport
import Testing

@Suite("Key documents")
struct KeyDocumentTests {
    private static let generated = Timestamp(seconds: 1_780_000_000)

    private func roster() throws -> KeyRoster {
        try #require(KeyRoster(try Own.keys(), overlapSeconds: 3_600, now: Self.generated))
    }

    @Test func keySetReadsBack() throws {
        let keys = AcceptedKeys(
            signing: [try Own.signer().publicKey],
            verifyOnly: [(key: try Own.signer("issuer-old").publicKey, notAfter: 1_780_000_200)])
        let during = JWKS.document(keys, now: Self.generated)
        #expect(try JWKS.parse(JSONWriter.bytes(during)) == keys.entries.map(\.key))
        let after = JWKS.document(keys, now: Timestamp(seconds: 1_780_000_201))
        #expect(try JWKS.parse(JSONWriter.bytes(after)) == [try Own.signer().publicKey])
    }

    @Test(arguments: [
        ("[]", KeyDocumentError.Code.malformed), ("{\"keys\":{}}", .malformed), ("{\"keys\":[", .malformed),
        ("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"}]}", .malformed),
        (
            "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"l1gJ9CoM3dmmA65LRLuqenIIn0fm5XHvq5vY_2DD0oc\",\"d\":\"AA\"}]}",
            .malformed
        ),
        (
            "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"l1gJ9CoM3dmmA65LRLuqenIIn0fm5XHvq5vY_2DD0oc\",\"kid\":\"x\"}]}",
            .kidMismatch
        ),
    ])
    func brokenKeySets(_ text: String, code: KeyDocumentError.Code) {
        let error = #expect(throws: KeyDocumentError.self) { try JWKS.parse(Array(text.utf8)) }
        #expect(error?.code == code)
    }

    @Test func keysOfOtherKindsArePassedOver() throws {
        let text = "{\"keys\":[{\"kty\":\"RSA\"},{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AA\"}]}"
        #expect(try JWKS.parse(Array(text.utf8)).isEmpty)
    }

    @Test func contractReadsBack() throws {
        let contract = RotationContract(roster: try roster())
        #expect(!contract.isOverlapWindowOpen)
        #expect(try RotationContract(contract.json) == contract)
        #expect(throws: KeyDocumentError.self) { try RotationContract(["contract_version": "1"]) }
    }

    @Test func snapshotIsByteExact() throws {
        let signer = try Own.signer()
        let snapshot = try KeyTransparencySnapshot.sign(try roster(), generatedAt: Self.generated, signer: signer)
        #expect(snapshot.hash.text == "1STPjrB0aofVy4heialK7aG3_GqAcNQ1CYKPobtWCZM")
        #expect(
            snapshot.signature.b64u
                == "mNNcftBXRa5WJMg1rbiJZIGsRqZCsJnaHmAvgNnSy_JczqlbrjWMdMOLiyRKrlz553Wkbh8AmPThjGI2fs88DA")
        #expect(snapshot.id == "kts_1780000000_457174658c466a38")
        #expect(try KeyTransparencySnapshot.verify(snapshot.json, keys: [signer.publicKey]) == snapshot)
    }

    @Test func changedSnapshotsAreRefused() throws {
        let signer = try Own.signer()
        let snapshot = try KeyTransparencySnapshot.sign(try roster(), generatedAt: Self.generated, signer: signer)
        func code(_ change: (inout JSONObject) -> Void, keys: [Ed25519PublicKey]) throws -> KeyDocumentError.Code? {
            var object = try #require(snapshot.json.object)
            change(&object)
            let value = JSONValue.object(object)
            return #expect(throws: KeyDocumentError.self) {
                try KeyTransparencySnapshot.verify(value, keys: keys)
            }?.code
        }
        let keys = [signer.publicKey]
        #expect(try code({ $0["overlap_seconds"] = 1 }, keys: keys) == .hashMismatch)
        #expect(try code({ $0["accepted_kids"] = [] }, keys: keys) == .hashMismatch)
        #expect(
            try code({ $0["signature_b64u"] = .string(Base64URL.encode([UInt8](repeating: 0, count: 64))) }, keys: keys)
                == .signatureInvalid)
        #expect(try code({ _ in }, keys: []) == .unknownSigner)
        #expect(try code({ $0["snapshot_version"] = "2" }, keys: keys) == .unknownVersion)
        #expect(try code({ $0["expiring_kids"] = nil }, keys: keys) == .malformed)
        let roster = try roster()
        let other = try Own.signer("issuer-old")
        #expect(throws: KeyDocumentError.self) {
            try KeyTransparencySnapshot.sign(roster, generatedAt: Self.generated, signer: other)
        }
    }

    @Test(.enabled(if: SharedVectors.arePresent))
    func referenceDocuments() throws {
        let vectors = try SharedVectors.load("key-documents")
        let signer = try SharedVectors.signer("issuer")
        let keys = AcceptedKeys(
            signing: [signer.publicKey],
            verifyOnly: [(key: try SharedVectors.signer("issuer-old").publicKey, notAfter: 1_772_366_500)])
        func same(_ value: JSONValue, _ name: String) throws {
            let expected = try #require(vectors[name])
            #expect(JSONWriter.text(value) == JSONWriter.text(expected), "\(name)")
        }
        for (suffix, seconds) in [("during", Int64(1_772_366_400)), ("after", 1_772_366_501)] {
            let now = Timestamp(seconds: seconds)
            try same(JWKS.document(keys, now: now), "jwks_\(suffix)_overlap")
            let roster = try #require(KeyRoster(keys, overlapSeconds: 3_600, now: now))
            try same(RotationContract(roster: roster).json, "rotation_contract_\(suffix)_overlap")
            let contract = try #require(vectors["rotation_contract_\(suffix)_overlap"])
            #expect(try RotationContract(contract).roster == roster)
        }
        let now = Timestamp(seconds: 1_772_366_400)
        let roster = try #require(KeyRoster(keys, overlapSeconds: 3_600, now: now))
        let snapshot = try KeyTransparencySnapshot.sign(roster, generatedAt: now, signer: signer)
        try same(snapshot.json, "key_transparency_latest")
        #expect(String(decoding: snapshot.signedText, as: UTF8.self) == vectors["key_transparency_signed_text"]?.string)
        let latest = try #require(vectors["key_transparency_latest"])
        #expect(try KeyTransparencySnapshot.verify(latest, keys: [signer.publicKey]) == snapshot)
        #expect(vectors["did"]?["kid"]?.string == signer.publicKey.kid.rawValue)
    }
}
